//===- ModelJSON.h - the JSON form of a model graph ---------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads docs/ModelFormat.md's JSON into a Graph.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TARGET_MODELJSON_MODELJSON_H
#define MODELPAR_TARGET_MODELJSON_MODELJSON_H

#include "modelpar/Json/Json.h"
#include "modelpar/Target/ImportModel.h"
#include "modelpar/Target/ModelJSON/Graph.h"

namespace modelpar::target {

/// The version of the format that this reader knows.
inline constexpr int64_t kModelFormatVersion = 1;

/// True when the object is meant as a JSON graph.
bool isModelJSON(const json::Value &value);

/// Reads the fields; what they mean together is checkGraph's. The graph is usable only while `errors` is empty.
Graph readModelJSON(const json::Value &value, const ModelOptions &options, json::Errors &errors);

} // namespace modelpar::target

#endif // MODELPAR_TARGET_MODELJSON_MODELJSON_H
