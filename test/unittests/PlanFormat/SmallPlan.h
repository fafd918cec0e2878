//===- SmallPlan.h - a good plan to break in tests -----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TEST_UNITTESTS_PLANFORMAT_SMALLPLAN_H
#define MODELPAR_TEST_UNITTESTS_PLANFORMAT_SMALLPLAN_H

#include "modelpar/PlanFormat/Plan.h"

namespace modelpar::planformat {

/// Adds values and instructions to a body.
class BodyBuilder {
public:
  BodyBuilder(Plan &plan, Body &body) : plan_(plan), body_(body) {}

  ValueId argument(TypeId type);
  ValueId buffer(const Stage &stage, BufferId buffer);
  /// At the end of the frame so far.
  ValueId local(TypeId type);
  ValueId alias(TypeId type, ValueId of);
  /// The callee's frame at the end of the frame so far.
  Instruction &call(int32_t block, std::vector<ValueId> inputs, std::vector<ValueId> outputs);
  Instruction &add(Instruction::Kind kind, std::string op, std::vector<ValueId> inputs, std::vector<ValueId> outputs,
                   int32_t stream = 0, std::vector<int32_t> waits = {}, int32_t record = -1);
  Instruction &kernel(std::string op, std::vector<ValueId> inputs, std::vector<ValueId> outputs) {
    return add(Instruction::Kind::Kernel, std::move(op), std::move(inputs), std::move(outputs));
  }
  Instruction &collective(std::string op, std::vector<sharding::AxisRef> axes, std::vector<ValueId> inputs,
                          std::vector<ValueId> outputs, std::vector<int32_t> waits, int32_t record);
  int32_t event() { return body_.numEvents++; }

private:
  ValueId value(Value value);
  Plan &plan_;
  Body &body_;
};

int64_t rounded(int64_t bytes);

/// Two layers of a two-matrix network on dp=2, tp=2 with two micro-batches: forward (load, two calls of a block with a
/// tensor-parallel all_reduce on stream 1, loss), backward (two calls, gradients accumulated), update (bucketed
/// all_reduce over dp, SGD in place).
Plan smallPlan();

// Where things are in it.
inline constexpr int kForward = 0, kBackward = 1, kUpdate = 2;           ///< Programs of stage 0.
inline constexpr int kLayerForward = 0, kLayerBackward = 1;              ///< Blocks.
inline constexpr int kMatmul1 = 0, kMatmul2 = 1, kReduce = 2, kJoin = 3; ///< Instructions of layer.forward.

} // namespace modelpar::planformat

#endif // MODELPAR_TEST_UNITTESTS_PLANFORMAT_SMALLPLAN_H
