//===- Writer.h - the plan file, written ---------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_PLANFORMAT_WRITER_H
#define MODELPAR_PLANFORMAT_WRITER_H

#include "modelpar/PlanFormat/Plan.h"

namespace modelpar::planformat {

/// The plan file's text: a function of the plan alone, one line per type, value, instruction, buffer and parameter.
std::string writePlan(const Plan &plan);

/// Writes the text to `path` (through a temporary file beside it, renamed at the end).
bool writePlanFile(const std::string &path, const Plan &plan, std::string &error);

/// SHA-256 (64 hexadecimal digits) of the plan file's content.
std::string planHash(const Plan &plan);

/// The first 64 bits of the same: ranks compare it at start, so that ranks with different plans never begin.
uint64_t planDigest(const Plan &plan);

} // namespace modelpar::planformat

#endif // MODELPAR_PLANFORMAT_WRITER_H
