//===- JsonFuzz.cpp - JSON from strangers --------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Json/Json.h"

#include <cstdlib>

using namespace modelpar;

/// What is accepted must be written and read back equal; what is refused must say where.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  json::Value value, again;
  std::string error;
  if (!json::parse({reinterpret_cast<const char *>(data), size}, value, error)) {
    if (error.empty() || !value.is_null())
      std::abort();
    return 0;
  }
  if (!json::parse(json::dump(value), again, error) || again != value)
    std::abort();
  if (!json::parse(json::dumpPretty(value), again, error) || again != value)
    std::abort();
  return 0;
}
