//===- SplitBlocks.cpp - blocks small enough for every pipeline stage -----===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Pass nn-split-blocks: a pipeline is cut between calls of @step. Where there are fewer
// calls than stages, blocks are cut in two between ops that one tensor crosses.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Dialect/NN/IR/NN.h"
#include "modelpar/Dialect/NN/Transforms/Passes.h"
#include "modelpar/Interfaces/CostOpInterface.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace modelpar;
using namespace modelpar::nn;

namespace modelpar::nn {
#define GEN_PASS_DEF_NNSPLITBLOCKS
#include "modelpar/Dialect/NN/Transforms/Passes.h.inc"
} // namespace modelpar::nn

namespace {

/// Before which op a block is cut, and the larger of the two halves' work.
struct Cut {
  size_t position = 0;
  double larger = 0;
};

/// A block and its calls.
struct CalledBlock {
  func::FuncOp function;
  SmallVector<func::CallOp> calls;

  std::vector<Operation *> ops() const {
    std::vector<Operation *> all;
    for (Operation &op : func::FuncOp(function).front().without_terminator())
      all.push_back(&op);
    return all;
  }
  Operation *terminator() const { return func::FuncOp(function).front().getTerminator(); }
  /// True when some call passes the result of another one.
  bool isActivation(BlockArgument argument) const {
    return llvm::any_of(calls, [&](func::CallOp call) {
      return call.getOperand(argument.getArgNumber()).getDefiningOp<func::CallOp>() != nullptr;
    });
  }
};

/// Operations of matrix products, and an operation for each element of anything else.
double workOf(Operation *op) {
  double work = 0;
  for (Type type : op->getResultTypes())
    work += static_cast<double>(cast<RankedTensorType>(type).getNumElements());
  auto rule = dyn_cast<ShardingRuleOpInterface>(op);
  auto cost = dyn_cast<CostOpInterface>(op);
  if (!rule || !cost || !cost.isMatrixOp())
    return work;
  double flops = cost.getFlopsPerPoint();
  for (const sharding::Factor &factor : rule.getShardingRule().factors)
    flops *= static_cast<double>(factor.size);
  return work + flops;
}

/// What the ops from `position` on need of the ones before, results of the function included.
llvm::SetVector<Value> crossings(const CalledBlock &block, ArrayRef<Operation *> ops, size_t position) {
  llvm::DenseSet<Operation *> before(ops.begin(), ops.begin() + static_cast<std::ptrdiff_t>(position));
  llvm::SetVector<Value> crossing;
  for (Operation *user : ops.drop_front(position))
    for (Value operand : user->getOperands()) {
      auto argument = dyn_cast<BlockArgument>(operand);
      if (argument ? block.isActivation(argument) : before.contains(operand.getDefiningOp()))
        crossing.insert(operand);
    }
  for (Value returned : block.terminator()->getOperands())
    if (before.contains(returned.getDefiningOp()))
      crossing.insert(returned);
  return crossing;
}

std::optional<Cut> bestCut(const CalledBlock &block) {
  std::vector<Operation *> ops = block.ops();
  double all = 0, front = 0;
  for (Operation *op : ops)
    all += workOf(op);
  std::optional<Cut> best;
  for (size_t position = 1; position < ops.size(); ++position) {
    front += workOf(ops[position - 1]);
    double larger = std::max(front, all - front);
    if ((!best || larger < best->larger) && crossings(block, ops, position).size() == 1)
      best = Cut{position, larger};
  }
  return best;
}

/// Cuts one block in two functions and each of its calls in two calls.
class Halver {
public:
  Halver(CalledBlock &block, size_t position, SymbolTable &symbols) : block(block), symbols(symbols) {
    std::vector<Operation *> ops = block.ops();
    crossing = crossings(block, ops, position);
    crossing.remove_if([](Value value) { return isa<BlockArgument>(value); });
    auto middle = ops.begin() + static_cast<std::ptrdiff_t>(position);
    halves[0].ops.assign(ops.begin(), middle);
    halves[1].ops.assign(middle, ops.end());
  }

  void run() {
    halves[0].results.assign(crossing.begin(), crossing.end());
    for (Value returned : block.terminator()->getOperands())
      if (!crossing.contains(returned) && !llvm::is_contained(halves[1].results, returned))
        halves[1].results.push_back(returned);
    for (Half &half : halves)
      build(half);
    for (func::CallOp call : block.calls)
      replace(call);
    symbols.erase(block.function);
  }

private:
  struct Half {
    std::vector<Operation *> ops;
    std::vector<Value> results;
    llvm::SetVector<Value> arguments; ///< What crosses, then those of the block.
    func::FuncOp function;
  };

  void build(Half &half) {
    if (&half == &halves[1])
      half.arguments.insert(crossing.begin(), crossing.end());
    for (BlockArgument argument : block.function.getArguments())
      if (llvm::any_of(half.ops, [&](Operation *op) { return llvm::is_contained(op->getOperands(), argument); }) ||
          llvm::is_contained(half.results, Value(argument)))
        half.arguments.insert(argument);
    OpBuilder builder(block.function);
    Location loc = block.function.getLoc();
    auto typesOf = [](ArrayRef<Value> values) { return SmallVector<Type>(ValueRange(values).getTypes()); };
    auto type = builder.getFunctionType(typesOf(half.arguments.getArrayRef()), typesOf(half.results));
    std::string suffix = &half == &halves[0] ? "_front" : "_back";
    half.function = func::FuncOp::create(builder, loc, (block.function.getSymName() + suffix).str(), type);
    half.function.setPrivate();
    IRMapping mapping;
    Block *body = half.function.addEntryBlock();
    for (auto [value, argument] : llvm::zip_equal(half.arguments, body->getArguments()))
      mapping.map(value, argument);
    builder.setInsertionPointToStart(body);
    for (Operation *op : half.ops)
      builder.clone(*op, mapping);
    SmallVector<Value> returned;
    for (Value value : half.results)
      returned.push_back(mapping.lookup(value));
    func::ReturnOp::create(builder, loc, returned);
    symbols.insert(half.function, Block::iterator(block.function));
  }

  /// Both calls keep the attributes of the one: its instance keys dropout.
  void replace(func::CallOp call) {
    OpBuilder builder(call);
    IRMapping mapping;
    mapping.map(block.function.getArguments(), call.getOperands());
    for (Half &half : halves) {
      SmallVector<Value> operands;
      for (Value argument : half.arguments)
        operands.push_back(mapping.lookup(argument));
      auto part = func::CallOp::create(builder, call.getLoc(), half.function, operands);
      StringAttr calleeName = call.getCalleeAttrName();
      for (NamedAttribute attr : call->getAttrs())
        if (attr.getName() != calleeName)
          part->setAttr(attr.getName(), attr.getValue());
      for (auto [value, result] : llvm::zip_equal(half.results, part.getResults()))
        mapping.map(value, result);
    }
    for (auto [result, returned] : llvm::zip_equal(call.getResults(), block.terminator()->getOperands()))
      result.replaceAllUsesWith(mapping.lookup(returned));
    call.erase();
  }

  CalledBlock &block;
  SymbolTable &symbols;
  llvm::SetVector<Value> crossing; ///< Without arguments of the block.
  Half halves[2];
};

struct NNSplitBlocksPass : nn::impl::NNSplitBlocksBase<NNSplitBlocksPass> {
  using NNSplitBlocksBase::NNSplitBlocksBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    SymbolTable symbols(module);
    auto step = symbols.lookup<func::FuncOp>(kStepFunction);
    if (!step || !step.getBody().hasOneBlock())
      return; // Differentiation says so.
    while (std::distance(step.getOps<func::CallOp>().begin(), step.getOps<func::CallOp>().end()) < minCalls)
      if (!splitOne(step, symbols))
        return;
  }

private:
  /// The block with the most work that can be cut; false when none can.
  bool splitOne(func::FuncOp step, SymbolTable &symbols) {
    llvm::MapVector<StringAttr, CalledBlock> blocks;
    for (auto call : step.getOps<func::CallOp>()) {
      CalledBlock &block = blocks[call.getCalleeAttr().getAttr()];
      block.calls.push_back(call);
      block.function = symbols.lookup<func::FuncOp>(call.getCallee());
      if (!block.function || !block.function.getBody().hasOneBlock())
        return false;
    }
    CalledBlock *heaviest = nullptr;
    Cut where;
    double most = 0;
    for (auto &[name, block] : blocks) {
      double work = 0;
      for (Operation *op : block.ops())
        work += workOf(op);
      if (work <= most)
        continue;
      if (std::optional<Cut> cut = bestCut(block)) {
        heaviest = &block;
        where = *cut;
        most = work;
      }
    }
    if (!heaviest)
      return false;
    Halver(*heaviest, where.position, symbols).run();
    return true;
  }
};

} // namespace
