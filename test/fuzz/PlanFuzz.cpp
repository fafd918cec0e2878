//===- PlanFuzz.cpp - plan files from strangers --------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lib/PlanFormat/Sha256.h"
#include "modelpar/PlanFormat/Reader.h"
#include "modelpar/PlanFormat/Verifier.h"
#include "modelpar/PlanFormat/Writer.h"

#include <cstdlib>

using namespace modelpar::planformat;

/// Once as a whole file, and once as the content of a file whose header fits it, or nearly every input would fail at
/// its hash. What is accepted must be safe to walk (the verifier does), and be written and read back equal.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string content(reinterpret_cast<const char *>(data), size), error;
  Plan plan;
  (void)readPlan(content, plan, error);
  std::string text = "{\"format_version\":2,\"content_bytes\":" + std::to_string(size) + ",\"sha256\":\"" +
                     sha256Hex(content) + "\",\n" + content;
  if (!readPlan(text, plan, error)) {
    if (error.empty())
      std::abort();
    return 0;
  }
  (void)verifyPlan(plan);
  Plan again;
  std::string written = writePlan(plan);
  if (!readPlan(written, again, error) || writePlan(again) != written)
    std::abort();
  return 0;
}
