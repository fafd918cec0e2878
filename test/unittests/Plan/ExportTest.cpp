//===- ExportTest.cpp - from the plan dialect to the plan file ------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A plan in miniature through the plan passes and the exporter: every field arrives, what
// is not scheduled is refused.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Dialect/Dist/IR/Dist.h"
#include "modelpar/Dialect/Plan/IR/PlanDialect.h"
#include "modelpar/Dialect/Plan/Transforms/Passes.h"
#include "modelpar/PlanFormat/Verifier.h"
#include "modelpar/Target/PlanJSON/PlanJSON.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace modelpar;
using planformat::Instruction;

namespace {

constexpr const char *kModule = R"mlir(
#whole = #dist.sharding<[{}]>
#partial = #dist.sharding<[{}], partial={"tp":sum}>
#sharded = #dist.sharding<[{"tp"}]>
module attributes {dist.mesh = #dist.mesh<["tp"=2]>, plan.model = "tiny", plan.optimizer = "sgd", plan.global_batch = 64 : i64, plan.sequence = 16 : i64,
                   plan.num_micro_batches = 1 : i64} {
  plan.input "x" : tensor<64xf32, #sharded> role "data" range [-1.0, 2.0] dims ["b"] batch 0
  plan.input "scalars" : tensor<16xf64> role "scalars" range [0.0, 1.0] dims []
  plan.parameter "w" : tensor<64xf32, #whole> init "normal" [0.5, 0.25] checkpoint "layer.w" [8, 8] value @w gradient @w.grad
    state ["exp_avg"] [@w.exp_avg] {weight_decay = false}
  plan.output "loss" @loss
  plan.buffer @x input : tensor<64xf32, #sharded> bytes 128 per_micro_batch
  plan.buffer @scalars scalars : tensor<16xf64> bytes 128
  plan.buffer @w parameter : tensor<64xf32, #whole> bytes 256
  plan.buffer @w.grad gradient : tensor<64xf32, #whole> bytes 256
  plan.buffer @w.exp_avg optimizer_state : tensor<64xf32, #whole> bytes 256
  plan.buffer @loss output : tensor<f32> bytes 64
  plan.block @b ins(%w: !plan.buffer<tensor<64xf32, #whole>>) outs(%g: !plan.buffer<tensor<64xf32, #whole>>) {
    %0 = plan.alloc 256 : <tensor<64xf32, #partial>>
    %1 = plan.alias %0 : <tensor<64xf32, #partial>> as <tensor<64xf32, #whole>>
    %2 = plan.alloc workspace 512 : <tensor<128xf32>>
    plan.launch "mystery" ins(%w : !plan.buffer<tensor<64xf32, #whole>>) outs(%0 : !plan.buffer<tensor<64xf32, #partial>>)
      workspace(%2 : !plan.buffer<tensor<128xf32>>)
      {flag = true, count = 3 : i64, scale = 0.5 : f64, text = "hi", list = array<i64: 1, 2>, reals = array<f64: 0.5>}
    plan.collective all_reduce ins(%0 : !plan.buffer<tensor<64xf32, #partial>>) outs(%1 : !plan.buffer<tensor<64xf32, #whole>>)
      over [#plan.axis<"tp", 2>] reduce "sum" stream 1
    plan.launch "sum" ins(%1 : !plan.buffer<tensor<64xf32, #whole>>) outs(%g : !plan.buffer<tensor<64xf32, #whole>>) {}
  }
  plan.program @forward forward stage 0 {
    %x = plan.use @x : <tensor<64xf32, #sharded>>
    plan.load "x" into %x : <tensor<64xf32, #sharded>>
  }
  plan.program @backward backward stage 0 {
    %w = plan.use @w : <tensor<64xf32, #whole>>
    %g = plan.use @w.grad : <tensor<64xf32, #whole>>
    %t = plan.alloc 256 : <tensor<64xf32, #whole>>
    plan.call @b ins(%w : !plan.buffer<tensor<64xf32, #whole>>) outs(%t : !plan.buffer<tensor<64xf32, #whole>>) instance 7
    plan.accumulate %t into %g first : <tensor<64xf32, #whole>> into <tensor<64xf32, #whole>>
  }
  plan.program @update update stage 0 {
    %w = plan.use @w : <tensor<64xf32, #whole>>
    %g = plan.use @w.grad : <tensor<64xf32, #whole>>
    plan.launch "sum" ins(%g : !plan.buffer<tensor<64xf32, #whole>>) outs(%w : !plan.buffer<tensor<64xf32, #whole>>) {}
  }
}
)mlir";

class Export : public testing::Test {
protected:
  Export() {
    DialectRegistry registry;
    registry.insert<dist::DistDialect, plan::PlanDialect>();
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
    context.getDiagEngine().registerHandler([this](Diagnostic &diagnostic) { messages += diagnostic.str() + "\n"; });
    module = parseSourceString<ModuleOp>(kModule, &context);
  }

  bool schedule() {
    PassManager manager(&context);
    manager.addPass(plan::createPlanSchedule());
    manager.addPass(plan::createPlanInsertEvents());
    manager.addPass(plan::createPlanAllocate());
    return succeeded(manager.run(*module));
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  std::string messages;
  planformat::Plan plan;
};

TEST_F(Export, TablesAndBuffers) {
  ASSERT_TRUE(module && schedule() && succeeded(exportPlan(*module, plan))) << messages;
  EXPECT_EQ(plan.modelName, "tiny");
  EXPECT_EQ(plan.optimizer, "sgd");
  EXPECT_EQ(plan.globalBatch, 64);
  EXPECT_EQ(plan.sequence, 16);
  EXPECT_EQ(plan.mesh.size("tp"), 2);
  ASSERT_EQ(plan.inputs.size(), 2u);
  EXPECT_EQ(plan.inputs[0].name, "x");
  EXPECT_EQ(plan.inputs[0].role, "data");
  EXPECT_EQ(plan.inputs[0].rangeLow, -1.0);
  EXPECT_EQ(plan.inputs[0].rangeHigh, 2.0);
  EXPECT_THAT(plan.inputs[0].dimNames, testing::ElementsAre("b"));
  EXPECT_EQ(plan.inputs[0].batchDim, 0);
  EXPECT_EQ(plan.inputs[1].batchDim, -1);
  ASSERT_EQ(plan.parameters.size(), 1u);
  const planformat::Parameter &w = plan.parameters[0];
  EXPECT_EQ(w.checkpointName, "layer.w");
  EXPECT_THAT(w.checkpointShape, testing::ElementsAre(8, 8));
  EXPECT_EQ(w.init.kind, "normal");
  EXPECT_EQ(w.init.a, 0.5);
  EXPECT_EQ(w.init.b, 0.25);
  EXPECT_FALSE(w.weightDecay);
  const planformat::Stage &stage = plan.stages.at(0);
  EXPECT_EQ(stage.buffers[w.value].name, "w");
  EXPECT_EQ(stage.buffers[w.gradient].kind, planformat::Buffer::Kind::Gradient);
  ASSERT_EQ(w.state.size(), 1u);
  EXPECT_EQ(w.state[0].first, "exp_avg");
  EXPECT_EQ(stage.buffers[w.state[0].second].name, "w.exp_avg");
  ASSERT_EQ(plan.outputs.size(), 1u);
  EXPECT_EQ(stage.buffers[plan.outputs[0].second].name, "loss");
}

TEST_F(Export, TypesOnce) {
  ASSERT_TRUE(module && schedule() && succeeded(exportPlan(*module, plan))) << messages;
  for (size_t a = 0; a < plan.types.size(); ++a)
    for (size_t b = 0; b < a; ++b)
      EXPECT_FALSE(plan.types[a] == plan.types[b]);
}

TEST_F(Export, Instructions) {
  ASSERT_TRUE(module && schedule() && succeeded(exportPlan(*module, plan))) << messages;
  const planformat::Body &block = plan.blocks.at(0);
  EXPECT_EQ(block.numInputs, 1);
  ASSERT_EQ(block.arguments.size(), 2u);
  ASSERT_EQ(block.instructions.size(), 3u);
  const Instruction &kernel = block.instructions[0];
  EXPECT_EQ(kernel.op, "mystery");
  EXPECT_EQ(std::get<bool>(kernel.attributes.at("flag")), true);
  EXPECT_EQ(std::get<int64_t>(kernel.attributes.at("count")), 3);
  EXPECT_EQ(std::get<double>(kernel.attributes.at("scale")), 0.5);
  EXPECT_EQ(std::get<std::string>(kernel.attributes.at("text")), "hi");
  EXPECT_THAT(std::get<std::vector<int64_t>>(kernel.attributes.at("list")), testing::ElementsAre(1, 2));
  EXPECT_THAT(std::get<std::vector<double>>(kernel.attributes.at("reals")), testing::ElementsAre(0.5));
  EXPECT_EQ(block.values[kernel.workspace].bytes, 512);
  const Instruction &collective = block.instructions[1];
  EXPECT_EQ(collective.stream, 1);
  ASSERT_EQ(collective.axes.size(), 1u);
  EXPECT_EQ(collective.axes[0], plan.mesh.axis("tp"));
  EXPECT_EQ(block.values[collective.outputs[0]].storage, planformat::Value::Storage::Alias);
  EXPECT_EQ(block.values[collective.outputs[0]].index, collective.inputs[0]);
  const planformat::Program &backward = plan.stages[0].programs.at(1);
  EXPECT_EQ(backward.kind, planformat::Program::Kind::Backward);
  const Instruction &call = backward.body.instructions.at(0);
  EXPECT_EQ(call.kind, Instruction::Kind::Call);
  EXPECT_EQ(call.instance, 7);
  const Instruction &accumulate = backward.body.instructions.at(1);
  EXPECT_EQ(accumulate.kind, Instruction::Kind::Accumulate);
  EXPECT_EQ(std::get<bool>(accumulate.attributes.at("first")), true);
}

TEST_F(Export, MemoryAddsUp) {
  ASSERT_TRUE(module && schedule() && succeeded(exportPlan(*module, plan))) << messages;
  const planformat::Stage &stage = plan.stages.at(0);
  int64_t sum = 0;
  for (const planformat::MemoryItem &item : stage.memory)
    sum += item.bytes;
  EXPECT_EQ(sum, stage.arenaBytes);
  for (const planformat::Program &program : stage.programs)
    EXPECT_LE(stage.transientOffset + program.body.frameBytes, stage.arenaBytes);
  ASSERT_EQ(stage.schedule.size(), 3u);
  EXPECT_EQ(stage.schedule[2].program, 2);
}

TEST_F(Export, StructureIsSound) {
  ASSERT_TRUE(module && schedule() && succeeded(exportPlan(*module, plan))) << messages;
  for (const planformat::Finding &finding : planformat::checkStructure(plan))
    ADD_FAILURE() << finding.toString();
}

TEST_F(Export, RefusesWhatIsNotAllocated) {
  ASSERT_TRUE(module);
  EXPECT_TRUE(failed(exportPlan(*module, plan)));
  EXPECT_THAT(messages, testing::HasSubstr("'plan.buffer' op has no offset, expected phase scheduled (plan-allocate)"));
}

TEST_F(Export, RefusesElementsThatAPlanDoesNotHave) {
  std::string text(kModule);
  for (size_t at; (at = text.find("tensor<128xf32>")) != std::string::npos;)
    text.replace(at, std::string("tensor<128xf32>").size(), "tensor<512xi8>");
  module = parseSourceString<ModuleOp>(text, &context);
  ASSERT_TRUE(module && schedule()) << messages;
  EXPECT_TRUE(failed(exportPlan(*module, plan)));
  EXPECT_THAT(messages,
              testing::HasSubstr(
                  "has a tensor of type 'tensor<512xi8>', expected elements of type f32, f64, bf16, f16, i32 or i64"));
}

TEST_F(Export, RefusesAModuleWithoutASchedule) {
  module = parseSourceString<ModuleOp>("module {}", &context);
  EXPECT_TRUE(failed(exportPlan(*module, plan)));
  EXPECT_THAT(messages, testing::HasSubstr("has no stage, expected phase scheduled"));
}

TEST_F(Export, RefusesAStageWithoutASchedule) {
  ASSERT_TRUE(module && schedule());
  for (auto op : llvm::make_early_inc_range(module->getOps<plan::ScheduleOp>()))
    op.erase();
  EXPECT_TRUE(failed(exportPlan(*module, plan)));
  EXPECT_THAT(messages, testing::HasSubstr("stage 0 has no schedule or no memory, expected phase scheduled"));
}

} // namespace
