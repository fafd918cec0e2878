//===- Sha256.h - content hash -------------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_LIB_PLANFORMAT_SHA256_H
#define MODELPAR_LIB_PLANFORMAT_SHA256_H

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace modelpar::planformat {

/// FIPS 180-4 SHA-256.
std::array<uint8_t, 32> sha256(std::string_view text);
/// 64 lower-case hexadecimal digits.
std::string sha256Hex(std::string_view text);

} // namespace modelpar::planformat

#endif // MODELPAR_LIB_PLANFORMAT_SHA256_H
