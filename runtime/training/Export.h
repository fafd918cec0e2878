//===- Export.h - whole tensors out of shards -----------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_TRAINING_EXPORT_H
#define MODELPAR_RUNTIME_TRAINING_EXPORT_H

#include "runtime/checkpoint/Checkpoint.h"
#include "runtime/executor/Executor.h"

namespace modelpar::runtime {

/// True when, of all ranks of its stage that hold the same shard, `rank` is the one that writes it: its coordinates are
/// 0 along everything that does not shard the tensor.
bool ownsShard(const sharding::Mesh &mesh, const sharding::TensorSharding &sharding, int64_t rank);

/// A file of all parameters' weights or gradients under their checkpoint names and shapes, assembled in place by the
/// ranks that own the shards.
class ParameterFile {
public:
  enum class Content { Weights, Gradients };
  /// Creates the file (under a temporary name) before the ranks start.
  static Status create(const planformat::Plan &plan, Content content, const std::string &path, ParameterFile &file);
  /// Called by every rank between steps, at the same step: writes the shards it owns; rank 0 gives the file its name
  /// when all have.
  Status write(Executor &executor);
  /// Removes what was begun, when the process ends under its ranks.
  void abandon() const { writer_.abandon(); }

private:
  Content content_ = Content::Weights;
  std::string path_;
  SafetensorsWriter writer_;
};

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_TRAINING_EXPORT_H
