//===- Hash.h - hashes that key random streams ----------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Fixed forever: initial weights and batches depend on them.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_BASE_HASH_H
#define MODELPAR_RUNTIME_BASE_HASH_H

#include <cstdint>
#include <string_view>

namespace modelpar::runtime {

/// FNV-1a, 64 bits.
constexpr uint64_t hashString(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (char c : text)
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

/// A bijection of `a` for each `b` that spreads every bit (the finaliser of splitmix64).
constexpr uint64_t mixHash(uint64_t a, uint64_t b) {
  uint64_t x = a + 0x9e3779b97f4a7c15 + b;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_BASE_HASH_H
