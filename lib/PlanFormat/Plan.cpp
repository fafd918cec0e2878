//===- Plan.cpp - element types and sizes --------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/PlanFormat/Plan.h"

#include <limits>

namespace modelpar::planformat {

namespace {
struct DTypeEntry {
  DType type;
  std::string_view name;
  int64_t bytes;
};
constexpr DTypeEntry kDTypes[] = {{DType::F32, "f32", 4}, {DType::F64, "f64", 8}, {DType::BF16, "bf16", 2},
                                  {DType::F16, "f16", 2}, {DType::I32, "i32", 4}, {DType::I64, "i64", 8}};

const DTypeEntry &entry(DType type) {
  for (const DTypeEntry &entry : kDTypes)
    if (entry.type == type)
      return entry;
  return kDTypes[0];
}
} // namespace

std::string_view name(DType type) { return entry(type).name; }

std::optional<DType> parseDType(std::string_view name) {
  for (const DTypeEntry &entry : kDTypes)
    if (entry.name == name)
      return entry.type;
  return std::nullopt;
}

int64_t byteSize(DType type) { return entry(type).bytes; }

std::vector<Replica> copiesOf(const Parameter &parameter) {
  std::vector<Replica> copies = {{parameter.stage, parameter.value, parameter.gradient, parameter.state}};
  copies.insert(copies.end(), parameter.replicas.begin(), parameter.replicas.end());
  return copies;
}

int64_t maxShardBytes(const TensorType &type) {
  // A file can name any extents: a product beyond int64 saturates and fails every comparison with a size.
  int64_t bytes = byteSize(type.dtype);
  for (int64_t extent : sharding::maxShardShape(type.shape, type.sharding))
    if (__builtin_mul_overflow(bytes, extent, &bytes))
      return std::numeric_limits<int64_t>::max();
  return bytes;
}

int64_t bytesPerRank(const Stage &stage) {
  int64_t bytes = stage.arenaBytes;
  for (const MemoryItem &item : stage.reserved)
    if (__builtin_add_overflow(bytes, item.bytes, &bytes))
      return std::numeric_limits<int64_t>::max();
  return bytes;
}

} // namespace modelpar::planformat
