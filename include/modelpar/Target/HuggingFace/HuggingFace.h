//===- HuggingFace.h - graphs from Hugging Face configs -----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads a `config.json` unchanged, with the defaults of its model type for absent
// keys. Parameters have the names and shapes of the checkpoint. What would change the
// maths and is not supported is an error that names the key, and so is a key of which
// nobody knows whether it would.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TARGET_HUGGINGFACE_HUGGINGFACE_H
#define MODELPAR_TARGET_HUGGINGFACE_HUGGINGFACE_H

#include "modelpar/Json/Json.h"
#include "modelpar/Target/ImportModel.h"
#include "modelpar/Target/ModelJSON/Graph.h"

namespace modelpar::target {

/// True when the object is meant as a config of transformers.
bool isHuggingFaceConfig(const json::Value &value);

/// The model of a config, by `model_type` or else `architectures[0]`. Unusual names of the class are warned of.
Graph readHuggingFaceConfig(const json::Value &value, const ModelOptions &options, json::Errors &errors,
                            std::vector<std::string> &warnings);

/// One model type's reader (one file each).
Graph readGPT2(json::Object &config, const ModelOptions &options);
Graph readLlama(json::Object &config, const ModelOptions &options);

} // namespace modelpar::target

#endif // MODELPAR_TARGET_HUGGINGFACE_HUGGINGFACE_H
