//===- SafetensorsFuzz.cpp - headers from strangers -----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/checkpoint/Safetensors.h"

#include <algorithm>
#include <cstdlib>

using namespace modelpar::runtime;

/// Once as a whole file, and once with the length put before it: the header is what comes before the first zero byte,
/// or nearly every input would fail at its first check. An accepted file must have tensors that lie inside it and fill
/// it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  SafetensorsFile file;
  (void)SafetensorsFile::parse(std::as_bytes(std::span(data, size)), "fuzz", file);

  std::vector<uint8_t> framed(8, 0);
  const uint8_t *end = std::find(data, data + size, uint8_t{0});
  uint64_t header = static_cast<uint64_t>(end - data);
  for (int i = 0; i < 8; ++i)
    framed[i] = static_cast<uint8_t>(header >> (8 * i));
  framed.insert(framed.end(), data, data + size);
  SafetensorsFile second;
  if (SafetensorsFile::parse(std::as_bytes(std::span(framed)), "fuzz", second).ok()) {
    uint64_t total = 0;
    for (const auto &[name, tensor] : second.tensors()) {
      if (tensor.numElements() < 0 || tensor.end < tensor.begin)
        std::abort();
      total += second.bytes(tensor).size();
    }
    if (total != size - header)
      std::abort();
  }
  return 0;
}
