//===- Phases.cpp - the order of passes -----------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads as prose: before each pass, what holds and why it is here.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Pipelines/Phases.h"

#include "modelpar/Conversion/DistToPlan/Passes.h"
#include "modelpar/Dialect/Dist/IR/Dist.h"
#include "modelpar/Dialect/Dist/Transforms/Passes.h"
#include "modelpar/Dialect/NN/IR/NN.h"
#include "modelpar/Dialect/NN/Transforms/Passes.h"
#include "modelpar/Dialect/Plan/IR/PlanDialect.h"
#include "modelpar/Dialect/Plan/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

namespace modelpar::pipelines {

static constexpr std::string_view kNames[] = {"import", "differentiated", "sharded", "partitioned",
                                              "staged", "scheduled",      "plan"};

std::string_view name(Phase phase) { return kNames[static_cast<size_t>(phase)]; }

std::optional<Phase> parsePhase(std::string_view text) {
  for (Phase phase : kPhases)
    if (name(phase) == text)
      return phase;
  return std::nullopt;
}

/// What the passes of a phase guarantee.
static void addGuarantees(mlir::OpPassManager &manager, Phase phase) {
  switch (phase) {
  case Phase::Import:
  case Phase::Plan: // Has a verifier of its own (PlanFormat).
    return;
  case Phase::Differentiated:
    manager.addPass(nn::createVerifyDifferentiated());
    return;
  case Phase::Sharded:
    manager.addPass(dist::createVerifySharded());
    manager.addPass(nn::createVerifyDifferentiated()); // Decisions are attributes: the step is what it was.
    return;
  case Phase::Partitioned:
    manager.addPass(dist::createVerifyPartitioned());
    return;
  case Phase::Staged:
    manager.addPass(createVerifyStaged());
    return;
  case Phase::Scheduled:
    manager.addPass(plan::createVerifyScheduled());
    return;
  }
}

void addPhaseVerifier(mlir::OpPassManager &manager, Phase phase) {
  // Whatever looks at a module multiplies its extents.
  manager.addPass(nn::createVerifyTensors());
  addGuarantees(manager, phase);
}

static void addDifferentiated(mlir::OpPassManager &manager, const PhaseOptions &options) {
  // Blocks are the model's layers. A pipeline with more stages than that needs smaller ones, with gradients of their
  // own.
  nn::NNSplitBlocksOptions split;
  split.minCalls = options.pp;
  if (options.pp > 1)
    manager.addPass(nn::createNNSplitBlocks(split));
  // The model is one forward pass over global tensors. Gradients come before any decision about placement, so that
  // backward communication follows from the backward ops' own rules.
  manager.addPass(nn::createNNDifferentiate());
  // The first look at an imported model; no later pass makes other extents.
  if (options.verify)
    addPhaseVerifier(manager, Phase::Differentiated);
}

static void addSharded(mlir::OpPassManager &manager, const PhaseOptions &options) {
  // Forward, backward and update are there: one assignment of axes to factor classes covers all three.
  dist::DistAssignPlacementsOptions placement;
  placement.pp = options.pp;
  placement.dp = options.dp;
  placement.cp = options.cp;
  placement.tp = options.tp;
  placement.sp = options.sequenceParallel;
  placement.microBatches = options.numMicroBatches;
  placement.schedule = options.schedule;
  placement.flopsPerByte = options.flopsPerByte;
  for (const std::string &pin : options.pins)
    placement.pins.push_back(pin);
  manager.addPass(dist::createDistAssignPlacements(std::move(placement)));
  if (options.verify)
    addGuarantees(manager, Phase::Sharded);
}

static void addPartitioned(mlir::OpPassManager &manager, const PhaseOptions &options) {
  // Placements are attributes. Types take their shardings, and reshards stand where they disagree.
  dist::DistPartitionOptions partition;
  partition.gradSync = options.gradSync;
  manager.addPass(dist::createDistPartition(std::move(partition)));
  // Every reshard becomes the shortest sequence of collectives, then neighbours merge.
  manager.addPass(dist::createDistLowerReshard());
  manager.addPass(dist::createDistMergeCollectives());
  if (options.verify)
    addGuarantees(manager, Phase::Partitioned);
}

void addPhasePasses(mlir::OpPassManager &manager, Phase phase, const PhaseOptions &options) {
  switch (phase) {
  case Phase::Import:
  case Phase::Plan:
    return;
  case Phase::Differentiated:
    return addDifferentiated(manager, options);
  case Phase::Sharded:
    return addSharded(manager, options);
  case Phase::Partitioned:
    return addPartitioned(manager, options);
  case Phase::Staged:
    // Placements have been checked. An op that needs other ranks' parts of an operand is unrolled into a ring, in its
    // block.
    manager.addPass(dist::createDistLowerRing());
    // @step is whole. Programs are what a schedule can order: forward and backward of a micro-batch, and the update.
    manager.addPass(createDistStage());
    if (options.verify)
      addGuarantees(manager, Phase::Staged);
    return;
  case Phase::Scheduled:
    // Values become buffers, ops become instructions on streams.
    manager.addPass(createConvertDistToPlan());
    // Programs are there: their order says how many micro-batches are in flight, so how many slots buffers have.
    manager.addPass(plan::createPlanSchedule());
    // Streams are assigned; events put the order of the data flow between them.
    manager.addPass(plan::createPlanInsertEvents());
    // The order is final, so lifetimes are: every buffer gets its offset.
    manager.addPass(plan::createPlanAllocate());
    if (options.verify)
      addGuarantees(manager, Phase::Scheduled);
    return;
  }
}

void registerModelparDialects(mlir::DialectRegistry &registry) {
  registry.insert<mlir::func::FuncDialect, nn::NNDialect, dist::DistDialect, plan::PlanDialect>();
}

void registerModelparPasses() {
  nn::registerNNTransformsPasses();
  dist::registerDistTransformsPasses();
  plan::registerPlanTransformsPasses();
  registerDistToPlanPasses();
  mlir::registerTransformsPasses(); // -cse, -canonicalize
}

} // namespace modelpar::pipelines
