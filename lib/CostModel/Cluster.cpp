//===- Cluster.cpp - the machines a plan is made for ---------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/CostModel/Cluster.h"

#include "modelpar/Json/Json.h"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace modelpar::costmodel {

constexpr int64_t kMaxDevices = int64_t{1} << 24;

double Cluster::peak(std::string_view dtype) const {
  auto it = peakFlops.find(std::string(dtype));
  if (it == peakFlops.end())
    it = peakFlops.find("f32");
  return it == peakFlops.end() ? 0 : it->second;
}

const Link *Cluster::linkFor(int64_t span) const {
  if (span <= 1)
    return nullptr;
  for (const Link &link : links)
    if (link.ranks >= span)
      return &link;
  return links.empty() ? nullptr : &links.back();
}

Cluster localCluster(int64_t devices) {
  Cluster cluster;
  cluster.name = "local:" + std::to_string(devices);
  cluster.devicesPerNode = devices;
  cluster.memoryBytes = int64_t{8} << 30;
  cluster.memoryBandwidth = 8e9;
  cluster.launchOverhead = 1e-6;
  cluster.peakFlops = {{"f32", 50e9}, {"f64", 25e9}};
  if (devices > 1)
    cluster.links.push_back({"memory", devices, 4e9, 20e-6});
  return cluster;
}

namespace {

constexpr double kSmallest = 1e-30;

void readDevice(json::Object device, Cluster &cluster) {
  cluster.memoryBytes = device.integer("memory_bytes", 1);
  cluster.memoryBandwidth = device.number("memory_bandwidth", kSmallest);
  cluster.launchOverhead = device.optionalNumber("launch_overhead", 0, 1).value_or(0);
  json::Object peaks = device.object("peak_flops");
  // f32 is required: it is what types without a peak of their own fall back to.
  if (double f32 = peaks.number("f32", kSmallest); peaks.valid())
    cluster.peakFlops["f32"] = f32;
  for (const char *dtype : {"f64", "bf16", "f16"})
    if (std::optional<double> peak = peaks.optionalNumber(dtype, kSmallest))
      cluster.peakFlops[dtype] = *peak;
  peaks.finish();
  device.finish();
}

void readLinks(json::Object &o, Cluster &cluster) {
  const json::Value &links = o.array("links");
  int64_t below = 1;
  for (size_t i = 0; i < links.size(); ++i) {
    json::Object link = json::Object::element(links, i, o.pointer("links"), o.errors());
    Link result{link.string("name"), link.integer("ranks", 1, kMaxDevices), link.number("bandwidth", kSmallest),
                link.number("latency", 0, 1)};
    link.finish();
    if (result.ranks % below != 0)
      link.error("ranks", "expected a multiple of the " + std::to_string(below) + " ranks of the level below, found " +
                              std::to_string(result.ranks));
    below = std::max<int64_t>(result.ranks, 1);
    cluster.links.push_back(std::move(result));
  }
  int64_t devices = cluster.numDevices();
  int64_t reached = cluster.links.empty() ? 1 : cluster.links.back().ranks;
  if (o.errors().empty() && reached < devices)
    o.error("links", "the outermost level connects " + std::to_string(reached) + " ranks, expected all " +
                         std::to_string(devices));
}

} // namespace

bool readCluster(std::string_view text, Cluster &cluster, std::string &error) {
  cluster = Cluster();
  json::Limits limits;
  limits.maxBytes = size_t{1} << 20;
  json::Value document;
  if (!json::parse(text, document, error, limits))
    return false;
  json::Errors errors;
  json::Object o(document, "", errors);
  cluster.name = o.string("name");
  o.optionalString("comment");
  cluster.kind = o.choice("kind", {"cpu", "cuda"}) == 0 ? "cpu" : "cuda";
  cluster.nodes = o.integer("nodes", 1, kMaxDevices);
  cluster.devicesPerNode = o.integer("devices_per_node", 1, kMaxDevices);
  if (cluster.nodes > kMaxDevices / cluster.devicesPerNode)
    o.error("nodes", "more than " + std::to_string(kMaxDevices) + " devices");
  readDevice(o.object("device"), cluster);
  if (std::optional<json::Object> efficiency = o.optionalObject("efficiency")) {
    cluster.computeEfficiency = efficiency->optionalNumber("compute", kSmallest, 1).value_or(cluster.computeEfficiency);
    cluster.memoryEfficiency = efficiency->optionalNumber("memory", kSmallest, 1).value_or(cluster.memoryEfficiency);
    cluster.linkEfficiency = efficiency->optionalNumber("link", kSmallest, 1).value_or(cluster.linkEfficiency);
    efficiency->finish();
  }
  readLinks(o, cluster);
  o.finish();
  if (errors.empty())
    return true;
  error = errors.toString();
  return false;
}

bool clusterFromOption(const std::string &option, Cluster &cluster, std::string &text, std::string &error) {
  constexpr std::string_view kLocal = "local:";
  if (option.starts_with(kLocal)) {
    int64_t devices = 0;
    const char *end = option.data() + option.size();
    auto [last, code] = std::from_chars(option.data() + kLocal.size(), end, devices);
    if (code != std::errc() || last != end || devices < 1 || devices > kMaxDevices) {
      error = "--cluster=" + option + ": expected local:N with N from 1 to " + std::to_string(kMaxDevices);
      return false;
    }
    cluster = localCluster(devices);
    text = option;
    return true;
  }
  std::ifstream file(option, std::ios::binary);
  std::stringstream content;
  if (file)
    content << file.rdbuf();
  std::error_code ignored;
  if (!file || file.bad() || std::filesystem::is_directory(option, ignored)) {
    error = "--cluster=" + option + ": expected a cluster file or local:N, the file cannot be read";
    return false;
  }
  text = content.str();
  if (readCluster(text, cluster, error))
    return true;
  error = option + ": " + error;
  return false;
}

bool overrideNodes(int64_t nodes, Cluster &cluster, std::string &text, std::string &error) {
  if (cluster.nodes == nodes)
    return true;
  const std::string option = "--nodes=" + std::to_string(nodes) + ": ";
  if (cluster.nodes == 1) {
    error = option + "cluster " + cluster.name + " describes one node without a network";
    return false;
  }
  json::Value document;
  if (!json::parse(text, document, error))
    return false;
  document["nodes"] = nodes;
  if (nodes <= kMaxDevices / cluster.devicesPerNode) // Else reading says that it is too many.
    document["links"].back()["ranks"] = nodes * cluster.devicesPerNode;
  text = json::dumpPretty(document) + "\n";
  if (readCluster(text, cluster, error))
    return true;
  error = option + error;
  return false;
}

} // namespace modelpar::costmodel
