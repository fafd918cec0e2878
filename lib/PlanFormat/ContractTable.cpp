//===- ContractTable.cpp - the contracts as data --------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lib/PlanFormat/ContractTable.h"

#include <algorithm>
#include <cctype>
#include <cmath>

namespace modelpar::planformat {

using Types = std::vector<const TensorType *>;

namespace {

const int64_t *integerOf(const Instruction &i, const char *name) {
  auto found = i.attributes.find(name);
  return found == i.attributes.end() ? nullptr : std::get_if<int64_t>(&found->second);
}
const double *realOf(const Instruction &i, const char *name) {
  auto found = i.attributes.find(name);
  return found == i.attributes.end() ? nullptr : std::get_if<double>(&found->second);
}
const std::string *textOf(const Instruction &i, const char *name) {
  auto found = i.attributes.find(name);
  return found == i.attributes.end() ? nullptr : std::get_if<std::string>(&found->second);
}

std::string activationKind(const Instruction &i, const Types &, const Types &) {
  constexpr std::string_view known[] = {"relu", "gelu", "gelu_tanh", "silu", "tanh", "sigmoid"};
  const std::string *kind = textOf(i, "kind");
  return !kind || std::find(std::begin(known), std::end(known), *kind) != std::end(known)
             ? ""
             : "has kind \"" + *kind + "\", expected relu, gelu, gelu_tanh, silu, tanh or sigmoid";
}

std::string rotaryFields(const Instruction &i, const Types &inputs, const Types &) {
  const int64_t width = inputs[0]->shape.back();
  if (width % 2 != 0)
    return "turns pairs of a last dimension of " + std::to_string(width) + ", expected an even number";
  const char *fields[] = {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"};
  const auto count = std::count_if(std::begin(fields), std::end(fields),
                                   [&](const char *field) { return i.attributes.count(field) != 0; });
  if (count != 0 && count != 4)
    return "has some of factor, low_freq_factor, high_freq_factor and original_max_position_embeddings, expected all "
           "or none";
  const double *low = realOf(i, "low_freq_factor"), *high = realOf(i, "high_freq_factor");
  return low && high && !(*low < *high) ? "has a low_freq_factor that is not below high_freq_factor" : "";
}

/// The members lie along `dim` of the packed tensor.
std::string packed(const Instruction &i, const TensorType &whole, const Types &members) {
  const int64_t *dim = integerOf(i, "dim");
  if (!dim || *dim < 0 || *dim >= static_cast<int64_t>(whole.shape.size()))
    return "has no dim from 0 to " + std::to_string(static_cast<int64_t>(whole.shape.size()) - 1);
  TensorType member = whole;
  if (!whole.sharding.dims[static_cast<size_t>(*dim)].empty())
    return "packs along a dimension that is split, expected it whole";
  if (whole.shape[static_cast<size_t>(*dim)] != static_cast<int64_t>(members.size()))
    return "has " + std::to_string(members.size()) + " members along a dimension of " +
           std::to_string(whole.shape[static_cast<size_t>(*dim)]);
  member.shape.erase(member.shape.begin() + *dim);
  member.sharding.dims.erase(member.sharding.dims.begin() + *dim);
  for (const TensorType *each : members)
    if (each->dtype != member.dtype || each->shape != member.shape || each->sharding.dims != member.sharding.dims)
      return "has a member of another type than the packed tensor without dimension " + std::to_string(*dim);
  return "";
}
std::string unpack(const Instruction &i, const Types &inputs, const Types &outputs) {
  return packed(i, *inputs[0], outputs);
}
std::string pack(const Instruction &i, const Types &inputs, const Types &outputs) {
  return packed(i, *outputs[0], inputs);
}

/// A part of what the rank holds: the output is split by the input's axes, then by more of them.
std::string slice(const Instruction &, const Types &inputs, const Types &outputs) {
  const TensorType &from = *inputs[0], &to = *outputs[0];
  if (from.dtype != to.dtype || from.shape != to.shape)
    return "has an output of another element type or shape than its input";
  for (size_t d = 0; d < from.shape.size(); ++d) {
    const sharding::DimSharding &major = from.sharding.dims[d], &all = to.sharding.dims[d];
    if (all.size() < major.size() || !std::equal(major.begin(), major.end(), all.begin()))
      return "takes a part of dimension " + std::to_string(d) + " that is outside of what a rank holds";
  }
  return "";
}

/// Attention with queries of four or five dimensions, with a mask for all samples, one each, or none. A mask is data,
/// so keys cannot go round past it.
void addAttention(std::vector<Contract> &all) {
  using Type = AttributeContract::Type;
  const std::vector<AttributeContract> attributes = {{"causal", Type::Bool},
                                                     {"scale", Type::Real},
                                                     {"rate", Type::Real, false, 0, std::nextafter(1.0, 0.0)},
                                                     {"dropout_key", Type::Integer}};
  for (bool grouped : {false, true})
    for (std::string_view mask : {"", "S:st", "S:bst"}) {
      const std::string_view q = grouped ? "T:bsgrd" : "T:bsgd", lse = grouped ? "S:bsgr" : "S:bsg";
      const std::string_view outGrad = grouped ? "T:bsgrd0" : "T:bsgd0";
      const std::string_view whole = mask.empty() ? "d" : "dt", streamed = mask.empty() ? "ts" : "";
      Contract forward{"attention", {q, "T:btgd", "T:btgd", "C:"}, {q, lse}, {"", whole, streamed}, attributes};
      Contract grad{"attention_grad",
                    {outGrad, q, "T:btgd", "T:btgd", q, lse, "C:"},
                    {q, "U:btgd", "U:btgd"},
                    {"sr", whole, streamed},
                    attributes};
      for (Contract *each : {&forward, &grad}) {
        if (!mask.empty())
          each->inputs.push_back(mask);
        all.push_back(*each);
      }
    }
}

std::vector<Contract> makeTable() {
  using Type = AttributeContract::Type;
  const AttributeContract epsilon{"epsilon", Type::Real, false, 0, 1e30}, decay{"weight_decay", Type::Bool},
      kind{"kind", Type::Text}, dim{"dim", Type::Integer, false, 0, 7};
  const Letters none, rows{"*"}, width{"", "h"}, vocabulary{"v"}, overStages{"", "", "", true};
  std::vector<Contract> all = {
      // Linear. (The letters of a matmul are its subscripts.)
      {"add", {"T:*&0", "T:&0"}, {"T:*&"}},
      {"mul", {"T:*0", "T:*1"}, {"T:*"}},
      {"reduce_sum", {"T:*&0"}, {"T:&"}, rows},
      {"sum", {"T:*0"}, {"T:*"}, overStages, {}, true},
      {"sum", {}, {"T:*"}}, // Of nothing: what a stage without parameters adds to the norm.
      {"unpack", {"T:?0"}, {}, none, {dim}, false, unpack},
      {"pack", {"T:?0"}, {"T:?"}, none, {dim}, true, pack},
      {"slice", {"?:?0"}, {"?:?"}, none, {}, false, slice},
      // Element by element.
      {"activation", {"T:*"}, {"T:*"}, none, {kind}, false, activationKind},
      {"activation_grad", {"T:*0", "T:*"}, {"T:*"}, none, {kind}, false, activationKind},
      {"dropout",
       {"T:*0", "C:"},
       {"T:*"},
       none,
       {{"rate", Type::Real, false, 0, std::nextafter(1.0, 0.0)}, {"key", Type::Integer}}},
      // Layers.
      {"embedding", {"I:*", "T:vh0"}, {"T:*h"}, vocabulary},
      {"embedding_grad", {"T:*h0", "I:*"}, {"T:vh"}, rows, {{"padding_row", Type::Integer, true, 0, 1e15}}},
      {"layer_norm", {"T:*h", "T:h", "T:h"}, {"T:*h", "S:*", "S:*"}, width, {epsilon}},
      {"layer_norm_input_grad", {"T:*h0", "T:*h", "T:h", "S:*", "S:*"}, {"T:*h"}, width},
      {"layer_norm_weight_grad", {"T:*h0", "T:*h", "S:*", "S:*"}, {"T:h", "T:h"}, rows},
      {"rms_norm", {"T:*h", "T:h"}, {"T:*h", "S:*"}, width, {epsilon}},
      {"rms_norm_input_grad", {"T:*h0", "T:*h", "T:h", "S:*"}, {"T:*h"}, width},
      {"rms_norm_weight_grad", {"T:*h0", "T:*h", "S:*"}, {"T:h"}, rows},
      {"rotary",
       {"T:bs*d0", "I:s"},
       {"T:bs*d"},
       {"", "d"},
       {{"theta", Type::Real, false, 1e-30, 1e30},
        {"inverse", Type::Bool},
        {"factor", Type::Real, true, 1, 1e30},
        {"low_freq_factor", Type::Real, true, 1e-30, 1e30},
        {"high_freq_factor", Type::Real, true, 1e-30, 1e30},
        {"original_max_position_embeddings", Type::Integer, true, 1, 1e15}},
       false,
       rotaryFields},
      {"attention_merge", {"T:*d", "S:*", "T:*d", "S:*"}, {"T:*d", "S:*"}},
      // Losses.
      {"softmax_stats", {"T:*v", "I:*"}, {"S:*:lse", "S:*"}, vocabulary},
      {"softmax_stats_grad", {"T:*v", "I:*", "S:*", "S:*0", "S:*0"}, {"T:*v"}},
      {"token_loss", {"S:*", "S:*", "I:*", "C:"}, {"S:"}, rows},
      {"token_loss_grad", {"I:*", "C:"}, {"S:*", "S:*"}},
      {"squared_error", {"T:*", "T:*"}, {"S:"}, rows},
      {"squared_error_grad", {"T:*", "T:*"}, {"T:*"}},
      // The update.
      {"sum_squares", {"T:?"}, {"S:"}, {"?"}, {}, true},
      {"clip_scale", {"S:", "C:"}, {"S:", "S:"}},
      {"adamw", {"T:*", "T:*", "S:*", "S:*", "S:", "C:"}, {"T:*", "S:*", "S:*"}, none, {decay}},
      {"sgd", {"T:*", "T:*", "S:", "C:"}, {"T:*"}, none, {decay}}};
  addAttention(all);
  return all;
}

} // namespace

Pattern parsePattern(std::string_view text) {
  Pattern pattern;
  pattern.elements = text[0];
  pattern.dims = text.substr(2);
  if (const size_t colon = pattern.dims.find(':'); colon != std::string_view::npos) {
    pattern.kind = sharding::parseReduceKind(pattern.dims.substr(colon + 1)).value_or(pattern.kind);
    pattern.dims = pattern.dims.substr(0, colon);
  }
  if (!pattern.dims.empty() && pattern.dims.back() >= '0' && pattern.dims.back() <= '9') {
    pattern.linearGroup = pattern.dims.back() - '0';
    pattern.dims.remove_suffix(1);
  }
  return pattern;
}

const std::vector<Contract> &contracts() {
  static const std::vector<Contract> table = makeTable();
  return table;
}

} // namespace modelpar::planformat
