//===- Communicator.cpp - descriptions of collectives ---------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sizes and checks that all communicators share.
//
//===----------------------------------------------------------------------===//

#include "runtime/comm/Communicator.h"

#include "runtime/comm/DataMovement.h"

#include <algorithm>
#include <numeric>

namespace modelpar::runtime {

std::string_view name(CollectiveKind kind) {
  switch (kind) {
  case CollectiveKind::AllReduce:
    return "all_reduce";
  case CollectiveKind::AllGather:
    return "all_gather";
  case CollectiveKind::ReduceScatter:
    return "reduce_scatter";
  case CollectiveKind::AllToAll:
    return "all_to_all";
  case CollectiveKind::Broadcast:
    return "broadcast";
  case CollectiveKind::CollectivePermute:
    return "collective_permute";
  }
  return "";
}

int64_t total(const std::vector<int64_t> &extents) {
  return std::accumulate(extents.begin(), extents.end(), int64_t{0});
}

int64_t permuteSource(const Collective &collective, int64_t member, int64_t size) {
  return (member + size - collective.shift) % size;
}

int64_t inputBytes(const Collective &collective, const CollectivePart &part, int64_t member) {
  int64_t around = part.outer * part.inner * planformat::byteSize(part.dtype);
  auto index = static_cast<size_t>(member);
  switch (collective.kind) {
  case CollectiveKind::AllReduce:
  case CollectiveKind::Broadcast:
    return around;
  case CollectiveKind::AllGather:
  case CollectiveKind::CollectivePermute:
    return around * part.extents[index];
  case CollectiveKind::ReduceScatter:
    return around * total(part.extents);
  case CollectiveKind::AllToAll:
    return around * part.middle * total(part.extents) * part.gathered[index];
  }
  return 0;
}

int64_t outputBytes(const Collective &collective, const CollectivePart &part, int64_t member) {
  int64_t around = part.outer * part.inner * planformat::byteSize(part.dtype);
  auto index = static_cast<size_t>(member);
  switch (collective.kind) {
  case CollectiveKind::AllReduce:
  case CollectiveKind::Broadcast:
    return around;
  case CollectiveKind::AllGather:
    return around * total(part.extents);
  case CollectiveKind::ReduceScatter:
    return around * part.extents[index];
  case CollectiveKind::AllToAll:
    return around * part.middle * part.extents[index] * total(part.gathered);
  case CollectiveKind::CollectivePermute:
    return inputBytes(collective, part, permuteSource(collective, member, static_cast<int64_t>(part.extents.size())));
  }
  return 0;
}

int64_t ringBytes(const Collective &collective, const Group &group) {
  int64_t n = group.size(), whole = 0;
  const bool permutes = collective.kind == CollectiveKind::CollectivePermute;
  for (const CollectivePart &part : collective.parts) {
    int64_t input = inputBytes(collective, part, group.index());
    whole += permutes ? input : std::max(input, outputBytes(collective, part, group.index()));
  }
  if (permutes)
    return collective.shift == 0 ? 0 : whole;
  return (collective.kind == CollectiveKind::AllReduce ? 2 : 1) * (n - 1) * whole / n;
}

Status Communicator::exchange(Group &, std::span<Transfer>, void *) {
  return Status::unavailable("communicator \"" + std::string(kind()) + "\" cannot exchange between pairs of ranks");
}

static Status validatePart(const CollectivePart &part, CollectiveKind kind, int64_t size) {
  using planformat::DType;
  bool reduces = kind == CollectiveKind::AllReduce || kind == CollectiveKind::ReduceScatter;
  if (reduces && part.dtype != DType::F32 && part.dtype != DType::F64 && part.dtype != DType::BF16)
    return Status::internal("reductions are of f32, f64 or bf16 only");
  if (part.outer < 0 || part.inner < 0 || part.middle < 0)
    return Status::internal("negative extent");
  bool splits = kind != CollectiveKind::AllReduce && kind != CollectiveKind::Broadcast;
  size_t split = splits ? static_cast<size_t>(size) : 0;
  size_t gathered = kind == CollectiveKind::AllToAll ? static_cast<size_t>(size) : 0;
  if (part.extents.size() != split || part.gathered.size() != gathered)
    return Status::internal("expected the extents of " + std::to_string(split) + " split and " +
                            std::to_string(gathered) + " gathered shards, found " +
                            std::to_string(part.extents.size()) + " and " + std::to_string(part.gathered.size()));
  for (const auto *extents : {&part.extents, &part.gathered})
    for (int64_t extent : *extents)
      if (extent < 0)
        return Status::internal("negative extent of a shard");
  return {};
}

Status validate(const Collective &collective, const Group &group) {
  std::string where = collective.label + ": " + std::string(name(collective.kind)) + " over " + group.name();
  if (collective.root < 0 || collective.root >= group.size())
    return Status::internal(where + ": root " + std::to_string(collective.root) + " is not in the group");
  if (collective.shift < 0 || collective.shift >= group.size())
    return Status::internal(where + ": shift " + std::to_string(collective.shift) + " is not below the group's size");
  for (size_t i = 0; i < collective.parts.size(); ++i)
    MODELPAR_RETURN_IF_ERROR(
        validatePart(collective.parts[i], collective.kind, group.size()).in(where + ", tensor " + std::to_string(i)));
  return {};
}

} // namespace modelpar::runtime
