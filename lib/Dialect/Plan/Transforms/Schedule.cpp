//===- Schedule.cpp - the schedule of each stage --------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Pass plan-schedule: lib/Schedule's generator and checker on the module's programs.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Schedule/Schedule.h"

#include "modelpar/Dialect/Plan/IR/PlanDialect.h"
#include "modelpar/Dialect/Plan/Transforms/Passes.h"

#include <map>

namespace modelpar::plan {

#define GEN_PASS_DEF_PLANSCHEDULE
#include "modelpar/Dialect/Plan/Transforms/Passes.h.inc"

using namespace mlir;

namespace {

struct StagePrograms {
  ProgramOp forward, backward, update;
};

struct PlanSchedulePass : impl::PlanScheduleBase<PlanSchedulePass> {
  void runOnOperation() override {
    if (failed(run(getOperation())))
      signalPassFailure();
  }

private:
  FailureOr<std::map<uint32_t, StagePrograms>> collect(ModuleOp module);
  LogicalResult run(ModuleOp module);
};

} // namespace

FailureOr<std::map<uint32_t, StagePrograms>> PlanSchedulePass::collect(ModuleOp module) {
  std::map<uint32_t, StagePrograms> stages;
  for (auto program : module.getOps<ProgramOp>()) {
    StagePrograms &stage = stages[program.getStage()];
    ProgramKind kind = program.getKind();
    if (kind != ProgramKind::forward && kind != ProgramKind::backward && kind != ProgramKind::update)
      return program.emitOpError() << "has no place in the schedules gpipe and 1f1b: " << stringifyProgramKind(kind);
    ProgramOp &place = kind == ProgramKind::forward    ? stage.forward
                       : kind == ProgramKind::backward ? stage.backward
                                                       : stage.update;
    if (place)
      return program.emitOpError() << "is the second " << stringifyProgramKind(kind) << " program of stage "
                                   << program.getStage();
    place = program;
  }
  for (auto &[index, stage] : stages)
    if (!stage.forward || !stage.backward || !stage.update)
      return module.emitError() << "stage " << index << ": expected a forward, a backward and an update program";
  return stages;
}

LogicalResult PlanSchedulePass::run(ModuleOp module) {
  auto stages = collect(module);
  if (failed(stages))
    return failure();
  int64_t microBatches = 1;
  if (auto attr = module->getAttrOfType<IntegerAttr>(kNumMicroBatchesAttr))
    microBatches = attr.getInt();
  schedule::Kind kind = schedule::Kind::OneFOneB;
  if (auto attr = module->getAttrOfType<StringAttr>(kScheduleAttr)) {
    auto parsed = schedule::parseKind(attr.getValue());
    if (!parsed)
      return module.emitError() << "expected schedule \"gpipe\" or \"1f1b\", found " << attr;
    kind = *parsed;
  }

  std::vector<std::vector<schedule::Entry>> entries;
  std::vector<int64_t> slots;
  for (size_t stage = 0; stage < stages->size(); ++stage) {
    entries.push_back(schedule::generate(kind, static_cast<int64_t>(stage), static_cast<int64_t>(stages->size()), microBatches));
    slots.push_back(schedule::maxInFlight(entries.back()));
  }
  if (auto error = schedule::verify(schedule::withExchanges(entries), microBatches, slots))
    return module.emitError() << "schedule: " << *error;

  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  size_t position = 0;
  for (auto &[index, stage] : *stages) {
    SmallVector<Attribute> programs;
    SmallVector<int32_t> on;
    for (const schedule::Entry &entry : entries[position]) {
      ProgramOp program = entry.phase == schedule::Phase::Forward    ? stage.forward
                          : entry.phase == schedule::Phase::Backward ? stage.backward
                                                                     : stage.update;
      programs.push_back(FlatSymbolRefAttr::get(program.getSymNameAttr()));
      on.push_back(static_cast<int32_t>(entry.microBatch));
    }
    ScheduleOp::create(builder, module.getLoc(), static_cast<int32_t>(index), builder.getArrayAttr(programs),
                       builder.getDenseI32ArrayAttr(on));
    for (auto buffer : module.getOps<BufferOp>())
      if (buffer.getStage() == index && buffer.getPerMicroBatch())
        buffer.setSlots(static_cast<uint32_t>(slots[position]));
    ++position;
  }
  return success();
}

} // namespace modelpar::plan
