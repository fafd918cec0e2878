//===- Reader.h - the plan file, read ------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_PLANFORMAT_READER_H
#define MODELPAR_PLANFORMAT_READER_H

#include "modelpar/PlanFormat/Plan.h"

namespace modelpar::planformat {

/// Reads a plan file's text. Refused, each with its own message: another format version, a truncated file, content that
/// does not have the recorded hash (a flipped byte), missing, unknown or ill-typed fields (JSON pointer, expected,
/// found), ids out of range and bytes outside the arena (checkStructure). After success every id, offset and size in
/// `plan` can be used unchecked.
bool readPlan(std::string_view text, Plan &plan, std::string &error);

/// The same from a file; messages start with the path.
bool readPlanFile(const std::string &path, Plan &plan, std::string &error);

} // namespace modelpar::planformat

#endif // MODELPAR_PLANFORMAT_READER_H
