//===- KeyTables.h - what becomes of each key of a config -------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A config is of a program that reads other keys than we do. What it reads is in
// these tables, one a model type and one for all: a key is honoured, or cannot change
// the maths of a training step, or may have only the value that does not. A key that
// is in none of them is an error, since nothing says that it changes nothing. The
// tables are on the page docs/ModelFormat.md.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_LIB_TARGET_HUGGINGFACE_KEYTABLES_H
#define MODELPAR_LIB_TARGET_HUGGINGFACE_KEYTABLES_H

#include "modelpar/Json/Json.h"

#include <string_view>
#include <vector>

namespace modelpar::target {

enum class KeyUse {
  Honoured, ///< The type's reader judges it.
  Nullable, ///< Honoured; null means that it is absent, as it does to transformers.
  Harmless, ///< Any value.
  Only,     ///< The one value, or null.
  Each      ///< A list of that value, or null.
};

struct ConfigKey {
  std::string_view name;
  KeyUse use = KeyUse::Harmless;
  std::string_view value = ""; ///< Of Only and Each, as JSON.
};

/// Keys of the base class of all configs, and of what others write into the files.
const std::vector<ConfigKey> &commonKeys();
const std::vector<ConfigKey> &gpt2Keys();
const std::vector<ConfigKey> &llamaKeys();

/// Reports the keys of `config` that may not be there or not with their value, but for values of honoured keys. A key
/// that starts with '_' is a note of transformers to itself.
void checkKeys(const json::Value &config, std::string_view modelType, const std::vector<ConfigKey> &typeKeys,
               json::Errors &errors);

} // namespace modelpar::target

#endif // MODELPAR_LIB_TARGET_HUGGINGFACE_KEYTABLES_H
