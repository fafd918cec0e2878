//===- Ops.h - the ops a model graph may use ---------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One table of what each op takes, and the dimensions of its results from those of
// its operands. The reader, the checker and the module builder all use it.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TARGET_MODELJSON_OPS_H
#define MODELPAR_TARGET_MODELJSON_OPS_H

#include "modelpar/Json/Json.h"
#include "modelpar/Target/ModelJSON/Graph.h"

namespace modelpar::target {

struct OpSpec {
  std::string_view kind;
  size_t numInputs;
  size_t numOutputs; ///< 0: as many as the unpacked dimension has members.
  std::vector<std::string_view> attributes;
  std::string_view form;        ///< For messages and docs: `matmul(x, y) -> z`.
  size_t numOptionalInputs = 0; ///< After the others.
};

/// In the order of docs/ModelFormat.md.
const std::vector<OpSpec> &opSpecs();
const OpSpec *findOpSpec(std::string_view kind);

/// `did you mean 'x'? ` when a choice is close, then `supported: a, b, c`.
std::string supportedList(std::string_view wrong, const std::vector<std::string_view> &choices);
/// Kinds of the activation op, as in the nn dialect.
const std::vector<std::string_view> &activationKinds();

/// The base of the rotary embedding's frequencies, more than 0.
std::optional<double> readTheta(json::Object &object, const char *key);
/// `factor`, `low_freq_factor`, `high_freq_factor` and `original_max_position_embeddings` of an object; the caller
/// finishes it. `originalPositions`: the last one's default, without which it must be there.
RotaryScaling readRotaryScaling(json::Object &object, std::optional<int64_t> originalPositions = std::nullopt);

/// Shapes of the op's outputs. Reports operands that do not fit, naming op, dimension and both sizes; the outputs are
/// then unknown, as they are when an operand is.
std::vector<TensorShape> inferOp(const GraphOp &op, const std::vector<TensorShape> &inputs,
                                 const std::map<std::string, int64_t> &dimSizes, json::Errors &errors);

/// The dimensions a matmul's result has when the op does not list them: those that only one operand has, left before
/// right.
std::vector<std::string> defaultMatmulResult(const TensorShape &lhs, const TensorShape &rhs);

} // namespace modelpar::target

#endif // MODELPAR_TARGET_MODELJSON_OPS_H
