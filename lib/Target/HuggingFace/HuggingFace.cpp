//===- HuggingFace.cpp - graphs from Hugging Face configs -----------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Finds the model type and judges the keys that all types share.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Target/HuggingFace/HuggingFace.h"
#include "KeyTables.h"
#include "modelpar/Target/ModelJSON/Ops.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringRef.h"

using namespace modelpar;
using namespace modelpar::target;

namespace {
/// A supported type: its names in a config, its keys and its reader.
struct ModelType {
  std::string_view type;
  std::vector<std::string_view> architectures; ///< The first is the one we build; the others are its trunk.
  const std::vector<ConfigKey> &(*keys)();
  Graph (*read)(json::Object &config, const ModelOptions &options);
};
} // namespace

static const std::vector<ModelType> &modelTypes() {
  static const std::vector<ModelType> types = {{"gpt2", {"GPT2LMHeadModel", "GPT2Model"}, gpt2Keys, readGPT2},
                                               {"llama", {"LlamaForCausalLM", "LlamaModel"}, llamaKeys, readLlama}};
  return types;
}

bool target::isHuggingFaceConfig(const json::Value &value) {
  return value.is_object() && (value.contains("model_type") || value.contains("architectures"));
}

/// The type's name of a class, or null. Published configs have it in other capitals too (LLaMAForCausalLM), and as the
/// class of the same model in another framework (TFGPT2LMHeadModel, FlaxGPT2LMHeadModel).
static const std::string_view *findArchitecture(const ModelType &type, llvm::StringRef name) {
  for (const std::string_view &known : type.architectures)
    for (const char *framework : {"", "TF", "Flax"})
      if (name.equals_insensitive(framework + std::string(known)))
        return &known;
  return nullptr;
}

static std::string inQuotes(const std::string &name) { return "'" + name.substr(0, 64) + "'"; }

static const ModelType *findType(json::Object &config, std::vector<std::string> &warnings) {
  std::vector<std::string_view> names;
  for (const ModelType &type : modelTypes())
    names.push_back(type.type);
  auto architectures = config.optionalStrings("architectures").value_or(std::vector<std::string>());
  std::string architecture = architectures.empty() ? "" : architectures.front();
  auto name = config.optionalString("model_type");
  for (const ModelType &type : modelTypes()) {
    if (name ? *name != type.type : !findArchitecture(type, architecture))
      continue;
    for (const std::string &each : architectures) {
      const std::string_view *known = findArchitecture(type, each);
      if (!known)
        config.error("architectures",
                     inQuotes(each) + " is not supported, expected " + std::string(type.architectures[0]));
      else if (each != *known)
        warnings.push_back(config.pointer("architectures") + ": " + inQuotes(each) + " is taken as " +
                           std::string(*known));
    }
    return &type;
  }
  if (name)
    config.error("model_type", "unknown model type " + inQuotes(*name) + "; " + supportedList(*name, names));
  else if (!config.has("model_type")) // Else the reader has said what is wrong with it.
    config.error("architectures", inQuotes(architecture) + " is of no known model type; " + supportedList("", names));
  return nullptr;
}

/// Storage types say nothing (--dtype decides), but the old and the new name of theirs must agree.
static void checkStorageType(json::Object &config) {
  auto type = config.optionalString("dtype"), oldType = config.optionalString("torch_dtype");
  if (type && oldType && *type != *oldType)
    config.error("torch_dtype", inQuotes(*oldType) + " contradicts dtype = " + inQuotes(*type));
}

Graph target::readHuggingFaceConfig(const json::Value &value, const ModelOptions &options, json::Errors &errors,
                                    std::vector<std::string> &warnings) {
  json::Object config(value, "", errors);
  const ModelType *type = findType(config, warnings);
  if (!type)
    return {};
  checkKeys(value, type->type, type->keys(), errors);
  checkStorageType(config);
  Graph graph = type->read(config, options);
  graph.name = type->type;
  return graph;
}
