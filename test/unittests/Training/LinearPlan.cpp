//===- LinearPlan.cpp - linear regression under any small mesh -------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LinearPlan.h"

#include <algorithm>

using namespace modelpar;
using namespace modelpar::planformat;
using modelpar::runtime::test::LinearPlanOptions;

namespace {

enum Types : TypeId { X, Y, W, Prediction, Loss, LossSum, Scalar0, WGrad, WGradSum, SumSquares, Scalars };

class Builder {
public:
  explicit Builder(const LinearPlanOptions &options) : o(options) {}

  Plan build() {
    plan.tool = "test";
    plan.modelName = "linear";
    plan.clusterText = "local";
    plan.optimizer = "sgd";
    plan.globalBatch = o.batch;
    std::vector<sharding::MeshAxis> axes;
    for (auto [name, size] : {std::pair{"mb", o.microBatches}, {"dp", o.dp}, {"tp", o.tp}})
      if (size > 1)
        axes.push_back({name, size});
    plan.mesh = sharding::Mesh(axes);
    types();
    plan.inputs.push_back({"x", X, "data", -1, 1, {"batch", "in"}, 0});
    plan.inputs.push_back({"y", Y, "targets", -1, 1, {"batch", "out"}, 0});
    plan.inputs.push_back({"scalars", Scalars, "scalars", 0, 1, {}});
    stage();
    return std::move(plan);
  }

private:
  sharding::DimSharding axes(std::vector<const char *> names) const {
    sharding::DimSharding result;
    for (const char *name : names)
      if (plan.mesh.has(name))
        result.push_back(plan.mesh.axis(name));
    return result;
  }
  std::vector<sharding::PartialAxis> partial(std::vector<const char *> names) const {
    std::vector<sharding::PartialAxis> result;
    for (const sharding::AxisRef &axis : axes(std::move(names)))
      result.push_back({axis});
    return result;
  }

  void types() {
    const sharding::DimSharding batch = axes({"dp", "mb"}), tp = axes({"tp"}), whole;
    plan.types = {{DType::F32, {o.batch, o.inputs}, {{batch, whole}, {}}},
                  {DType::F32, {o.batch, o.outputs}, {{batch, tp}, {}}},
                  {DType::F32, {o.inputs, o.outputs}, {{whole, tp}, {}}},
                  {DType::F32, {o.batch, o.outputs}, {{batch, tp}, {}}},
                  {DType::F32, {}, {{}, partial({"mb", "dp", "tp"})}},
                  {DType::F32, {}, {{}, partial({"dp", "tp"})}},
                  {DType::F32, {}, {{}, {}}},
                  {DType::F32, {o.inputs, o.outputs}, {{whole, tp}, partial({"mb", "dp"})}},
                  {DType::F32, {o.inputs, o.outputs}, {{whole, tp}, partial({"dp"})}},
                  {DType::F32, {}, {{}, partial({"tp"})}},
                  {DType::F64, {kNumScalars}, {{whole}, {}}}};
  }

  BufferId buffer(std::string name, Buffer::Kind kind, TypeId type) {
    stage_.buffers.push_back(
        {std::move(name), kind, type, stage_.transientOffset, rounded(maxShardBytes(plan.types[type])), 1, 0});
    stage_.transientOffset += stage_.buffers.back().bytes;
    return static_cast<BufferId>(stage_.buffers.size() - 1);
  }

  void stage() {
    w = buffer("w", Buffer::Kind::Parameter, W);
    gradient = buffer("w.grad", Buffer::Kind::Gradient, WGradSum);
    scalars = buffer("scalars", Buffer::Kind::Scalars, Scalars);
    lossSum = buffer("loss.sum", Buffer::Kind::Output, LossSum);
    loss = axes({"dp", "tp"}).empty() ? lossSum : buffer("loss", Buffer::Kind::Output, Scalar0);
    norm = buffer("grad_norm", Buffer::Kind::Output, Scalar0);
    plan.parameters.push_back(
        {"w", "linear.weight", {o.inputs * o.outputs}, W, {"normal", 0, 0.5}, true, 0, w, gradient, {}});
    forwardBackward();
    update();
    for (int32_t m = 0; m < o.microBatches; ++m)
      stage_.schedule.push_back({0, m});
    stage_.schedule.push_back({1, 0});
    int64_t transient = 0;
    for (const Program &program : stage_.programs)
      transient = std::max(transient, program.body.frameBytes);
    stage_.arenaBytes = stage_.transientOffset + transient;
    stage_.memory = {{"buffers", stage_.transientOffset}, {"temporaries", transient}};
    plan.outputs = {{"loss", loss}, {"grad_norm", norm}};
    plan.stages.push_back(std::move(stage_));
  }

  Body &program(Program::Kind kind, std::string name) {
    stage_.programs.push_back({kind, {}});
    stage_.programs.back().body.name = std::move(name);
    return stage_.programs.back().body;
  }

  void forwardBackward() {
    BodyBuilder b(plan, program(Program::Kind::Backward, "forward-backward"));
    ValueId x = b.local(X), y = b.local(Y), prediction = b.local(Prediction), part = b.local(Loss),
            grad = b.local(Prediction), wGrad = b.local(WGrad);
    b.add(Instruction::Kind::Load, "x", {}, {x});
    b.add(Instruction::Kind::Load, "y", {}, {y});
    b.kernel("matmul", {x, b.buffer(stage_, w)}, {prediction}).attributes["subscripts"] = std::string("bd,de->be");
    b.kernel("squared_error", {prediction, y}, {part});
    b.kernel("squared_error_grad", {prediction, y}, {grad});
    b.kernel("matmul", {x, grad}, {wGrad}).attributes["subscripts"] = std::string("bd,be->de");
    b.add(Instruction::Kind::Accumulate, "", {part}, {b.buffer(stage_, lossSum)}).attributes["first"] = true;
    b.add(Instruction::Kind::Accumulate, "", {wGrad}, {b.buffer(stage_, gradient)}).attributes["first"] = true;
  }

  /// A reduction on stream 1 that stream 0 waits for: `to`, or `from` where there is nothing to reduce over.
  ValueId reduce(BodyBuilder &b, std::vector<const char *> over, ValueId from, ValueId to) {
    if (axes(over).empty())
      return from;
    int32_t ready = b.event(), done = b.event();
    b.add(Instruction::Kind::Wait, "", {}, {}, 0, {}, ready);
    b.collective("all_reduce", axes(std::move(over)), {from}, {to}, {ready}, done);
    b.add(Instruction::Kind::Wait, "", {}, {}, 0, {done});
    return to;
  }

  void update() {
    BodyBuilder b(plan, program(Program::Kind::Update, "update"));
    ValueId step = b.buffer(stage_, scalars), weight = b.buffer(stage_, w), sum = b.buffer(stage_, gradient);
    ValueId squares = b.local(SumSquares), scale = b.local(Scalar0);
    ValueId whole = reduce(b, {"dp"}, sum, b.alias(W, sum));
    reduce(b, {"dp", "tp"}, b.buffer(stage_, lossSum), b.buffer(stage_, loss));
    b.kernel("sum_squares", {whole}, {squares});
    ValueId total = reduce(b, {"tp"}, squares, b.local(Scalar0));
    b.kernel("clip_scale", {total, step}, {b.buffer(stage_, norm), scale});
    b.kernel("sgd", {weight, whole, scale, step}, {weight}).attributes["weight_decay"] = true;
  }

  const LinearPlanOptions &o;
  Plan plan;
  Stage stage_;
  BufferId w, gradient, scalars, lossSum, loss, norm;
};

} // namespace

Plan runtime::test::linearPlan(const LinearPlanOptions &options) { return Builder(options).build(); }
