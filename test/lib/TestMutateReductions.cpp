//===- TestMutateReductions.cpp - make one reduction wrong ----------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Doubles, drops or misplaces one reduction of a partitioned module. By default
// dist.assume patches the types around it, so that the wrong module still compiles
// and its results can be seen to be wrong; with `raw` they are left as they come.
//
//===----------------------------------------------------------------------===//

#include "TestPasses.h"

#include "modelpar/Dialect/Dist/IR/Dist.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

using namespace mlir;
using namespace modelpar;
using namespace modelpar::dist;
using sharding::TensorSharding;

namespace {

/// One tensor of one reduction.
struct Site {
  Operation *op;
  unsigned tensor = 0;
};

struct TestMutateReductions : PassWrapper<TestMutateReductions, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TestMutateReductions)
  TestMutateReductions() = default;
  TestMutateReductions(const TestMutateReductions &other) : PassWrapper(other) {}

  StringRef getArgument() const final { return "test-mutate-reductions"; }
  StringRef getDescription() const final { return "make one reduction of a partitioned module wrong"; }
  void getDependentDialects(DialectRegistry &registry) const override { registry.insert<DistDialect>(); }

  Option<int> index{*this, "index", llvm::cl::desc("which of the reductions that can be changed so"),
                    llvm::cl::init(0)};
  Option<std::string> mode{*this, "mode", llvm::cl::desc("double, drop or misplace"), llvm::cl::init("drop")};
  Option<bool> raw{*this, "raw", llvm::cl::desc("do not patch types"), llvm::cl::init(false)};

  /// An axis of space that the reduction does not go over; empty when the mesh has none. Not that of stages, which run
  /// different programs.
  std::optional<sharding::AxisRef> otherAxis(AxesAttr axes) const {
    for (const sharding::MeshAxis &axis : mesh.axes())
      if (!axis.isTime() && axis.name != sharding::kStageAxis &&
          llvm::none_of(axes.getValue(), [&](const auto &used) { return used.name == axis.name; }))
        return mesh.axis(axis.name);
    return std::nullopt;
  }

  /// Every reduction that the mode can change. Of a grouped one, one tensor of each type: the others only differ in
  /// name.
  std::vector<Site> collect(ModuleOp module) {
    std::vector<Site> sites;
    bool misplace = mode == "misplace";
    module.walk([&](Operation *op) {
      if (auto reduce = dyn_cast<AllReduceOp>(op)) {
        llvm::DenseSet<Type> seen;
        for (auto [i, input] : llvm::enumerate(reduce.getInputs()))
          if (seen.insert(input.getType()).second && (!misplace || otherAxis(reduce.getAxes())))
            sites.push_back({op, static_cast<unsigned>(i)});
      } else if (auto scatter = dyn_cast<ReduceScatterOp>(op)) {
        if (!misplace || otherAxis(scatter.getAxes()))
          sites.push_back({op});
      } else if (isa<AccumulateOp>(op) && mesh.has(sharding::kMicroBatchAxis)) {
        // Without accumulation a value never leaves the loop: such a module cannot be staged, only typed.
        if (mode == "double" || (mode == "drop" && raw))
          sites.push_back({op});
      }
    });
    return sites;
  }

  /// The operand's reduction as an op of its own, out of its group.
  Operation *isolate(Site site) {
    auto group = dyn_cast<AllReduceOp>(site.op);
    if (!group || group.getInputs().size() == 1)
      return site.op;
    OpBuilder builder(group);
    SmallVector<Value> inputs(group.getInputs()), outputs(group.getOutputs());
    auto own = AllReduceOp::create(builder, group.getLoc(), TypeRange{outputs[site.tensor].getType()},
                                   ValueRange{inputs[site.tensor]}, group.getAxes(), group.getKind());
    outputs[site.tensor].replaceAllUsesWith(own.getOutputs().front());
    inputs.erase(inputs.begin() + site.tensor), outputs.erase(outputs.begin() + site.tensor);
    auto rest = AllReduceOp::create(builder, group.getLoc(), ValueRange(outputs).getTypes(), inputs, group.getAxes(),
                                    group.getKind());
    for (auto [from, to] : llvm::zip_equal(outputs, rest.getOutputs()))
      from.replaceAllUsesWith(to);
    group.erase();
    return own;
  }

  static Value assume(OpBuilder &builder, Value value, Type type) {
    return value.getType() == type ? value : AssumeOp::create(builder, value.getLoc(), type, value).getResult();
  }

  void drop(Operation *op) {
    OpBuilder builder(op);
    Value input = op->getOperand(0), result = op->getResult(0);
    if (raw) {
      result.replaceAllUsesWith(input);
    } else if (auto scatter = dyn_cast<ReduceScatterOp>(op)) {
      // Each rank takes its part of what it has.
      auto type = cast<RankedTensorType>(input.getType());
      TensorSharding whole = getSharding(mesh, cast<RankedTensorType>(scatter.getType()));
      whole.dims = getSharding(mesh, type).dims;
      Value assumed = assume(builder, input, withSharding(type, mesh, whole));
      result.replaceAllUsesWith(
          SliceOp::create(builder, op->getLoc(), result.getType(), assumed, scatter.getDim(), scatter.getAxes()));
    } else {
      result.replaceAllUsesWith(assume(builder, input, result.getType()));
    }
    op->erase();
  }

  void twice(Operation *op) {
    if (auto accumulate = dyn_cast<AccumulateOp>(op)) {
      SmallVector<Value> inputs(accumulate.getInputs());
      inputs.push_back(inputs.front());
      accumulate.getInputsMutable().assign(inputs);
      return;
    }
    OpBuilder builder(op);
    Value input = op->getOperand(0), result = op->getResult(0);
    if (raw) {
      builder.setInsertionPointAfter(op);
      Operation *again = builder.clone(*op);
      result.replaceAllUsesExcept(again->getResult(0), again);
      again->setOperand(0, result);
      return;
    }
    // Reduce first, call the sum partial again, then go on as before.
    auto axes = op->getAttrOfType<AxesAttr>("axes");
    auto kind = op->getAttrOfType<ReduceKindAttr>("kind").getValue();
    TensorSharding whole = getSharding(mesh, cast<RankedTensorType>(input.getType()));
    sharding::DimSharding resolved = resolve(mesh, axes.getValue());
    llvm::erase_if(whole.partial, [&](const auto &partial) { return llvm::is_contained(resolved, partial.axis); });
    Type type = withSharding(cast<RankedTensorType>(input.getType()), mesh, whole);
    Value reduced =
        AllReduceOp::create(builder, op->getLoc(), TypeRange{type}, ValueRange{input}, axes, kind).getOutputs().front();
    op->setOperand(0, assume(builder, reduced, input.getType()));
  }

  /// The same collective over another axis, on the bytes that each rank holds.
  void misplace(Operation *op) {
    OpBuilder builder(op);
    sharding::AxisRef other = *otherAxis(op->getAttrOfType<AxesAttr>("axes"));
    AxesAttr axes = makeAxes(&getContext(), mesh, {other});
    if (raw) {
      op->setAttr("axes", axes);
      return;
    }
    Value input = op->getOperand(0), result = op->getResult(0);
    auto kindAttr = op->getAttrOfType<ReduceKindAttr>("kind");
    auto type = cast<RankedTensorType>(input.getType());
    std::vector<int64_t> shape = sharding::maxShardShape(type.getShape().vec(), getSharding(mesh, type));
    auto localType = RankedTensorType::get(shape, type.getElementType());
    TensorSharding whole = TensorSharding::replicated(shape.size()), partial = whole;
    partial.partial.push_back({other, toPlain(kindAttr.getValue())});
    Value assumed = assume(builder, input, withSharding(localType, mesh, partial));
    Value reduced = AllReduceOp::create(builder, op->getLoc(), TypeRange{withSharding(localType, mesh, whole)},
                                        ValueRange{assumed}, axes, kindAttr.getValue())
                        .getOutputs()
                        .front();
    TensorSharding after = getSharding(mesh, type);
    after.partial = getSharding(mesh, cast<RankedTensorType>(result.getType())).partial;
    Value back = assume(builder, reduced, withSharding(type, mesh, after));
    if (auto scatter = dyn_cast<ReduceScatterOp>(op))
      back = SliceOp::create(builder, op->getLoc(), result.getType(), back, scatter.getDim(), scatter.getAxes());
    result.replaceAllUsesWith(back);
    op->erase();
  }

  void runOnOperation() override {
    MeshAttr attr = getMesh(getOperation());
    if (!attr || (mode != "double" && mode != "drop" && mode != "misplace")) {
      emitError(getOperation().getLoc()) << "needs a mesh, and mode double, drop or misplace, found " << mode;
      return signalPassFailure();
    }
    mesh = attr.getValue();
    std::vector<Site> sites = collect(getOperation());
    if (index < 0 || index >= static_cast<int>(sites.size())) {
      emitError(getOperation().getLoc()) << "no reduction " << index << " to " << mode << ", there are "
                                         << sites.size();
      return signalPassFailure();
    }
    Operation *op = isolate(sites[index]);
    if (mode == "double")
      twice(op);
    else if (mode == "drop")
      drop(op);
    else
      misplace(op);
  }

  sharding::Mesh mesh;
};

} // namespace

void modelpar::test::registerTestPasses() { PassRegistration<TestMutateReductions>(); }
