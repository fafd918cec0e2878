//===- Graph.h - a model as named tensors and ops ---------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a JSON graph says, and what the Hugging Face importer makes of a config:
// one description, checked and lowered to the nn dialect in one place. Every item
// keeps the JSON pointer it came from, for messages. Plain C++ without MLIR.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TARGET_MODELJSON_GRAPH_H
#define MODELPAR_TARGET_MODELJSON_GRAPH_H

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace modelpar::target {

/// Bounds on what a file may ask for, so that a short file cannot exhaust memory.
inline constexpr int64_t kMaxDimSize = int64_t(1) << 40;
inline constexpr int64_t kMaxElements = int64_t(1) << 48;
inline constexpr int64_t kMaxRepeat = 10000;
inline constexpr int64_t kMaxParameters = 1000000;
inline constexpr size_t kMaxRank = 8; ///< The runtime's limit.

/// A named extent. The batch and the sequence get theirs from the command line.
struct Dimension {
  enum class Role { Plain, Batch, Sequence };
  std::string name;
  int64_t size = 1;
  Role role = Role::Plain;
  std::string pointer;
};

/// Float is the compute type (--dtype), Integer is i32.
enum class ElementType { Float, Integer };

/// An argument of the step.
struct GraphInput {
  std::string name;
  std::vector<std::string> dims;
  ElementType type = ElementType::Float;
  std::string role;         ///< "tokens", "targets", "positions" or "data"
  double low = 0, high = 1; ///< Integers in [low, high), reals in [low, high].
  std::string pointer;
  bool broken = false; ///< Its errors are reported; do not judge what follows from it.
};

struct Initializer {
  std::string kind = "zeros"; ///< "zeros", "ones", "constant", "normal", "uniform"
  double a = 0, b = 0;        ///< constant: value; normal: mean, standard deviation; uniform: low, high
};

/// A trained tensor. Inside a repeated block its names contain "{i}", the number of the layer.
struct GraphParameter {
  std::string name;
  std::vector<std::string> dims;
  Initializer init;
  std::optional<bool> weightDecay;            ///< Default: when the checkpoint's tensor has two or more dimensions.
  std::optional<int64_t> zeroRow;             ///< Of the first dimension: starts as zeros.
  std::string checkpointName;                 ///< Default: name.
  std::vector<std::string> checkpointAliases; ///< Its names in files that lack that one.
  std::optional<std::vector<int64_t>> checkpointShape; ///< Default: the dims' sizes. A row-major reshape.
  std::string pointer;
  bool broken = false; ///< As in GraphInput.
};

/// How Llama 3 stretches the rotary embedding's frequencies to a longer context (nn.rotary).
struct RotaryScaling {
  double factor = 1, lowFrequencyFactor = 1, highFrequencyFactor = 4;
  int64_t originalPositions = 1;
  bool operator==(const RotaryScaling &) const = default;
};

/// Attributes of all kinds of ops; Ops.h says which op has which.
struct OpAttributes {
  std::optional<std::string> kind;                ///< activation
  std::optional<double> rate;                     ///< dropout, attention
  std::optional<double> epsilon;                  ///< layer_norm, rms_norm
  std::optional<double> scale;                    ///< attention
  std::optional<bool> causal;                     ///< attention
  std::optional<double> theta;                    ///< rotary
  std::optional<RotaryScaling> scaling;           ///< rotary
  std::optional<int64_t> paddingRow;              ///< embedding
  std::optional<std::string> dim;                 ///< unpack
  std::optional<std::vector<std::string>> result; ///< matmul
};

struct GraphOp {
  std::string kind;
  std::string name; ///< For locations; default: the first output.
  std::vector<std::string> inputs, outputs;
  OpAttributes attributes;
  std::map<std::string, std::string> rename; ///< Dimensions of the outputs, to others of equal size.
  std::string pointer;
  bool broken = false; ///< As in GraphInput.
};

/// A value handed from layer to layer: inside the block `name`; `from` outside for the first layer, `next` of the layer
/// before for the others; the last layer's `next` is `result` outside.
struct Carry {
  std::string name, from, next, result;
  std::string pointer;
};

/// Ops that become one function, called once per layer.
struct GraphBlock {
  std::string name;
  bool loose = false; ///< Ops that the file puts in no block; outlineLayers cuts and names them.
  bool repeated = false;
  int64_t repeat = 1, firstLayer = 0; ///< The layers [firstLayer, firstLayer + repeat).
  std::vector<GraphParameter> parameters;
  std::vector<Carry> carries;
  std::vector<GraphOp> ops;
  std::string pointer;
};

struct Graph {
  std::string name;
  std::vector<Dimension> dims;
  std::vector<GraphInput> inputs;
  std::vector<GraphParameter> parameters; ///< Of no block in particular; first in the checkpoint's order.
  std::vector<GraphBlock> blocks;
  std::string loss;
  std::string lossPointer;
};

/// A tensor's dimensions with their sizes; `known` is false after an error that was reported already.
struct TensorShape {
  struct Dim {
    std::string name;
    int64_t size = 1;
    bool operator==(const Dim &) const = default;
  };
  std::vector<Dim> dims;
  ElementType type = ElementType::Float;
  bool known = true;
};
/// `[batch = 8, hidden = 64]`
std::string toString(const TensorShape &shape);

/// `text` with every "{i}" replaced by the number.
std::string expandIndex(const std::string &text, int64_t index);

} // namespace modelpar::target

#endif // MODELPAR_TARGET_MODELJSON_GRAPH_H
