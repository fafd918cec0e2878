//===- VerifyStaged.cpp - the pass verify-staged --------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The conditions T1 to T9 of Passes.td.
//
//===----------------------------------------------------------------------===//

#include "lib/Conversion/DistToPlan/StepParts.h"
#include "lib/Conversion/DistToPlan/Transfers.h"
#include "modelpar/Conversion/DistToPlan/Passes.h"
#include "modelpar/Dialect/Dist/Transforms/TypeCheck.h"
#include "modelpar/Dialect/NN/IR/NN.h"
#include "modelpar/Interfaces/ParameterUses.h"

#include <map>

namespace modelpar {

#define GEN_PASS_DEF_VERIFYSTAGED
#include "modelpar/Conversion/DistToPlan/Passes.h.inc"

using namespace mlir;

namespace {

/// What crosses programs of a stage under a name.
struct Buffer {
  Type type;
  bool perMicroBatch = false;
  Part part = Part::Forward; ///< Of the program that makes or receives it.
};

class Checker {
public:
  Checker(ModuleOp module, const sharding::Mesh &mesh) : module_(module), mesh_(mesh), types_(mesh, /*rings=*/true) {}

  LogicalResult check() {
    if (failed(collect()))
      return failure();
    for (func::FuncOp block : blocks_)
      if (failed(checkBlock(block)))
        return failure();
    for (auto &[place, program] : programs_)
      if (failed(checkProgram(place.first, place.second, program)))
        return failure();
    return checkStages();
  }

private:
  LogicalResult collect();
  LogicalResult addProgram(func::FuncOp function);
  LogicalResult checkBlock(func::FuncOp block);
  LogicalResult checkProgram(int64_t stage, Part part, func::FuncOp program);
  LogicalResult checkArguments(int64_t stage, Part part, func::FuncOp program);
  LogicalResult checkResults(int64_t stage, Part part, func::FuncOp program);
  LogicalResult checkReceive(int64_t stage, Part part, func::FuncOp program);
  LogicalResult checkProgramOp(int64_t stage, Part part, Operation &op);
  LogicalResult checkCall(Part part, func::CallOp call);
  LogicalResult checkCommon(func::FuncOp function, Operation &op);
  LogicalResult checkStages();
  int64_t lastStage() const { return mesh_.size(sharding::kStageAxis) - 1; }

  ModuleOp module_;
  const sharding::Mesh &mesh_;
  dist::TypeCheck types_;
  SmallVector<func::FuncOp> blocks_;
  llvm::StringMap<func::FuncOp> blocksByName_;
  std::map<std::pair<int64_t, Part>, func::FuncOp> programs_;
  std::map<std::pair<int64_t, StringRef>, Buffer> buffers_; ///< By stage and name.
};

} // namespace

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

static std::optional<Part> parsePart(StringRef text) {
  for (unsigned part = 0; part < kNumParts; ++part)
    if (name(static_cast<Part>(part)) == text)
      return static_cast<Part>(part);
  return std::nullopt;
}

LogicalResult Checker::addProgram(func::FuncOp function) {
  // T1
  auto kind = function->getAttrOfType<StringAttr>(kProgramAttr);
  std::optional<Part> part = kind ? parsePart(kind.getValue()) : std::nullopt;
  if (!part)
    return function.emitOpError() << kProgramAttr << " is " << function->getAttr(kProgramAttr)
                                  << ", expected \"forward\", \"backward\" or \"update\"";
  StringRef stageName = dist::DistDialect::getStageAttrName();
  auto stage = function->getAttrOfType<IntegerAttr>(stageName);
  if (!stage || !stage.getType().isInteger(64) || stage.getInt() < 0 || stage.getInt() > lastStage())
    return function.emitOpError() << "expected attribute " << stageName << " from 0 to " << lastStage() << ", found "
                                  << (stage ? Attribute(stage) : StringAttr::get(function.getContext(), "none"));
  if (!programs_.try_emplace({stage.getInt(), *part}, function).second)
    return function.emitOpError() << "is the second " << kind.getValue() << " program of stage " << stage.getInt();
  return success();
}

LogicalResult Checker::collect() {
  for (Operation &op : *module_.getBody()) {
    auto function = dyn_cast<func::FuncOp>(op);
    if (!function) {
      if (!isa<ParameterOpInterface>(op))
        return op.emitOpError() << "stands beside functions and parameters in phase staged";
      continue;
    }
    if (failed(types_.checkSignature(function))) // T3
      return failure();
    if (function->hasAttr(kProgramAttr)) {
      if (failed(addProgram(function)))
        return failure();
      continue;
    }
    blocks_.push_back(function);
    blocksByName_[function.getName()] = function;
  }
  // T1
  for (int64_t stage = 0; stage <= lastStage(); ++stage)
    for (unsigned part = 0; part < kNumParts; ++part)
      if (auto needed = static_cast<Part>(part);
          !programs_.count({stage, needed}) && (lastStage() > 0 || needed == Part::Update))
        return module_.emitError() << "stage " << stage << " has no " << name(needed) << " program";
  return success();
}

/// Steps of a ring see one rank's part of an operand, and what joins their results has no placement.
static bool isOfRing(Operation &op) {
  auto isStep = [](Operation &each) { return each.hasAttr(dist::DistDialect::getRingStepAttrName()); };
  return isStep(op) || (!op.hasAttr(dist::DistDialect::getPlacementAttrName()) && llvm::any_of(*op.getBlock(), isStep));
}

LogicalResult Checker::checkCommon(func::FuncOp function, Operation &op) {
  if (failed(types_.checkTypes(&op))) // T3
    return failure();
  if (auto compute = dyn_cast<ShardingRuleOpInterface>(op))
    return isOfRing(op) ? success() : types_.checkCompute(compute);
  if (isa<func::ReturnOp>(op))
    return types_.checkEqual(&op, "operand", op.getOperandTypes(), function.getResultTypes());
  return success();
}

LogicalResult Checker::checkBlock(func::FuncOp block) {
  // T2
  if (!block.isPrivate() || !block->getAttrOfType<nn::RoleAttr>(nn::kRoleAttr))
    return block.emitOpError() << "is neither a program (" << kProgramAttr << ") nor a private function with "
                               << nn::kRoleAttr;
  for (Operation &op : block.getBody().front()) {
    const bool isDist = isa<dist::DistDialect>(op.getDialect()) &&
                        !isa<dist::SendOp, dist::RecvOp, dist::AccumulateOp, dist::StagePartsOp, dist::ReshardOp>(op);
    if (!isDist && !isa<ShardingRuleOpInterface, func::ReturnOp>(op))
      return op.emitOpError() << "is in block @" << block.getName() << ", expected computation and collectives";
    if (failed(checkCommon(block, op)))
      return failure();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

LogicalResult Checker::checkReceive(int64_t stage, Part part, func::FuncOp program) {
  for (auto recv : program.getOps<dist::RecvOp>()) {
    // T7
    if (recv.getOperation() != &program.getBody().front().front())
      return recv.emitOpError() << "expected at the start of the program";
    const int64_t peer = part == Part::Forward ? stage - 1 : stage + 1;
    if (part == Part::Update || peer < 0 || peer > lastStage() || static_cast<int64_t>(recv.getPeer()) != peer)
      return recv.emitOpError() << "from stage " << static_cast<int64_t>(recv.getPeer()) << " in the " << name(part)
                                << " program of stage " << stage
                                << ", expected activations from the stage before or gradients from the one behind";
    for (auto [attr, value] : llvm::zip_equal(recv.getBuffers().getAsRange<StringAttr>(), recv.getValues()))
      if (!buffers_.try_emplace({stage, attr.getValue()}, Buffer{value.getType(), true, part}).second)
        return recv.emitOpError() << "receives " << attr << ", which stage " << stage << " has already";
  }
  return success();
}

LogicalResult Checker::checkArguments(int64_t stage, Part part, func::FuncOp program) {
  // T5
  for (auto [i, type] : llvm::enumerate(program.getArgumentTypes())) {
    if (program.getArgAttrOfType<StringAttr>(i, nn::kInputAttr))
      continue;
    auto buffer = program.getArgAttrOfType<StringAttr>(i, kBufferAttr);
    auto found = buffer ? buffers_.find({stage, buffer.getValue()}) : buffers_.end();
    if (found == buffers_.end() || found->second.part == part)
      return program.emitOpError() << "expected argument " << i << " to have " << nn::kInputAttr << ", or "
                                   << kBufferAttr << " with the name of an earlier program's result";
    if (found->second.type != type)
      return program.emitOpError() << "argument " << i << " (" << buffer << ") has type " << type
                                   << ", the earlier program's is " << found->second.type;
    if (found->second.perMicroBatch != (program.getArgAttr(i, kPerMicroBatchAttr) != nullptr))
      return program.emitOpError() << "argument " << i << " (" << buffer << ") and the earlier program's result do not "
                                   << "both have " << kPerMicroBatchAttr;
    if (part == Part::Update && found->second.perMicroBatch && mesh_.numMicroBatches() > 1)
      return program.emitOpError() << "argument " << i << " (" << buffer
                                   << ") is of one micro-batch, the update runs after all of them";
  }
  return success();
}

LogicalResult Checker::checkResults(int64_t stage, Part part, func::FuncOp program) {
  // T6
  for (auto [i, type] : llvm::enumerate(program.getResultTypes())) {
    if (auto buffer = program.getResultAttrOfType<StringAttr>(i, kBufferAttr)) {
      bool perMicroBatch = program.getResultAttr(i, kPerMicroBatchAttr) != nullptr;
      if (!buffers_.try_emplace({stage, buffer.getValue()}, Buffer{type, perMicroBatch, part}).second)
        return program.emitOpError() << "result " << i << " has the name " << buffer << " of another result";
      continue;
    }
    if (!program.getResultAttrOfType<StringAttr>(i, nn::kOutputAttr))
      return program.emitOpError() << "expected result " << i << " to have " << kBufferAttr << " or "
                                   << nn::kOutputAttr;
    if (part != Part::Update || stage != lastStage())
      return program.emitOpError() << "result " << i << " is an output, expected in the last stage's update";
  }
  return success();
}

LogicalResult Checker::checkCall(Part part, func::CallOp call) {
  // T4
  func::FuncOp callee = blocksByName_.lookup(call.getCallee());
  if (!callee)
    return call.emitOpError() << "unknown block @" << call.getCallee();
  auto roleAttr = callee->getAttrOfType<nn::RoleAttr>(nn::kRoleAttr);
  const nn::Role role = roleAttr ? roleAttr.getValue() : nn::Role::forward;
  const Part expected = role == nn::Role::forward  ? Part::Forward
                        : role == nn::Role::update ? Part::Update
                                                   : Part::Backward;
  if (expected != part)
    return call.emitOpError() << "calls a block of role " << nn::stringifyRole(role) << " in a program of kind "
                              << name(part);
  if (failed(types_.checkEqual(call, "operand", call.getOperandTypes(), callee.getArgumentTypes())))
    return failure();
  return types_.checkEqual(call, "result", call.getResultTypes(), callee.getResultTypes());
}

LogicalResult Checker::checkProgramOp(int64_t stage, Part part, Operation &op) {
  if (auto call = dyn_cast<func::CallOp>(op))
    return checkCall(part, call);
  if (auto send = dyn_cast<dist::SendOp>(op)) {
    // T7
    const int64_t peer = part == Part::Forward ? stage + 1 : stage - 1;
    if (part == Part::Update || static_cast<int64_t>(send.getPeer()) != peer)
      return op.emitOpError() << "to stage " << static_cast<int64_t>(send.getPeer()) << " in the " << name(part)
                              << " program of stage " << stage
                              << ", expected activations to the stage behind or gradients to the one before";
    if (op.getNextNode() != op.getBlock()->getTerminator())
      return op.emitOpError() << "expected at the end of the program";
    return success();
  }
  if (isa<nn::WriteParameterOp, nn::GradientOp>(op) && part != Part::Update) // T8
    return op.emitOpError() << "is in a program of kind " << name(part) << ", expected in the update";
  const bool known = isa<dist::DistDialect>(op.getDialect()) ||
                     isa<ShardingRuleOpInterface, ParameterUseOpInterface, func::ReturnOp>(op);
  return known && !isa<dist::ReshardOp>(op) ? success() : op.emitOpError() << "has no place in a program";
}

LogicalResult Checker::checkProgram(int64_t stage, Part part, func::FuncOp program) {
  if (failed(checkReceive(stage, part, program)) || failed(checkArguments(stage, part, program)) ||
      failed(checkResults(stage, part, program)))
    return failure();
  for (Operation &op : program.getBody().front())
    if (failed(checkCommon(program, op)) || failed(checkProgramOp(stage, part, op)))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// Stages
//===----------------------------------------------------------------------===//

LogicalResult Checker::checkStages() {
  SmallVector<func::FuncOp> all;
  for (int64_t stage = 0; stage <= lastStage(); ++stage) {
    SmallVector<Block *> bodies;
    for (unsigned part = 0; part < kNumParts; ++part)
      if (auto found = programs_.find({stage, static_cast<Part>(part)}); found != programs_.end()) {
        bodies.push_back(&found->second.getBody().front());
        all.push_back(found->second);
      }
    if (failed(verifyParameterUses(bodies))) // T8
      return failure();
  }
  if (failed(checkTransfers(all))) // T7
    return failure();
  // T9
  func::FuncOp last = programs_.find({lastStage(), Part::Update})->second;
  std::set<StringRef> outputs;
  for (unsigned i = 0; i < last.getNumResults(); ++i)
    if (auto output = last.getResultAttrOfType<StringAttr>(i, nn::kOutputAttr))
      if (!outputs.insert(output.getValue()).second)
        return last.emitOpError() << "has output " << output << " twice";
  for (StringRef output : {"loss", "grad_norm"})
    if (!outputs.count(output))
      return last.emitOpError() << "has no output \"" << output << "\"";
  return success();
}

namespace {
struct VerifyStagedPass : impl::VerifyStagedBase<VerifyStagedPass> {
  void runOnOperation() override {
    dist::MeshAttr mesh = dist::getMesh(getOperation());
    const bool any = llvm::any_of(getOperation().getOps<func::FuncOp>(),
                                  [](func::FuncOp function) { return function->hasAttr(kProgramAttr); });
    if (!mesh || !any) {
      mesh ? getOperation().emitError() << "expected functions with \"" << kProgramAttr << "\" (phase staged)"
           : getOperation().emitError() << "needs attribute " << dist::DistDialect::getMeshAttrName()
                                        << " (phase staged)";
      return signalPassFailure();
    }
    if (failed(Checker(getOperation(), mesh.getValue()).check()))
      return signalPassFailure();
    markAllAnalysesPreserved();
  }
};
} // namespace

} // namespace modelpar
