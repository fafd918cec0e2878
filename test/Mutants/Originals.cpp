//===- Originals.cpp - the inputs that mutants are made of ----------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Originals.h"
#include "Trial.h"

#include "lib/PlanFormat/Sha256.h"
#include "modelpar/Json/Json.h"
#include "modelpar/Pipelines/Phases.h"
#include "runtime/training/Trainer.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>

using namespace modelpar;
using namespace modelpar::test;

static const char *const kModels = MODELPAR_SOURCE_DIR "/models/", *const kClusters = MODELPAR_SOURCE_DIR "/clusters/";

static std::string readText(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

const std::vector<std::string> &modelpar::test::kinds() {
  static const std::vector<std::string> all = {"model",   "config",      "cluster", "import",    "differentiated",
                                               "sharded", "partitioned", "staged",  "scheduled", "plan",
                                               "data",    "tokens",      "weights"};
  return all;
}

namespace {

/// A configuration of Hugging Face with some fields changed: two layers and few channels are enough.
std::string smallConfig(const char *file) {
  json::Value config;
  std::string error;
  if (!json::parse(readText(kModels + std::string(file)), config, error))
    return {};
  const std::pair<const char *, int> small[] = {{"n_embd", 32},
                                                {"n_layer", 2},
                                                {"n_positions", 16},
                                                {"hidden_size", 32},
                                                {"num_hidden_layers", 2},
                                                {"max_position_embeddings", 16},
                                                {"intermediate_size", 48},
                                                {"vocab_size", 64}};
  for (auto [key, value] : small)
    if (config.contains(key))
      config[key] = value;
  return json::dumpPretty(config);
}

struct Case {
  const char *name, *model; ///< "graph" or a configuration.
  std::vector<std::string> options;
};

const std::vector<Case> &cases() {
  static const std::vector<Case> all = {
      {"mlp-dp2-tp2", "graph", {"--cluster=local:4", "--dp=2", "--tp=2", "--micro-batch=2", "--optimizer=sgd"}},
      {"mlp", "graph", {"--cluster=local:1"}},
      {"gpt2-pp2-dp2",
       "gpt2-tiny.json",
       {"--cluster=local:4", "--pp=2", "--dp=2", "--tp=1", "--micro-batch=1", "--seq=8", "--global-batch=4"}},
      {"gpt2-cp2-tp2-sp",
       "gpt2-tiny.json",
       {"--cluster=local:4", "--cp=2", "--tp=2", "--dp=1", "--sp=on", "--seq=8", "--global-batch=2"}},
      {"llama-tp2-pp2",
       "llama-tiny.json",
       {"--cluster=local:4", "--tp=2", "--pp=2", "--dp=1", "--micro-batch=1", "--seq=8", "--global-batch=2"}},
      {"llama-tp4", "llama-tiny.json", {"--cluster=local:4", "--tp=4", "--dp=1", "--seq=8", "--global-batch=2"}}};
  return all;
}

std::string modelText(const Case &each) {
  return std::string_view(each.model) == "graph" ? readText(std::string(kModels) + "mlp.json")
                                                 : smallConfig(each.model);
}

template <typename T> void append(std::string &bytes, T value) {
  char raw[sizeof(T)];
  std::memcpy(raw, &value, sizeof(T));
  bytes.append(raw, sizeof(T));
}

/// 12 samples for the MLP: `x` of 64 numbers and `label`.
std::string sampleArrays() {
  constexpr int kSamples = 12, kFeatures = 64;
  std::string values, labels;
  for (int i = 0; i < kSamples * kFeatures; ++i)
    append(values, static_cast<float>(i % 17 - 8) / 8);
  for (int i = 0; i < kSamples; ++i)
    append(labels, int32_t{i % 10});
  const std::string header = "{\"x\":{\"dtype\":\"F32\",\"shape\":[12,64],\"data_offsets\":[0,3072]},"
                             "\"label\":{\"dtype\":\"I32\",\"shape\":[12],\"data_offsets\":[3072,3120]}}";
  std::string file;
  append(file, static_cast<uint64_t>(header.size()));
  return file + header + values + labels;
}

/// 200 tokens below 64: alone, or behind the header of llm.c.
std::string tokens(bool header) {
  std::string file;
  if (header)
    for (int i = 0; i < 256; ++i)
      append(file, int32_t{i == 0 ? 20240520 : i == 1 ? 1 : i == 2 ? 200 : 0});
  for (int i = 0; i < 200; ++i)
    append(file, static_cast<uint16_t>(i * 7 % 64));
  return file;
}

class Maker {
public:
  Maker(const std::vector<std::string> &kinds, std::string folder) : kinds_(kinds), folder_(std::move(folder)) {}

  std::vector<Original> run(std::string &error) {
    for (const Case &each : cases())
      addCase(each);
    if (wants("cluster"))
      addClusters();
    if (wants("data") || wants("tokens") || wants("weights"))
      addRunInputs();
    error = error_;
    return error_.empty() ? std::move(originals_) : std::vector<Original>();
  }

private:
  bool wants(std::string_view kind) const { return std::find(kinds_.begin(), kinds_.end(), kind) != kinds_.end(); }

  /// What modelpar-opt makes of the model; an error ends the making.
  std::string compiled(const Case &each, const char *phase) {
    std::vector<std::string> arguments = each.options;
    arguments.insert(arguments.begin(), std::string(each.name) + ".json");
    arguments.push_back(std::string("--compile-to=") + phase);
    const Compiled result = compileText(arguments, modelText(each));
    if (!result.ok)
      error_ = std::string(each.name) + " for phase " + phase + ": " + (result.errors.empty() ? "" : result.errors[0]);
    return result.output;
  }

  void addCase(const Case &each) {
    const bool graph = std::string_view(each.model) == "graph";
    std::vector<std::string> arguments = each.options;
    arguments.insert(arguments.begin(), std::string(kFile));
    if (wants(graph ? "model" : "config"))
      originals_.push_back(
          {graph ? "model" : "config", each.name, "mutant.json", Original::Form::Json, modelText(each), arguments, {}});
    for (pipelines::Phase phase : pipelines::kPhases) {
      const std::string name(pipelines::name(phase));
      if (phase == pipelines::Phase::Plan || !wants(name) || !error_.empty())
        continue;
      std::vector<std::string> from = {std::string(kFile), "--compile-from=" + name};
      if (phase < pipelines::Phase::Sharded) // Later phases know what they were compiled for.
        for (const std::string &option : each.options)
          if (option.rfind("--seq", 0) != 0 && option.rfind("--global-batch", 0) != 0 &&
              option.rfind("--optimizer", 0) != 0)
            from.push_back(option);
      originals_.push_back(
          {name, each.name, "mutant.mlir", Original::Form::Mlir, compiled(each, name.c_str()), from, {}});
    }
    if (wants("plan"))
      originals_.push_back({"plan", each.name, "mutant.plan", Original::Form::Plan, compiled(each, "plan"), {}, {}});
  }

  void addClusters() {
    for (const char *file : {"local-4.json", "h100-node-8.json", "a100-nodes-16.json"})
      originals_.push_back({"cluster",
                            file,
                            "mutant.json",
                            Original::Form::Json,
                            readText(std::string(kClusters) + file),
                            {std::string(kModels) + "mlp.json", "--cluster=" + std::string(kFile), "--global-batch=16"},
                            {}});
  }

  void addRunInputs() {
    const Case graph = {"mlp", "graph", {"--cluster=local:1"}};
    const Case language = {"gpt2", "gpt2-tiny.json", {"--cluster=local:1", "--seq=8", "--global-batch=2"}};
    const std::string graphPlan = compiled(graph, "plan"), languagePlan = compiled(language, "plan");
    auto data = [&](const char *kind, const char *name, const char *file, Original::Form form, std::string text,
                    const char *option, const std::string &plan) {
      if (wants(kind))
        originals_.push_back({kind, name, file, form, std::move(text), {option + std::string(kFile)}, plan});
    };
    data("data", "samples", "mutant.safetensors", Original::Form::Safetensors, sampleArrays(), "--data=", graphPlan);
    data("tokens", "nanogpt", "mutant.bin", Original::Form::Bytes, tokens(false), "--data=", languagePlan);
    if (wants("tokens")) // No header tells it.
      originals_.back().arguments.push_back(std::string(kDataFormat) + "nanogpt");
    data("tokens", "llmc", "mutant.bin", Original::Form::Bytes, tokens(true), "--data=", languagePlan);
    data("tokens", "text", "mutant.txt", Original::Form::Bytes, std::string(60, ' ') + "0123456789",
         "--data=", languagePlan);
    if (wants("weights"))
      addWeights(graphPlan);
  }

  void addWeights(const std::string &plan) {
    runtime::TrainerOptions options;
    options.planPath = folder_ + "/weights.plan";
    options.saveWeightsPath = folder_ + "/weights.safetensors";
    options.steps = 1;
    std::ofstream(options.planPath, std::ios::binary) << plan;
    if (runtime::Status status = runtime::train(options); !status.ok())
      error_ = status.message();
    originals_.push_back({"weights",
                          "mlp",
                          "mutant.safetensors",
                          Original::Form::Safetensors,
                          readText(options.saveWeightsPath),
                          {"--init=" + std::string(kFile)},
                          plan});
  }

  const std::vector<std::string> &kinds_;
  std::string folder_, error_;
  std::vector<Original> originals_;
};

/// A header's JSON behind its length, before the bytes. Now and then the length stays wrong, or bytes change instead.
std::string mutateSafetensors(std::string &text, Random &random) {
  uint64_t length = 0;
  if (random.oneIn(4) || text.size() < 8)
    return mutateBytes(text, random);
  std::memcpy(&length, text.data(), 8);
  std::string header = text.substr(8, length);
  const std::string rest = text.substr(8 + header.size());
  const std::string what = mutateText(header, Language::Json, random);
  if (!random.oneIn(10))
    length = header.size();
  text.clear();
  append(text, length);
  text += header + rest;
  return what;
}

/// The content behind a first line that fits it.
std::string planOf(const std::string &content) {
  return "{\"format_version\":" + std::to_string(planformat::kFormatVersion) +
         ",\"content_bytes\":" + std::to_string(content.size()) + ",\"sha256\":\"" + planformat::sha256Hex(content) +
         "\",\n" + content;
}

std::string contentOf(const std::string &plan) { return plan.substr(plan.find('\n') + 1); }

std::string mutatePlan(std::string &text, Random &random) {
  if (random.oneIn(50))
    return mutateBytes(text, random);
  std::string content = contentOf(text);
  const std::string what = mutateText(content, Language::Json, random);
  text = planOf(content);
  return what;
}

} // namespace

std::vector<Original> modelpar::test::makeOriginals(const std::vector<std::string> &kinds, const std::string &folder,
                                                    std::string &error) {
  return Maker(kinds, folder).run(error);
}

std::string modelpar::test::unchanged(const Original &original) {
  return original.form == Original::Form::Plan ? planOf(contentOf(original.text)) : original.text;
}

std::pair<std::string, std::string> modelpar::test::mutate(const Original &original, Random &random) {
  std::string text = original.text, what;
  switch (original.form) {
  case Original::Form::Json:
    what = mutateText(text, Language::Json, random);
    break;
  case Original::Form::Mlir:
    what = mutateText(text, Language::Mlir, random);
    break;
  case Original::Form::Plan:
    what = random.oneIn(3) ? mutateSums(text, random) : mutatePlan(text, random);
    break;
  case Original::Form::Safetensors:
    what = mutateSafetensors(text, random);
    break;
  case Original::Form::Bytes:
    what = mutateBytes(text, random);
    break;
  }
  return {text, what};
}
