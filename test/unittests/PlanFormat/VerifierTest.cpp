//===- VerifierTest.cpp - types, layout, schedule ------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/PlanFormat/Verifier.h"
#include "SmallPlan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {
using namespace modelpar;
using namespace modelpar::planformat;
using testing::HasSubstr;
using testing::IsEmpty;

std::string findings(const Plan &plan) {
  std::string text;
  for (const Finding &finding : verifyPlan(plan))
    text += finding.toString() + "\n";
  return text;
}

std::string findingsAfter(void (*change)(Plan &)) {
  Plan plan = smallPlan();
  change(plan);
  return findings(plan);
}

Body &program(Plan &plan, int which) { return plan.stages[0].programs[which].body; }
Stage &stage(Plan &plan) { return plan.stages[0]; }

TEST(VerifyPlan, TheSmallPlanIsGood) { EXPECT_EQ(findings(smallPlan()), ""); }

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

TEST(VerifyPlan, CallBindsAnotherType) {
  // The weights swapped: both have as many bytes.
  EXPECT_THAT(
      findingsAfter([](Plan &p) {
        Instruction &call = program(p, kForward).instructions[1];
        std::swap(call.inputs[1], call.inputs[2]);
      }),
      HasSubstr(
          "argument 1 has type f32[32x16] [{\"tp\"}, {}], block layer.forward expects f32[16x32] [{}, {\"tp\"}]"));
}

TEST(VerifyPlan, CollectiveOverTheWrongAxis) {
  EXPECT_THAT(findingsAfter([](Plan &p) { p.blocks[kLayerForward].instructions[kReduce].axes = {p.mesh.axis("dp")}; }),
              HasSubstr("block layer.forward, instruction 2 (all_reduce, stream 1): pair 0 goes from f32[8x16]"));
  EXPECT_THAT(
      findingsAfter([](Plan &p) { p.blocks[kLayerForward].instructions[kReduce].axes.push_back(p.mesh.axis("dp")); }),
      HasSubstr("expected an input that is partial (sum) over tp, dp"));
  EXPECT_THAT(findingsAfter([](Plan &p) { p.blocks[kLayerForward].instructions[kReduce].axes = {p.mesh.axis("mb")}; }),
              HasSubstr("axis mb is time"));
  EXPECT_THAT(findingsAfter([](Plan &p) {
                auto &axes = p.blocks[kLayerForward].instructions[kReduce].axes;
                axes.push_back(axes[0]);
              }),
              HasSubstr("axis tp occurs twice"));
}

TEST(VerifyPlan, CollectiveWithTheWrongKind) {
  EXPECT_THAT(
      findingsAfter([](Plan &p) { p.blocks[kLayerForward].instructions[kReduce].reduce = sharding::ReduceKind::Max; }),
      HasSubstr("expected an input that is partial (max) over tp"));
}

TEST(VerifyPlan, ReductionTwice) {
  // The second all_reduce of a whole value would double it.
  EXPECT_THAT(findingsAfter([](Plan &p) { p.blocks[kLayerForward].instructions[kReduce].inputs = {3}; }),
              HasSubstr("expected an input that is partial (sum) over tp"));
}

TEST(VerifyPlan, PartialValueIntoTheUpdate) {
  EXPECT_THAT(findingsAfter([](Plan &p) {
                Instruction &sgd = program(p, kUpdate).instructions[4];
                ASSERT_EQ(sgd.op, "sgd");
                sgd.inputs[1] = 1; // The sum before its all_reduce.
              }),
              HasSubstr("instruction 4 (sgd, stream 0): input 1 is partial over dp (sum), expected it whole: a "
                        "reduction is missing"));
}

TEST(VerifyPlan, AProductThatIsCalledWhole) {
  // The value between the product over tp and its all_reduce loses what it is partial over.
  EXPECT_THAT(findingsAfter([](Plan &p) { p.blocks[kLayerForward].values[5].type = 0; }),
              HasSubstr("block layer.forward, instruction 1 (matmul, stream 0): output 0 has type f32[8x16] [{\"dp\", "
                        "\"mb\"}, {}], expected it partial over tp (sum): input 0 is split along what is reduced"));
}

TEST(VerifyPlan, AGradientThatMissesAnAxis) {
  // Over mb alone: the dimension that is summed is split over dp too.
  EXPECT_THAT(findingsAfter([](Plan &p) {
                TensorType overTime = p.types[8];
                std::erase_if(overTime.sharding.partial, [](const auto &entry) { return entry.axis.name == "dp"; });
                p.types.push_back(overTime);
                p.blocks[kLayerBackward].values[6].type = static_cast<TypeId>(p.types.size()) - 1;
              }),
              HasSubstr("block layer.backward, instruction 3 (matmul, stream 0): output 0 has type"));
}

TEST(VerifyPlan, AnInputIsWhole) {
  EXPECT_THAT(findingsAfter([](Plan &p) { p.inputs[0].type = 4; }),
              HasSubstr("input x: has type f32[8x16] [{\"dp\", \"mb\"}, {}], partial={\"tp\":sum}, expected a whole "
                        "value"));
}

/// Makes room for what was added to a program.
void growArena(Plan &plan, const Body &body) {
  int64_t more = std::max<int64_t>(0, body.frameBytes - (stage(plan).arenaBytes - stage(plan).transientOffset));
  stage(plan).arenaBytes += more;
  stage(plan).memory.back().bytes += more;
}

/// Reads the buffer of parameter l0.w as a contribution to a sum over dp; views of a buffer have its layout alone.
void readPartialParameter(Plan &plan, Body &body) {
  TensorType type = plan.types[1];
  type.sharding.partial = {{plan.mesh.axis("dp")}};
  plan.types.push_back(type);
  BodyBuilder b(plan, body);
  const ValueId view = b.buffer(stage(plan), plan.parameters[0].value);
  body.values[view].type = static_cast<TypeId>(plan.types.size()) - 1;
  b.kernel("sum", {view}, {b.local(body.values[view].type)});
  growArena(plan, body);
}

TEST(VerifyPlan, AParameterIsReadAsItIs) {
  EXPECT_THAT(findingsAfter([](Plan &p) {
                Body body;
                body.name = "extra";
                readPartialParameter(p, body);
                stage(p).programs.push_back({Program::Kind::Update, body});
                stage(p).schedule.push_back({3, 0});
              }),
              HasSubstr("program extra, instruction 0 (sum, stream 0): reads buffer l0.w as f32[16x32] [{}, {\"tp\"}], "
                        "partial={\"dp\":sum}, but it was left as f32[16x32] [{}, {\"tp\"}]: a reduction is missing or "
                        "misplaced"));
}

TEST(VerifyPlan, ViewsOfABufferArePartialAlike) {
  EXPECT_THAT(findingsAfter([](Plan &p) { readPartialParameter(p, program(p, kForward)); }),
              HasSubstr("instruction 5 (sum, stream 0): reads value 11 of forward (buffer l0.w) as f32[16x32] [{}, "
                        "{\"tp\"}], partial={\"dp\":sum}, but stage 0, program forward, block layer.forward, "
                        "instruction 0 (matmul, stream 0) reads the same as f32[16x32] [{}, {\"tp\"}]"));
}

TEST(VerifyPlan, ASumIsReadAsWhatWasAdded) {
  // The update takes the maximum of what the backward program left as a sum.
  EXPECT_THAT(
      findingsAfter([](Plan &p) {
        Body &update = program(p, kUpdate);
        Instruction &reduce = update.instructions[0];
        reduce.reduce = sharding::ReduceKind::Max;
        for (ValueId input : reduce.inputs) {
          TensorType type = p.types[update.values[input].type];
          type.sharding.partial = {{p.mesh.axis("dp"), sharding::ReduceKind::Max}};
          p.types.push_back(type);
          update.values[input].type = static_cast<TypeId>(p.types.size()) - 1;
        }
      }),
      HasSubstr("program update, instruction 0 (all_reduce, stream 1): reads buffer l0.w.grad as f32[16x32] [{}, "
                "{\"tp\"}], partial={\"dp\":max}, but it was left as f32[16x32] [{}, {\"tp\"}], "
                "partial={\"dp\":sum}: a reduction is missing or misplaced"));
}

TEST(VerifyPlan, MicroBatchesAddToOneSum) {
  // Two accumulations of one micro-batch into one gradient, over dp and over nothing.
  EXPECT_THAT(findingsAfter([](Plan &p) {
                Body &backward = program(p, kBackward);
                Instruction again = backward.instructions[2];
                ASSERT_EQ(again.kind, Instruction::Kind::Accumulate);
                again.attributes["first"] = false;
                TensorType contribution = p.types[8], sum = p.types[1];
                contribution.sharding.partial = {{p.mesh.axis("mb")}};
                p.types.push_back(contribution);
                p.types.push_back(sum);
                BodyBuilder b(p, backward);
                const TypeId last = static_cast<TypeId>(p.types.size()) - 1;
                const ValueId part = b.local(last - 1), view = b.buffer(stage(p), p.parameters[2].gradient);
                backward.values[view].type = last;
                b.kernel("fill", {}, {part});
                again.inputs = {part};
                again.outputs = {view};
                backward.instructions.push_back(again);
                growArena(p, backward);
              }),
              HasSubstr("has left it as f32[16x32] [{}, {\"tp\"}], partial={\"dp\":sum}"));
}

TEST(VerifyPlan, PartialOutput) {
  EXPECT_THAT(
      findingsAfter([](Plan &p) { p.outputs[0].second -= 1; }),
      HasSubstr(
          "output loss: is left with f32[] [], partial={\"dp\":sum}, expected a whole value: a reduction is missing"));
}

TEST(VerifyPlan, AnOutputIsANumber) {
  EXPECT_THAT(
      findingsAfter([](Plan &p) { p.outputs[0].second = p.parameters[0].value; }),
      HasSubstr("output loss: buffer l0.w has type f32[16x32] [{}, {\"tp\"}], expected one number in f32 or f64"));
}

TEST(VerifyPlan, AccumulationOfAValueThatIsNotPartial) {
  EXPECT_THAT(findingsAfter([](Plan &p) {
                Body &body = program(p, kForward);
                body.values[1].type = 6; // The loss, partial over dp alone.
              }),
              HasSubstr("expected a value that is partial over mb"));
}

TEST(VerifyPlan, LoadIntoAnotherType) {
  EXPECT_THAT(findingsAfter([](Plan &p) { p.inputs[0].type = 4; }), HasSubstr("the input has f32[8x16]"));
}

/// A body with one collective from one type to another.
std::string collectiveFindings(const std::string &op, sharding::TensorSharding from, sharding::TensorSharding to,
                               int32_t dim, int32_t sourceDim = -1, int64_t shift = 0) {
  Plan plan = smallPlan();
  plan.types.push_back({DType::F32, {8, 8}, std::move(from)});
  plan.types.push_back({DType::F32, {8, 8}, std::move(to)});
  TypeId last = static_cast<TypeId>(plan.types.size()) - 1;
  BodyBuilder b(plan, program(plan, kUpdate));
  ValueId in = b.local(last - 1), out = b.local(last);
  b.kernel("fill", {}, {in});
  Instruction &i = b.collective(op, {plan.mesh.axis("tp")}, {in}, {out}, {}, -1);
  i.stream = 0;
  i.dim = dim;
  i.sourceDim = sourceDim;
  i.shift = shift;
  growArena(plan, program(plan, kUpdate));
  return findings(plan);
}

TEST(VerifyPlan, EveryCollectiveHasItsTypes) {
  sharding::AxisRef dp{"dp", 1, 2}, tp{"tp", 1, 2};
  sharding::TensorSharding whole{{{}, {}}, {}}, rows{{{tp}, {}}, {}}, columns{{{}, {tp}}, {}},
      partial{{{}, {}}, {{tp}}};
  sharding::TensorSharding minor{{{dp, tp}, {}}, {}}, major{{{tp, dp}, {}}, {}}, data{{{dp}, {}}, {}};
  auto bad = HasSubstr("goes from");
  EXPECT_THAT(collectiveFindings("all_gather", rows, whole, 0), testing::Not(bad));
  EXPECT_THAT(collectiveFindings("all_gather", minor, data, 0), testing::Not(bad));
  EXPECT_THAT(collectiveFindings("all_gather", major, data, 0), bad);
  EXPECT_THAT(collectiveFindings("all_gather", rows, whole, 1), bad);
  EXPECT_THAT(collectiveFindings("all_gather", whole, rows, 0), bad);
  EXPECT_THAT(collectiveFindings("all_gather", partial, whole, 0), bad);
  EXPECT_THAT(collectiveFindings("reduce_scatter", partial, rows, 0), testing::Not(bad));
  EXPECT_THAT(collectiveFindings("reduce_scatter", partial, columns, 0), bad);
  EXPECT_THAT(collectiveFindings("reduce_scatter", whole, rows, 0), bad);
  EXPECT_THAT(collectiveFindings("all_to_all", rows, columns, 1, 0), testing::Not(bad));
  EXPECT_THAT(collectiveFindings("all_to_all", rows, columns, 0, 1), bad);
  EXPECT_THAT(collectiveFindings("all_to_all", rows, rows, 1, 0), bad);
}

TEST(VerifyPlan, APermuteShiftsTheAxisOfItsRing) {
  sharding::AxisRef dp{"dp", 1, 2}, tp{"tp", 1, 2}, next{"tp", 1, 2, 1};
  sharding::TensorSharding rows{{{tp}, {}}, {}}, nextRows{{{next}, {}}, {}}, columns{{{}, {next}}, {}};
  sharding::TensorSharding both{{{dp, tp}, {}}, {}}, nextBoth{{{dp, next}, {}}, {}}, data{{{dp}, {}}, {}};
  auto bad = HasSubstr("goes from");
  EXPECT_THAT(collectiveFindings("collective_permute", rows, nextRows, -1, -1, 1), testing::Not(bad));
  EXPECT_THAT(collectiveFindings("collective_permute", nextRows, rows, -1, -1, 1), testing::Not(bad));
  EXPECT_THAT(collectiveFindings("collective_permute", both, nextBoth, -1, -1, 1), testing::Not(bad));
  EXPECT_THAT(collectiveFindings("collective_permute", rows, rows, -1, -1, 1),
              HasSubstr("expected dimension 0 to be shifted by 1 over tp"));
  EXPECT_THAT(collectiveFindings("collective_permute", rows, columns, -1, -1, 1), bad);
  EXPECT_THAT(collectiveFindings("collective_permute", both, nextRows, -1, -1, 1), bad);
  EXPECT_THAT(collectiveFindings("collective_permute", data, data, -1, -1, 1),
              HasSubstr("expected a tensor that is split over tp"));
}

TEST(VerifyPlan, APermuteHasAShiftAndOneAxis) {
  sharding::TensorSharding rows{{{{"tp", 1, 2}}, {}}, {}};
  for (int64_t shift : {0, 2, -1})
    EXPECT_THAT(collectiveFindings("collective_permute", rows, rows, -1, -1, shift),
                HasSubstr("expected at least 1 and less than 2"));
  EXPECT_THAT(collectiveFindings("all_gather", rows, rows, 0, -1, 1), HasSubstr("shift is 1, expected none"));
  EXPECT_THAT(findingsAfter([](Plan &p) {
                Instruction &i = p.blocks[0].instructions[2];
                ASSERT_EQ(i.kind, Instruction::Kind::Collective);
                i.op = "collective_permute", i.shift = 1;
                i.axes = {p.mesh.axis("dp"), p.mesh.axis("tp")};
              }),
              HasSubstr("has 2 axes, expected the one of the ring"));
}

TEST(VerifyPlan, ACollectiveHasNoFieldsOfOthers) {
  auto after = [](void (*change)(Instruction &)) {
    Plan plan = smallPlan();
    change(plan.blocks[kLayerForward].instructions[kReduce]);
    return findings(plan);
  };
  EXPECT_THAT(after([](Instruction &i) { i.dim = 1; }), HasSubstr("dim is 1, expected none"));
  EXPECT_THAT(after([](Instruction &i) { i.sourceDim = 0; }), HasSubstr("source_dim is 0, expected none"));
  EXPECT_THAT(after([](Instruction &i) {
                i.op = "all_gather";
                i.dim = 0;
                i.reduce = sharding::ReduceKind::Lse;
              }),
              HasSubstr("reduce is lse, expected none"));
}

//===----------------------------------------------------------------------===//
// Layout and schedule
//===----------------------------------------------------------------------===//

TEST(VerifyPlan, BuffersOverlap) {
  EXPECT_THAT(findingsAfter([](Plan &p) { stage(p).buffers[1].offset -= 64; }),
              HasSubstr("stage 0: buffers l0.w and l0.v overlap at arena byte"));
}

TEST(VerifyPlan, SlotsOverlapAnotherBuffer) {
  EXPECT_THAT(findingsAfter([](Plan &p) { stage(p).buffers[4].slots = 3; }),
              HasSubstr("buffers h.l0 and y.l0 overlap"));
}

TEST(VerifyPlan, MemoryDoesNotAddUp) {
  EXPECT_THAT(findingsAfter([](Plan &p) { stage(p).memory[0].bytes += 1; }), HasSubstr("memory items add up to"));
}

TEST(VerifyPlan, TooFewSlots) {
  // With one slot the second forward overwrites what the first backward reads.
  EXPECT_THAT(findingsAfter([](Plan &p) { stage(p).buffers[4].slots = 1; }),
              HasSubstr("reads buffer h.l0 on micro-batch 0, whose slot holds micro-batch 1 (1 slots)"));
}

TEST(VerifyPlan, OneSlotIsEnoughWhenBackwardFollows) {
  EXPECT_EQ(findingsAfter([](Plan &p) {
              stage(p).buffers[4].slots = 1;
              std::swap(stage(p).schedule[1], stage(p).schedule[2]);
            }),
            "");
}

TEST(VerifyPlan, BackwardBeforeForward) {
  EXPECT_THAT(findingsAfter([](Plan &p) { std::swap(stage(p).schedule[1], stage(p).schedule[3]); }),
              HasSubstr("reads buffer"));
}

TEST(VerifyPlan, AMicroBatchIsMissing) {
  std::string text = findingsAfter([](Plan &p) { stage(p).schedule.erase(stage(p).schedule.begin() + 3); });
  EXPECT_THAT(text, HasSubstr("the schedule runs program backward 1 times, expected 2"));
  EXPECT_THAT(text, HasSubstr("reads the sum in buffer l0.w.grad after 1 of 2 micro-batches"));
}

TEST(VerifyPlan, AMicroBatchTwice) {
  EXPECT_THAT(findingsAfter([](Plan &p) { stage(p).schedule[3].microBatch = 0; }),
              HasSubstr("the schedule runs program backward twice on micro-batch 0"));
}

TEST(VerifyPlan, UpdateTooEarly) {
  EXPECT_THAT(findingsAfter([](Plan &p) { std::swap(stage(p).schedule[3], stage(p).schedule[4]); }),
              HasSubstr("after 1 of 2 micro-batches"));
}

TEST(VerifyPlan, AccumulationStartsWithMicroBatch0) {
  EXPECT_THAT(findingsAfter([](Plan &p) { std::swap(stage(p).schedule[2], stage(p).schedule[3]); }),
              HasSubstr("which micro-batch 0 has not begun"));
}

TEST(VerifyPlan, ParameterWithoutUpdate) {
  EXPECT_THAT(findingsAfter([](Plan &p) {
                auto &instructions = program(p, kUpdate).instructions;
                ASSERT_EQ(instructions[7].op, "sgd");
                instructions.erase(instructions.begin() + 7);
              }),
              HasSubstr("parameter l1.v: no update writes it"));
}

TEST(VerifyPlan, ForwardMayNotWriteParameters) {
  EXPECT_THAT(findingsAfter([](Plan &p) {
                BodyBuilder b(p, program(p, kForward));
                ValueId w = b.buffer(stage(p), 0);
                b.kernel("scale", {w}, {b.alias(1, w)});
              }),
              HasSubstr("program forward writes parameter buffer l0.w, which only an update may"));
}

TEST(VerifyPlan, StagesNeedThePipelineAxis) {
  EXPECT_THAT(findingsAfter([](Plan &p) { p.stages.push_back(p.stages[0]); }),
              HasSubstr("2 stages on 1 coordinates of axis pp"));
}

TEST(VerifyPlan, CollectivesOverStagesAreEnteredByAll) {
  Plan plan = smallPlan();
  plan.mesh = sharding::Mesh({{"mb", 2}, {"pp", 2}, {"dp", 2}, {"tp", 2}});
  plan.types.push_back({DType::F32, {}, {{}, {{plan.mesh.axis("pp")}}}});
  TypeId partial = static_cast<TypeId>(plan.types.size()) - 1, whole = 7;
  BodyBuilder b(plan, program(plan, kUpdate));
  ValueId in = b.local(partial), out = b.local(whole);
  b.kernel("fill", {}, {in});
  Instruction &i = b.collective("all_reduce", {plan.mesh.axis("pp")}, {in}, {out}, {}, -1);
  i.stream = 0;
  plan.stages.push_back(plan.stages[0]);
  EXPECT_EQ(findings(plan), "");
  plan.stages[1].programs[kUpdate].body.instructions.pop_back();
  EXPECT_THAT(
      findings(plan),
      HasSubstr("(all_reduce, stream 0) of schedule entry 4 (all_reduce sum over pp on stream 0 of f32[] [], "
                "partial={\"pp\":sum}): deadlock: waits for stage 1, which has come to the end of its schedule"));
}

TEST(VerifyPlan, MoreFaultsThanAreKept) {
  // Instructions are looked at only when their values are right, also when the list of findings is full before.
  Plan plan = smallPlan();
  for (int i = 0; i < 100; ++i)
    plan.blocks[kLayerForward].values.push_back(plan.blocks[kLayerForward].values[0]);
  for (Body &block : plan.blocks)
    for (Value &value : block.values)
      value.type = 1 << 30;
  EXPECT_EQ(checkStructure(plan).size(), kMaxFindings);
}

} // namespace
