//===- Ops.cpp - the ops a model graph may use -----------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Shape inference over named dimensions. Two dimensions are the same when their
// names are: sizes follow from the names.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Target/ModelJSON/Ops.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

#include <set>

using namespace modelpar;
using namespace modelpar::target;

std::string target::toString(const TensorShape &shape) {
  std::string text = "[";
  for (auto [i, dim] : llvm::enumerate(shape.dims))
    text += (i ? ", " : "") + dim.name + " = " + std::to_string(dim.size);
  return text + "]";
}

std::string target::expandIndex(const std::string &text, int64_t index) {
  std::string result = text, number = std::to_string(index);
  for (size_t at = 0; (at = result.find("{i}", at)) != std::string::npos; at += number.size())
    result.replace(at, 3, number);
  return result;
}

const std::vector<OpSpec> &target::opSpecs() {
  static const std::vector<OpSpec> specs = {
      {"matmul", 2, 1, {"result"}, "matmul(x, y) -> z"},
      {"add", 2, 1, {}, "add(x, y) -> z"},
      {"mul", 2, 1, {}, "mul(x, y) -> z"},
      {"activation", 1, 1, {"kind"}, "activation(x) -> y"},
      {"dropout", 1, 1, {"rate"}, "dropout(x) -> y"},
      {"layer_norm", 3, 1, {"epsilon"}, "layer_norm(x, weight, bias) -> y"},
      {"rms_norm", 2, 1, {"epsilon"}, "rms_norm(x, weight) -> y"},
      {"rotary", 2, 1, {"theta", "scaling"}, "rotary(x, positions) -> y"},
      {"embedding", 2, 1, {"padding_row"}, "embedding(ids, table) -> y"},
      {"attention", 3, 1, {"causal", "scale", "rate"}, "attention(query, key, value[, mask]) -> y", 1},
      {"unpack", 1, 0, {"dim"}, "unpack(x) -> y0, y1, ..."},
      {"cross_entropy", 2, 1, {}, "cross_entropy(logits, targets) -> loss"},
      {"squared_error", 2, 1, {}, "squared_error(prediction, target) -> loss"},
  };
  return specs;
}

const OpSpec *target::findOpSpec(std::string_view kind) {
  for (const OpSpec &spec : opSpecs())
    if (spec.kind == kind)
      return &spec;
  return nullptr;
}

const std::vector<std::string_view> &target::activationKinds() {
  static const std::vector<std::string_view> kinds = {"relu", "gelu", "gelu_tanh", "silu", "tanh", "sigmoid"};
  return kinds;
}

std::optional<double> target::readTheta(json::Object &object, const char *key) {
  auto theta = object.optionalNumber(key, 0);
  if (theta && *theta == 0)
    object.error(key, "expected more than 0, found 0");
  return theta;
}

RotaryScaling target::readRotaryScaling(json::Object &object, std::optional<int64_t> originalPositions) {
  size_t before = object.errors().messages().size();
  RotaryScaling scaling;
  scaling.factor = object.number("factor", 1);
  scaling.lowFrequencyFactor = object.number("low_freq_factor", 0);
  scaling.highFrequencyFactor = object.number("high_freq_factor", 0);
  const char *original = "original_max_position_embeddings";
  scaling.originalPositions =
      originalPositions && !object.has(original) ? *originalPositions : object.integer(original, 1, kMaxDimSize);
  if (object.errors().messages().size() != before)
    return scaling;
  if (scaling.lowFrequencyFactor == 0)
    object.error("low_freq_factor", "expected more than 0, found 0");
  else if (scaling.highFrequencyFactor <= scaling.lowFrequencyFactor)
    object.error("high_freq_factor", "expected more than low_freq_factor");
  return scaling;
}

std::string target::supportedList(std::string_view wrong, const std::vector<std::string_view> &choices) {
  std::string_view best;
  unsigned bestDistance = 4; // More edits than three are another word.
  // Cut: the distance is quadratic, and the text is foreign.
  llvm::StringRef word(wrong.data(), std::min<size_t>(wrong.size(), 64));
  for (std::string_view choice : choices) {
    unsigned distance = word.edit_distance(llvm::StringRef(choice.data(), choice.size()), true, bestDistance);
    if (distance < bestDistance && distance < choice.size()) {
      bestDistance = distance;
      best = choice;
    }
  }
  std::string text = best.empty() ? "" : "did you mean '" + std::string(best) + "'? ";
  text += "supported: ";
  for (auto [i, choice] : llvm::enumerate(choices))
    text += (i ? ", " : "") + std::string(choice);
  return text;
}

std::vector<std::string> target::defaultMatmulResult(const TensorShape &lhs, const TensorShape &rhs) {
  auto has = [](const TensorShape &shape, const std::string &name) {
    return llvm::any_of(shape.dims, [&](const TensorShape::Dim &dim) { return dim.name == name; });
  };
  std::vector<std::string> result;
  for (const auto &[one, other] : {std::pair(&lhs, &rhs), std::pair(&rhs, &lhs)})
    for (const TensorShape::Dim &dim : one->dims)
      if (!has(*other, dim.name))
        result.push_back(dim.name);
  return result;
}

namespace {
/// The op at hand: its operands, and where its messages go.
struct Inference {
  const GraphOp &op;
  const std::vector<TensorShape> &inputs;
  json::Errors &errors;

  std::optional<TensorShape> fail(const std::string &message) const {
    errors.add(op.pointer, op.kind + " '" + op.name + "': " + message);
    return std::nullopt;
  }
  std::string operand(size_t i) const { return "'" + op.inputs[i] + "' " + toString(inputs[i]); }
};
} // namespace

using Dims = std::vector<TensorShape::Dim>;
using Result = std::optional<TensorShape>;

static TensorShape floats(Dims dims) { return {std::move(dims), ElementType::Float, true}; }

/// Names the first dimension where two lists differ, with both sizes.
static std::string difference(const Dims &found, const Dims &expected) {
  for (size_t i = 0; i < std::min(found.size(), expected.size()); ++i)
    if (!(found[i] == expected[i]))
      return "dim " + std::to_string(i) + " is '" + found[i].name + "' of size " + std::to_string(found[i].size) +
             ", expected '" + expected[i].name + "' of size " + std::to_string(expected[i].size);
  return "found " + std::to_string(found.size()) + " dims, expected " + std::to_string(expected.size());
}

static Result inferMatmul(const Inference &in) {
  const TensorShape &lhs = in.inputs[0], &rhs = in.inputs[1];
  std::map<std::string, int64_t> sizes;
  std::set<std::string> left, right;
  for (const auto &dim : lhs.dims)
    left.insert(dim.name), sizes[dim.name] = dim.size;
  for (const auto &dim : rhs.dims)
    right.insert(dim.name), sizes[dim.name] = dim.size;
  std::vector<std::string> names = in.op.attributes.result ? *in.op.attributes.result : defaultMatmulResult(lhs, rhs);

  Dims dims;
  std::set<std::string> kept;
  for (const std::string &name : names) {
    if (!sizes.count(name))
      return in.fail("result dim '" + name + "' is in neither " + in.operand(0) + " nor " + in.operand(1));
    if (!kept.insert(name).second)
      return in.fail("result dim '" + name + "' is listed twice");
    dims.push_back({name, sizes[name]});
  }
  bool summed = false;
  for (const auto &[name, size] : sizes) {
    if (kept.count(name))
      continue;
    if (!left.count(name) || !right.count(name))
      return in.fail("dim '" + name + "' of size " + std::to_string(size) +
                     " is in one operand only and not in the result");
    summed = true;
  }
  if (!summed)
    return in.fail("no dimension to sum over: " + in.operand(0) + " and " + in.operand(1) + " share none");
  return floats(std::move(dims));
}

static Result inferAdd(const Inference &in) {
  const Dims &lhs = in.inputs[0].dims, &rhs = in.inputs[1].dims;
  if (rhs.size() > lhs.size())
    return in.fail("the right side " + in.operand(1) + " has more dims than the left " + in.operand(0) +
                   "; only the right side may lack leading dims");
  Dims tail(lhs.end() - rhs.size(), lhs.end());
  if (rhs != tail)
    return in.fail(in.operand(1) + " does not match the trailing dims of " + in.operand(0) + ": " +
                   difference(rhs, tail));
  return floats(lhs);
}

/// mul and squared_error: two tensors of one shape.
static Result inferSame(const Inference &in) {
  if (in.inputs[0].dims != in.inputs[1].dims)
    return in.fail("operands " + in.operand(0) + " and " + in.operand(1) +
                   " differ: " + difference(in.inputs[1].dims, in.inputs[0].dims));
  return floats(in.inputs[0].dims);
}

/// layer_norm and rms_norm: what follows x has its last dimension.
static Result inferNorm(const Inference &in) {
  const Dims &x = in.inputs[0].dims;
  if (x.empty())
    return in.fail("needs at least one dim, found the scalar '" + in.op.inputs[0] + "'");
  Dims width(x.end() - 1, x.end());
  for (size_t i = 1; i < in.inputs.size(); ++i)
    if (in.inputs[i].dims != width)
      return in.fail((i == 1 ? "weight " : "bias ") + in.operand(i) + " does not match the last dim of " +
                     in.operand(0) + ": " + difference(in.inputs[i].dims, width));
  return floats(x);
}

static Result inferRotary(const Inference &in) {
  const Dims &x = in.inputs[0].dims, &positions = in.inputs[1].dims;
  if (x.size() < 3)
    return in.fail(in.operand(0) + " must have at least 3 dims: batch, sequence, ..., width");
  if (positions != Dims{x[1]})
    return in.fail("positions " + in.operand(1) + " do not match dim 1 of " + in.operand(0) + ": " +
                   difference(positions, {x[1]}));
  if (x.back().size % 2 != 0)
    return in.fail("the last dim of " + in.operand(0) + " must be even");
  return floats(x);
}

static Result inferEmbedding(const Inference &in) {
  if (in.inputs[1].dims.size() != 2)
    return in.fail("table " + in.operand(1) + " must have two dims: rows, width");
  if (auto row = in.op.attributes.paddingRow; row && *row >= in.inputs[1].dims[0].size)
    return in.fail("padding_row is " + std::to_string(*row) + ", expected a row of the table " + in.operand(1));
  Dims dims = in.inputs[0].dims;
  dims.push_back(in.inputs[1].dims[1]);
  return floats(std::move(dims));
}

/// [s, t] or [b, s, t]. Where the keys have the queries' sequence the mask has another name for theirs: a tensor has a
/// name once.
static bool checkMask(const Inference &in, const Dims &q, const Dims &k) {
  const Dims &mask = in.inputs[3].dims;
  if (mask.size() != 2 && mask.size() != 3) {
    in.fail("mask " + in.operand(3) + " must have 2 or 3 dims: (batch,) sequence of the queries, sequence of the keys");
    return false;
  }
  Dims expected = {q[0], q[1], k[1]};
  if (k[1].name == q[1].name)
    expected.back().name = mask.back().name;
  expected.erase(expected.begin(), expected.end() - static_cast<std::ptrdiff_t>(mask.size()));
  if (mask != expected) {
    in.fail("mask " + in.operand(3) + " does not match query " + in.operand(0) + " and key " + in.operand(1) + ": " +
            difference(mask, expected));
    return false;
  }
  return true;
}

static Result inferAttention(const Inference &in) {
  const Dims &q = in.inputs[0].dims, &k = in.inputs[1].dims, &v = in.inputs[2].dims;
  if (q.size() != 4 && q.size() != 5)
    return in.fail("query " + in.operand(0) + " must have 4 or 5 dims: batch, sequence, heads, (heads per key,) width");
  if (k.size() != 4)
    return in.fail("key " + in.operand(1) + " must have 4 dims: batch, sequence, heads, width");
  if (v != k)
    return in.fail("value " + in.operand(2) + " and key " + in.operand(1) + " differ: " + difference(v, k));
  Dims expected = {q[0], k[1], q[2], q.back()};
  if (k != expected)
    return in.fail("key " + in.operand(1) + " does not match query " + in.operand(0) + ": " + difference(k, expected));
  if (in.inputs.size() > 3 && !checkMask(in, q, k))
    return std::nullopt;
  return floats(q);
}

static Result inferCrossEntropy(const Inference &in) {
  Dims logits = in.inputs[0].dims;
  if (logits.empty())
    return in.fail("logits need at least the dim of classes, found the scalar '" + in.op.inputs[0] + "'");
  logits.pop_back();
  if (in.inputs[1].dims != logits)
    return in.fail("targets " + in.operand(1) + " do not match logits " + in.operand(0) +
                   " without their last dim: " + difference(in.inputs[1].dims, logits));
  return floats({});
}

/// Which operand of an op is of integers.
static bool isInteger(const GraphOp &op, size_t index) {
  return (op.kind == "embedding" && index == 0) || ((op.kind == "cross_entropy" || op.kind == "rotary") && index == 1);
}

static std::vector<TensorShape> inferUnpack(const Inference &in) {
  const Dims &x = in.inputs[0].dims;
  std::string name = in.op.attributes.dim.value_or("");
  auto at = llvm::find_if(x, [&](const TensorShape::Dim &dim) { return dim.name == name; });
  if (at == x.end()) {
    in.fail("dim '" + name + "' is not a dim of " + in.operand(0));
    return {};
  }
  if (static_cast<int64_t>(in.op.outputs.size()) != at->size) {
    in.fail("dim '" + name + "' of " + in.operand(0) + " has " + std::to_string(at->size) + " members, found " +
            std::to_string(in.op.outputs.size()) + " outputs");
    return {};
  }
  Dims dims = x;
  dims.erase(dims.begin() + (at - x.begin()));
  return std::vector<TensorShape>(in.op.outputs.size(), floats(std::move(dims)));
}

static Result inferSingle(const Inference &in) {
  const std::string &kind = in.op.kind;
  if (kind == "matmul")
    return inferMatmul(in);
  if (kind == "add")
    return inferAdd(in);
  if (kind == "mul")
    return inferSame(in);
  if (kind == "layer_norm" || kind == "rms_norm")
    return inferNorm(in);
  if (kind == "rotary")
    return inferRotary(in);
  if (kind == "embedding")
    return inferEmbedding(in);
  if (kind == "attention")
    return inferAttention(in);
  if (kind == "cross_entropy")
    return inferCrossEntropy(in);
  if (kind == "squared_error")
    return inferSame(in) ? Result(floats({})) : std::nullopt;
  return floats(in.inputs[0].dims); // activation, dropout
}

/// Applies `rename` and checks the result against the limits.
static bool finishShape(const Inference &in, const std::map<std::string, int64_t> &dimSizes, TensorShape &shape) {
  std::set<std::string> names;
  int64_t elements = 1;
  for (TensorShape::Dim &dim : shape.dims) {
    if (auto to = in.op.rename.find(dim.name); to != in.op.rename.end()) {
      auto size = dimSizes.find(to->second);
      if (size == dimSizes.end())
        return in.fail("rename to '" + to->second + "', which is not a declared dim"), false;
      if (size->second != dim.size)
        return in.fail("rename of dim '" + dim.name + "' of size " + std::to_string(dim.size) + " to '" + to->second +
                       "' of size " + std::to_string(size->second)),
               false;
      dim.name = to->second;
    }
    if (!names.insert(dim.name).second)
      return in.fail("result " + toString(shape) + " has dim '" + dim.name + "' twice; use rename"), false;
    if (__builtin_mul_overflow(elements, dim.size, &elements) || elements > kMaxElements)
      return in.fail("result " + toString(shape) + " has more than 2^48 elements"), false;
  }
  if (shape.dims.size() > kMaxRank)
    return in.fail("result " + toString(shape) + " has more than " + std::to_string(kMaxRank) + " dims"), false;
  return true;
}

std::vector<TensorShape> target::inferOp(const GraphOp &op, const std::vector<TensorShape> &inputs,
                                         const std::map<std::string, int64_t> &dimSizes, json::Errors &errors) {
  TensorShape unknown;
  unknown.known = false;
  std::vector<TensorShape> failed(op.outputs.size(), unknown);
  Inference in{op, inputs, errors};
  bool known = true;
  for (auto [i, shape] : llvm::enumerate(inputs)) {
    known &= shape.known;
    bool wanted = isInteger(op, i), found = shape.type == ElementType::Integer;
    if (shape.known && wanted != found) {
      in.fail("operand '" + op.inputs[i] + "' is of " + (found ? "integers" : "floats") + ", expected " +
              (wanted ? "integers" : "floats"));
      known = false;
    }
  }
  if (!known)
    return failed;

  std::vector<TensorShape> results;
  if (op.kind == "unpack")
    results = inferUnpack(in);
  else if (Result result = inferSingle(in))
    results.push_back(std::move(*result));
  if (results.empty())
    return failed;
  for (const auto &[from, to] : op.rename)
    if (llvm::none_of(results.front().dims, [&](const TensorShape::Dim &dim) { return dim.name == from; })) {
      in.fail("rename of '" + from + "', which is not a dim of the result " + toString(results.front()));
      return failed;
    }
  for (TensorShape &shape : results)
    if (!finishShape(in, dimSizes, shape))
      return failed;
  return results;
}
