//===- PipelineTest.cpp - plans with stages, broken one by one -----------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Channels, exchanges, groups over stages and replicas: what the file says of them, and
// what the verifier says when they are wrong.
//
//===----------------------------------------------------------------------===//

#include "PipelinePlan.h"

#include "modelpar/PlanFormat/Reader.h"
#include "modelpar/PlanFormat/Verifier.h"
#include "modelpar/PlanFormat/Writer.h"

#include <gmock/gmock.h>

using namespace modelpar;
using namespace modelpar::planformat;
using testing::HasSubstr;

namespace {

/// Types of the plan: the sum of squares before and after the stages' sums are joined.
constexpr TypeId Squares = 9, Whole = 8;

std::string findings(const Plan &plan) {
  std::string text;
  for (const Finding &finding : verifyPlan(plan))
    text += finding.toString() + "\n";
  return text;
}

template <typename Edit> std::string findingsAfter(Edit edit, const PipelinePlanOptions &options = {}) {
  Plan plan = pipelinePlan(options);
  edit(plan);
  return findings(plan);
}

Body &body(Plan &plan, size_t stage, size_t program) { return plan.stages[stage].programs[program].body; }

/// The index of the n-th exchange of the stage that has a transfer in this direction.
size_t exchangeOf(const Plan &plan, size_t stage, Channel::Direction direction, size_t n = 0) {
  const Stage &s = plan.stages[stage];
  for (size_t e = 0; e < s.schedule.size(); ++e)
    for (const Transfer &transfer : s.schedule[e].exchange)
      if (s.channels[transfer.channel].direction == direction && n-- == 0)
        return e;
  ADD_FAILURE() << "no such exchange";
  return 0;
}

constexpr auto Send = Channel::Direction::Send, Receive = Channel::Direction::Receive;

TEST(PipelinePlan, IsGoodUnderEverySchedule) {
  for (schedule::Kind kind : {schedule::Kind::GPipe, schedule::Kind::OneFOneB})
    for (int64_t pp : {1, 2, 3, 4})
      for (int64_t microBatches : {1, 2, 4, 8})
        for (int64_t dp : {1, 2})
          EXPECT_EQ(findings(pipelinePlan({kind, pp, dp, microBatches, 16})), "")
              << name(kind) << " pp " << pp << " mb " << microBatches << " dp " << dp;
}

//===----------------------------------------------------------------------===//
// The file
//===----------------------------------------------------------------------===//

TEST(PipelineFile, RoundTrip) {
  Plan plan = pipelinePlan({.pp = 4, .microBatches = 3}), read;
  std::string error, text = writePlan(plan);
  ASSERT_TRUE(readPlan(text, read, error)) << error;
  EXPECT_EQ(writePlan(read), text);
  EXPECT_EQ(read.stages[1].channels.size(), 4u);
  EXPECT_EQ(read.stages[1].channels[2].direction, Send);
  EXPECT_EQ(read.stages[1].channels[2].peer, 2);
  EXPECT_EQ(read.stages[1].channels[2].buffers, plan.stages[1].channels[2].buffers);
  ASSERT_EQ(read.parameters[0].replicas.size(), 1u);
  EXPECT_EQ(read.parameters[0].replicas[0].stage, 3);
  EXPECT_EQ(read.types[4].sharding.partial[0].axis.subset, (std::vector<int64_t>{0, 3}));
}

TEST(PipelineFile, TextForm) {
  std::string text = writePlan(pipelinePlan({.pp = 2, .microBatches = 2}));
  EXPECT_THAT(text, HasSubstr("\"channels\":[{\"direction\":\"send\",\"peer\":1,\"buffers\":[3]},"
                              "{\"direction\":\"receive\",\"peer\":1,\"buffers\":[4]}],\n"));
  EXPECT_THAT(text, HasSubstr("\"schedule\":[[0,0],{\"exchange\":[[0,0]]},[0,1],{\"exchange\":[[0,1],[1,0]]},[1,0],"
                              "{\"exchange\":[[1,1]]},[1,1],[2,0]]"));
  EXPECT_THAT(text, HasSubstr(",\"state\":[],\"replicas\":[{\"stage\":1,\"value\":"));
  // Nothing of it where there is one stage.
  std::string one = writePlan(pipelinePlan({.pp = 1}));
  for (const char *word : {"channels", "exchange\"", "replicas"})
    EXPECT_EQ(one.find(word), std::string::npos) << word;
}

std::string errorOf(const Plan &plan) {
  Plan read;
  std::string error;
  EXPECT_FALSE(readPlan(writePlan(plan), read, error));
  return error;
}

template <typename Edit> std::string errorAfter(Edit edit) {
  Plan plan = pipelinePlan({.microBatches = 2});
  edit(plan);
  return errorOf(plan);
}

TEST(PipelineFile, Structure) {
  EXPECT_THAT(errorAfter([](Plan &p) { p.stages[0].channels[0].peer = 2; }),
              HasSubstr("stage 0, channel 0: peer is 2, expected 0 to 1"));
  EXPECT_THAT(errorAfter([](Plan &p) { p.stages[0].channels[0].peer = 0; }),
              HasSubstr("stage 0, channel 0: peer is its own stage"));
  EXPECT_THAT(errorAfter([](Plan &p) { p.stages[0].channels[0].buffers = {99}; }),
              HasSubstr("stage 0, channel 0: buffer is 99, expected 0 to "));
  EXPECT_THAT(errorAfter([](Plan &p) { p.stages[0].channels[0].buffers = {}; }),
              HasSubstr("stage 0, channel 0: has no buffers"));
  EXPECT_THAT(errorAfter([](Plan &p) { p.stages[0].channels[0].buffers = {3, 3}; }),
              HasSubstr("stage 0, channel 0: has buffer act.1 twice"));
  EXPECT_THAT(errorAfter([](Plan &p) { p.stages[0].channels[0].buffers = {1}; }),
              HasSubstr("stage 0, channel 0: buffer tied is of kind parameter, expected activation"));
  EXPECT_THAT(errorAfter([](Plan &p) { p.stages[0].channels.push_back(p.stages[0].channels[0]); }),
              HasSubstr("stage 0, channel 2: is the second to send with stage 1"));
  EXPECT_THAT(errorAfter([](Plan &p) { p.stages[0].schedule[1].exchange[0].channel = 2; }),
              HasSubstr("stage 0, schedule entry 1: channel is 2, expected 0 to 1"));
  EXPECT_THAT(errorAfter([](Plan &p) { p.stages[0].schedule[1].exchange[0].microBatch = 2; }),
              HasSubstr("stage 0, schedule entry 1: transfers micro-batch 2, expected 0 to 1"));
  EXPECT_THAT(errorAfter([](Plan &p) { p.stages[0].schedule[1].exchange.clear(); }),
              HasSubstr("stage 0, schedule entry 1: is an exchange of nothing"));
  EXPECT_THAT(errorAfter([](Plan &p) { p.parameters[0].replicas[0].stage = 0; }),
              HasSubstr("parameter tied: has two copies on stage 0"));
  EXPECT_THAT(errorAfter([](Plan &p) { p.parameters[0].replicas[0].stage = 7; }),
              HasSubstr("parameter tied: stage is 7, expected 0 to 1"));
  EXPECT_THAT(errorAfter([](Plan &p) { p.parameters[0].replicas[0].gradient = -1; }),
              HasSubstr("parameter tied: its copy on stage 1 has another gradient or other states than the owner's"));
}

TEST(PipelineFile, ProgramAndExchangeInOne) {
  Plan plan = pipelinePlan({.microBatches = 2});
  plan.stages[0].schedule[1].program = 0;
  EXPECT_THAT(findings(plan), HasSubstr("stage 0, schedule entry 1: is a program and an exchange"));
}

//===----------------------------------------------------------------------===//
// Deadlocks
//===----------------------------------------------------------------------===//

TEST(VerifyPipeline, SwappedSendAndReceiveIsANamedDeadlock) {
  PipelinePlanOptions options{schedule::Kind::GPipe, 2, 1, 2};
  std::string found = findingsAfter(
      [](Plan &p) {
        size_t send = exchangeOf(p, 0, Send, 1);
        std::swap(p.stages[0].schedule[send], p.stages[0].schedule[send + 1]);
      },
      options);
  EXPECT_EQ(found,
            "stage 0, schedule entry 3 (exchange), receive of grad.1 of micro-batch 0 from stage 1: deadlock: waits "
            "for stage 1, "
            "schedule entry 2 (exchange), receive of act.1 of micro-batch 1 from stage 0, which waits for the first\n");
}

// In the steady state of 1f1b both neighbours would send first.
TEST(VerifyPipeline, UngroupedExchangesAreADeadlock) {
  std::string found = findingsAfter([](Plan &p) {
    for (Stage &stage : p.stages)
      for (size_t e = 0; e < stage.schedule.size(); ++e)
        if (stage.schedule[e].exchange.size() == 2) {
          ScheduleEntry second{-1, 0, {stage.schedule[e].exchange[1]}};
          stage.schedule[e].exchange.pop_back();
          stage.schedule.insert(stage.schedule.begin() + static_cast<int64_t>(e) + 1, second);
        }
  });
  EXPECT_THAT(
      found,
      HasSubstr("stage 0, schedule entry 3 (exchange), send of act.1 of micro-batch 1 to stage 1: deadlock: waits for "
                "stage 1, "
                "schedule entry 3 (exchange), send of grad.1 of micro-batch 0 to stage 0, which waits for the first"));
}

TEST(VerifyPipeline, AMissingReceiveIsNamed) {
  std::string found = findingsAfter([](Plan &p) {
    ScheduleEntry &entry = p.stages[1].schedule[exchangeOf(p, 1, Receive, 3)];
    std::erase_if(entry.exchange, [](const Transfer &t) { return t.microBatch == 3; });
  });
  EXPECT_THAT(found, HasSubstr("stage 0, schedule entry 9 (exchange), send of act.1 of micro-batch 3 to stage 1: "
                               "deadlock: waits for stage 1, "));
}

TEST(VerifyPipeline, MicroBatchesMeetInOrder) {
  std::string found = findingsAfter([](Plan &p) {
    for (ScheduleEntry &entry : p.stages[0].schedule)
      for (Transfer &transfer : entry.exchange)
        if (p.stages[0].channels[transfer.channel].direction == Send && transfer.microBatch < 2)
          transfer.microBatch = 1 - transfer.microBatch;
  });
  EXPECT_THAT(found, HasSubstr("stage 0, schedule entry 1 (exchange), send of act.1 of micro-batch 1 to stage 1: meets "
                               "stage 1, schedule entry 0 "
                               "(exchange), receive of act.1 of micro-batch 0 from stage 0: expected the same"));
}

// A collective over pp before the last exchange of one stage, and after it in the other.
TEST(VerifyPipeline, CollectivesAndExchangesInDifferentOrders) {
  std::string found = findingsAfter([](Plan &p) {
    std::vector<ScheduleEntry> &schedule = p.stages[0].schedule;
    std::rotate(schedule.end() - 3, schedule.end() - 1, schedule.end());
  });
  EXPECT_THAT(found, HasSubstr("stage 0, program update, instruction 5 (all_reduce, stream 1) of schedule entry "));
  EXPECT_THAT(found, HasSubstr("deadlock: waits for stage 1, schedule entry "));
  EXPECT_THAT(found, HasSubstr("send of grad.1 of micro-batch 3 to stage 0, which waits for the first"));
}

//===----------------------------------------------------------------------===//
// Channels
//===----------------------------------------------------------------------===//

TEST(VerifyPipeline, ChannelsHaveTwoEnds) {
  // Directions swapped on one side: what was received is sent.
  EXPECT_THAT(findingsAfter([](Plan &p) {
                p.stages[1].channels[0].direction = Send, p.stages[1].channels[1].direction = Receive;
              }),
              HasSubstr("stage 0, schedule entry 1 (exchange), send of act.1 of micro-batch 0 to stage 1: deadlock: "
                        "waits for stage 1, schedule "
                        "entry 0 (exchange), send of act.1 of micro-batch 0 to stage 0, which waits for the first"));
  EXPECT_THAT(findingsAfter([](Plan &p) {
                p.stages[0].channels.pop_back();
                std::erase_if(p.stages[0].schedule, [](const ScheduleEntry &e) {
                  return e.exchange.size() == 1 && e.exchange[0].channel == 1;
                });
                for (ScheduleEntry &entry : p.stages[0].schedule)
                  std::erase_if(entry.exchange, [](const Transfer &t) { return t.channel == 1; });
              }),
              HasSubstr("stage 1, channel 1: sends to stage 0, which has no channel that receives from stage 1"));
}

TEST(VerifyPipeline, ChannelsHaveTheSameBuffers) {
  EXPECT_THAT(
      findingsAfter([](Plan &p) { p.stages[0].channels[0].buffers.push_back(0 + p.stages[0].channels[1].buffers[0]); }),
      HasSubstr("stage 0, channel 0: sends 2 buffers to stage 1, which receives 1"));
  EXPECT_THAT(findingsAfter([](Plan &p) {
                p.types.push_back(p.types[0]);
                p.types.back().shape = {8, 5};
                p.stages[0].buffers[p.stages[0].channels[0].buffers[0]].type = static_cast<TypeId>(p.types.size() - 1);
              }),
              HasSubstr("stage 0, channel 0: sends buffer act.1 of type f32[8x5] [{\"dp\", \"mb\"}, {}] to stage 1, "
                        "which receives it as act.1 of "
                        "type f32[8x6] "));
}

TEST(VerifyPipeline, EveryMicroBatchIsTransferredOnce) {
  std::string found = findingsAfter([](Plan &p) {
    // Both ends alike, so that nothing waits.
    for (Stage &stage : p.stages)
      for (ScheduleEntry &entry : stage.schedule)
        for (Transfer &transfer : entry.exchange)
          if (transfer.microBatch == 3)
            transfer.microBatch = 2;
  });
  EXPECT_THAT(
      found,
      HasSubstr("stage 0, schedule entry 9 (exchange), send to stage 1 of micro-batch 2: is done a second time"));
  EXPECT_THAT(found, HasSubstr("stage 0: channel 0 (send, stage 1) transfers 3 micro-batches, expected 4"));
}

//===----------------------------------------------------------------------===//
// Buffers along the schedule
//===----------------------------------------------------------------------===//

TEST(VerifyPipeline, ReceivedBeforeItIsRead) {
  std::string found = findingsAfter([](Plan &p) { std::swap(p.stages[1].schedule[0], p.stages[1].schedule[1]); });
  EXPECT_THAT(found, HasSubstr("stage 1, program forward, instruction 0 (matmul, stream 0): reads buffer act.1 on "
                               "micro-batch 0, which nothing in "
                               "the schedule has written before"));
}

TEST(VerifyPipeline, AFaultOfBuffersThatAreUsedAlikeNamesEach) {
  std::string text = findingsAfter(
      [](Plan &plan) {
        std::vector<ScheduleEntry> &schedule = plan.stages[0].schedule;
        std::rotate(schedule.begin(), schedule.end() - 1, schedule.end());
      },
      {.pp = 1});
  for (const char *name : {"w1.grad", "w2.grad", "w3.grad"})
    EXPECT_THAT(text, HasSubstr(std::string("reads buffer ") + name +
                                " in the update, which nothing in the schedule has written before"));
}

TEST(VerifyPipeline, SentOnlyAfterItIsWritten) {
  std::string found = findingsAfter([](Plan &p) { std::swap(p.stages[0].schedule[0], p.stages[0].schedule[1]); });
  EXPECT_THAT(found, HasSubstr("stage 0, schedule entry 0 (exchange), send to stage 1 of micro-batch 0: reads buffer "
                               "act.1 on micro-batch 0, which "
                               "nothing in the schedule has written before"));
}

TEST(VerifyPipeline, ASlotIsNotOverwrittenInFlight) {
  std::string found = findingsAfter([](Plan &p) {
    for (Buffer &buffer : p.stages[0].buffers)
      buffer.slots = 1, buffer.slotStride = 0;
  });
  // Micro-batch 0's input is gone when its backward pass comes.
  EXPECT_THAT(found, HasSubstr("stage 0, program backward, instruction 0 (matmul, stream 0): reads buffer act.0 on "
                               "micro-batch 0, whose slot holds "
                               "micro-batch 1 (1 slots)"));
}

TEST(VerifyPipeline, AnOverwrittenSlotIsNotSent) {
  std::string found = findingsAfter(
      [](Plan &p) {
        // Both forwards first: the second takes the slot of what has not been sent yet.
        std::swap(p.stages[0].schedule[1], p.stages[0].schedule[2]);
        Buffer &sent = p.stages[0].buffers[p.stages[0].channels[0].buffers[0]];
        sent.slots = 1, sent.slotStride = 0;
      },
      {schedule::Kind::GPipe, 2, 1, 2});
  EXPECT_THAT(found, HasSubstr("stage 0, schedule entry 2 (exchange), send to stage 1 of micro-batch 0: reads buffer "
                               "act.1 on micro-batch 0, whose "
                               "slot holds micro-batch 1 (1 slots)"));
}

TEST(VerifyPipeline, AReceiveDoesNotTakeASlotThatIsSent) {
  std::string found = findingsAfter([](Plan &p) {
    // Gradients come into the buffer whose activations go out in the same exchange.
    Stage &stage = p.stages[0];
    Buffer &sent = stage.buffers[stage.channels[0].buffers[0]];
    sent.slots = 1, sent.slotStride = 0;
    stage.channels[1].buffers = stage.channels[0].buffers;
  });
  EXPECT_THAT(
      found, HasSubstr("stage 0, schedule entry 3 (exchange), receive from stage 1 of micro-batch 0: writes the slot "
                       "of buffer act.1 that "
                       "stage 0, schedule entry 3 (exchange), send to stage 1 of micro-batch 1 uses at the same time"));
}

//===----------------------------------------------------------------------===//
// Groups over stages, replicas
//===----------------------------------------------------------------------===//

TEST(VerifyPipeline, AGroupOverSomeStagesIsEnteredByThose) {
  std::string found = findingsAfter(
      [](Plan &p) {
        // Stage 1 of 3 enters the tied weights' group too.
        Instruction i = body(p, 0, kPipelineUpdate).instructions[5];
        ASSERT_EQ(i.axes[0].subset, (std::vector<int64_t>{0, 2}));
        body(p, 1, kPipelineUpdate).instructions[1].axes = i.axes;
      },
      {.pp = 3});
  EXPECT_THAT(found, HasSubstr("stage 1, program update, instruction 1 (all_reduce, stream 1)"));
}

// 2^20 collectives: refused before they are expanded.
TEST(VerifyPipeline, BlocksThatCallBlocksWithoutBound) {
  std::string found = findingsAfter([](Plan &p) {
    for (int32_t level = 0; level < 20; ++level) {
      Body block;
      block.name = "level" + std::to_string(level);
      BodyBuilder b(p, block);
      if (level == 0) {
        ValueId in = b.local(Squares), out = b.local(Whole);
        b.kernel("fill", {}, {in});
        for (int n = 0; n < 2; ++n)
          b.collective("all_reduce", {p.mesh.axis("pp")}, {in}, {out}, {}, -1).stream = 0;
      } else {
        b.call(level - 1, {}, {});
        b.call(level - 1, {}, {});
      }
      p.blocks.push_back(block);
    }
    for (Stage &stage : p.stages) {
      BodyBuilder b(p, stage.programs[kPipelineUpdate].body);
      b.call(19, {}, {});
      stage.arenaBytes = stage.transientOffset + stage.programs[kPipelineUpdate].body.frameBytes;
      stage.memory = {{"all", stage.arenaBytes}};
    }
  });
  EXPECT_THAT(found, HasSubstr("expands to more than 65536 collectives over stages"));
}

TEST(VerifyPipeline, StagesReduceTheSame) {
  std::string found = findingsAfter(
      [](Plan &p) {
        for (Instruction &i : body(p, 2, kPipelineUpdate).instructions)
          if (i.kind == Instruction::Kind::Collective)
            i.stream = 2;
      },
      {.pp = 3});
  EXPECT_THAT(found, HasSubstr("stage 0, program update, instruction 5 (all_reduce, stream 1)"));
  EXPECT_THAT(found,
              HasSubstr("on stream 1 of f32[6x6] [{}, {}], partial={\"pp\"{0,-1}:sum}): meets stage 2, program update, "
                        "instruction 11 (all_reduce, stream 2)"));
}

TEST(VerifyPipeline, TheNormIsReducedByAll) {
  std::string found = findingsAfter([](Plan &p) {
    std::vector<Instruction> &list = body(p, 1, kPipelineUpdate).instructions;
    size_t at = 0;
    while (list[at].op != "clip_scale")
      ++at;
    list[at - 2].kind = Instruction::Kind::Kernel;
    list[at - 2].op = "copy";
    list[at - 2].axes.clear();
  });
  EXPECT_THAT(found, HasSubstr("deadlock: waits for stage 1, which has come to the end of its schedule"));
}

TEST(VerifyPipeline, PartialOverStagesThatHoldIt) {
  EXPECT_THAT(findingsAfter([](Plan &p) { p.stages[1].buffers[p.parameters[1].gradient].type = 5; }, {.pp = 3}),
              HasSubstr("stage 1, buffer w1.grad: is partial over pp{0,-1}, to which this stage does not belong"));
  EXPECT_THAT(findingsAfter([](Plan &p) { p.types.push_back({DType::F32, {8}, {{{p.mesh.axis("pp")}}, {}}}); }),
              HasSubstr("splits a dimension over axis pp, whose coordinates are stages"));
}

TEST(VerifyPipeline, ReplicasAreLikeTheirOwner) {
  EXPECT_THAT(findingsAfter([](Plan &p) {
                p.types.push_back(p.types[1]);
                p.types.back().shape = {3, 6};
                p.stages[1].buffers[p.parameters[0].replicas[0].value].type = static_cast<TypeId>(p.types.size() - 1);
              }),
              HasSubstr("parameter tied on stage 1: value buffer has type f32[3x6]"));
}

TEST(VerifyPipeline, ReplicasAreUpdated) {
  std::string found = findingsAfter([](Plan &p) { body(p, 1, kPipelineUpdate).instructions.pop_back(); });
  EXPECT_THAT(found, HasSubstr("parameter tied on stage 1: no update writes it"));
}

TEST(VerifyPipeline, TheTiedGradientIsJoined) {
  std::string found = findingsAfter([](Plan &p) {
    // Both ends forget it.
    for (Stage &stage : p.stages)
      for (Instruction &i : stage.programs[kPipelineUpdate].body.instructions)
        if (i.kind == Instruction::Kind::Collective && !i.axes[0].subset.empty()) {
          i.kind = Instruction::Kind::Wait;
          i.op.clear();
          i.inputs.clear(), i.outputs.clear(), i.axes.clear();
        }
  });
  EXPECT_THAT(found, HasSubstr("program update"));
  EXPECT_THAT(found, HasSubstr("which no instruction before it has written"));
}

} // namespace
