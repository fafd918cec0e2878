//===- VerifierProgramTest.cpp - order, races and liveness ---------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each test breaks one thing of a good plan and expects the verifier to name the
// instructions concerned.
//
//===----------------------------------------------------------------------===//

#include "SmallPlan.h"
#include "modelpar/PlanFormat/Reader.h"
#include "modelpar/PlanFormat/Verifier.h"
#include "modelpar/PlanFormat/Writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace {
using namespace modelpar;
using namespace modelpar::planformat;
using testing::AllOf;
using testing::HasSubstr;

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

/// All bodies of a plan.
std::vector<Body *> bodies(Plan &plan) {
  std::vector<Body *> all;
  for (Body &block : plan.blocks)
    all.push_back(&block);
  for (Stage &stage : plan.stages)
    for (Program &program : stage.programs)
      all.push_back(&program.body);
  return all;
}

TEST(VerifyProgram, DeletedEventNamesBothInstructions) {
  // The reduction no longer waits for the matmul that makes its input.
  EXPECT_THAT(
      findingsAfter([](Plan &p) { p.blocks[kLayerForward].instructions[kReduce].waits.clear(); }),
      AllOf(
          HasSubstr("block layer.forward, instruction 2 (all_reduce, stream 1): reads value 5 of layer.forward while"),
          HasSubstr("block layer.forward, instruction 1 (matmul, stream 0) writes the same bytes: no event or stream "
                    "orders them")));
}

TEST(VerifyProgram, DeletedJoin) {
  EXPECT_THAT(findingsAfter([](Plan &p) { p.blocks[kLayerForward].instructions.pop_back(); }),
              AllOf(HasSubstr("block layer.forward: ends while"),
                    HasSubstr("instruction 2 (all_reduce, stream 1) may still run")));
}

TEST(VerifyProgram, EveryDeletedWaitIsFound) {
  Plan good = smallPlan();
  int tried = 0;
  for (size_t b = 0; b < bodies(good).size(); ++b)
    for (size_t i = 0; i < bodies(good)[b]->instructions.size(); ++i)
      for (size_t w = 0; w < bodies(good)[b]->instructions[i].waits.size(); ++w) {
        Plan plan = smallPlan();
        Instruction &instruction = bodies(plan)[b]->instructions[i];
        instruction.waits.erase(instruction.waits.begin() + static_cast<ptrdiff_t>(w));
        EXPECT_NE(findings(plan), "") << bodies(plan)[b]->name << " instruction " << i;
        ++tried;
      }
  EXPECT_EQ(tried, 7);
}

TEST(VerifyProgram, EveryDeletedRecordIsFound) {
  Plan good = smallPlan();
  for (size_t b = 0; b < bodies(good).size(); ++b)
    for (size_t i = 0; i < bodies(good)[b]->instructions.size(); ++i) {
      Plan plan = smallPlan();
      int32_t &record = bodies(plan)[b]->instructions[i].record;
      if (record < 0)
        continue;
      record = -1;
      EXPECT_THAT(findings(plan), HasSubstr("which no instruction records"));
    }
}

TEST(VerifyProgram, EveryDeletedProducerIsFound) {
  // Every instruction of the plan but joins produces something that is read or must be written.
  Plan good = smallPlan();
  for (size_t b = 0; b < bodies(good).size(); ++b)
    for (size_t i = 0; i < bodies(good)[b]->instructions.size(); ++i) {
      Plan plan = smallPlan();
      auto &instructions = bodies(plan)[b]->instructions;
      std::string name = bodies(plan)[b]->name + " instruction " + std::to_string(i);
      instructions.erase(instructions.begin() + static_cast<ptrdiff_t>(i));
      EXPECT_NE(findings(plan), "") << name;
    }
}

TEST(VerifyProgram, SwappedInstructions) {
  // List order is order within a stream.
  EXPECT_THAT(findingsAfter([](Plan &p) {
                std::swap(p.blocks[kLayerForward].instructions[kMatmul1],
                          p.blocks[kLayerForward].instructions[kMatmul2]);
              }),
              HasSubstr("instruction 0 (matmul, stream 0): reads buffer h.l0 on micro-batch 0, which nothing"));
  EXPECT_THAT(findingsAfter([](Plan &p) {
                std::swap(p.blocks[kLayerBackward].instructions[0], p.blocks[kLayerBackward].instructions[1]);
              }),
              HasSubstr("reads value 8 of layer.backward, which no instruction before it has written"));
}

TEST(VerifyProgram, WaitBeforeItsRecord) {
  EXPECT_THAT(findingsAfter([](Plan &p) {
                std::swap(p.blocks[kLayerForward].instructions[kMatmul2],
                          p.blocks[kLayerForward].instructions[kReduce]);
              }),
              HasSubstr("instruction 1 (all_reduce, stream 1): waits for event 0, which only instruction 2 (matmul, "
                        "stream 0) records, not before it"));
}

TEST(VerifyProgram, EventRecordedTwice) {
  EXPECT_THAT(findingsAfter([](Plan &p) { p.blocks[kLayerForward].instructions[kMatmul1].record = 0; }),
              HasSubstr("records event 0 a second time, after instruction 0 (matmul, stream 0)"));
}

TEST(VerifyProgram, OverlappingLocalsThatLiveTogether) {
  // layer.backward keeps dh alive while the partial dx is computed.
  EXPECT_THAT(findingsAfter([](Plan &p) {
                p.blocks[kLayerBackward].values[9].offset = p.blocks[kLayerBackward].values[8].offset;
              }),
              HasSubstr("overlaps another operand"));
}

TEST(VerifyProgram, OverwrittenValue) {
  // The forward programs's loss part lies where the second call's frame is: written after, so no harm; the gradient of
  // the last layer lies in the frame of the call that reads it: harm.
  EXPECT_THAT(findingsAfter([](Plan &p) {
                Body &backward = program(p, kBackward);
                Instruction &call = backward.instructions[1];
                ASSERT_EQ(call.kind, Instruction::Kind::Call);
                call.frame = backward.values[1].offset;
              }),
              AllOf(HasSubstr("block layer.backward"), HasSubstr("overlaps another operand")));
  EXPECT_THAT(
      findingsAfter([](Plan &p) {
        // dw of the last layer is accumulated after dv has been written over it.
        Body &backward = program(p, kBackward);
        const Instruction &call = backward.instructions[1];
        backward.values[call.outputs[2]].offset = backward.values[call.outputs[1]].offset;
      }),
      AllOf(HasSubstr("instruction 2 (accumulate, stream 0): reads value"), HasSubstr("has overwritten with value")));
}

TEST(VerifyProgram, RaceOfTwoWriters) {
  // The weights' gradient is computed while the reduction runs: it may not write where that writes.
  EXPECT_THAT(findingsAfter([](Plan &p) {
                Body &backward = program(p, kBackward);
                const Instruction &call = backward.instructions[1];
                backward.values[call.outputs[1]].offset = backward.values[call.outputs[0]].offset;
              }),
              AllOf(HasSubstr("block layer.backward, instruction 3 (matmul, stream 0): writes"),
                    HasSubstr("block layer.backward, instruction 2 (all_reduce, stream 1) writes the same bytes")));
}

TEST(VerifyProgram, RaceWithAReader) {
  EXPECT_THAT(findingsAfter([](Plan &p) {
                Body &block = p.blocks[kLayerBackward];
                // dw over the partial sum that the reduction is still reading.
                Value &dw = block.values[6];
                ASSERT_EQ(dw.storage, Value::Storage::Argument);
                block.instructions[3].op = "fill"; // Of any shape.
                block.instructions[3].outputs = {9};
              }),
              HasSubstr("instruction 2 (all_reduce, stream 1) reads the same bytes"));
}

TEST(VerifyProgram, ACollectiveWorksInPlaceOnItsOwnInput) {
  // A grouped launch of one input twice: its first output would be written while the second input is read.
  auto after = [](bool twice) {
    constexpr TypeId kOverDp = 6, kWhole = 7; // Scalars of the small plan.
    Plan plan = smallPlan();
    Body &update = program(plan, kUpdate);
    BodyBuilder b(plan, update);
    const ValueId in = b.local(kOverDp), out = b.alias(kWhole, in), other = b.local(kWhole);
    const int32_t ready = b.event(), done = b.event();
    b.kernel("fill", {}, {in}).record = ready;
    std::vector<ValueId> inputs{in}, outputs{out};
    if (twice) {
      inputs.push_back(in);
      outputs.push_back(other);
    }
    b.collective("all_reduce", {plan.mesh.axis("dp")}, inputs, outputs, {ready}, done);
    b.add(Instruction::Kind::Wait, "", {}, {}, 0, {done});
    plan.stages[0].memory.back().bytes += update.frameBytes;
    plan.stages[0].arenaBytes += update.frameBytes;
    return findings(plan);
  };
  EXPECT_EQ(after(false), "");
  EXPECT_THAT(after(true), AllOf(HasSubstr("(all_reduce, stream 1): an output or the workspace"),
                                 HasSubstr("overlaps another operand")));
}

TEST(VerifyProgram, ReadAfterInPlaceResult) {
  // The first update reads the gradient's sum after the all_reduce has replaced it: shape and bytes fit, the value does
  // not.
  Plan plan = smallPlan();
  Body &update = program(plan, kUpdate);
  BodyBuilder b(plan, update);
  b.kernel("add", {1, 1}, {b.alias(9, 1)});
  EXPECT_THAT(findings(plan),
              AllOf(HasSubstr("(add, stream 0): reads value 1 of update (buffer l0.w.grad), whose bytes"),
                    HasSubstr("has overwritten with value 2 of update")));
}

TEST(VerifyProgram, ChainsOfInPlaceResults) {
  // One slot under three types, one after the other: the base, an alias of it, another alias, the base again.
  Plan plan = smallPlan();
  Body &update = program(plan, kUpdate);
  constexpr TypeId kPartial = 9, kWhole = 1;
  BodyBuilder b(plan, update);
  ValueId base = b.local(kPartial), first = b.alias(kWhole, base), second = b.alias(kWhole, base);
  b.kernel("fill", {}, {base});
  b.kernel("negate", {base}, {first});
  b.kernel("negate", {first}, {second});
  b.kernel("negate", {second}, {base});
  b.kernel("negate", {base}, {base});
  int64_t more = std::max<int64_t>(0, update.frameBytes - (plan.stages[0].arenaBytes - plan.stages[0].transientOffset));
  plan.stages[0].arenaBytes += more;
  plan.stages[0].memory.back().bytes += more;
  EXPECT_EQ(findings(plan), "");
  b.kernel("negate", {first}, {base});
  EXPECT_THAT(findings(plan), HasSubstr("has overwritten with"));
}

TEST(VerifyProgram, AnInPlaceResultThatNothingMakes) {
  Plan plan = smallPlan();
  Body &update = program(plan, kUpdate);
  BodyBuilder b(plan, update);
  ValueId base = b.local(1), result = b.alias(1, base), out = b.local(1);
  b.kernel("fill", {}, {base});
  b.kernel("negate", {result}, {out});
  plan.stages[0].arenaBytes += 1 << 16;
  plan.stages[0].memory.back().bytes += 1 << 16;
  EXPECT_THAT(findings(plan), AllOf(HasSubstr("(negate, stream 0): reads value"),
                                    HasSubstr("which no instruction before it has written: its bytes hold value")));
}

TEST(VerifyProgram, ABufferLeftWithAnIntermediateResult) {
  // The update leaves its result as an alias of the weight: something that should have made the weight of it is
  // missing.
  Plan plan = smallPlan();
  Body &update = program(plan, kUpdate);
  BodyBuilder b(plan, update);
  Instruction &sgd = update.instructions[4];
  ASSERT_EQ(sgd.op, "sgd");
  sgd.outputs = {b.alias(1, sgd.inputs[0])};
  EXPECT_THAT(findings(plan),
              AllOf(HasSubstr("parameter l0.w: is left with an intermediate result of"), HasSubstr("(sgd")));
}

TEST(VerifyProgram, OneBufferUnderTwoTypes) {
  // The reduction of a gradient in place, as two values of one buffer.
  Plan plan = smallPlan();
  Body &update = program(plan, kUpdate);
  ASSERT_EQ(update.values[2].storage, Value::Storage::Alias);
  update.values[2].storage = Value::Storage::Buffer;
  update.values[2].index = update.values[1].index;
  EXPECT_EQ(findings(plan), "");
  update.instructions[4].inputs[1] = 1;
  EXPECT_THAT(findings(plan), HasSubstr("input 1 is partial over dp"));
}

TEST(VerifyProgram, ASumBeginsOnce) {
  // Two contributions to one gradient (a tied weight): only the first accumulation may begin the sum.
  Plan plan = smallPlan();
  Body &backward = program(plan, kBackward);
  Instruction again = backward.instructions[2];
  ASSERT_EQ(again.kind, Instruction::Kind::Accumulate);
  again.attributes["first"] = false;
  backward.instructions.insert(backward.instructions.begin() + 3, again);
  EXPECT_EQ(findings(plan), "");
  backward.instructions[3].attributes["first"] = true;
  EXPECT_THAT(findings(plan), AllOf(HasSubstr("instruction 3 (accumulate, stream 0): begins the sum in"),
                                    HasSubstr("instruction 2 (accumulate")));
  backward.instructions[2].attributes["first"] = backward.instructions[3].attributes["first"] = false;
  EXPECT_THAT(findings(plan),
              HasSubstr("adds to buffer l1.w.grad on micro-batch 0, which micro-batch 0 has not begun"));
}

TEST(VerifyProgram, GroupOnTwoStreams) {
  // Two collectives of one group without an order between them.
  EXPECT_THAT(findingsAfter([](Plan &p) { program(p, kUpdate).instructions[1].stream = 2; }),
              AllOf(HasSubstr("uses the group over dp unordered with"),
                    HasSubstr("ranks may enter the two in different orders")));
}

TEST(VerifyProgram, ForkAtTheStartOfABody) {
  // A block's collective on an argument waits for nothing: the fork orders it after the caller's producer. In one body
  // it would race.
  constexpr TypeId kPartial = 4, kWhole = 0;
  Plan plan = smallPlan();
  Body block;
  block.name = "sum";
  {
    BodyBuilder b(plan, block);
    ValueId in = b.argument(kPartial), out = b.argument(kWhole);
    block.numInputs = 1;
    int32_t done = b.event();
    b.collective("all_reduce", {plan.mesh.axis("tp")}, {in}, {out}, {}, done);
    b.add(Instruction::Kind::Wait, "", {}, {}, 0, {done});
  }
  plan.blocks.push_back(block);
  Stage &stage = plan.stages[0];
  auto build = [&](bool called) {
    Body body;
    body.name = "update";
    BodyBuilder b(plan, body);
    ValueId in = b.local(kPartial), out = b.local(kWhole);
    b.kernel("fill", {}, {in});
    if (called) {
      b.call(2, {in}, {out});
    } else {
      int32_t done = b.event();
      b.collective("all_reduce", {plan.mesh.axis("tp")}, {in}, {out}, {}, done);
      b.add(Instruction::Kind::Wait, "", {}, {}, 0, {done});
    }
    stage.programs.resize(3);
    stage.programs.push_back({Program::Kind::Update, body});
    stage.schedule.resize(5);
    stage.schedule.push_back({3, 0});
  };
  build(true);
  EXPECT_EQ(findings(plan), "");
  build(false);
  EXPECT_THAT(findings(plan), HasSubstr("instruction 1 (all_reduce, stream 1): reads value 0 of update while"));
}

/// A program that writes g, calls a block on stream 0 and reduces g on stream 1, waiting for `waits`.
std::string besideACall(std::vector<int32_t> waits, bool blockReduces) {
  constexpr TypeId kPartial = 4, kWhole = 0;
  Plan plan = smallPlan();
  Body block, body;
  block.name = "other";
  body.name = "extra";
  {
    BodyBuilder b(plan, block);
    ValueId in = b.local(kPartial), out = b.argument(kWhole);
    b.kernel("fill", {}, {blockReduces ? in : out});
    if (blockReduces) {
      int32_t ready = b.event(), done = b.event();
      block.instructions.back().record = ready;
      b.collective("all_reduce", {plan.mesh.axis("tp")}, {in}, {out}, {ready}, done);
      b.add(Instruction::Kind::Wait, "", {}, {}, 0, {done});
    }
  }
  plan.blocks.push_back(block);
  BodyBuilder b(plan, body);
  ValueId g = b.local(kPartial), sum = b.local(kWhole), other = b.local(kWhole);
  int32_t written = b.event(), done = b.event();
  b.kernel("fill", {}, {g}).record = written;
  b.call(2, {}, {other});
  b.collective("all_reduce", {plan.mesh.axis("tp")}, {g}, {sum}, std::move(waits), done);
  b.add(Instruction::Kind::Wait, "", {}, {}, 0, {done});
  Stage &stage = plan.stages[0];
  stage.programs.push_back({Program::Kind::Update, body});
  stage.schedule.push_back({3, 0});
  int64_t more = std::max<int64_t>(0, body.frameBytes - (stage.arenaBytes - stage.transientOffset));
  stage.arenaBytes += more;
  stage.memory.back().bytes += more;
  return findings(plan);
}

TEST(VerifyProgram, ACallForksOnlyTheStreamsOfItsBlock) {
  EXPECT_EQ(besideACall({0}, false), "");
  EXPECT_THAT(besideACall({}, false),
              HasSubstr("stage 0, program extra, instruction 2 (all_reduce, stream 1): reads value 0 of extra while "
                        "stage 0, program extra, instruction 0 (fill, stream 0) writes the same bytes: no event or "
                        "stream orders them"));
  // A block that uses stream 1 takes it along.
  EXPECT_EQ(besideACall({}, true), "");
}

TEST(VerifyProgram, AViewIsReadAsItWasLeft) {
  // One buffer, written partial and then read whole within a program.
  Plan plan = smallPlan();
  Body &forward = program(plan, kForward);
  BodyBuilder b(plan, forward);
  const ValueId sum = forward.instructions.back().outputs[0];
  const ValueId view = b.buffer(plan.stages[0], forward.values[sum].index), scale = b.local(7);
  forward.values[view].type = 7;
  b.kernel("sum", {view}, {scale});
  EXPECT_THAT(findings(plan),
              AllOf(HasSubstr("instruction 5 (sum, stream 0): reads value 11 of forward (buffer loss.sum) as f32[] [], "
                              "but stage 0, program forward, instruction 4 (accumulate, stream 0) has left it as f32[] "
                              "[], partial={\"dp\":sum}: a reduction is missing or misplaced")));
}

TEST(VerifyProgram, WorkspaceIsExclusive) {
  EXPECT_THAT(findingsAfter([](Plan &p) {
                Instruction &i = p.blocks[kLayerBackward].instructions[0];
                i.workspace = i.outputs[0];
              }),
              HasSubstr("overlaps another operand"));
  EXPECT_THAT(findingsAfter([](Plan &p) { p.blocks[kLayerForward].instructions[0].workspace = 0; }),
              HasSubstr("workspace is value 0, expected a local value"));
}

TEST(VerifyProgram, BlockFaultsAreReportedOnce) {
  // The block is called twice.
  Plan plan = smallPlan();
  plan.blocks[kLayerForward].instructions[kReduce].waits.clear();
  std::string text = findings(plan);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
}

TEST(VerifyProgram, EveryCallOfALongProgramIsChecked) {
  // 2,000 calls: a fault in the first or the last of them is found, and nothing without one.
  Plan plan = smallPlan();
  Body &forward = program(plan, kForward);
  std::vector<Instruction> instructions(forward.instructions.begin(), forward.instructions.begin() + 3);
  for (int i = 0; i < 1000; ++i) {
    instructions.push_back(forward.instructions[1]);
    instructions.push_back(forward.instructions[2]);
  }
  const size_t last = instructions.size() - 1;
  instructions.insert(instructions.end(), forward.instructions.begin() + 3, forward.instructions.end());
  forward.instructions = std::move(instructions);
  EXPECT_EQ(findings(plan), "");
  for (size_t call : {size_t{1}, last}) {
    Plan broken = plan;
    Body &body = program(broken, kForward);
    ASSERT_EQ(body.instructions[call].kind, Instruction::Kind::Call);
    const TypeId type = body.values[body.instructions[call].inputs[0]].type;
    const ValueId unwritten = BodyBuilder(broken, body).local(type);
    body.instructions[call].inputs[0] = unwritten;
    Stage &changed = broken.stages[0];
    changed.memory.back().bytes += body.frameBytes; // The frame has grown.
    changed.arenaBytes += body.frameBytes;
    EXPECT_THAT(findings(broken), HasSubstr("reads value " + std::to_string(unwritten) + " of forward, which no"))
        << call;
  }
}

} // namespace
