//===- InsertEvents.cpp - events between streams --------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Pass plan-insert-events. Each stream has a clock (how many steps of every stream are
// known to have run), as in lib/Memory; an access that needs a step the clock does not
// cover waits for an event of that step. One event covers all earlier steps of its
// stream, so an instruction waits for at most one event per other stream.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Dialect/Plan/IR/PlanDialect.h"
#include "modelpar/Dialect/Plan/Transforms/Passes.h"

namespace modelpar::plan {

#define GEN_PASS_DEF_PLANINSERTEVENTS
#include "modelpar/Dialect/Plan/Transforms/Passes.h.inc"

using namespace mlir;

namespace {

using Clock = SmallVector<int32_t, 2>;

/// Who touched some bytes: per stream the last reading and the last writing step (-1: none).
struct Accesses {
  Clock reads, writes;
};

class EventInserter {
public:
  explicit EventInserter(Block &body) : body_(body) {}

  void run() {
    for (Operation &op : body_)
      if (auto instruction = dyn_cast<InstructionOpInterface>(op))
        numStreams_ = std::max(numStreams_, instruction.getStream() + 1);
    if (numStreams_ == 1)
      return;
    heads_.assign(numStreams_, Clock(numStreams_, 0));
    steps_.resize(numStreams_);
    for (Operation &op : body_)
      if (auto instruction = dyn_cast<InstructionOpInterface>(op))
        visit(instruction);
    join();
    // In list order, so that equal bodies get equal numbers.
    int32_t next = 0;
    OpBuilder builder(body_.getParentOp()->getContext());
    llvm::DenseMap<Operation *, int32_t> numbers;
    for (Operation &op : body_) {
      auto found = waits_.find(&op);
      if (found != waits_.end()) {
        SmallVector<int32_t> events;
        for (Operation *recorder : found->second)
          events.push_back(numbers.lookup(recorder));
        op.setAttr("waits", builder.getDenseI32ArrayAttr(events));
      }
      if (recorders_.contains(&op)) {
        op.setAttr("record", builder.getI32IntegerAttr(next));
        numbers[&op] = next++;
      }
    }
  }

private:
  /// Aliases share the bytes of their source; two uses of one buffer are one op after conversion, or the same symbol.
  Value rootOf(Value value) {
    while (auto alias = value.getDefiningOp<AliasOp>())
      value = alias.getSource();
    if (auto use = value.getDefiningOp<UseOp>())
      return uses_.try_emplace(use.getBufferAttr(), value).first->second;
    return value;
  }

  void waitFor(Operation *op, uint32_t stream, uint32_t other, int32_t step) {
    if (step < heads_[stream][other])
      return;
    Operation *recorder = steps_[other][step];
    waits_[op].push_back(recorder);
    recorders_.insert(recorder);
    const Clock &known = after_[recorder];
    for (uint32_t s = 0; s < numStreams_; ++s)
      heads_[stream][s] = std::max(heads_[stream][s], known[s]);
  }

  void visit(InstructionOpInterface instruction) {
    Operation *op = instruction;
    uint32_t stream = instruction.getStream();
    Clock needed(numStreams_, -1);
    auto need = [&](Value value, bool writes) {
      auto found = accesses_.find(rootOf(value));
      if (found == accesses_.end())
        return;
      for (uint32_t s = 0; s < numStreams_; ++s)
        needed[s] = std::max({needed[s], found->second.writes[s], writes ? found->second.reads[s] : -1});
    };
    for (Value value : instruction.getReads())
      need(value, false);
    for (Value value : instruction.getWrites())
      need(value, true);
    for (uint32_t s = 0; s < numStreams_; ++s)
      if (s != stream && needed[s] >= 0)
        waitFor(op, stream, s, needed[s]);

    int32_t step = static_cast<int32_t>(steps_[stream].size());
    steps_[stream].push_back(op);
    ++heads_[stream][stream];
    after_[op] = heads_[stream];
    auto note = [&](Value value, bool writes) {
      Accesses &entry =
          accesses_.try_emplace(rootOf(value), Accesses{Clock(numStreams_, -1), Clock(numStreams_, -1)}).first->second;
      (writes ? entry.writes : entry.reads)[stream] = step;
    };
    for (Value value : instruction.getReads())
      note(value, false);
    for (Value value : instruction.getWrites())
      note(value, true);
  }

  /// Stream 0 waits for whatever of the other streams it has not waited for yet.
  void join() {
    bool open = false;
    for (uint32_t s = 1; s < numStreams_; ++s)
      open |= heads_[0][s] < static_cast<int32_t>(steps_[s].size());
    if (!open)
      return;
    OpBuilder builder = OpBuilder::atBlockEnd(&body_);
    auto wait = WaitOp::create(builder, body_.getParentOp()->getLoc(), 0, DenseI32ArrayAttr(), IntegerAttr());
    for (uint32_t s = 1; s < numStreams_; ++s)
      waitFor(wait, 0, s, static_cast<int32_t>(steps_[s].size()) - 1);
  }

  Block &body_;
  uint32_t numStreams_ = 1;
  SmallVector<Clock> heads_;
  std::vector<std::vector<Operation *>> steps_;
  llvm::DenseMap<Operation *, Clock> after_;
  llvm::DenseMap<Value, Accesses> accesses_;
  llvm::DenseMap<Attribute, Value> uses_;
  llvm::DenseMap<Operation *, SmallVector<Operation *, 2>> waits_;
  llvm::DenseSet<Operation *> recorders_;
};

struct PlanInsertEventsPass : impl::PlanInsertEventsBase<PlanInsertEventsPass> {
  void runOnOperation() override {
    for (Operation &op : *getOperation().getBody())
      if (isa<BlockOp, ProgramOp>(op))
        EventInserter(op.getRegion(0).front()).run();
  }
};

} // namespace

} // namespace modelpar::plan
