//===- Checks.h - shared by the plan's checks ----------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_LIB_PLANFORMAT_CHECKS_H
#define MODELPAR_LIB_PLANFORMAT_CHECKS_H

#include "modelpar/PlanFormat/Verifier.h"

#include <set>

namespace modelpar::planformat {

/// A bounded list without repetitions: one fault in a block is found once per call of it.
class Findings {
public:
  void add(std::string where, std::string message) {
    if (full() || !seen_.insert(where + "\n" + message).second)
      return;
    list_.push_back({std::move(where), std::move(message)});
  }
  bool empty() const { return list_.empty(); }
  bool full() const { return list_.size() >= kMaxFindings; }
  size_t size() const { return list_.size(); }
  std::vector<Finding> take() { return std::move(list_); }

private:
  std::vector<Finding> list_;
  std::set<std::string> seen_;
};

/// "instruction 12 (matmul, stream 0)"
std::string describe(const Body &body, size_t index);

} // namespace modelpar::planformat

#endif // MODELPAR_LIB_PLANFORMAT_CHECKS_H
