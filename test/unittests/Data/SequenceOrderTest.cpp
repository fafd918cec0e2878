//===- SequenceOrderTest.cpp - batches of a balanced causal split ---------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the ranks of a context-parallel run are fed with is, put together by chunks, what one rank is fed with.
//
//===----------------------------------------------------------------------===//

#include "DataTesting.h"

#include <numeric>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::test;
using planformat::DType;

namespace {

constexpr int64_t kBatch = 3, kSequence = 24;

/// Tokens, targets, positions per sample, positions of all samples, and features along the sequence.
planformat::Plan sequencePlan(bool features) {
  planformat::Plan plan = tokenPlan(kBatch, kSequence, 256);
  addInput(plan, "shared_positions", "positions", DType::I32, {kSequence}, 0, kSequence, -1);
  if (features)
    addInput(plan, "features", "data", DType::F32, {kBatch, 2, kSequence, 3}, -1, 1000);
  return plan;
}

size_t sequenceOf(const planformat::Input &input) {
  return input.name == "shared_positions" ? 0 : input.name == "features" ? 2 : 1;
}

/// The same with a balanced split of the sequence.
planformat::Plan balanced(planformat::Plan plan, int64_t parts) {
  plan.mesh = sharding::Mesh({{"cp", parts}});
  sharding::AxisRef cp = plan.mesh.axis("cp");
  cp.balanced = parts > 1;
  for (const planformat::Input &input : plan.inputs)
    if (input.role != "scalars")
      plan.types[static_cast<size_t>(input.type)].sharding.dims[sequenceOf(input)] = {cp};
  return plan;
}

/// The input of one rank: all but the sequence whole.
template <typename T>
Shard<T> fillRank(DataSource &source, const planformat::Plan &plan, const planformat::Input &input, int64_t rank) {
  const auto dims = static_cast<size_t>(plan.types[input.type].shape.size()), sequence = sequenceOf(input);
  std::vector<int64_t> offsets(dims, 0), extents(dims, -1);
  extents[sequence] = kSequence / plan.mesh.size("cp");
  offsets[sequence] = rank * extents[sequence];
  Shard<T> shard(plan, input, offsets, extents);
  Status status = source.fill(input, /*step=*/2, /*microBatch=*/0, shard.view);
  EXPECT_TRUE(status.ok()) << status.message();
  return shard;
}

/// Puts the first half of a rank's sequence at chunk `rank`, the second at chunk 2·parts-1-rank.
template <typename T>
void place(const planformat::Input &input, int64_t rank, int64_t parts, const Shard<T> &shard, std::vector<T> &whole) {
  const int64_t chunk = kSequence / (2 * parts);
  int64_t inner = 1, outer = 1;
  const int sequence = static_cast<int>(sequenceOf(input));
  for (int d = 0; d < shard.view.rank; ++d)
    (d < sequence ? outer : inner) *= d == sequence ? 1 : shard.view.extents[d];
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t half = 0; half < 2; ++half)
      for (int64_t i = 0; i < chunk * inner; ++i) {
        const int64_t to = half == 0 ? rank : 2 * parts - 1 - rank;
        whole[static_cast<size_t>((o * 2 * parts + to) * chunk * inner + i)] =
            shard.values[static_cast<size_t>((o * 2 + half) * chunk * inner + i)];
      }
}

void expectUnion(const planformat::Plan &natural, const std::string &path) {
  std::unique_ptr<DataSource> expected;
  Status status = createDataSource(natural, {path, DataFormat::Auto, 1}, expected);
  ASSERT_TRUE(status.ok()) << status.message();
  for (int64_t parts : {1, 2, 3, 4}) {
    const planformat::Plan plan = balanced(natural, parts);
    std::unique_ptr<DataSource> source;
    ASSERT_TRUE(createDataSource(plan, {path, DataFormat::Auto, 1}, source).ok());
    for (size_t i = 0; i < plan.inputs.size(); ++i) {
      const planformat::Input &input = plan.inputs[i];
      if (input.role == "scalars")
        continue;
      auto compare = [&]<typename T>(T) {
        std::vector<T> whole = fillAll<T>(*expected, natural, natural.inputs[i], 2), joined(whole.size(), T(-1));
        for (int64_t rank = 0; rank < parts; ++rank)
          place(input, rank, parts, fillRank<T>(*source, plan, input, rank), joined);
        EXPECT_EQ(joined, whole) << input.name << " in " << parts << " parts";
      };
      if (plan.types[input.type].dtype == DType::F32)
        compare(float());
      else
        compare(int32_t());
    }
    EXPECT_EQ(source->labelCount(2), expected->labelCount(2));
  }
}

TEST(SequenceOrder, SyntheticBatches) { expectUnion(sequencePlan(/*features=*/true), ""); }

TEST(SequenceOrder, Text) {
  TemporaryDirectory directory;
  std::string text;
  for (int i = 0; i < 500; ++i)
    text += static_cast<char>(' ' + (i * i + 7 * i) % 89);
  writeFile(directory / "t.txt", text);
  expectUnion(sequencePlan(/*features=*/false), directory / "t.txt");
}

TEST(SequenceOrder, Arrays) {
  TemporaryDirectory directory;
  std::vector<int64_t> tokens(4 * kSequence), targets(4 * kSequence);
  std::iota(tokens.begin(), tokens.end(), 5);
  for (size_t i = 0; i < targets.size(); ++i) // Some labels are ignored, unevenly.
    targets[i] = i % 5 == 0 || (i > 20 && i < 30) ? -100 : static_cast<int64_t>(i);
  std::vector<float> features(4 * 2 * kSequence * 3);
  std::iota(features.begin(), features.end(), 0.5f);
  SafetensorsWriter writer;
  std::vector<TensorSpec> specs = {{"tokens", FileType::I64, {4, kSequence}},
                                   {"targets", FileType::I64, {4, kSequence}},
                                   {"features", FileType::F32, {4, 2, kSequence, 3}}};
  ASSERT_TRUE(SafetensorsWriter::create(directory / "d.safetensors", specs, writer).ok());
  auto write = [&](const char *name, const auto &values) {
    std::memcpy(writer.bytes(*writer.find(name)).data(), values.data(), values.size() * sizeof(values[0]));
  };
  write("tokens", tokens);
  write("targets", targets);
  write("features", features);
  ASSERT_TRUE(writer.finish().ok());
  expectUnion(sequencePlan(/*features=*/true), directory / "d.safetensors");
}

} // namespace
