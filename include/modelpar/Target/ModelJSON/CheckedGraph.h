//===- CheckedGraph.h - a graph whose names and shapes hold -------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Resolves every name of a graph, infers every shape, and finds what crosses the
// borders of its blocks. The module builder needs no check of its own after it.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TARGET_MODELJSON_CHECKEDGRAPH_H
#define MODELPAR_TARGET_MODELJSON_CHECKEDGRAPH_H

#include "modelpar/Json/Json.h"
#include "modelpar/Target/ModelJSON/Graph.h"

#include <set>

namespace modelpar::target {

/// One block as a function: what it takes and returns.
struct CheckedBlock {
  std::vector<std::string> values;     ///< Inputs and values from outside, carried ones first, then in order of use.
  std::vector<std::string> parameters; ///< In order of use; with "{i}" where they are the layer's own.
  std::vector<std::string> results;    ///< Names inside the block.
  std::map<std::string, TensorShape> shapes; ///< Of every name used or defined inside.
};

struct CheckedGraph {
  const Graph *graph = nullptr;
  std::map<std::string, int64_t> dimSizes;
  std::vector<CheckedBlock> blocks; ///< Like Graph::blocks.
};

/// Checks the graph; what is wrong goes to `errors` (all of it), and then the result must not be used. The graph must
/// outlive the result.
CheckedGraph checkGraph(const Graph &graph, json::Errors &errors);

} // namespace modelpar::target

#endif // MODELPAR_TARGET_MODELJSON_CHECKEDGRAPH_H
