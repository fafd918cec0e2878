//===- Summary.cpp - the --summary object and the --explain text ----------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Summary.h"

#include "modelpar/CostModel/Cost.h"
#include "modelpar/Files/StandardStreams.h"
#include "modelpar/Json/Json.h"
#include "modelpar/Pipelines/Compile.h"
#include "modelpar/Pipelines/MeshChoice.h"
#include "modelpar/Pipelines/NamePatterns.h"

#include <cstdio>

namespace modelpar::pipelines {

using planformat::Plan;

static int64_t numElements(const std::vector<int64_t> &shape) {
  int64_t n = 1;
  for (int64_t extent : shape)
    n *= extent;
  return n;
}

static int64_t countParameters(const Plan &plan) {
  int64_t count = 0;
  for (const planformat::Parameter &parameter : plan.parameters)
    count += numElements(plan.types[parameter.type].shape);
  return count;
}

static json::Value meshObject(const sharding::Mesh &mesh) {
  json::Value object = json::Value::object();
  for (const char *axis : {"pp", "dp", "cp", "ep", "tp"})
    object[axis] = mesh.size(axis);
  return object;
}

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

static int64_t microBatch(const Plan &plan) {
  return ceilDiv(rankShare(plan.globalBatch, plan.mesh.size("dp"), plan.mesh.size("cp"), plan.sequence != 0),
                 plan.mesh.numMicroBatches());
}

static json::Value predictedObject(const Plan &plan, const costmodel::Cluster &cluster, double modelFlops) {
  const costmodel::Prediction prediction = costmodel::predict(plan, cluster);
  json::Value object = json::Value::object();
  object["step_seconds"] = prediction.stepSeconds;
  const double ranks = double(plan.mesh.numRanks());
  // Model FLOPs count no recomputation and no replicated work; hardware FLOPs are what a rank executes.
  const double seconds = prediction.stepSeconds;
  const double rate = seconds > 0 ? modelFlops / ranks / seconds : 0;
  const planformat::DType dtype =
      plan.parameters.empty() ? planformat::DType::F32 : plan.types[plan.parameters.front().type].dtype;
  const double peak = cluster.peak(planformat::name(dtype));
  object["tflops_per_device"] = rate / 1e12;
  object["mfu"] = peak > 0 ? rate / peak : 0;
  object["hardware_tflops_per_device"] = seconds > 0 ? prediction.flops / seconds / 1e12 : 0;
  object["peak_memory_bytes"] = json::Value::array();
  for (const planformat::Stage &stage : plan.stages)
    object["peak_memory_bytes"].push_back(stage.arenaBytes);
  object["device_memory_bytes"] = cluster.memoryBytes;
  object["communication_bytes"] = json::Value::object();
  for (const auto &[axis, bytes] : prediction.communicationBytesByAxis)
    object["communication_bytes"][axis] = bytes;
  return object;
}

json::Value summarize(const Plan &plan, const costmodel::Cluster &cluster, const SummaryFacts &facts) {
  json::Value object = json::Value::object();
  object["model"] = plan.modelName;
  object["world_size"] = plan.mesh.numRanks();
  object["mesh"] = meshObject(plan.mesh);
  object["schedule"] = facts.schedule;
  object["virtual_stages"] = 1;
  object["micro_batch"] = microBatch(plan);
  object["num_micro_batches"] = plan.mesh.numMicroBatches();
  object["zero"] = 0;
  object["recompute"] = "none";
  object["sequence_parallel"] = facts.sequenceParallel;
  object["parameters"] = countParameters(plan);
  object["predicted"] = predictedObject(plan, cluster, facts.modelFlops);
  // Placements come from pins and a simple rule: nothing was searched, so nothing is proved about it.
  object["search"] = {
      {"candidates", 1}, {"seconds", 0.0}, {"lower_bound_seconds", nullptr}, {"gap", nullptr}, {"complete", false}};
  return object;
}

void addCompileSeconds(json::Value &summary, double seconds) { summary["compile"] = {{"seconds", seconds}}; }

std::string summaryText(const json::Value &summary) { return json::dumpPretty(summary) + "\n"; }

static std::string mebibytes(int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MiB", double(bytes) / (1 << 20));
  return text;
}

static std::string explainShape(const Plan &plan, const planformat::Parameter &parameter) {
  std::string text;
  for (int64_t extent : plan.types[parameter.type].shape)
    text += (text.empty() ? "" : "x") + std::to_string(extent);
  return text.empty() ? "scalar" : text;
}

static std::string explainSharding(const Plan &plan, const planformat::Parameter &parameter) {
  std::string text = "[";
  const planformat::TensorType &type = plan.types[parameter.type];
  for (size_t dim = 0; dim < type.shape.size(); ++dim) {
    text += dim ? ", " : "";
    if (type.sharding.dims[dim].empty())
      text += "-";
    for (size_t i = 0; i < type.sharding.dims[dim].size(); ++i) {
      std::string axis = sharding::toString(type.sharding.dims[dim][i], &plan.mesh); // With its part, if it is not all.
      std::erase(axis, '"');
      text += (i ? "·" : "") + axis;
    }
  }
  return text + "]";
}

/// Where a pipeline keeps the parameter: ` stage 0, copies on 3`.
static std::string explainStages(const Plan &plan, const planformat::Parameter &parameter) {
  if (plan.stages.size() == 1)
    return "";
  std::string text = " stage " + std::to_string(parameter.stage);
  for (const planformat::Replica &replica : parameter.replicas)
    text += (&replica == &parameter.replicas.front() ? ", copies on " : ", ") + std::to_string(replica.stage);
  return text;
}

std::string explain(const Plan &plan) {
  std::string text = plan.modelName + ": " + std::to_string(countParameters(plan)) + " parameters on " +
                     std::to_string(plan.mesh.numRanks()) + " ranks:";
  for (const char *axis : {"pp", "dp", "cp", "ep", "tp"})
    text += std::string(" ") + axis + "=" + std::to_string(plan.mesh.size(axis));
  text += "; " + std::to_string(plan.mesh.numMicroBatches()) + " micro-batch(es) of " +
          std::to_string(microBatch(plan)) + "\n";
  for (size_t stage = 0; stage < plan.stages.size(); ++stage) {
    text +=
        "stage " + std::to_string(stage) + ", memory of one rank: " + mebibytes(plan.stages[stage].arenaBytes) + "\n";
    for (const planformat::MemoryItem &item : plan.stages[stage].memory)
      text += "  " + item.name + std::string(item.name.size() < 20 ? 20 - item.name.size() : 1, ' ') +
              mebibytes(item.bytes) + "\n";
  }
  text += "parameters:\n";
  std::vector<NamedProperty> parameters;
  for (const planformat::Parameter &parameter : plan.parameters)
    parameters.push_back({parameter.name, explainShape(plan, parameter) + " " + explainSharding(plan, parameter) +
                                              explainStages(plan, parameter)});
  for (const NamePattern &pattern : condenseNames(parameters))
    text += "  " + pattern.pattern + " " + pattern.property + "\n";
  return files::printable(text);
}

} // namespace modelpar::pipelines
