//===- Allocate.cpp - offsets of buffers, locals and frames ---------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Pass plan-allocate: lib/Memory's layout on every body, then each stage's arena.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Dialect/Plan/IR/PlanDialect.h"
#include "modelpar/Dialect/Plan/Transforms/Passes.h"
#include "modelpar/Memory/Layout.h"

#include <array>
#include <map>

namespace modelpar::plan {

#define GEN_PASS_DEF_PLANALLOCATE
#include "modelpar/Dialect/Plan/Transforms/Passes.h.inc"

using namespace mlir;

namespace {

/// Offsets are multiples of this; planformat::kAlignment.
constexpr int64_t kAlignment = 64;

/// What a body's own bytes are for, and how many.
struct Frame {
  int64_t bytes = 0;
  int64_t largestScratch = 0; ///< Of one kernel.
};

class BodyAllocator {
public:
  BodyAllocator(Block &body, const llvm::DenseMap<StringAttr, Frame> &blocks) : body_(body), blocks_(blocks) {}

  FailureOr<Frame> run() {
    if (failed(collect()))
      return failure();
    memory::HappensBefore order(steps_);
    memory::Layout layout = memory::layOut(order, items_, kAlignment);
    OpBuilder builder(body_.getParentOp()->getContext());
    for (auto [owner, offset] : llvm::zip_equal(owners_, layout.offsets)) {
      IntegerAttr attr = builder.getI64IntegerAttr(offset);
      if (auto alloc = dyn_cast<AllocOp>(owner))
        alloc.setOffsetAttr(attr);
      else
        cast<CallOp>(owner).setFrameAttr(attr);
    }
    frame_.bytes = layout.bytes;
    return frame_;
  }

private:
  LogicalResult collect() {
    for (Operation &op : body_) {
      if (auto alloc = dyn_cast<AllocOp>(op)) {
        indices_[alloc] = items_.size();
        items_.push_back({static_cast<int64_t>(alloc.getBytes()), -1, {}});
        owners_.push_back(alloc);
        if (alloc.getWorkspace())
          frame_.largestScratch = std::max<int64_t>(frame_.largestScratch, alloc.getBytes());
      } else if (auto alias = dyn_cast<AliasOp>(op)) {
        if (auto found = indices_.find(alias.getSource()); found != indices_.end())
          indices_[alias] = found->second;
      } else if (auto instruction = dyn_cast<InstructionOpInterface>(op)) {
        if (failed(collect(instruction)))
          return failure();
      }
    }
    for (auto [owner, item] : llvm::zip_equal(owners_, items_))
      if (item.first < 0) { // Never accessed.
        item.first = 0;
        item.bytes = steps_.empty() ? 0 : item.bytes;
      }
    return success();
  }

  LogicalResult collect(InstructionOpInterface instruction) {
    int32_t step = static_cast<int32_t>(steps_.size());
    ArrayRef<int32_t> waits = instruction.getWaits().value_or(ArrayRef<int32_t>());
    std::optional<uint32_t> record = instruction.getRecord();
    steps_.push_back({static_cast<int32_t>(instruction.getStream()),
                      {waits.begin(), waits.end()},
                      record ? static_cast<int32_t>(*record) : -1});
    auto touch = [&](Value value, bool writes) -> LogicalResult {
      auto found = indices_.find(value);
      if (found == indices_.end())
        return success();
      memory::Item &item = items_[found->second];
      if (item.first < 0) {
        if (!writes)
          return instruction.emitOpError() << "reads a local value that no instruction before it writes";
        item.first = step;
      }
      item.accesses.push_back(step);
      return success();
    };
    if (Value scratch = instruction.getScratch())
      (void)touch(scratch, true);
    if (!isa<AccumulateOp>(instruction)) // Reads its output too.
      for (Value value : instruction.getReads())
        if (failed(touch(value, false)))
          return failure();
    for (Value value : instruction.getWrites())
      (void)touch(value, true);
    if (auto accumulate = dyn_cast<AccumulateOp>(*instruction))
      if (failed(touch(accumulate.getInput(), false)))
        return failure();
    if (auto call = dyn_cast<CallOp>(*instruction)) {
      Frame frame = blocks_.lookup(call.getCalleeAttr().getAttr());
      items_.push_back({frame.bytes, step, {step}});
      owners_.push_back(call);
      frame_.largestScratch = std::max(frame_.largestScratch, frame.largestScratch);
    }
    return success();
  }

  Block &body_;
  const llvm::DenseMap<StringAttr, Frame> &blocks_;
  Frame frame_;
  std::vector<memory::Step> steps_;
  std::vector<memory::Item> items_;
  SmallVector<Operation *> owners_; ///< One per item: the alloc, or the call whose frame it is.
  llvm::DenseMap<Value, size_t> indices_;
};

StringRef partName(BufferKind kind) {
  switch (kind) {
  case BufferKind::parameter:
    return "parameters";
  case BufferKind::gradient:
    return "gradients";
  case BufferKind::optimizer_state:
    return "optimizer state";
  case BufferKind::activation:
    return "activations";
  case BufferKind::input:
  case BufferKind::scalars:
    return "inputs";
  case BufferKind::output:
    return "outputs";
  }
  llvm_unreachable("all kinds are listed");
}

/// One stage: what its programs need at most, and its buffers by kind.
struct StageNeeds {
  int64_t transient = 0, scratch = 0;
  std::array<SmallVector<BufferOp>, getMaxEnumValForBufferKind() + 1> buffers = {};
};

struct PlanAllocatePass : impl::PlanAllocateBase<PlanAllocatePass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    llvm::DenseMap<StringAttr, Frame> blocks;
    for (auto block : module.getOps<BlockOp>()) {
      auto frame = BodyAllocator(block.getBody().front(), blocks).run();
      if (failed(frame))
        return signalPassFailure();
      block.setFrameAttr(builder.getI64IntegerAttr(frame->bytes));
      blocks[block.getSymNameAttr()] = *frame;
    }
    std::map<uint32_t, StageNeeds> stages;
    for (auto program : module.getOps<ProgramOp>()) {
      auto frame = BodyAllocator(program.getBody().front(), blocks).run();
      if (failed(frame))
        return signalPassFailure();
      program.setFrameAttr(builder.getI64IntegerAttr(frame->bytes));
      StageNeeds &needs = stages[program.getStage()];
      needs.transient = std::max(needs.transient, frame->bytes);
      needs.scratch = std::max(needs.scratch, frame->largestScratch);
    }
    for (auto buffer : module.getOps<BufferOp>())
      if (auto stage = stages.find(buffer.getStage()); stage != stages.end())
        stage->second.buffers[static_cast<size_t>(buffer.getKind())].push_back(buffer);
    for (auto &[stage, needs] : stages)
      layOutArena(module, builder, stage, needs);
  }

private:
  void layOutArena(ModuleOp module, OpBuilder &builder, uint32_t stage, const StageNeeds &needs) {
    int64_t offset = 0;
    SmallVector<StringRef> names;
    SmallVector<int64_t> bytes;
    for (uint32_t kind = 0; kind <= getMaxEnumValForBufferKind(); ++kind) {
      int64_t start = offset;
      for (BufferOp buffer : needs.buffers[kind]) {
        int64_t stride = memory::alignTo(static_cast<int64_t>(buffer.getBytes()), kAlignment);
        buffer.setOffsetAttr(builder.getI64IntegerAttr(offset));
        buffer.setStride(buffer.getSlots() > 1 ? static_cast<uint64_t>(stride) : 0);
        offset += stride * buffer.getSlots();
      }
      add(names, bytes, partName(static_cast<BufferKind>(kind)), offset - start);
    }
    // Scratch shares the transient part with other temporaries: what one kernel needs at most, and the rest.
    add(names, bytes, "temporaries", needs.transient - needs.scratch);
    add(names, bytes, "workspace", needs.scratch);
    MemoryOp::create(builder, module.getLoc(), static_cast<int32_t>(stage), offset + needs.transient, offset,
                     builder.getStrArrayAttr(names), builder.getDenseI64ArrayAttr(bytes));
  }

  static void add(SmallVectorImpl<StringRef> &names, SmallVectorImpl<int64_t> &bytes, StringRef name, int64_t size) {
    if (size == 0)
      return;
    if (auto *found = llvm::find(names, name); found != names.end()) {
      bytes[found - names.begin()] += size;
      return;
    }
    names.push_back(name);
    bytes.push_back(size);
  }
};

} // namespace

} // namespace modelpar::plan
