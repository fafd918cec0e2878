//===- Philox.h - counter-based random numbers ----------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011): a
// block cipher of a 128-bit counter under a 64-bit key. The number for an element is a function of its global index
// alone, so it does not depend on which rank computes it. The constants are those of the paper: two odd multipliers
// chosen for diffusion, and Weyl increments from the golden ratio and sqrt(3) - 1.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_BASE_PHILOX_H
#define MODELPAR_RUNTIME_BASE_PHILOX_H

#include <array>
#include <cstdint>

namespace modelpar::runtime {

using PhiloxCounter = std::array<uint32_t, 4>;
using PhiloxKey = std::array<uint32_t, 2>;

/// Four independent 32-bit words for this counter under this key.
inline PhiloxCounter philox4x32(PhiloxCounter counter, PhiloxKey key) {
  constexpr uint32_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  constexpr int kRounds = 10;
  for (int round = 0; round < kRounds; ++round) {
    uint64_t product0 = uint64_t{kMultiplier0} * counter[0], product1 = uint64_t{kMultiplier1} * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

/// A 64-bit index as the low half of a counter, with two words that keep streams apart (what for, which step).
inline PhiloxCounter philoxCounter(uint64_t index, uint32_t word2 = 0, uint32_t word3 = 0) {
  return {static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32), word2, word3};
}
inline PhiloxKey philoxKey(uint64_t seed) { return {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)}; }

/// [0, 1), 24 bits: exact in float.
inline float uniformFloat(uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24f; }
/// [0, 1), 53 bits.
inline double uniformDouble(uint32_t high, uint32_t low) {
  return static_cast<double>(((uint64_t{high} << 32) | low) >> 11) * 0x1p-53;
}

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_BASE_PHILOX_H
