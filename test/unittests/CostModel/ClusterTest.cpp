//===- ClusterTest.cpp - cluster files -----------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/CostModel/Cluster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {
using namespace modelpar::costmodel;
using testing::HasSubstr;

std::string errorOf(std::string_view text) {
  Cluster cluster;
  std::string error;
  EXPECT_FALSE(readCluster(text, cluster, error));
  return error;
}

TEST(Cluster, LocalIsTheSameEverywhere) {
  Cluster cluster = localCluster(4);
  EXPECT_EQ(cluster.numDevices(), 4);
  EXPECT_EQ(cluster.kind, "cpu");
  EXPECT_EQ(cluster.peak("f32"), 50e9);
  EXPECT_EQ(cluster.peak("bf16"), 50e9) << "falls back to f32";
  EXPECT_EQ(cluster.linkFor(1), nullptr);
  EXPECT_EQ(cluster.linkFor(2)->name, "memory");
  EXPECT_TRUE(localCluster(1).links.empty());
}

TEST(Cluster, LocalOption) {
  Cluster cluster;
  std::string text, error;
  ASSERT_TRUE(clusterFromOption("local:8", cluster, text, error)) << error;
  EXPECT_EQ(cluster.numDevices(), 8);
  EXPECT_EQ(text, "local:8");
  for (const char *bad : {"local:", "local:0", "local:-1", "local:x", "local:4x", "local:99999999999999999999"}) {
    EXPECT_FALSE(clusterFromOption(bad, cluster, text, error));
    EXPECT_THAT(error, HasSubstr("expected local:N with N from 1 to"));
  }
  EXPECT_FALSE(clusterFromOption("/nowhere.json", cluster, text, error));
  EXPECT_THAT(error, HasSubstr("--cluster=/nowhere.json: expected a cluster file or local:N"));
}

// Tests run in the source directory.
TEST(Cluster, FilesOfTheRepositoryAreRead) {
  for (const char *name : {"local-4", "h100-node-8", "h100-nodes-32", "a100-nodes-16"}) {
    Cluster cluster;
    std::string text, error;
    ASSERT_TRUE(clusterFromOption(std::string("clusters/") + name + ".json", cluster, text, error)) << error;
    EXPECT_EQ(cluster.name, name);
  }
  Cluster nodes;
  std::string text, error;
  ASSERT_TRUE(clusterFromOption("clusters/h100-nodes-32.json", nodes, text, error));
  EXPECT_EQ(nodes.numDevices(), 256);
  EXPECT_EQ(nodes.linkFor(8)->name, "nvlink");
  EXPECT_EQ(nodes.linkFor(9)->name, "infiniband");
  EXPECT_EQ(nodes.peak("bf16"), 989.4e12);
}

TEST(Cluster, NodesChangeTheTextToo) {
  Cluster cluster, again;
  std::string text, error;
  ASSERT_TRUE(clusterFromOption("clusters/h100-nodes-32.json", cluster, text, error)) << error;
  const std::string original = text;
  ASSERT_TRUE(overrideNodes(32, cluster, text, error)) << error;
  EXPECT_EQ(text, original) << "nothing changes";
  ASSERT_TRUE(overrideNodes(3, cluster, text, error)) << error;
  EXPECT_EQ(cluster.numDevices(), 24);
  EXPECT_EQ(cluster.links.back().ranks, 24);
  ASSERT_TRUE(readCluster(text, again, error)) << error;
  EXPECT_EQ(again.numDevices(), 24);
  EXPECT_EQ(again.links.back().ranks, 24);
  EXPECT_EQ(again.links.back().bandwidth, cluster.links.back().bandwidth);
}

TEST(Cluster, NodesThatCannotBe) {
  Cluster cluster;
  std::string text, error;
  ASSERT_TRUE(clusterFromOption("local:4", cluster, text, error)) << error;
  EXPECT_FALSE(overrideNodes(2, cluster, text, error));
  EXPECT_EQ(error, "--nodes=2: cluster local:4 describes one node without a network");
  ASSERT_TRUE(clusterFromOption("clusters/h100-nodes-32.json", cluster, text, error)) << error;
  EXPECT_FALSE(overrideNodes(int64_t{1} << 40, cluster, text, error));
  EXPECT_THAT(error, HasSubstr("--nodes=1099511627776: "));
}

TEST(Cluster, FileOfLocalEqualsTheOption) {
  Cluster file;
  std::string text, error;
  ASSERT_TRUE(clusterFromOption("clusters/local-4.json", file, text, error)) << error;
  Cluster local = localCluster(4);
  EXPECT_EQ(file.memoryBytes, local.memoryBytes);
  EXPECT_EQ(file.memoryBandwidth, local.memoryBandwidth);
  EXPECT_EQ(file.peakFlops, local.peakFlops);
  EXPECT_EQ(file.links[0].bandwidth, local.links[0].bandwidth);
}

TEST(Cluster, EveryErrorAtOnce) {
  std::string error = errorOf(R"({"name": "x", "kind": "tpu", "nodes": 0, "devices_per_node": 8,
      "device": {"memory_bytes": 1.5, "memory_bandwidth": -1, "peak_flops": {"bf16": 1e12, "int4": 1}}, "link": []})");
  for (const char *expected :
       {"/kind: expected one of cpu, cuda, found the string \"tpu\"", "/nodes: expected an integer from 1",
        "/device/memory_bytes: expected an integer", "/device/memory_bandwidth: expected a number",
        "/device/peak_flops/f32: required field is missing", "/device/peak_flops/int4: unknown field",
        "/links: required field is missing", "/link: unknown field"})
    EXPECT_THAT(error, HasSubstr(expected));
}

TEST(Cluster, LinksMustFitTheDevices) {
  auto text = [](const char *links) {
    return std::string(
               R"({"name": "x", "kind": "cuda", "nodes": 2, "devices_per_node": 8, "device": {"memory_bytes": 1, "memory_bandwidth": 1,
      "peak_flops": {"f32": 1}}, "links": )") +
           links + "}";
  };
  EXPECT_THAT(errorOf(text(R"([{"name": "a", "ranks": 8, "bandwidth": 1, "latency": 0}])")),
              HasSubstr("/links: the outermost level connects 8 ranks, expected all 16"));
  EXPECT_THAT(
      errorOf(text(
          R"([{"name": "a", "ranks": 8, "bandwidth": 1, "latency": 0}, {"name": "b", "ranks": 20, "bandwidth": 1, "latency": 0}])")),
      HasSubstr("/links/1/ranks: expected a multiple of the 8 ranks"));
}

TEST(Cluster, MalformedText) {
  EXPECT_THAT(errorOf("{\"name\": "), HasSubstr("1:"));
  EXPECT_THAT(errorOf("[]"), HasSubstr("expected an object"));
}

TEST(Cluster, OperationsInTheTimeOfAByte) {
  // 50 GFLOP/s at 0.7 against 8 GB/s at 0.8.
  EXPECT_DOUBLE_EQ(localCluster(4).flopsPerByte("f32"), 50e9 * 0.7 / (8e9 * 0.8));
}

} // namespace
