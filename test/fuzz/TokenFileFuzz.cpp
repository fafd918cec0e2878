//===- TokenFileFuzz.cpp - token files from strangers ---------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/data/TokenFile.h"

#include <cstdlib>

using namespace modelpar::runtime;

/// Every token of an accepted file can be read.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  for (DataFormat format : {DataFormat::Auto, DataFormat::NanoGPT, DataFormat::LlmC, DataFormat::Text}) {
    data::TokenFile file;
    if (!data::TokenFile::parse(std::as_bytes(std::span(data, size)), "fuzz", format, file).ok())
      continue;
    for (int64_t i = 0; i < file.size(); ++i)
      if (file.token(i) < 0)
        std::abort();
  }
  return 0;
}
