//===- CheckpointTest.cpp -------------------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/checkpoint/Checkpoint.h"

#include "TestFiles.h"

#include <gmock/gmock.h>
#include <numeric>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::test;
using testing::HasSubstr;
using testing::Not;

namespace {

struct Named {
  std::string name;
  std::vector<int64_t> shape;
  std::vector<float> values;
};

void writeTensors(const std::string &path, const std::vector<Named> &tensors) {
  std::vector<TensorSpec> specs;
  for (const Named &tensor : tensors)
    specs.push_back({tensor.name, FileType::F32, tensor.shape});
  SafetensorsWriter writer;
  ASSERT_TRUE(SafetensorsWriter::create(path, specs, writer).ok());
  for (const Named &tensor : tensors)
    std::memcpy(writer.bytes(*writer.find(tensor.name)).data(), tensor.values.data(), tensor.values.size() * 4);
  ASSERT_TRUE(writer.finish().ok());
}

planformat::Parameter parameter(const std::string &name, std::vector<int64_t> shape) {
  planformat::Parameter result;
  result.name = result.checkpointName = name;
  result.checkpointShape = std::move(shape);
  return result;
}

TensorView view(std::vector<float> &data, std::vector<int64_t> global, std::vector<int64_t> offsets,
                std::vector<int64_t> extents) {
  TensorView result;
  result.rank = static_cast<int>(global.size());
  std::copy(global.begin(), global.end(), result.globalExtents);
  std::copy(offsets.begin(), offsets.end(), result.offsets);
  std::copy(extents.begin(), extents.end(), result.extents);
  data.assign(result.numElements(), -1);
  result.data = data.data();
  return result;
}

planformat::Parameter parameter(const std::string &name, std::vector<int64_t> shape, std::vector<std::string> aliases) {
  planformat::Parameter result = parameter(name, std::move(shape));
  result.aliases = std::move(aliases);
  return result;
}

/// Opens a checkpoint of tensors of one element, their place in the list.
Checkpoint checkpointOf(const TemporaryDirectory &directory, const std::vector<std::string> &names) {
  std::vector<Named> tensors;
  for (const std::string &name : names)
    tensors.push_back({name, {1}, {static_cast<float>(tensors.size())}});
  writeTensors(directory / "f.safetensors", tensors);
  Checkpoint checkpoint;
  Status status = Checkpoint::open(directory / "f.safetensors", checkpoint);
  EXPECT_TRUE(status.ok()) << status.message();
  return checkpoint;
}

/// The value of the tensor that a parameter takes.
float valueOf(const Checkpoint &checkpoint, const planformat::Parameter &parameter) {
  std::vector<float> data;
  EXPECT_TRUE(readSlice(checkpoint.find(parameter), view(data, {1}, {0}, {1})).ok());
  return data[0];
}

TEST(Checkpoint, ReadsTheFirstNameThatIsThere) {
  TemporaryDirectory directory;
  const planformat::Parameter trunk = parameter("trunk.w", {1}, {"w"}),
                              tied = parameter("trunk.table", {1}, {"table", "head"});
  Checkpoint checkpoint = checkpointOf(directory, {"head", "w"});
  Status status = checkpoint.check({trunk, tied});
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(valueOf(checkpoint, trunk), 1);
  EXPECT_EQ(valueOf(checkpoint, tied), 0);
  // A name that is no parameter's is none that is close to one.
  checkpoint = checkpointOf(directory, {"head", "trunk.w", "trunk.trunk.w"});
  EXPECT_THAT(checkpoint.check({trunk, tied}).message(), HasSubstr("extra tensor 'trunk.trunk.w'"));
  checkpoint = checkpointOf(directory, {"head", "runk.w"});
  EXPECT_THAT(checkpoint.check({trunk, tied}).message(), HasSubstr("missing tensor 'trunk.w'"));
}

TEST(Checkpoint, ReadsNamesOfWrappedModules) {
  TemporaryDirectory directory;
  const planformat::Parameter w = parameter("trunk.layers.0.w", {1}, {"layers.0.w"});
  for (const char *name : {"module.trunk.layers.0.w", "_orig_mod.trunk.layers.0.w", "module._orig_mod.layers.0.w",
                           "_orig_mod.module.module.trunk.layers.0.w", "trunk.layers._orig_mod.0.w",
                           "_fsdp_wrapped_module.trunk.layers.0._fsdp_wrapped_module._checkpoint_wrapped_module.w"}) {
    Checkpoint checkpoint = checkpointOf(directory, {name});
    Status status = checkpoint.check({w});
    EXPECT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(valueOf(checkpoint, w), 0);
  }
  // A module of that name inside a model is a name like others, and so is a tensor's own.
  for (const char *name : {"trunk.module.layers.0.w", "trunk.layers.0.w._orig_mod", "_orig_module.trunk.layers.0.w"})
    EXPECT_THAT(checkpointOf(directory, {name}).check({w}).message(), HasSubstr("missing tensor 'trunk.layers.0.w'"))
        << name;
}

TEST(Checkpoint, PrefersTheExactName) {
  TemporaryDirectory directory;
  const planformat::Parameter inner = parameter("module.w", {1}), outer = parameter("w", {1});
  Checkpoint checkpoint = checkpointOf(directory, {"module.w", "w"});
  EXPECT_TRUE(checkpoint.check({inner, outer}).ok());
  EXPECT_EQ(valueOf(checkpoint, inner), 0);
  EXPECT_EQ(valueOf(checkpoint, outer), 1);
  // Two that are the same name but for wrappers, with different contents.
  EXPECT_THAT(checkpoint.check({outer}).message(),
              HasSubstr("tensors 'w' and 'module.w' are one parameter of the plan, and differ"));
  // One tensor for two parameters.
  checkpoint = checkpointOf(directory, {"_orig_mod.w"});
  EXPECT_THAT(checkpoint.check({inner, outer}).message(),
              HasSubstr("tensor '_orig_mod.w' is of parameters 'module.w' and 'w'"));
}

TEST(Checkpoint, ListsAllThatDoesNotFit) {
  TemporaryDirectory directory;
  writeTensors(directory / "f.safetensors", {{"a", {2, 3}, std::vector<float>(6)}, {"extra", {1}, {0}}});
  Checkpoint checkpoint;
  ASSERT_TRUE(Checkpoint::open(directory / "f.safetensors", checkpoint).ok());
  Status status = checkpoint.check({parameter("a", {3, 2}), parameter("b", {1})});
  EXPECT_EQ(status.code(), StatusCode::InvalidInput);
  EXPECT_THAT(status.message(), HasSubstr("tensor 'a': expected shape [3, 2], found [2, 3]"));
  EXPECT_THAT(status.message(), HasSubstr("missing tensor 'b'"));
  EXPECT_THAT(status.message(), HasSubstr("extra tensor 'extra'"));
}

TEST(Checkpoint, AcceptsBuffers) {
  TemporaryDirectory directory;
  const planformat::Parameter w = parameter("w", {1});
  Checkpoint checkpoint =
      checkpointOf(directory, {"w", "transformer.h.0.attn.bias", "h.0.attn.bias", "module.h.0.attn.masked_bias",
                               "model.layers.0.self_attn.rotary_emb.inv_freq", "rotary_emb.inv_freq"});
  Status status = checkpoint.check({w});
  EXPECT_TRUE(status.ok()) << status.message();
  for (const char *name : {"h.0.cross_attn.bias", "h.0.attn.bias2", "inv_freq"})
    EXPECT_THAT(checkpointOf(directory, {"w", name}).check({w}).message(),
                HasSubstr("extra tensor '" + std::string(name) + "'"));
  // A parameter of such a name is one.
  EXPECT_THAT(checkpointOf(directory, {"w"}).check({w, parameter("h.0.attn.bias", {1})}).message(),
              HasSubstr("missing tensor 'h.0.attn.bias'"));
}

TEST(Checkpoint, AcceptsATiedHeadThatRepeatsTheEmbedding) {
  TemporaryDirectory directory;
  const planformat::Parameter table = parameter("trunk.table", {2}, {"table", "head"});
  Checkpoint checkpoint;
  writeTensors(directory / "f", {{"trunk.table", {2}, {1, 2}}, {"head", {2}, {1, 2}}});
  ASSERT_TRUE(Checkpoint::open(directory / "f", checkpoint).ok());
  EXPECT_TRUE(checkpoint.check({table}).ok());

  writeTensors(directory / "g", {{"module.trunk.table", {2}, {1, 2}}, {"module.head", {2}, {1, 3}}});
  ASSERT_TRUE(Checkpoint::open(directory / "g", checkpoint).ok());
  EXPECT_THAT(checkpoint.check({table}).message(),
              HasSubstr("tensors 'module.trunk.table' and 'module.head' are one parameter of the plan, and differ"));
  // A plan that does not tie them has another parameter of that name.
  EXPECT_TRUE(checkpoint.check({parameter("trunk.table", {2}, {"table"}), parameter("head", {2})}).ok());
}

TEST(Checkpoint, ReadsShardedFiles) {
  TemporaryDirectory directory;
  writeTensors(directory / "model-00001-of-00002.safetensors", {{"a", {1}, {1}}});
  writeTensors(directory / "model-00002-of-00002.safetensors", {{"b", {1}, {2}}});
  writeFile(directory / "model.safetensors.index.json",
            R"({"metadata":{"total_size":8},"weight_map":{"a":"model-00001-of-00002.safetensors",)"
            R"("b":"model-00002-of-00002.safetensors"}})");
  Checkpoint checkpoint;
  Status status = Checkpoint::open(directory.path(), checkpoint);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_TRUE(checkpoint.check({parameter("a", {1}), parameter("b", {1})}).ok());
  EXPECT_TRUE(Checkpoint::open(directory / "model.safetensors.index.json", checkpoint).ok());
}

TEST(Checkpoint, ListsTheFilesItReads) {
  TemporaryDirectory directory;
  const auto list = [](const std::string &path) {
    std::vector<std::string> files;
    const Status status = Checkpoint::listFiles(path, files);
    EXPECT_TRUE(status.ok()) << status.message();
    return files;
  };
  const std::string whole = directory / "model.safetensors", index = whole + ".index.json",
                    config = directory / "config.json";
  EXPECT_EQ(list(directory / "any.safetensors"), std::vector{directory / "any.safetensors"});
  writeFile(index, R"({"weight_map":{"a":"2.safetensors","b":"1.safetensors","c":"2.safetensors"}})");
  const std::vector<std::string> shards{index, directory / "2.safetensors", directory / "1.safetensors"};
  EXPECT_EQ(list(index), shards);
  EXPECT_EQ(list(directory.path()), shards);
  writeFile(config, "{}");
  writeFile(whole, "");
  EXPECT_EQ(list(directory.path()), (std::vector{whole, index, config}));
  writeFile(index, "[]");
  std::vector<std::string> files;
  EXPECT_FALSE(Checkpoint::listFiles(index, files).ok());
  TemporaryDirectory empty;
  EXPECT_FALSE(Checkpoint::listFiles(empty.path(), files).ok());
}

TEST(Checkpoint, RefusesIndexesThatLeaveTheirDirectory) {
  TemporaryDirectory directory;
  Checkpoint checkpoint;
  for (const char *name : {"../a.safetensors", "/etc/passwd", "x/y", "..", ".", ""}) {
    writeFile(directory / "model.safetensors.index.json", std::string(R"({"weight_map":{"a":")") + name + R"("}})");
    Status status = Checkpoint::open(directory.path(), checkpoint);
    EXPECT_THAT(status.message(), HasSubstr("/weight_map/a: expected the name of a file in the same directory"))
        << name;
  }
}

TEST(Checkpoint, RefusesBadIndexes) {
  TemporaryDirectory directory;
  const std::string index = directory / "model.safetensors.index.json";
  Checkpoint checkpoint;
  auto expect = [&](const std::string &text, const std::string &part) {
    writeFile(index, text);
    Status status = Checkpoint::open(directory.path(), checkpoint);
    EXPECT_THAT(status.message(), HasSubstr(part));
    EXPECT_THAT(status.message(), HasSubstr(index));
  };
  expect("", "1:1");
  expect("[]", "expected an object");
  expect("{}", "weight_map");
  expect(R"({"weight_map":[]})", "expected an object");
  expect(R"({"weight_map":{"a":1}})", "expected a file name");
  writeTensors(directory / "f", {{"b", {1}, {1}}});
  expect(R"({"weight_map":{"a":"f"}})", "tensor 'a' is not in 'f'");
}

TEST(Checkpoint, RefusesATensorInTwoFiles) {
  TemporaryDirectory directory;
  writeTensors(directory / "f", {{"a", {1}, {1}}, {"c", {1}, {1}}});
  writeTensors(directory / "g", {{"b", {1}, {1}}, {"c", {1}, {1}}});
  writeFile(directory / "model.safetensors.index.json", R"({"weight_map":{"a":"f","b":"g","c":"g"}})");
  Checkpoint checkpoint;
  EXPECT_THAT(Checkpoint::open(directory.path(), checkpoint).message(), HasSubstr("tensor 'c' is in"));
}

TEST(Checkpoint, ErrorsNameTheDirectory) {
  TemporaryDirectory directory;
  Checkpoint checkpoint;
  EXPECT_THAT(Checkpoint::open(directory.path(), checkpoint).message(), HasSubstr("has neither model.safetensors"));
  EXPECT_THAT(Checkpoint::open(directory / "none", checkpoint).message(), HasSubstr("No such file"));
}

/// Every shard of a 2x3x4 tensor, stored as 6x4, is the part that its offsets say, and writing all shards gives the
/// tensor back.
TEST(Checkpoint, SlicesAreRunsOfTheWholeTensor) {
  TemporaryDirectory directory;
  std::vector<float> whole(24);
  std::iota(whole.begin(), whole.end(), 0.0f);
  writeTensors(directory / "f", {{"a", {6, 4}, whole}});
  Checkpoint checkpoint;
  ASSERT_TRUE(Checkpoint::open(directory / "f", checkpoint).ok());
  std::vector<float> back(24, -1);
  for (int64_t i : {0, 1}) {
    for (int64_t j : {0, 2}) {
      for (int64_t k : {0, 1}) {
        std::vector<float> data;
        TensorView shard = view(data, {2, 3, 4}, {i, j, k}, {1, j == 0 ? 2 : 1, k == 0 ? 1 : 3});
        ASSERT_TRUE(readSlice(checkpoint.find("a"), shard).ok());
        size_t at = 0;
        for (int64_t y = 0; y < shard.extents[1]; ++y)
          for (int64_t z = 0; z < shard.extents[2]; ++z)
            EXPECT_EQ(data[at++], static_cast<float>(i * 12 + (j + y) * 4 + k + z));
        ASSERT_TRUE(writeSlice(shard, std::as_writable_bytes(std::span(back))).ok());
      }
    }
  }
  EXPECT_EQ(back, whole);
}

TEST(Checkpoint, SlicesMayBeEmptyWholeOrScalar) {
  TemporaryDirectory directory;
  writeTensors(directory / "f", {{"a", {2}, {1, 2}}, {"s", {}, {7}}});
  Checkpoint checkpoint;
  ASSERT_TRUE(Checkpoint::open(directory / "f", checkpoint).ok());
  std::vector<float> data;
  EXPECT_TRUE(readSlice(checkpoint.find("a"), view(data, {2, 1}, {2, 0}, {0, 1})).ok());
  EXPECT_TRUE(readSlice(checkpoint.find("a"), view(data, {2, 1}, {0, 0}, {2, 1})).ok());
  EXPECT_EQ(data, (std::vector<float>{1, 2}));
  EXPECT_TRUE(readSlice(checkpoint.find("s"), view(data, {}, {}, {})).ok());
  EXPECT_EQ(data, std::vector<float>{7});
  EXPECT_FALSE(readSlice(checkpoint.find("s"), view(data, {2}, {0}, {2})).ok());
}

TEST(Checkpoint, ReadsNarrowAndWideFloats) {
  TemporaryDirectory directory;
  writeFile(directory / "f", rawSafetensors(R"({"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},)"
                                            R"("b":{"dtype":"BF16","shape":[2],"data_offsets":[4,8]},)"
                                            R"("d":{"dtype":"F64","shape":[2],"data_offsets":[8,24]},)"
                                            R"("i":{"dtype":"I32","shape":[1],"data_offsets":[24,28]}})",
                                            bytesOf<uint16_t>({0x3e00, 0xc000}) + bytesOf<uint16_t>({0x3fc0, 0xc000}) +
                                                bytesOf<double>({1.5, -2}) + bytesOf<int32_t>({3})));
  Checkpoint checkpoint;
  ASSERT_TRUE(Checkpoint::open(directory / "f", checkpoint).ok());
  for (const char *name : {"h", "b", "d"}) {
    std::vector<float> data;
    ASSERT_TRUE(readSlice(checkpoint.find(name), view(data, {2}, {0}, {2})).ok());
    EXPECT_EQ(data, (std::vector<float>{1.5, -2})) << name;
  }
  EXPECT_THAT(
      checkpoint.check({parameter("h", {2}), parameter("b", {2}), parameter("d", {2}), parameter("i", {1})}).message(),
      HasSubstr("tensor 'i': expected F32, F16, BF16 or F64, found I32"));
}

} // namespace
