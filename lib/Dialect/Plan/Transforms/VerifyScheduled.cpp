//===- VerifyScheduled.cpp - the pass verify-scheduled --------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The conditions V1 to V8 of Passes.td.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Dialect/Plan/IR/PlanDialect.h"
#include "modelpar/Dialect/Plan/Transforms/Passes.h"

#include <map>
#include <set>

namespace modelpar::plan {

#define GEN_PASS_DEF_VERIFYSCHEDULED
#include "modelpar/Dialect/Plan/Transforms/Passes.h.inc"

using namespace mlir;

namespace {

/// What there is of a stage.
struct StageParts {
  bool program = false, schedule = false, memory = false;
};

class Checker {
public:
  explicit Checker(ModuleOp module) : module_(module) {}

  LogicalResult check() {
    if (failed(checkModule()) || failed(collectStages()) || failed(checkNames()))
      return failure();
    for (Operation &op : *module_.getBody())
      if (failed(checkPlaces(op)) || (isa<BlockOp, ProgramOp>(op) && failed(checkBody(op))))
        return failure();
    return checkOutputs();
  }

private:
  LogicalResult checkModule();
  LogicalResult collectStages();
  LogicalResult checkNames();
  LogicalResult checkPlaces(Operation &op);
  LogicalResult checkStage(Operation &op, uint32_t stage);
  LogicalResult checkBody(Operation &body);
  LogicalResult checkLoad(LoadOp load);
  LogicalResult checkParameter(ParameterOp parameter);
  LogicalResult checkOutputs();

  ModuleOp module_;
  bool adamw_ = false;
  std::map<uint32_t, StageParts> stages_;
  std::map<StringRef, InputOp> inputs_;
  std::map<StringRef, BufferOp> buffers_;
  llvm::DenseSet<StringAttr> blocksSoFar_;
};

} // namespace

LogicalResult Checker::checkModule() {
  // V1
  if (module_.getOps<ProgramOp>().empty())
    return module_.emitError() << "has no stage, expected phase scheduled";
  auto optimizer = module_->getAttrOfType<StringAttr>(kOptimizerAttr);
  if (!optimizer || (optimizer.getValue() != "adamw" && optimizer.getValue() != "sgd"))
    return module_.emitError() << "the module has no " << kOptimizerAttr << ", expected \"adamw\" or \"sgd\"";
  adamw_ = optimizer.getValue() == "adamw";
  Attribute batch = module_->getAttr(kGlobalBatchAttr);
  auto number = dyn_cast_or_null<IntegerAttr>(batch);
  if (!number || !number.getType().isInteger(64) || number.getInt() < 1)
    return module_.emitError() << kGlobalBatchAttr << " is "
                               << (batch ? batch : StringAttr::get(module_.getContext(), "none"))
                               << ", expected a 64-bit integer of at least 1";
  for (Operation &op : *module_.getBody())
    if (!isa<PlanDialect>(op.getDialect()))
      return op.emitOpError() << "stands in a module of phase scheduled, expected ops of dialect plan";
  return success();
}

LogicalResult Checker::collectStages() {
  // V2
  auto add = [&](Operation &op, uint32_t stage, bool StageParts::*part, const char *what) -> LogicalResult {
    constexpr uint32_t kMaxStages = 1u << 16;
    if (stage >= kMaxStages)
      return op.emitOpError() << "is of stage " << static_cast<int32_t>(stage) << ", expected 0 to " << kMaxStages - 1;
    bool &found = stages_[stage].*part;
    if (found && part != &StageParts::program)
      return op.emitOpError() << "is the second " << what << " of stage " << stage;
    found = true;
    return success();
  };
  for (Operation &op : *module_.getBody()) {
    LogicalResult added = success();
    if (auto program = dyn_cast<ProgramOp>(op))
      added = add(op, program.getStage(), &StageParts::program, "program");
    else if (auto memory = dyn_cast<MemoryOp>(op))
      added = add(op, memory.getStage(), &StageParts::memory, "memory");
    else if (auto schedule = dyn_cast<ScheduleOp>(op)) {
      if (schedule.getEntries().empty())
        return op.emitOpError() << "runs nothing";
      added = add(op, schedule.getStage(), &StageParts::schedule, "schedule");
    }
    if (failed(added))
      return failure();
  }
  uint32_t expected = 0;
  for (const auto &[stage, parts] : stages_)
    if (stage != expected++ || !parts.program || !parts.schedule || !parts.memory)
      return module_.emitError() << "stage " << expected - 1
                                 << ": expected programs, a plan.schedule and a plan.memory";
  return success();
}

LogicalResult Checker::checkNames() {
  // V5
  std::set<std::pair<StringRef, StringRef>> seen; // Kind, name.
  std::set<std::pair<StringRef, uint32_t>> replicas;
  auto isNew = [&](Operation &op, StringRef name) -> LogicalResult {
    if (seen.insert({op.getName().getStringRef(), name}).second)
      return success();
    return op.emitOpError() << "has the name \"" << name << "\" of another one";
  };
  for (Operation &op : *module_.getBody()) {
    LogicalResult fresh = success();
    if (auto input = dyn_cast<InputOp>(op)) {
      inputs_[input.getName()] = input;
      fresh = isNew(op, input.getName());
    } else if (auto output = dyn_cast<OutputOp>(op)) {
      fresh = isNew(op, output.getName());
    } else if (auto parameter = dyn_cast<ParameterOp>(op)) {
      fresh = isNew(op, parameter.getName());
    } else if (auto replica = dyn_cast<ReplicaOp>(op)) {
      if (!replicas.insert({replica.getParameter(), replica.getStage()}).second)
        return op.emitOpError() << "is the second of \"" << replica.getParameter() << "\" on stage "
                                << replica.getStage();
    } else if (auto buffer = dyn_cast<BufferOp>(op)) {
      buffers_[buffer.getSymName()] = buffer;
    }
    if (failed(fresh))
      return failure();
  }
  return success();
}

LogicalResult Checker::checkStage(Operation &op, uint32_t stage) {
  if (stages_.count(stage))
    return success();
  return op.emitOpError() << "is of stage " << static_cast<int32_t>(stage) << ", expected 0 to " << stages_.size() - 1;
}

LogicalResult Checker::checkPlaces(Operation &op) {
  // V2, V3
  if (auto buffer = dyn_cast<BufferOp>(op)) {
    if (!buffer.getOffset())
      return op.emitOpError() << "has no offset, expected phase scheduled (plan-allocate)";
    return checkStage(op, buffer.getStage());
  }
  if (auto channel = dyn_cast<ChannelOp>(op))
    return failed(checkStage(op, channel.getStage())) ? failure() : checkStage(op, channel.getPeer());
  if (auto replica = dyn_cast<ReplicaOp>(op))
    return checkStage(op, replica.getStage());
  if (auto parameter = dyn_cast<ParameterOp>(op))
    return checkParameter(parameter);
  auto block = dyn_cast<BlockOp>(op);
  auto program = dyn_cast<ProgramOp>(op);
  std::optional<uint64_t> frame = block ? block.getFrame() : program ? program.getFrame() : uint64_t{0};
  if (!frame || static_cast<int64_t>(*frame) < 0)
    return op.emitOpError() << "has no frame, expected phase scheduled (plan-allocate)";
  return success();
}

LogicalResult Checker::checkParameter(ParameterOp parameter) {
  if (failed(checkStage(*parameter, parameter.getStage())))
    return failure();
  // V7
  SmallVector<StringRef> expected;
  if (adamw_)
    expected = {"exp_avg", "exp_avg_sq"};
  auto found = llvm::map_to_vector(parameter.getStateNames().getAsRange<StringAttr>(),
                                   [](StringAttr name) { return name.getValue(); });
  if (found != expected)
    return parameter.emitOpError() << "has states " << parameter.getStateNames() << ", expected those of "
                                   << (adamw_ ? "adamw" : "sgd");
  return success();
}

LogicalResult Checker::checkLoad(LoadOp load) {
  // V6
  auto input = inputs_.find(load.getInput());
  if (input == inputs_.end())
    return load.emitOpError() << "fills from \"" << load.getInput() << "\", expected the name of a plan.input";
  auto expected = cast<RankedTensorType>(input->second.getType());
  RankedTensorType found = cast<BufferType>(load.getOutput().getType()).getTensor();
  if (found.getShape() != expected.getShape() || found.getElementType() != expected.getElementType())
    return load.emitOpError() << "fills " << found << " from \"" << load.getInput() << "\", which is " << expected;
  return success();
}

LogicalResult Checker::checkBody(Operation &body) {
  for (Operation &op : body.getRegion(0).front()) {
    if (auto alloc = dyn_cast<AllocOp>(op); alloc && !alloc.getOffset()) // V3
      return op.emitOpError() << "has no offset, expected phase scheduled (plan-allocate)";
    if (auto load = dyn_cast<LoadOp>(op); load && failed(checkLoad(load)))
      return failure();
    auto call = dyn_cast<CallOp>(op);
    if (!call)
      continue;
    if (!call.getFrame() || static_cast<int64_t>(*call.getFrame()) < 0) // V3
      return op.emitOpError() << "has no frame, expected phase scheduled (plan-allocate)";
    if (!blocksSoFar_.contains(call.getCalleeAttr().getAttr())) // V4
      return op.emitOpError() << "calls " << call.getCalleeAttr() << " in front of where it stands";
  }
  if (auto block = dyn_cast<BlockOp>(body))
    blocksSoFar_.insert(block.getSymNameAttr());
  return success();
}

LogicalResult Checker::checkOutputs() {
  // V8
  std::set<StringRef> found;
  for (auto output : module_.getOps<OutputOp>()) {
    found.insert(output.getName());
    if (uint32_t stage = buffers_.find(output.getBuffer())->second.getStage(); stage + 1 != stages_.size())
      return output.emitOpError() << "is in a buffer of stage " << stage << ", expected the last stage";
  }
  for (StringRef name : {"loss", "grad_norm"})
    if (!found.count(name))
      return module_.emitError() << "has no output \"" << name << "\"";
  return success();
}

namespace {
struct VerifyScheduledPass : impl::VerifyScheduledBase<VerifyScheduledPass> {
  void runOnOperation() override {
    if (failed(Checker(getOperation()).check()))
      return signalPassFailure();
    markAllAnalysesPreserved();
  }
};
} // namespace

} // namespace modelpar::plan
