//===- SmallPlan.cpp - a good plan to break in tests ---------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SmallPlan.h"

namespace modelpar::planformat {

int64_t rounded(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

ValueId BodyBuilder::value(Value value) {
  if (value.bytes == 0)
    value.bytes = rounded(maxShardBytes(plan_.types[value.type]));
  body_.values.push_back(value);
  return static_cast<ValueId>(body_.values.size() - 1);
}

ValueId BodyBuilder::argument(TypeId type) {
  body_.arguments.push_back(static_cast<ValueId>(body_.values.size()));
  return value({type, Value::Storage::Argument, static_cast<int32_t>(body_.arguments.size() - 1)});
}

ValueId BodyBuilder::buffer(const Stage &stage, BufferId buffer) {
  return value({stage.buffers[buffer].type, Value::Storage::Buffer, buffer});
}

ValueId BodyBuilder::local(TypeId type) {
  ValueId id = value({type, Value::Storage::Local, 0, body_.frameBytes});
  body_.frameBytes += body_.values[id].bytes;
  return id;
}

ValueId BodyBuilder::alias(TypeId type, ValueId of) { return value({type, Value::Storage::Alias, of}); }

Instruction &BodyBuilder::add(Instruction::Kind kind, std::string op, std::vector<ValueId> inputs,
                              std::vector<ValueId> outputs, int32_t stream, std::vector<int32_t> waits,
                              int32_t record) {
  Instruction i;
  i.kind = kind;
  i.op = std::move(op);
  i.inputs = std::move(inputs);
  i.outputs = std::move(outputs);
  i.stream = stream;
  i.waits = std::move(waits);
  i.record = record;
  return body_.instructions.emplace_back(std::move(i));
}

Instruction &BodyBuilder::call(int32_t block, std::vector<ValueId> inputs, std::vector<ValueId> outputs) {
  Instruction &i = add(Instruction::Kind::Call, "", std::move(inputs), std::move(outputs));
  i.block = block;
  i.frame = body_.frameBytes;
  body_.frameBytes += plan_.blocks[block].frameBytes;
  return i;
}

Instruction &BodyBuilder::collective(std::string op, std::vector<sharding::AxisRef> axes, std::vector<ValueId> inputs,
                                     std::vector<ValueId> outputs, std::vector<int32_t> waits, int32_t record) {
  Instruction &i = add(Instruction::Kind::Collective, std::move(op), std::move(inputs), std::move(outputs), 1,
                       std::move(waits), record);
  i.axes = std::move(axes);
  return i;
}

namespace {

enum Types : TypeId { X, W, H, V, YPartial, Loss, LossSum, LossMean, WGrad, WGradSum, VGrad, VGradSum, Scalars };

class SmallPlanBuilder {
public:
  Plan build() {
    plan.tool = "test";
    plan.command = "modelpar-opt small.json -o p.plan";
    plan.modelName = "small";
    plan.modelText = "{\"name\": \"small\"}\n";
    plan.clusterText = "local:4";
    plan.optimizer = "sgd";
    plan.mesh = sharding::Mesh({{"mb", 2}, {"dp", 2}, {"tp", 2}});
    plan.globalBatch = 8;
    types();
    plan.inputs.push_back({"x", X, "data", -1, 1, {"b", "d"}});
    plan.inputs.push_back({"scalars", Scalars, "scalars", 0, 1, {}});
    layerForward();
    layerBackward();
    stage();
    return std::move(plan);
  }

private:
  void types() {
    auto ax = [&](const char *name) { return plan.mesh.axis(name); };
    sharding::DimSharding batch = {ax("dp"), ax("mb")}, tp = {ax("tp")}, whole;
    sharding::PartialAxis mb{ax("mb")}, dp{ax("dp")}, tpSum{ax("tp")};
    plan.types = {{DType::F32, {8, 16}, {{batch, whole}, {}}},
                  {DType::F32, {16, 32}, {{whole, tp}, {}}},
                  {DType::F32, {8, 32}, {{batch, tp}, {}}},
                  {DType::F32, {32, 16}, {{tp, whole}, {}}},
                  {DType::F32, {8, 16}, {{batch, whole}, {tpSum}}},
                  {DType::F32, {}, {{}, {mb, dp}}},
                  {DType::F32, {}, {{}, {dp}}},
                  {DType::F32, {}, {{}, {}}},
                  {DType::F32, {16, 32}, {{whole, tp}, {mb, dp}}},
                  {DType::F32, {16, 32}, {{whole, tp}, {dp}}},
                  {DType::F32, {32, 16}, {{tp, whole}, {mb, dp}}},
                  {DType::F32, {32, 16}, {{tp, whole}, {dp}}},
                  {DType::F64, {16}, {{whole}, {}}}};
  }

  void layerForward() {
    Body body;
    body.name = "layer.forward";
    BodyBuilder b(plan, body);
    ValueId x = b.argument(X), w = b.argument(W), v = b.argument(V);
    body.numInputs = 3;
    ValueId y = b.argument(X), h = b.argument(H);
    ValueId partial = b.local(YPartial);
    int32_t ready = b.event(), reduced = b.event();
    b.kernel("matmul", {x, w}, {h}).attributes["subscripts"] = std::string("bd,df->bf");
    Instruction &down = b.kernel("matmul", {h, v}, {partial});
    down.attributes["subscripts"] = std::string("bf,fd->bd");
    down.record = ready;
    b.collective("all_reduce", {plan.mesh.axis("tp")}, {partial}, {y}, {ready}, reduced);
    b.add(Instruction::Kind::Wait, "", {}, {}, 0, {reduced});
    plan.blocks.push_back(std::move(body));
  }

  void layerBackward() {
    Body body;
    body.name = "layer.backward";
    BodyBuilder b(plan, body);
    ValueId dy = b.argument(X), x = b.argument(X), h = b.argument(H), w = b.argument(W), v = b.argument(V);
    body.numInputs = 5;
    ValueId dx = b.argument(X), dw = b.argument(WGrad), dv = b.argument(VGrad);
    ValueId dh = b.local(H), partial = b.local(YPartial);
    int32_t ready = b.event(), reduced = b.event();
    auto matmul = [&](std::vector<ValueId> in, ValueId out, const char *subscripts) -> Instruction & {
      Instruction &i = b.kernel("matmul", std::move(in), {out});
      i.attributes["subscripts"] = std::string(subscripts);
      return i;
    };
    matmul({dy, v}, dh, "bd,fd->bf");
    matmul({dh, w}, partial, "bf,df->bd").record = ready;
    b.collective("all_reduce", {plan.mesh.axis("tp")}, {partial}, {dx}, {ready}, reduced);
    // The weights' gradients are computed while the reduction runs.
    matmul({x, dh}, dw, "bd,bf->df");
    matmul({h, dy}, dv, "bf,bd->fd").waits = {reduced};
    plan.blocks.push_back(std::move(body));
  }

  BufferId buffer(std::string name, Buffer::Kind kind, TypeId type, int32_t slots = 1) {
    Buffer buffer{std::move(name), kind, type, stage_.transientOffset, rounded(maxShardBytes(plan.types[type])),
                  slots,           0};
    if (slots > 1)
      buffer.slotStride = buffer.bytes;
    stage_.transientOffset += slots * buffer.bytes;
    stage_.buffers.push_back(buffer);
    return static_cast<BufferId>(stage_.buffers.size() - 1);
  }

  void stage() {
    using Kind = Buffer::Kind;
    const char *layers[] = {"l0", "l1"};
    for (int l = 0; l < 2; ++l) {
      w[l] = buffer(std::string(layers[l]) + ".w", Kind::Parameter, W);
      v[l] = buffer(std::string(layers[l]) + ".v", Kind::Parameter, V);
      gw[l] = buffer(std::string(layers[l]) + ".w.grad", Kind::Gradient, WGradSum);
      gv[l] = buffer(std::string(layers[l]) + ".v.grad", Kind::Gradient, VGradSum);
      h[l] = buffer(std::string("h.") + layers[l], Kind::Activation, H, 2);
      y[l] = buffer(std::string("y.") + layers[l], Kind::Activation, X, 2);
      plan.parameters.push_back({std::string(layers[l]) + ".w",
                                 std::string(layers[l]) + ".weight",
                                 {16, 32},
                                 W,
                                 {"normal", 0, 0.02},
                                 true,
                                 0,
                                 w[l],
                                 gw[l],
                                 {}});
      plan.parameters.push_back({std::string(layers[l]) + ".v",
                                 std::string(layers[l]) + ".value",
                                 {512},
                                 V,
                                 {"zeros"},
                                 true,
                                 0,
                                 v[l],
                                 gv[l],
                                 {}});
    }
    x = buffer("x", Kind::Input, X, 2);
    scalars = buffer("scalars", Kind::Scalars, Scalars);
    lossSum = buffer("loss.sum", Kind::Output, LossSum);
    loss = buffer("loss", Kind::Output, LossMean);
    forward();
    backward();
    update();
    stage_.schedule = {{kForward, 0}, {kForward, 1}, {kBackward, 0}, {kBackward, 1}, {kUpdate, 0}};
    int64_t transient = 0;
    for (const Program &program : stage_.programs)
      transient = std::max(transient, program.body.frameBytes);
    stage_.arenaBytes = stage_.transientOffset + transient;
    stage_.memory = {{"buffers", stage_.transientOffset}, {"temporaries", transient}};
    plan.outputs = {{"loss", loss}};
    plan.stages.push_back(std::move(stage_));
  }

  Body &program(Program::Kind kind, std::string name) {
    stage_.programs.push_back({kind, {}});
    stage_.programs.back().body.name = std::move(name);
    return stage_.programs.back().body;
  }

  void forward() {
    BodyBuilder b(plan, program(Program::Kind::Forward, "forward"));
    ValueId in = b.buffer(stage_, x), target = in, lossPart = b.local(Loss);
    b.add(Instruction::Kind::Load, "x", {}, {in});
    for (int l = 0; l < 2; ++l) {
      ValueId out = b.buffer(stage_, y[l]);
      b.call(kLayerForward, {in, b.buffer(stage_, w[l]), b.buffer(stage_, v[l])}, {out, b.buffer(stage_, h[l])})
          .instance = l;
      in = out;
    }
    b.kernel("squared_error", {in, target}, {lossPart});
    b.add(Instruction::Kind::Accumulate, "", {lossPart}, {b.buffer(stage_, lossSum)}).attributes["first"] = true;
  }

  void backward() {
    BodyBuilder b(plan, program(Program::Kind::Backward, "backward"));
    ValueId in = b.buffer(stage_, x), grad = b.local(X);
    ValueId outs[] = {b.buffer(stage_, y[0]), b.buffer(stage_, y[1])};
    b.kernel("squared_error_grad", {outs[1], in}, {grad});
    for (int l = 1; l >= 0; --l) {
      ValueId dx = b.local(X), dw = b.local(WGrad), dv = b.local(VGrad);
      b.call(kLayerBackward,
             {grad, l ? outs[0] : in, b.buffer(stage_, h[l]), b.buffer(stage_, w[l]), b.buffer(stage_, v[l])},
             {dx, dw, dv})
          .instance = l;
      b.add(Instruction::Kind::Accumulate, "", {dw}, {b.buffer(stage_, gw[l])}).attributes["first"] = true;
      b.add(Instruction::Kind::Accumulate, "", {dv}, {b.buffer(stage_, gv[l])}).attributes["first"] = true;
      grad = dx;
    }
  }

  void update() {
    BodyBuilder b(plan, program(Program::Kind::Update, "update"));
    ValueId step = b.buffer(stage_, scalars);
    int32_t first = b.event(), second = b.event(), done = b.event();
    std::vector<ValueId> sums, grads;
    for (int l = 0; l < 2; ++l) {
      sums.push_back(b.buffer(stage_, gw[l]));
      grads.push_back(b.alias(W, sums.back()));
      sums.push_back(b.buffer(stage_, gv[l]));
      grads.push_back(b.alias(V, sums.back()));
    }
    sharding::AxisRef dp = plan.mesh.axis("dp");
    b.collective("all_reduce", {dp}, {sums[0], sums[1]}, {grads[0], grads[1]}, {}, first);
    b.collective("all_reduce", {dp}, {sums[2], sums[3]}, {grads[2], grads[3]}, {}, second);
    b.collective("all_reduce", {dp}, {b.buffer(stage_, lossSum)}, {b.buffer(stage_, loss)}, {}, done);
    const ValueId scale = b.local(LossMean);
    b.kernel("fill", {}, {scale});
    for (int l = 0; l < 2; ++l) {
      ValueId weight = b.buffer(stage_, w[l]), value = b.buffer(stage_, v[l]);
      Instruction &sgd = b.kernel("sgd", {weight, grads[2 * l], scale, step}, {weight});
      sgd.attributes["weight_decay"] = true;
      sgd.waits = {l ? second : first};
      b.kernel("sgd", {value, grads[2 * l + 1], scale, step}, {value}).attributes["weight_decay"] = true;
    }
    b.add(Instruction::Kind::Wait, "", {}, {}, 0, {done});
  }

  Plan plan;
  Stage stage_;
  BufferId w[2], v[2], gw[2], gv[2], h[2], y[2], x, scalars, lossSum, loss;
};

} // namespace

Plan smallPlan() { return SmallPlanBuilder().build(); }

} // namespace modelpar::planformat
