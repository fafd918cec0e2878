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

/// Equal for two blocks exactly when one function can compute both: the same ops on the same shapes, whatever the names
/// of values and parameters.
std::string blockFingerprint(const GraphBlock &block, const CheckedBlock &checked);

} // namespace modelpar::target

#endif // MODELPAR_TARGET_MODELJSON_OUTLINE_H
