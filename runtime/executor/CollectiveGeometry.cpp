//===- CollectiveGeometry.cpp - a plan's collective for one rank ----------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every member computes the same numbers from the mesh, so nothing is exchanged.
//
//===----------------------------------------------------------------------===//

#include "runtime/executor/CollectiveGeometry.h"

#include <algorithm>

using namespace modelpar;
using namespace modelpar::runtime;
using planformat::TensorType;
using sharding::Range;

namespace {

/// The shards of one tensor on the members of a group.
using Shards = std::vector<std::vector<Range>>;

Shards shardsOf(const planformat::Plan &plan, const TensorType &type, const Group &group, int64_t microBatch) {
  Shards shards;
  for (int64_t rank : group.ranks())
    shards.push_back(sharding::shardRanges(plan.mesh, type.shape, type.sharding,
                                           sharding::coordinatesOf(plan.mesh, rank, microBatch)));
  return shards;
}

int64_t product(const std::vector<Range> &ranges, size_t begin, size_t end) {
  int64_t result = 1;
  for (size_t i = begin; i < end; ++i)
    result *= ranges[i].extent;
  return result;
}

std::string text(const Range &range) {
  return "[" + std::to_string(range.offset) + ", " + std::to_string(range.offset + range.extent) + ")";
}

/// All members' shards are the same but in the dimensions `except`.
Status checkEqual(const Shards &shards, const std::vector<int32_t> &except) {
  for (const std::vector<Range> &shard : shards)
    for (size_t d = 0; d < shard.size(); ++d)
      if (std::find(except.begin(), except.end(), static_cast<int32_t>(d)) == except.end() &&
          !(shard[d] == shards[0][d]))
        return Status::internal("dimension " + std::to_string(d) + " is " + text(shards[0][d]) +
                                " on the first member and " + text(shard[d]) + " on another");
  return {};
}

/// The members' parts of dimension `dim`, in group order, which must join to `whole`.
Status joinParts(const Shards &parts, const Range &whole, int32_t dim, std::vector<int64_t> &extents) {
  int64_t end = whole.offset;
  for (const std::vector<Range> &part : parts) {
    const Range &range = part[static_cast<size_t>(dim)];
    if (range.extent > 0 && range.offset != end)
      return Status::internal("dimension " + std::to_string(dim) + ": a part " + text(range) + " follows on element " +
                              std::to_string(end));
    end += range.extent;
    extents.push_back(range.extent);
  }
  if (end != whole.offset + whole.extent)
    return Status::internal("dimension " + std::to_string(dim) + ": the parts end at " + std::to_string(end) +
                            ", the whole is " + text(whole));
  return {};
}

/// Every member's tensor goes to another as it is: what arrives must be the receiver's shard of the output.
Status describePermute(int64_t shift, const Shards &inputs, const Shards &outputs, CollectivePart &part) {
  for (size_t source = 0; source < inputs.size(); ++source) {
    const size_t target = (source + static_cast<size_t>(shift)) % inputs.size();
    for (size_t d = 0; d < inputs[source].size(); ++d)
      if (inputs[source][d] != outputs[target][d])
        return Status::internal("dimension " + std::to_string(d) + ": member " + std::to_string(source) + " sends " +
                                text(inputs[source][d]) + ", member " + std::to_string(target) + " expects " +
                                text(outputs[target][d]));
    part.extents.push_back(product(inputs[source], 0, inputs[source].size()));
  }
  return {};
}

Status describePart(const planformat::Instruction &instruction, CollectiveKind kind, const Shards &inputs,
                    const Shards &outputs, size_t me, CollectivePart &part) {
  const std::vector<Range> &input = inputs[me], &output = outputs[me];
  const size_t rank = input.size();
  if (output.size() != rank)
    return Status::internal("input and output have different numbers of dimensions");
  if (kind == CollectiveKind::CollectivePermute)
    return describePermute(instruction.shift, inputs, outputs, part);
  const int32_t dim = instruction.dim, source = instruction.sourceDim;
  if (kind == CollectiveKind::AllReduce) {
    MODELPAR_RETURN_IF_ERROR(checkEqual(inputs, {}));
    if (input != output)
      return Status::internal("input and output of an all_reduce have different shards");
    part.outer = product(input, 0, rank);
    return {};
  }
  auto at = static_cast<size_t>(dim);
  if (kind == CollectiveKind::AllToAll) {
    MODELPAR_RETURN_IF_ERROR(checkEqual(inputs, {source}).in("input"));
    MODELPAR_RETURN_IF_ERROR(checkEqual(outputs, {dim}).in("output"));
    MODELPAR_RETURN_IF_ERROR(joinParts(outputs, input[at], dim, part.extents));
    MODELPAR_RETURN_IF_ERROR(joinParts(inputs, output[static_cast<size_t>(source)], source, part.gathered));
    auto first = static_cast<size_t>(std::min(dim, source)), second = static_cast<size_t>(std::max(dim, source));
    part.outer = product(input, 0, first);
    part.middle = product(input, first + 1, second);
    part.inner = product(input, second + 1, rank);
    part.splitFirst = dim < source;
    return {};
  }
  const bool gathers = kind == CollectiveKind::AllGather;
  MODELPAR_RETURN_IF_ERROR(checkEqual(gathers ? inputs : outputs, {dim}));
  MODELPAR_RETURN_IF_ERROR(checkEqual(gathers ? outputs : inputs, {}));
  MODELPAR_RETURN_IF_ERROR(gathers ? joinParts(inputs, output[at], dim, part.extents)
                                   : joinParts(outputs, input[at], dim, part.extents));
  part.outer = product(input, 0, at);
  part.inner = product(input, at + 1, rank);
  return {};
}

} // namespace

bool modelpar::runtime::dependsOnMicroBatch(const sharding::DimSharding &dim) {
  return std::any_of(dim.begin(), dim.end(),
                     [](const sharding::AxisRef &axis) { return axis.name == sharding::kMicroBatchAxis; });
}

Status modelpar::runtime::describeCollective(const planformat::Plan &plan, const planformat::Body &body,
                                             const planformat::Instruction &instruction, const Group &group,
                                             int64_t microBatch, Collective &collective) {
  using Kind = CollectiveKind;
  bool known = false;
  for (Kind kind : {Kind::AllReduce, Kind::AllGather, Kind::ReduceScatter, Kind::AllToAll, Kind::CollectivePermute})
    if (name(kind) == instruction.op) {
      collective.kind = kind;
      known = true;
    }
  if (!known)
    return Status::internal("unknown collective '" + instruction.op + "'");
  collective.reduce = instruction.reduce;
  collective.shift = collective.kind == Kind::CollectivePermute ? instruction.shift : 0;
  if (collective.shift < 0 || collective.shift >= group.size())
    return Status::internal("shift " + std::to_string(collective.shift) + " in a group of " +
                            std::to_string(group.size()));
  for (size_t i = 0; i < instruction.inputs.size(); ++i) {
    auto typeOf = [&](planformat::ValueId id) -> const TensorType & {
      return plan.types[static_cast<size_t>(body.values[static_cast<size_t>(id)].type)];
    };
    const TensorType &input = typeOf(instruction.inputs[i]), &output = typeOf(instruction.outputs[i]);
    std::string where = "tensor " + std::to_string(i);
    if (input.dtype != output.dtype)
      return Status::internal(where + ": input and output have different element types");
    CollectivePart part;
    part.dtype = input.dtype;
    MODELPAR_RETURN_IF_ERROR(describePart(instruction, collective.kind, shardsOf(plan, input, group, microBatch),
                                          shardsOf(plan, output, group, microBatch), static_cast<size_t>(group.index()),
                                          part)
                                 .in(where));
    collective.parts.push_back(std::move(part));
  }
  return validate(collective, group);
}
