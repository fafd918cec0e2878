//===- Outline.cpp - blocks from ops that stand alone ---------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An op's token is what it does without whose results it reads. A tandem repeat in
// the sequence of tokens is a stack of layers; it is cut where the fewest values cross,
// which for residual networks is between layers. A wrong guess costs nothing but a
// function more: only blocks with equal fingerprints share one.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Target/ModelJSON/Outline.h"

#include "llvm/ADT/STLExtras.h"

#include <limits>

using namespace modelpar;
using namespace modelpar::target;

/// The search below is quadratic in the ops of a run.
static constexpr size_t kMaxOps = 8192;

/// Kind, attributes and renames as text.
static std::string operation(const GraphOp &op) {
  const OpAttributes &a = op.attributes;
  std::string text = op.kind;
  auto number = [&](const char *name, const std::optional<double> &value) {
    if (value)
      text += std::string(" ") + name + "=" + json::dump(*value);
  };
  if (a.kind)
    text += " kind=" + *a.kind;
  number("rate", a.rate);
  number("epsilon", a.epsilon);
  number("scale", a.scale);
  if (a.causal)
    text += *a.causal ? " causal" : " full";
  if (a.dim)
    text += " dim=" + *a.dim;
  if (a.result)
    for (const std::string &name : *a.result)
      text += " result=" + name;
  if (a.paddingRow)
    text += " padding_row=" + std::to_string(*a.paddingRow);
  for (const auto &[from, to] : op.rename)
    text += " " + from + ">" + to;
  return text;
}

std::string target::blockFingerprint(const GraphBlock &block, const CheckedBlock &checked) {
  std::map<std::string, size_t> numbers;
  std::string text;
  for (const auto *names : {&checked.values, &checked.parameters}) {
    for (const std::string &name : *names) {
      const TensorShape &shape = checked.shapes.at(name);
      numbers.emplace(name, numbers.size());
      text += (shape.type == ElementType::Integer ? "i" : "f") + toString(shape) + ";";
    }
    text += "|";
  }
  for (const GraphOp &op : block.ops) {
    text += operation(op) + "(";
    for (const std::string &name : op.inputs)
      text += std::to_string(numbers.at(name)) + ",";
    text += ")" + std::to_string(op.outputs.size()) + ";";
    for (const std::string &name : op.outputs)
      numbers.emplace(name, numbers.size());
  }
  text += "->";
  for (const std::string &name : checked.results)
    text += std::to_string(numbers.at(name)) + ",";
  return text;
}

namespace {
/// Part [begin, end) of a loose block's ops.
struct Piece {
  size_t begin, end;
  bool layer = false;
};

class Outliner {
public:
  explicit Outliner(const Graph &graph, const GraphBlock &block) : ops(block.ops) {
    for (const GraphParameter &parameter : graph.parameters)
      parameters[parameter.name] = &parameter;
    // The first layer may read an input of floats where the others read the layer before.
    for (const GraphInput &input : graph.inputs)
      if (input.type == ElementType::Integer)
        inputs.insert(input.name);
    tokenize();
    countCrossings();
  }

  std::vector<Piece> run() {
    split(0, ops.size());
    return std::move(pieces);
  }

private:
  void tokenize();
  void countCrossings();
  void split(size_t begin, size_t end);

  const std::vector<GraphOp> &ops;
  std::map<std::string, const GraphParameter *> parameters;
  std::set<std::string> inputs;
  std::vector<size_t> tokens;    ///< Equal for ops that may be the same op of two layers.
  std::vector<size_t> crossings; ///< Values defined before op i and used at or after it, in this block.
  std::vector<Piece> pieces;
};
} // namespace

void Outliner::tokenize() {
  std::map<std::string, size_t> known;
  for (const GraphOp &op : ops) {
    std::string text = operation(op) + "(";
    for (const std::string &name : op.inputs) {
      if (auto it = parameters.find(name); it != parameters.end())
        for (const std::string &dim : it->second->dims)
          text += dim + " ";
      else
        text += inputs.count(name) ? "input " + name : "value";
      text += ",";
    }
    tokens.push_back(known.emplace(text, known.size()).first->second);
  }
}

void Outliner::countCrossings() {
  std::map<std::string, size_t> defined;
  std::vector<std::pair<size_t, size_t>> spans; // Definition, last use.
  for (size_t i = 0; i < ops.size(); ++i) {
    for (const std::string &name : ops[i].inputs)
      if (auto it = defined.find(name); it != defined.end())
        spans[it->second].second = i;
    for (const std::string &name : ops[i].outputs)
      if (defined.emplace(name, spans.size()).second)
        spans.emplace_back(i, i);
  }
  std::vector<int64_t> change(ops.size() + 2, 0);
  for (auto [from, to] : spans) {
    ++change[from + 1];
    --change[to + 1];
  }
  int64_t now = 0;
  for (size_t i = 0; i <= ops.size(); ++i)
    crossings.push_back(static_cast<size_t>(now += change[i]));
}

void Outliner::split(size_t begin, size_t end) {
  if (begin == end)
    return;
  // The longest stretch that repeats with some period; the shortest period of equals.
  size_t bestBegin = 0, bestLength = 0, period = 0;
  for (size_t p = 2; p <= (end - begin) / 2 && end - begin <= kMaxOps; ++p)
    for (size_t i = begin, equal = 0; i + p < end; ++i) {
      equal = tokens[i] == tokens[i + p] ? equal + 1 : 0;
      if (equal >= p && (equal + p) / p * p > bestLength / std::max<size_t>(period, 1) * period) {
        period = p;
        bestLength = equal + p;
        bestBegin = i + 1 - equal;
      }
    }
  if (!period) {
    pieces.push_back({begin, end});
    return;
  }
  size_t shift = 0, fewest = std::numeric_limits<size_t>::max();
  for (size_t r = 0; r < period && (bestLength - r) / period >= 2; ++r)
    if (size_t crossing = crossings[bestBegin + r + period]; crossing < fewest) {
      fewest = crossing;
      shift = r;
    }
  size_t first = bestBegin + shift, count = (bestLength - shift) / period;
  split(begin, first);
  for (size_t layer = 0; layer < count; ++layer)
    pieces.push_back({first + layer * period, first + (layer + 1) * period, true});
  split(first + count * period, end);
}

void target::outlineLayers(Graph &graph) {
  std::vector<GraphBlock> blocks;
  for (GraphBlock &block : graph.blocks) {
    if (!block.loose) {
      blocks.push_back(std::move(block));
      continue;
    }
    for (Piece piece : Outliner(graph, block).run()) {
      GraphBlock part;
      part.loose = true;
      part.name = piece.layer ? "layer" : "";
      part.ops.assign(block.ops.begin() + piece.begin, block.ops.begin() + piece.end);
      part.pointer = part.ops.front().pointer;
      blocks.push_back(std::move(part));
    }
  }
  graph.blocks = std::move(blocks);

  std::set<std::string> taken;
  for (const GraphBlock &block : graph.blocks)
    if (!block.loose)
      taken.insert(block.name);
  size_t count = graph.blocks.size(), layers = 0;
  for (size_t i = 0; i < count; ++i) {
    GraphBlock &block = graph.blocks[i];
    if (!block.loose)
      continue;
    if (!block.name.empty())
      block.name += std::to_string(layers++);
    else
      block.name = count == 1       ? "model"
                   : i == 0         ? "prologue"
                   : i + 1 == count ? "epilogue"
                                    : "middle" + std::to_string(i);
    while (!taken.insert(block.name).second)
      block.name += "_";
  }
}
