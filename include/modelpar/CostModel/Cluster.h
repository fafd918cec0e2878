//===- Cluster.h - the machines a plan is made for -----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Devices and the links between them, from a cluster file (docs/ClusterFormat.md)
// or as `local:N`. Numbers are per device unless they say otherwise, in bytes,
// seconds and FLOP/s.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_COSTMODEL_CLUSTER_H
#define MODELPAR_COSTMODEL_CLUSTER_H

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace modelpar::costmodel {

/// One level of the hierarchy: blocks of `ranks` consecutive ranks reach each other over it.
struct Link {
  std::string name;
  int64_t ranks = 1;    ///< Ranks per block; a multiple of the level below.
  double bandwidth = 0; ///< Bytes per second and device, one direction.
  double latency = 0;   ///< Seconds per message.
};

struct Cluster {
  std::string name;
  std::string kind = "cpu"; ///< "cpu" or "cuda"
  int64_t nodes = 1;
  int64_t devicesPerNode = 1;
  int64_t memoryBytes = 0;
  double memoryBandwidth = 0;
  double launchOverhead = 0;               ///< Seconds per kernel.
  std::map<std::string, double> peakFlops; ///< By element type name ("f32", "bf16"); dense.
  /// Fractions of the data sheet that kernels and collectives reach.
  double computeEfficiency = 0.7, memoryEfficiency = 0.8, linkEfficiency = 0.8;
  std::vector<Link> links; ///< Innermost first; the last spans all devices. Empty for one device.

  int64_t numDevices() const { return nodes * devicesPerNode; }
  /// Peak of an element type; of f32 when the type has none of its own.
  double peak(std::string_view dtype) const;
  /// Operations in the time of one byte of memory traffic, both as kernels reach them.
  double flopsPerByte(std::string_view dtype) const {
    return peak(dtype) * computeEfficiency / (memoryBandwidth * memoryEfficiency);
  }
  /// The innermost level whose blocks hold `span` consecutive ranks; null for one rank.
  const Link *linkFor(int64_t span) const;
};

/// `local:N`: N ranks of one machine, with fixed numbers of an ordinary server core, whatever machine this is (plans
/// must not depend on where they are compiled): 50 GFLOP/s in f32, 8 GB/s of memory bandwidth, 8 GiB of memory, links
/// of 4 GB/s and 20 µs.
Cluster localCluster(int64_t devices);

/// Reads a cluster file's text. `error` has every wrong field with its JSON pointer, or the place of a syntax error.
bool readCluster(std::string_view text, Cluster &cluster, std::string &error);

/// The value of --cluster: "local:N" or a file. `text` becomes what a plan keeps (the option itself, or the file's
/// content).
bool clusterFromOption(const std::string &option, Cluster &cluster, std::string &text, std::string &error);

/// The value of --nodes: changes a cluster of several nodes and its text alike, the outermost link spans all of them.
bool overrideNodes(int64_t nodes, Cluster &cluster, std::string &text, std::string &error);

} // namespace modelpar::costmodel

#endif // MODELPAR_COSTMODEL_CLUSTER_H
