//===- PipelinePlan.cpp - a good plan with pipeline stages ---------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PipelinePlan.h"

#include <algorithm>
#include <map>

namespace modelpar::planformat {
namespace {

constexpr int kLayers = 5;
enum Types : TypeId { X, W, WGrad, WGradSum, TGradSum, TGradTied, Loss, LossSum, Scalar0, Squares, Scalars };

class Builder {
public:
  explicit Builder(const PipelinePlanOptions &options) : o(options) {}

  Plan build() {
    plan.tool = "test";
    plan.modelName = "pipeline";
    plan.clusterText = "local";
    plan.optimizer = "sgd";
    plan.globalBatch = o.batch;
    plan.mesh = sharding::Mesh({{"mb", o.microBatches}, {"pp", o.pp}, {"dp", o.dp}});
    types();
    plan.inputs.push_back({"x", X, "data", -1, 1, {"batch", "in"}, 0});
    plan.inputs.push_back({"y", X, "targets", -1, 1, {"batch", "out"}, 0});
    plan.inputs.push_back({"scalars", Scalars, "scalars", 0, 1, {}});
    entries = schedule::pipeline(o.kind, o.pp, o.microBatches);
    plan.stages.resize(static_cast<size_t>(o.pp));
    for (at = 0; at < o.pp; ++at)
      stage();
    return std::move(plan);
  }

private:
  //===--------------------------------------------------------------------===//
  // What is where
  //===--------------------------------------------------------------------===//

  bool isFirst() const { return at == 0; }
  bool isLast() const { return at + 1 == o.pp; }
  /// Layers [begin, end) of the stage: one each, the rest on the last.
  int64_t begin() const { return at; }
  int64_t end() const { return isLast() ? kLayers : at + 1; }
  static bool isTied(int64_t layer) { return layer == 0 || layer == kLayers - 1; }
  /// The tied matrix on more than one stage.
  bool isShared(int64_t layer) const { return isTied(layer) && o.pp > 1; }
  Stage &here() { return plan.stages[static_cast<size_t>(at)]; }

  void types() {
    sharding::AxisRef mb = plan.mesh.axis("mb"), pp = plan.mesh.axis("pp"), dp = plan.mesh.axis("dp"), ends = pp;
    if (o.pp > 1)
      ends.subset = {0, o.pp - 1};
    sharding::DimSharding batch = {dp, mb}, whole;
    std::vector<int64_t> rows = {o.batch, o.width}, square = {o.width, o.width};
    plan.types = {{DType::F32, rows, {{batch, whole}, {}}},
                  {DType::F32, square, {{whole, whole}, {}}},
                  {DType::F32, square, {{whole, whole}, {{mb}, {dp}}}},
                  {DType::F32, square, {{whole, whole}, {{dp}}}},
                  {DType::F32, square, {{whole, whole}, {{ends}, {dp}}}},
                  {DType::F32, square, {{whole, whole}, {{ends}}}},
                  {DType::F32, {}, {{}, {{mb}, {dp}}}},
                  {DType::F32, {}, {{}, {{dp}}}},
                  {DType::F32, {}, {{}, {}}},
                  {DType::F32, {}, {{}, {{pp}}}},
                  {DType::F64, {kNumScalars}, {{whole}, {}}}};
  }

  BufferId buffer(std::string name, Buffer::Kind kind, TypeId type, int64_t slots = 1) {
    Stage &s = here();
    Buffer buffer{std::move(name),
                  kind,
                  type,
                  s.transientOffset,
                  rounded(maxShardBytes(plan.types[type])),
                  static_cast<int32_t>(slots),
                  0};
    if (slots > 1)
      buffer.slotStride = buffer.bytes;
    s.transientOffset += slots * buffer.bytes;
    s.buffers.push_back(buffer);
    return static_cast<BufferId>(s.buffers.size() - 1);
  }

  void stage() {
    using Kind = Buffer::Kind;
    int64_t slots = schedule::maxInFlight(entries[static_cast<size_t>(at)]);
    weights.assign(kLayers, -1), gradients.assign(kLayers, -1), inputs.assign(kLayers, -1);
    for (int64_t l = begin(); l < end(); ++l) {
      inputs[l] = buffer("act." + std::to_string(l), l == 0 ? Kind::Input : Kind::Activation, X, slots);
      if (l == kLayers - 1 && begin() == 0) {
        weights[l] = weights[0], gradients[l] = gradients[0];
        continue;
      }
      std::string name = isTied(l) ? "tied" : "w" + std::to_string(l);
      weights[l] = buffer(name, Kind::Parameter, W);
      gradients[l] = buffer(name + ".grad", Kind::Gradient, WGradSum);
      if (l == kLayers - 1)
        plan.parameters[0].replicas.push_back({static_cast<int32_t>(at), weights[l], gradients[l], {}});
      else
        plan.parameters.push_back({name,
                                   name + ".weight",
                                   {o.width, o.width},
                                   W,
                                   {"normal", 0, 0.5},
                                   true,
                                   static_cast<int32_t>(at),
                                   weights[l],
                                   gradients[l],
                                   {},
                                   {}});
    }
    output = buffer("act." + std::to_string(end()), Kind::Activation, X, slots);
    gradIn = isLast() ? -1 : buffer("grad." + std::to_string(end()), Kind::Activation, X);
    gradOut = isFirst() ? -1 : buffer("grad." + std::to_string(begin()), Kind::Activation, X);
    scalars = buffer("scalars", Kind::Scalars, Scalars);
    norm = buffer("grad_norm", Kind::Output, Scalar0);
    if (isLast()) {
      lossSum = buffer("loss.sum", Kind::Output, LossSum);
      loss = buffer("loss", Kind::Output, Scalar0);
      plan.outputs = {{"loss", loss}, {"grad_norm", norm}};
    }
    forward();
    backward();
    update();
    addSchedule();
    int64_t transient = 0;
    for (const Program &program : here().programs)
      transient = std::max(transient, program.body.frameBytes);
    here().arenaBytes = here().transientOffset + transient;
    here().memory = {{"buffers", here().transientOffset}, {"temporaries", transient}};
  }

  int32_t channel(Channel::Direction direction, int64_t peer, BufferId buffer) {
    here().channels.push_back({direction, static_cast<int32_t>(peer), {buffer}});
    return static_cast<int32_t>(here().channels.size() - 1);
  }

  void addSchedule() {
    using Direction = Channel::Direction;
    std::map<std::pair<bool, int64_t>, int32_t> channels; // Sends, peer.
    if (!isFirst()) {
      channels[{false, at - 1}] = channel(Direction::Receive, at - 1, inputs[begin()]);
      channels[{true, at - 1}] = channel(Direction::Send, at - 1, gradOut);
    }
    if (!isLast()) {
      channels[{true, at + 1}] = channel(Direction::Send, at + 1, output);
      channels[{false, at + 1}] = channel(Direction::Receive, at + 1, gradIn);
    }
    for (const schedule::Entry &entry : entries[static_cast<size_t>(at)]) {
      ScheduleEntry planned{static_cast<int32_t>(entry.phase), static_cast<int32_t>(entry.microBatch), {}};
      if (entry.phase == schedule::Phase::Exchange)
        planned.program = -1;
      for (const schedule::Transfer &t : entry.transfers)
        planned.exchange.push_back({channels.at({t.direction == schedule::Transfer::Direction::Send, t.peer}),
                                    static_cast<int32_t>(t.microBatch)});
      here().schedule.push_back(planned);
    }
  }

  //===--------------------------------------------------------------------===//
  // Programs
  //===--------------------------------------------------------------------===//

  Body &program(Program::Kind kind, std::string name) {
    here().programs.push_back({kind, {}});
    here().programs.back().body.name = std::move(name);
    return here().programs.back().body;
  }

  void forward() {
    BodyBuilder b(plan, program(Program::Kind::Forward, "forward"));
    if (isFirst())
      b.add(Instruction::Kind::Load, "x", {}, {b.buffer(here(), inputs[0])});
    ValueId in = b.buffer(here(), inputs[begin()]), out = -1;
    for (int64_t l = begin(); l < end(); ++l, in = out) {
      out = b.buffer(here(), l + 1 < end() ? inputs[l + 1] : output);
      b.kernel("matmul", {in, b.buffer(here(), weights[l])}, {out}).attributes["subscripts"] = std::string("bd,de->be");
    }
    if (!isLast())
      return;
    ValueId y = b.local(X), part = b.local(Loss);
    b.add(Instruction::Kind::Load, "y", {}, {y});
    b.kernel("squared_error", {out, y}, {part});
    b.add(Instruction::Kind::Accumulate, "", {part}, {b.buffer(here(), lossSum)}).attributes["first"] = true;
  }

  void backward() {
    BodyBuilder b(plan, program(Program::Kind::Backward, "backward"));
    ValueId grad = -1;
    if (isLast()) {
      ValueId y = b.local(X);
      grad = b.local(X);
      b.add(Instruction::Kind::Load, "y", {}, {y});
      b.kernel("squared_error_grad", {b.buffer(here(), output), y}, {grad});
    } else {
      grad = b.buffer(here(), gradIn);
    }
    for (int64_t l = end() - 1; l >= begin(); --l) {
      ValueId part = b.local(WGrad);
      b.kernel("matmul", {b.buffer(here(), inputs[l]), grad}, {part}).attributes["subscripts"] =
          std::string("bd,be->de");
      // On one stage both uses add to one buffer, the last layer's first.
      bool begins = o.pp > 1 || l != 0;
      b.add(Instruction::Kind::Accumulate, "", {part}, {b.buffer(here(), gradients[l])}).attributes["first"] = begins;
      if (l == begin() && isFirst())
        break;
      ValueId next = l == begin() ? b.buffer(here(), gradOut) : b.local(X);
      b.kernel("matmul", {grad, b.buffer(here(), weights[l])}, {next}).attributes["subscripts"] =
          std::string("be,de->bd");
      grad = next;
    }
  }

  /// A reduction on stream 1 that stream 0 waits for.
  void reduce(BodyBuilder &b, const sharding::AxisRef &over, ValueId from, ValueId to) {
    int32_t ready = b.event(), done = b.event();
    b.add(Instruction::Kind::Wait, "", {}, {}, 0, {}, ready);
    b.collective("all_reduce", {over}, {from}, {to}, {ready}, done);
    b.add(Instruction::Kind::Wait, "", {}, {}, 0, {done});
  }

  void update() {
    BodyBuilder b(plan, program(Program::Kind::Update, "update"));
    sharding::AxisRef pp = plan.mesh.axis("pp"), dp = plan.mesh.axis("dp"), ends = pp;
    if (o.pp > 1)
      ends.subset = {0, o.pp - 1};
    std::vector<ValueId> owned;
    std::vector<std::pair<ValueId, ValueId>> updates; // Weight, gradient.
    for (int64_t l = begin(); l < end(); ++l) {
      if (l == kLayers - 1 && begin() == 0)
        continue;
      ValueId sum = b.buffer(here(), gradients[l]), whole = b.alias(W, sum);
      if (isShared(l)) {
        ValueId part = b.alias(TGradSum, sum), joined = b.alias(TGradTied, sum);
        b.kernel("sum", {sum}, {part}); // What the stage adds to the sum over stages.
        reduce(b, dp, part, joined);
        reduce(b, ends, joined, whole);
      } else {
        reduce(b, dp, sum, whole);
      }
      updates.emplace_back(b.buffer(here(), weights[l]), whole);
      if (l != kLayers - 1)
        owned.push_back(whole);
    }
    if (isLast())
      reduce(b, dp, b.buffer(here(), lossSum), b.buffer(here(), loss));
    ValueId own = b.local(Scalar0), squares = b.local(Squares), total = b.local(Scalar0), scale = b.local(Scalar0),
            step = b.buffer(here(), scalars);
    b.kernel("sum_squares", owned, {own});
    b.kernel("sum", {own}, {squares});
    reduce(b, pp, squares, total);
    b.kernel("clip_scale", {total, step}, {b.buffer(here(), norm), scale});
    for (auto [weight, gradient] : updates)
      b.kernel("sgd", {weight, gradient, scale, step}, {weight}).attributes["weight_decay"] = true;
  }

  const PipelinePlanOptions &o;
  Plan plan;
  std::vector<std::vector<schedule::Entry>> entries;
  int64_t at = 0;                                   ///< The stage.
  std::vector<BufferId> weights, gradients, inputs; ///< By layer; of other stages -1.
  BufferId output = -1, gradIn = -1, gradOut = -1, scalars = -1, norm = -1, lossSum = -1, loss = -1;
};

} // namespace

Plan pipelinePlan(const PipelinePlanOptions &options) { return Builder(options).build(); }

} // namespace modelpar::planformat
