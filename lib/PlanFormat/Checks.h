//===- Checks.h - shared by the plan's checks ----------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_LIB_PLANFORMAT_CHECKS_H
#define MODELPAR_LIB_PLANFORMAT_CHECKS_H

#include "modelpar/PlanFormat/Verifier.h"

#include <map>
#include <set>

namespace modelpar::planformat {

/// A bounded list without repetitions: one fault in a block is found once per call of it.
class Findings {
public:
  void add(std::string where, std::string message) {
    ++count_;
    if (full() || !seen_.insert(where + "\n" + message).second)
      return;
    list_.push_back({std::move(where), std::move(message)});
  }
  bool empty() const { return list_.empty(); }
  bool full() const { return list_.size() >= kMaxFindings; }
  /// How many were found, those included that are not kept: whether there were more since is seen when it is full too.
  size_t count() const { return count_; }
  std::vector<Finding> take() { return std::move(list_); }

private:
  size_t count_ = 0;
  std::vector<Finding> list_;
  std::set<std::string> seen_;
};

/// "instruction 12 (matmul, stream 0)"
std::string describe(const Body &body, size_t index);
/// "f32[8x256] [{"dp"}, {}], partial={"tp":sum}"
std::string describe(const TensorType &type);

/// "7, expected 0 to 3"
inline std::string range(int64_t found, size_t size) {
  return std::to_string(found) + ", expected 0 to " + std::to_string(int64_t(size) - 1);
}
inline bool inside(int64_t index, size_t size) { return index >= 0 && index < static_cast<int64_t>(size); }

inline constexpr int64_t kMaxMicroBatches = int64_t{1} << 16;

/// Parts of checkStructure: what a stage holds beside its programs, given valid types; parameters, given valid stages.
void checkStageStructure(const Plan &plan, const Stage &stage, const std::string &where, Findings &findings);
void checkParameterStructure(const Plan &plan, Findings &findings);

/// Types that fit each other: calls, buffers, accumulations, collectives; values that must be whole.
void checkTypes(const Plan &plan, Findings &findings);

/// What the schedule must know of a program: which buffers it uses and how.
struct ProgramEffects {
  /// Sum: added to, after micro-batch 0 has begun it with a write (Accumulate with attribute `first`). Add: added to.
  enum class Use : uint8_t { None, Sum, Add, Plain };
  struct BufferUse {
    Use read = Use::None;  ///< How content from before the program is used; the strongest of several.
    Use write = Use::None; ///< The same of writes.
    std::string reader;    ///< The first instruction that reads it so.
    TypeId readAs = -1;    ///< Type of a value through which content from before is read; all are partial alike.
    TypeId left = -1;      ///< Type of the last value written.
    /// The instruction that wrote it, when it is an alias: an intermediate result that no other program may read.
    std::string intermediate;
  };
  std::map<BufferId, BufferUse> buffers;
};

/// Order, races, liveness and collectives inside one program, its calls expanded. `where` is "stage 0, program
/// forward".
ProgramEffects checkProgram(const Plan &plan, const Stage &stage, const Program &program, const std::string &where,
                            Findings &findings);

/// Channels whose ends fit, and a replay of all stages' exchanges and collectives over stages: no deadlock.
void checkStages(const Plan &plan, Findings &findings);

/// "stage 0, schedule entry 3 (exchange), send to stage 1 of micro-batch 2"; `where` is "stage 0".
std::string transferText(const Stage &stage, const std::string &where, size_t entry, const Transfer &transfer);

/// Every program and every channel of a stage runs on every micro-batch once, its updates once in all.
void checkRuns(const Plan &plan, size_t stage, Findings &findings);

/// What is run, and buffers along the schedule of one stage, its exchanges included, given the effects of its programs.
void checkSchedule(const Plan &plan, size_t stage, const std::vector<ProgramEffects> &effects, Findings &findings);

} // namespace modelpar::planformat

#endif // MODELPAR_LIB_PLANFORMAT_CHECKS_H
