//===- OutputFile.h - what the loss is computed from ----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_TRAINING_OUTPUTFILE_H
#define MODELPAR_RUNTIME_TRAINING_OUTPUTFILE_H

#include "runtime/checkpoint/Safetensors.h"
#include "runtime/executor/Executor.h"

#include <atomic>
#include <memory>

namespace modelpar::runtime {

/// A file with the model's output in one step: "logits", or "prediction" under a squared error, of the whole global
/// batch in the order of samples and positions, whatever the plan. Each shard is written by one of the ranks that hold
/// it, before the loss reads it.
class OutputFile : public KernelObserver {
public:
  /// Creates the file (under a temporary name) before the ranks start. InvalidInput when the plan has no loss that we
  /// know, or several.
  static Status create(const planformat::Plan &plan, const std::string &path, std::unique_ptr<OutputFile> &file);

  /// Called by every rank after the step that is kept; rank 0 gives the file its name when all have.
  Status finish(Executor &executor);
  /// Removes what was begun, when the process ends under its ranks.
  void abandon() const { writer_.abandon(); }
  Status observe(const planformat::Instruction &instruction, std::span<const TensorView> inputs, int64_t rank) override;

private:
  OutputFile(const planformat::Plan &plan, std::string path) : plan_(plan), path_(std::move(path)) {}
  Status write(TensorView view);

  const planformat::Plan &plan_;
  std::string path_;
  SafetensorsWriter writer_;
  std::string op_;                    ///< The loss kernel: its first input is the model's output.
  sharding::TensorSharding sharding_; ///< Of that input.
  std::atomic<bool> done_ = false;
};

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_TRAINING_OUTPUTFILE_H
