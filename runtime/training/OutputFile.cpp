//===- OutputFile.cpp - what the loss is computed from --------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/training/OutputFile.h"

#include "runtime/checkpoint/Checkpoint.h"
#include "runtime/checkpoint/Elements.h"
#include "runtime/training/Export.h"

using namespace modelpar;
using namespace modelpar::runtime;
using planformat::Body;
using planformat::Instruction;
using planformat::Plan;
using planformat::TensorType;

/// The kernels that a loss begins with, and what their first input is called in the file.
static constexpr std::pair<std::string_view, const char *> kLosses[] = {{"softmax_stats", "logits"},
                                                                        {"squared_error", "prediction"}};

static const char *outputName(std::string_view op) {
  for (const auto &[loss, name] : kLosses)
    if (loss == op)
      return name;
  return nullptr;
}

namespace {

/// The loss kernels of a plan.
class LossFinder {
public:
  explicit LossFinder(const Plan &plan) : plan_(plan) {
    for (const planformat::Stage &stage : plan.stages)
      for (const planformat::Program &program : stage.programs)
        visit(program.body);
  }
  struct Loss {
    const Instruction *instruction;
    const TensorType *type; ///< Of the first input.
  };
  std::vector<Loss> losses; ///< One for each launch of a step and micro-batch.

private:
  void visit(const Body &body) {
    for (const Instruction &instruction : body.instructions) {
      if (instruction.kind == Instruction::Kind::Call)
        visit(plan_.blocks[static_cast<size_t>(instruction.block)]);
      else if (instruction.kind == Instruction::Kind::Kernel && outputName(instruction.op))
        losses.push_back(
            {&instruction,
             &plan_.types[static_cast<size_t>(body.values[static_cast<size_t>(instruction.inputs[0])].type)]});
    }
  }
  const Plan &plan_;
};

} // namespace

Status OutputFile::create(const Plan &plan, const std::string &path, std::unique_ptr<OutputFile> &file) {
  const std::vector<LossFinder::Loss> losses = LossFinder(plan).losses;
  if (losses.size() != 1)
    return Status::invalid("--dump-outputs: the plan has " + std::to_string(losses.size()) +
                           " losses (softmax_stats or squared_error), expected one");
  if (plan.deviceKind != "cpu")
    return Status::invalid("--dump-outputs is not supported yet on device " + plan.deviceKind + "; supported: cpu");
  std::unique_ptr<OutputFile> created(new OutputFile(plan, path));
  const auto &[instruction, type] = losses.front();
  created->op_ = instruction->op;
  created->sharding_ = type->sharding;
  MODELPAR_RETURN_IF_ERROR(SafetensorsWriter::create(
      path, {{outputName(instruction->op), fileType(type->dtype), type->shape}}, created->writer_));
  file = std::move(created);
  return {};
}

Status OutputFile::observe(const Instruction &instruction, std::span<const TensorView> inputs, int64_t rank) {
  if (done_.load(std::memory_order_relaxed) || instruction.op != op_ || !ownsShard(plan_.mesh, sharding_, rank))
    return {};
  return write(inputs[0]);
}

/// Row by row where dimensions are stored in another order: a row is one index of each up to the last such dimension.
Status OutputFile::write(TensorView view) {
  std::span<std::byte> whole = writer_.bytes(*writer_.find(outputName(op_)));
  int last = view.rank - 1;
  while (last >= 0 && view.order(last).isIdentity())
    --last;
  if (last < 0)
    return writeSlice(view, whole);
  int64_t rows = 1;
  for (int d = 0; d <= last; ++d)
    rows *= view.extents[d];
  const TensorView all = view;
  const int64_t rowBytes = rows ? all.numElements() / rows * planformat::byteSize(view.dtype) : 0;
  for (int64_t row = 0; row < rows; ++row) {
    int64_t rest = row;
    for (int d = last; d >= 0; rest /= all.extents[d], --d) {
      view.extents[d] = 1;
      view.offsets[d] = all.order(d).position(all.offsets[d] + rest % all.extents[d]);
    }
    view.data = static_cast<std::byte *>(all.data) + row * rowBytes;
    MODELPAR_RETURN_IF_ERROR(writeSlice(view, whole));
  }
  return {};
}

Status OutputFile::finish(Executor &executor) {
  done_.store(true, std::memory_order_relaxed);
  MODELPAR_RETURN_IF_ERROR(executor.communicator().barrier("writing '" + path_ + "'"));
  return executor.rank() == 0 ? writer_.finish() : Status();
}
