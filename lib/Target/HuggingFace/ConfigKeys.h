//===- ConfigKeys.h - what the readers of model types share -----*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Keys of configs that have a default, a second name or only one supported value,
// and the ops that blocks are made of.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_LIB_TARGET_HUGGINGFACE_CONFIGKEYS_H
#define MODELPAR_LIB_TARGET_HUGGINGFACE_CONFIGKEYS_H

#include "modelpar/Json/Json.h"
#include "modelpar/Target/ModelJSON/Graph.h"

namespace modelpar::target {

/// Reads keys that have a default and, in transformers, a second name.
class KeyReader {
public:
  explicit KeyReader(json::Object &config) : config(config) {}

  int64_t size(const char *key, int64_t otherwise) {
    return config.optionalInteger(key, 1, kMaxDimSize).value_or(otherwise);
  }
  /// `alias`: the second name; both at once must agree.
  int64_t size(const char *key, const char *alias, int64_t otherwise);
  /// A probability below 1.
  double rate(const char *key, double otherwise);
  bool flag(const char *key, bool otherwise) { return config.optionalBoolean(key).value_or(otherwise); }
  /// The nn dialect's name of one of transformers' activations.
  std::string activation(const char *key, const char *otherwise);
  /// Reports a weight with more elements than a tensor may have: the size of `key` times another.
  void weight(const char *key, int64_t size, const char *otherKey, int64_t other);
  /// Reports more layers than a graph may have.
  int64_t layers(const char *key, int64_t count);

private:
  json::Object &config;
};

/// The default of `initializer_range`. transformers takes 0 as not given, but where a type's own code says otherwise.
inline constexpr double kInitializerRange = 0.02;
inline double orDefaultRange(double range) { return range == 0 ? kInitializerRange : range; }

/// Sets the names under which files have a parameter: `prefix` (the trunk's, with its dot) is left out where the trunk
/// was saved alone; a tied embedding may be there as the head's weight instead.
void nameInCheckpoint(GraphParameter &parameter, const std::string &prefix, bool tied = false);

GraphOp makeOp(std::string kind, std::string name, std::vector<std::string> inputs, std::vector<std::string> outputs,
               OpAttributes attributes = {});

} // namespace modelpar::target

#endif // MODELPAR_LIB_TARGET_HUGGINGFACE_CONFIGKEYS_H
