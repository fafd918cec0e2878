//===- ConfigKeys.cpp - what the readers of model types share -------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// See ConfigKeys.h.
//
//===----------------------------------------------------------------------===//

#include "ConfigKeys.h"
#include "modelpar/Target/ModelJSON/Ops.h"

using namespace modelpar;
using namespace modelpar::target;

/// The head's module, outside of the trunk in every type.
static const std::string kHead = "lm_head";

int64_t KeyReader::size(const char *key, const char *alias, int64_t otherwise) {
  auto value = config.optionalInteger(key, 1, kMaxDimSize);
  auto second = config.optionalInteger(alias, 1, kMaxDimSize);
  if (value && second && *value != *second)
    config.error(alias, std::to_string(*second) + " contradicts " + key + " = " + std::to_string(*value));
  return value ? *value : second.value_or(otherwise);
}

double KeyReader::rate(const char *key, double otherwise) {
  double value = config.optionalNumber(key, 0, 1).value_or(otherwise);
  if (value == 1)
    config.error(key, "a rate of 1 drops everything; expected less than 1");
  return value;
}

std::string KeyReader::activation(const char *key, const char *otherwise) {
  static const std::map<std::string, std::string> names = {{"gelu_new", "gelu_tanh"},
                                                           {"gelu_fast", "gelu_tanh"},
                                                           {"gelu_accurate", "gelu_tanh"},
                                                           {"gelu_pytorch_tanh", "gelu_tanh"},
                                                           {"gelu_python_tanh", "gelu_tanh"},
                                                           {"gelu", "gelu"},
                                                           {"gelu_python", "gelu"},
                                                           {"relu", "relu"},
                                                           {"silu", "silu"},
                                                           {"swish", "silu"},
                                                           {"tanh", "tanh"},
                                                           {"sigmoid", "sigmoid"}};
  std::string found = config.optionalString(key).value_or(otherwise);
  if (auto it = names.find(found); it != names.end())
    return it->second;
  std::vector<std::string_view> supported;
  for (const auto &[name, ours] : names)
    supported.push_back(name);
  config.error(key, "unknown activation '" + found.substr(0, 64) + "'; " + supportedList(found, supported));
  return names.at(otherwise);
}

void KeyReader::weight(const char *key, int64_t size, const char *otherKey, int64_t other) {
  if (size > kMaxElements / other)
    config.error(key, std::to_string(size) + " · " + otherKey + " = " + std::to_string(other) +
                          " is more than 2^48 elements");
}

int64_t KeyReader::layers(const char *key, int64_t count) {
  if (count > kMaxRepeat)
    config.error(key, std::to_string(count) + " layers, expected at most " + std::to_string(kMaxRepeat));
  return count;
}

void target::nameInCheckpoint(GraphParameter &parameter, const std::string &prefix, bool tied) {
  if (parameter.name.starts_with(kHead)) {
    parameter.checkpointName = parameter.name;
    return;
  }
  parameter.checkpointName = prefix + parameter.name;
  parameter.checkpointAliases = {parameter.name};
  if (tied)
    parameter.checkpointAliases.push_back(kHead + ".weight");
}

GraphOp target::makeOp(std::string kind, std::string name, std::vector<std::string> inputs,
                       std::vector<std::string> outputs, OpAttributes attributes) {
  GraphOp result;
  result.kind = std::move(kind);
  result.name = std::move(name);
  result.inputs = std::move(inputs);
  result.outputs = std::move(outputs);
  result.attributes = std::move(attributes);
  return result;
}
