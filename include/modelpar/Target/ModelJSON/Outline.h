//===- Outline.h - blocks from ops that stand alone ----------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Layers that a file writes out one by one become blocks, and blocks that compute the
// same share one function: compile time and plan size go with classes of blocks.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TARGET_MODELJSON_OUTLINE_H
#define MODELPAR_TARGET_MODELJSON_OUTLINE_H

#include "modelpar/Target/ModelJSON/CheckedGraph.h"

namespace modelpar::target {

/// Cuts the loose blocks of a graph where the same ops follow each other again and again, and names all loose blocks:
/// "layerN" for such a piece, else "prologue", "epilogue", "middleN" or "model" by where it stands. Says nothing about
/// what is wrong in the graph.
void outlineLayers(Graph &graph);

/// What a block computes, whatever its values and parameters are called: values are numbered in the order of `values`,
/// `parameters` and the ops' outputs. One function computes two blocks whose forms are equal, member by member, and
/// random numbers stay apart: their keys are an op's and the call's.
struct BlockForm {
  struct Op {
    std::string kind;
    OpAttributes attributes;
    std::map<std::string, std::string> rename;
    std::vector<size_t> inputs;
    size_t numOutputs = 0;
    auto operator<=>(const Op &) const = default;
  };
  std::vector<TensorShape> values, parameters; ///< With the names of dimensions: equal sizes may be placed differently.
  std::vector<Op> ops;
  std::vector<size_t> results;
  auto operator<=>(const BlockForm &) const = default;
};
BlockForm formOf(const GraphBlock &block, const CheckedBlock &checked);

} // namespace modelpar::target

#endif // MODELPAR_TARGET_MODELJSON_OUTLINE_H
