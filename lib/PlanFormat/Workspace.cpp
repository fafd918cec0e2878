//===- Workspace.cpp - scratch that kernels may use ----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/PlanFormat/Workspace.h"

#include <algorithm>

namespace modelpar::planformat {

/// Rows of the score matrix that the attention kernels hold at once, per scratch slice.
static constexpr int64_t kAttentionRows = 64;

/// Attention keeps a block of query rows against all keys: [kAttentionRows, t] scores in fp32, twice (probabilities and their gradient)
/// for the backward kernel. One block per (batch, head) pair may be in work, but no more than 16: a bound that does not depend on the
/// number of threads, so that the plan fits every machine.
static int64_t attentionBytes(const std::vector<TensorType> &inputs, size_t queryIndex, int64_t matrices) {
  if (inputs.size() < queryIndex + 2)
    return 0;
  const TensorType &query = inputs[queryIndex], &key = inputs[queryIndex + 1];
  if (query.shape.size() < 4 || key.shape.size() < 2)
    return 0;
  std::vector<int64_t> q = sharding::maxShardShape(query.shape, query.sharding);
  std::vector<int64_t> k = sharding::maxShardShape(key.shape, key.sharding);
  int64_t pairs = q[0];
  for (size_t i = 2; i + 1 < q.size(); ++i)
    pairs *= q[i];
  int64_t slices = std::min<int64_t>(std::max<int64_t>(pairs, 1), 16);
  return slices * matrices * kAttentionRows * k[1] * byteSize(DType::F32);
}

int64_t workspaceBytes(std::string_view op, std::string_view deviceKind, const Attributes &attributes,
                       const std::vector<TensorType> &inputs, const std::vector<TensorType> &outputs) {
  if (op == "attention")
    return attentionBytes(inputs, 0, 1);
  if (op == "attention_grad")
    return attentionBytes(inputs, 1, 2);
  return 0;
}

} // namespace modelpar::planformat
