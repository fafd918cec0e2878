//===- Exchange.h - exchanges between stages, bound to a rank -------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What an exchange entry of the schedule becomes at load: transfers with final pointers and sizes. A rank's peer on
// another stage has its coordinates along all axes but "pp", so both are members of one group of ranks, whose indices
// are the stages.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_EXECUTOR_EXCHANGE_H
#define MODELPAR_RUNTIME_EXECUTOR_EXCHANGE_H

#include "runtime/executor/Executor.h"

#include <vector>

namespace modelpar::runtime {

struct Binding;

/// The context of an exchange's task.
struct BoundExchange {
  Binding *binding = nullptr;
  std::vector<Transfer> transfers;
  std::string label; ///< "exchange with stage 1"
  int64_t microBatch = 0;
  size_t traceSource = 0;
};

/// The stream that exchanges run on.
inline constexpr size_t kExchangeStream = 1;

/// Exchanges of a rank's stage.
class Exchanges {
public:
  /// Creates the group when the plan has exchanges; every rank does, in one order with the other groups. Unavailable
  /// when device or communicator cannot.
  Status load(Binding &binding);
  /// `entry` is an index in the stage's schedule.
  Status bind(Binding &binding, size_t entry, BoundExchange &exchange);
  /// Issues the exchange after everything that was issued before it; what is issued after it waits for it.
  void issue(Binding &binding, BoundExchange &exchange) const;

private:
  Status run(BoundExchange &exchange, void *nativeStream) const;

  std::unique_ptr<Group> group_;
  std::unique_ptr<Event> before_, after_;
};

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_EXECUTOR_EXCHANGE_H
