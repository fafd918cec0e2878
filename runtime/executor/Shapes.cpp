//===- Shapes.cpp - shapes and collectives by micro-batch -----------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/executor/Shapes.h"

#include "runtime/executor/CollectiveGeometry.h"

#include <algorithm>

using namespace modelpar;
using namespace modelpar::runtime;

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

Status TypeViews::build(const planformat::Plan &plan, int64_t rank) {
  for (size_t t = 0; t < plan.types.size(); ++t) {
    const planformat::TensorType &type = plan.types[t];
    if (type.shape.size() > static_cast<size_t>(kMaxRank))
      return Status::internal("type " + std::to_string(t) + " has " + std::to_string(type.shape.size()) +
                              " dimensions, at most " + std::to_string(kMaxRank) + " are supported");
    Entry entry;
    TensorView &view = entry.view;
    view.dtype = type.dtype;
    view.rank = static_cast<int>(type.shape.size());
    entry.firstVarying = varying_.size();
    for (int d = 0; d < view.rank; ++d) {
      const auto dim = static_cast<size_t>(d);
      const sharding::DimSharding &axes = type.sharding.dims[dim];
      sharding::RankShard shard(plan.mesh, type.shape[dim], axes, rank);
      const sharding::Range range = shard.range(0);
      view.extents[d] = range.extent;
      view.offsets[d] = range.offset;
      view.globalExtents[d] = type.shape[dim];
      view.orderParts[d] = sharding::orderOf(type.shape[dim], axes).parts;
      if (dependsOnMicroBatch(axes))
        varying_.push_back({t, d, std::move(shard)});
    }
    entry.numVarying = varying_.size() - entry.firstVarying;
    entries_.push_back(entry);
  }
  return {};
}

TensorView TypeViews::view(planformat::TypeId type, int64_t microBatch) const {
  const Entry &entry = entries_[static_cast<size_t>(type)];
  TensorView view = entry.view;
  for (size_t i = entry.firstVarying; i < entry.firstVarying + entry.numVarying; ++i) {
    const sharding::Range range = varying_[i].shard.range(microBatch);
    view.extents[varying_[i].dim] = range.extent;
    view.offsets[varying_[i].dim] = range.offset;
  }
  return view;
}

size_t TypeViews::bytes() const {
  size_t bytes = entries_.capacity() * sizeof(Entry) + varying_.capacity() * sizeof(Varying);
  for (const Varying &each : varying_)
    bytes += each.shard.heapBytes();
  return bytes;
}

//===----------------------------------------------------------------------===//
// Collectives
//===----------------------------------------------------------------------===//

void Collectives::add(Collective collective) {
  const auto place = std::find(different_.begin(), different_.end(), collective);
  const auto index = static_cast<size_t>(place - different_.begin());
  if (place == different_.end())
    different_.push_back(std::move(collective));
  if (runs_.empty() || runs_.back().index != index)
    runs_.push_back({next_, index});
  ++next_;
}

const Collective &Collectives::at(int64_t microBatch) const {
  size_t run = runs_.size() - 1;
  while (runs_[run].first > microBatch)
    --run;
  return different_[runs_[run].index];
}
