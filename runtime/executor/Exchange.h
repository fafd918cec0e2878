//===- Exchange.h - exchanges between stages, bound to a rank -------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What exchange entries of the schedule become at load: transfers with final pointers. Entries that differ in their
// micro-batches alone share them; sizes and labels are filled in when one runs. A rank's peer on another stage has its
// coordinates along all axes but "pp", so both are members of one group of ranks, whose indices are the stages.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_EXECUTOR_EXCHANGE_H
#define MODELPAR_RUNTIME_EXECUTOR_EXCHANGE_H

#include "runtime/executor/Executor.h"

#include <vector>

namespace modelpar::runtime {

struct Binding;

/// Entries of the schedule with the same channels and slots.
struct BoundExchange {
  /// What a transfer is in every micro-batch.
  struct Part {
    size_t transfer = 0; ///< In the entry.
    planformat::TypeId type = 0;
    std::string before, after; ///< Of the micro-batch in the label.
  };
  std::vector<Transfer> transfers;
  std::vector<Part> parts; ///< Of each transfer.
  std::string label;       ///< "exchange with stage 1"
};

/// The stream that exchanges run on.
inline constexpr size_t kExchangeStream = 1;

/// Exchanges of a rank's stage.
class Exchanges {
public:
  /// Creates the group when the plan has exchanges; every rank does, in one order with the other groups. Unavailable
  /// when device or communicator cannot.
  Status load(Binding &binding);
  Status bind(Binding &binding, const planformat::ScheduleEntry &entry, BoundExchange &exchange);
  /// Issues an exchange entry of the stage's schedule after everything that was issued before it; what is issued after
  /// it waits for it.
  void issue(Binding &binding, size_t entry) const;

private:
  Status run(Binding &binding, size_t entry, void *nativeStream) const;

  std::unique_ptr<Group> group_;
  std::unique_ptr<Event> before_, after_;
};

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_EXECUTOR_EXCHANGE_H
