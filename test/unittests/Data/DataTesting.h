//===- DataTesting.h - plans and views for data tests ---------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TEST_DATA_DATATESTING_H
#define MODELPAR_TEST_DATA_DATATESTING_H

#include "runtime/data/DataSource.h"
#include "test/unittests/Checkpoint/TestFiles.h"

#include <gmock/gmock.h>

namespace modelpar::runtime::test {

inline void addInput(planformat::Plan &plan, const std::string &name, const std::string &role, planformat::DType dtype,
                     std::vector<int64_t> shape, double low, double high, int32_t batchDim = 0) {
  planformat::Input input;
  input.batchDim = batchDim;
  input.name = name;
  input.role = role;
  input.type = static_cast<planformat::TypeId>(plan.types.size());
  input.rangeLow = low;
  input.rangeHigh = high;
  plan.types.push_back({dtype, shape, sharding::TensorSharding::replicated(shape.size())});
  plan.inputs.push_back(std::move(input));
}

/// Tokens and targets of a language model.
inline planformat::Plan tokenPlan(int64_t batch, int64_t sequence, int64_t vocabulary) {
  planformat::Plan plan;
  plan.globalBatch = batch;
  plan.sequence = sequence;
  for (const char *role : {"tokens", "targets"})
    addInput(plan, role, role, planformat::DType::I32, {batch, sequence}, 0, static_cast<double>(vocabulary));
  addInput(plan, "positions", "positions", planformat::DType::I32, {batch, sequence}, 0, static_cast<double>(sequence));
  addInput(plan, "scalars", "scalars", planformat::DType::F64, {planformat::kNumScalars}, 0, 1, -1);
  return plan;
}

/// Features and real targets of a regression.
inline planformat::Plan regressionPlan(int64_t batch) {
  planformat::Plan plan;
  plan.globalBatch = batch;
  addInput(plan, "x", "data", planformat::DType::F32, {batch, 3, 2}, -1, 1);
  addInput(plan, "y", "targets", planformat::DType::F32, {batch, 4}, -2, 4);
  return plan;
}

/// A shard of an input, with its memory. Extents of -1: all that is left.
template <typename T> struct Shard {
  Shard(const planformat::Plan &plan, const planformat::Input &input, std::vector<int64_t> offsets = {},
        std::vector<int64_t> extents = {}) {
    const planformat::TensorType &type = plan.types[input.type];
    view.dtype = type.dtype;
    view.rank = static_cast<int>(type.shape.size());
    for (int i = 0; i < view.rank; ++i) {
      size_t at = static_cast<size_t>(i);
      view.globalExtents[i] = type.shape[at];
      view.orderParts[i] = sharding::orderOf(type.shape[at], type.sharding.dims[at]).parts;
      view.offsets[i] = at < offsets.size() ? offsets[at] : 0;
      view.extents[i] = at < extents.size() && extents[at] >= 0 ? extents[at] : type.shape[at] - view.offsets[i];
    }
    values.assign(view.numElements(), T());
    view.data = values.data();
  }
  TensorView view;
  std::vector<T> values;
};

template <typename T>
std::vector<T> fillAll(DataSource &source, const planformat::Plan &plan, const planformat::Input &input, int64_t step) {
  Shard<T> shard(plan, input);
  Status status = source.fill(input, step, 0, shard.view);
  EXPECT_TRUE(status.ok()) << status.message();
  return shard.values;
}

/// Filling the input in parts gives what filling it whole gives.
template <typename T>
void expectPartsAgree(DataSource &source, const planformat::Plan &plan, const planformat::Input &input, int64_t step) {
  std::vector<T> whole = fillAll<T>(source, plan, input, step);
  const std::vector<int64_t> &shape = plan.types[input.type].shape;
  const int64_t row = shape.size() > 1 ? static_cast<int64_t>(whole.size()) / shape[0] : 1;
  for (int64_t sample = 0; sample < shape[0]; ++sample) {
    const int64_t cut = shape.size() > 1 ? shape[1] / 2 : 0;
    for (auto [offset, extent] : {std::pair<int64_t, int64_t>{0, cut}, {cut, -1}}) {
      Shard<T> part = shape.size() > 1 ? Shard<T>(plan, input, {sample, offset}, {1, extent})
                                       : Shard<T>(plan, input, {sample}, {1});
      ASSERT_TRUE(source.fill(input, step, 0, part.view).ok());
      const int64_t inner = shape.size() > 1 ? row / shape[1] : 1;
      const int64_t begin = sample * row + (shape.size() > 1 ? offset * inner : 0);
      EXPECT_EQ(part.values,
                std::vector<T>(whole.begin() + begin, whole.begin() + begin + static_cast<int64_t>(part.values.size())))
          << input.name << " sample " << sample;
    }
  }
}

/// An array of a data file, and its bytes.
struct NamedArray {
  std::string name;
  FileType type;
  std::vector<int64_t> shape;
  std::string bytes;
};

inline void writeArrays(const std::string &path, const std::vector<NamedArray> &arrays) {
  std::vector<TensorSpec> specs;
  for (const NamedArray &array : arrays)
    specs.push_back({array.name, array.type, array.shape});
  SafetensorsWriter writer;
  ASSERT_TRUE(SafetensorsWriter::create(path, specs, writer).ok());
  for (const NamedArray &array : arrays)
    std::memcpy(writer.bytes(*writer.find(array.name)).data(), array.bytes.data(), array.bytes.size());
  ASSERT_TRUE(writer.finish().ok());
}

inline Status createArrays(const planformat::Plan &plan, const std::string &path, std::unique_ptr<DataSource> &source) {
  return createDataSource(plan, {path, DataFormat::Auto, 1}, source);
}

} // namespace modelpar::runtime::test

#endif // MODELPAR_TEST_DATA_DATATESTING_H
