//===- Transfers.cpp - sends that meet their receives ---------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lib/Conversion/DistToPlan/Transfers.h"
#include "lib/Conversion/DistToPlan/StageTables.h"

#include "modelpar/Dialect/Dist/IR/Dist.h"

#include <map>

using namespace mlir;
using namespace modelpar;

LogicalResult modelpar::checkTransfers(ArrayRef<func::FuncOp> programs) {
  std::map<std::pair<int64_t, int64_t>, dist::SendOp> sends;
  std::map<std::pair<int64_t, int64_t>, dist::RecvOp> receives;
  for (func::FuncOp program : programs) {
    for (auto send : program.getOps<dist::SendOp>())
      if (!sends.try_emplace({stageOf(program), send.getPeer()}, send).second)
        return send.emitOpError() << "is the second send from stage " << stageOf(program) << " to stage "
                                  << send.getPeer();
    for (auto recv : program.getOps<dist::RecvOp>())
      if (!receives.try_emplace({recv.getPeer(), stageOf(program)}, recv).second)
        return recv.emitOpError() << "is the second receive in stage " << stageOf(program) << " from stage "
                                  << recv.getPeer();
  }
  for (auto [way, send] : sends) {
    auto found = receives.find(way);
    if (found == receives.end())
      return send.emitOpError() << "expected a dist.recv from " << way.first << " in stage " << way.second;
    if (found->second.getBuffers() != send.getBuffers() ||
        found->second.getValues().getTypes() != send.getValues().getTypes()) {
      InFlightDiagnostic error = send.emitOpError()
                                 << "expected the names and types of its receive in stage " << way.second;
      error.attachNote(found->second.getLoc()) << "the receive is here";
      return error;
    }
  }
  for (auto [way, recv] : receives)
    if (!sends.count(way))
      return recv.emitOpError() << "expected a dist.send to " << way.second << " in stage " << way.first;
  return success();
}

/// The last program that uses a buffer may write over it: then the next step (or micro-batch) starts by writing it.
