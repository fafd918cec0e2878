//===- Harness.cpp - compile, run on threads, compare with one rank -------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

#include "runtime/executor/RunRanks.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <mutex>
#include <sstream>

namespace modelpar::test {

using planformat::DType;
using planformat::Plan;
using runtime::Executor;
using runtime::Status;
using runtime::TensorView;

// DESIGN §10. Sums in another order differ by a few units of the last place of f32 (6e-8) times the square root of
// their length.
static constexpr double kGradientTolerance = 1e-4, kGradientFloor = 1e-6;
/// Between a parameter's name and the stage of a replica.
static constexpr const char *kReplicaSuffix = "@stage";
static constexpr double kGradNormTolerance = 1e-4, kLossTolerance = 2e-5, kWeightTolerance = 1e-4;

pipelines::CompileOptions compileOptions(const std::string &model, int64_t ranks) {
  pipelines::CompileOptions options;
  options.modelFile = std::string(MODELPAR_SOURCE_DIR) + "/models/" + model;
  options.cluster = "local:" + std::to_string(ranks);
  options.command = "test";
  return options;
}

pipelines::CompileResult compileText(const std::string &text, pipelines::CompileOptions options) {
  pipelines::CompileResult result = pipelines::compile(text, options);
  for (const std::string &error : result.errors)
    ADD_FAILURE() << error;
  return result;
}

pipelines::CompileResult compileModel(const pipelines::CompileOptions &options) {
  std::ifstream file(options.modelFile);
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_TRUE(file.good()) << options.modelFile;
  return compileText(text.str(), options);
}

namespace {

/// A number in [0, 1) from a name and two indices (splitmix64 finaliser over an FNV-1a hash).
double hashUnit(const std::string &name, uint64_t a, uint64_t b) {
  uint64_t h = 1469598103934665603ull;
  for (char c : name)
    h = (h ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  h ^= a * 0x9e3779b97f4a7c15ull + b * 0xbf58476d1ce4e5b9ull;
  h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9ull;
  h = (h ^ (h >> 27)) * 0x94d049bb133111ebull;
  h ^= h >> 31;
  return static_cast<double>(h >> 11) * 0x1.0p-53;
}

/// Where the token stored at `index` stands: part r of the sequence has chunks r and 2·parts-1-r of 2·parts.
int64_t textPosition(int64_t index, int64_t size, int64_t parts) {
  if (parts <= 1)
    return index;
  const int64_t chunk = size / (2 * parts), part = index / (2 * chunk), within = index % (2 * chunk);
  return within < chunk ? part * chunk + within : (2 * parts - 1 - part) * chunk + within - chunk;
}

/// Calls visit(local index, global index) for every element of the shard, global by where elements stand.
template <typename Visit> void forEachElement(const TensorView &view, Visit &&visit) {
  const int64_t count = view.numElements();
  for (int64_t local = 0; local < count; ++local) {
    int64_t rest = local, global = 0, stride = 1;
    for (int d = view.rank - 1; d >= 0; --d) {
      const int64_t at = view.offsets[d] + rest % view.extents[d];
      global += textPosition(at, view.globalExtents[d], view.orderParts[d]) * stride;
      rest /= view.extents[d];
      stride *= view.globalExtents[d];
    }
    visit(local, global);
  }
}

void store(const TensorView &view, int64_t index, double value) {
  switch (view.dtype) {
  case DType::F32:
    view.as<float>()[index] = static_cast<float>(value);
    break;
  case DType::F64:
    view.as<double>()[index] = value;
    break;
  case DType::I32:
    view.as<int32_t>()[index] = static_cast<int32_t>(value);
    break;
  default:
    FAIL() << "unexpected element type";
  }
}

double loadElement(const TensorView &view, int64_t index) {
  return view.dtype == DType::F32 ? view.as<float>()[index] : view.as<double>()[index];
}

/// Batches: integers and reals by hash in the declared range; positions count; targets follow the tokens so that there
/// is something to learn, and are ignored (-100) unevenly.
class Batches : public runtime::InputProvider {
public:
  explicit Batches(bool ignoreLabels) : ignoreLabels_(ignoreLabels) {}

  Status fill(const planformat::Input &input, int64_t step, int64_t, const TensorView &view) override {
    forEachElement(view, [&](int64_t local, int64_t global) {
      store(view, local, value(input, step, global, perSample(view), view.globalExtents[0]));
    });
    return {};
  }

  /// Labels of the whole batch that are not ignored.
  double labelCount(const Plan &plan, int64_t step) const {
    for (const planformat::Input &input : plan.inputs) {
      if (input.role != "targets" || plan.types[input.type].dtype != DType::I32)
        continue;
      const std::vector<int64_t> &shape = plan.types[input.type].shape;
      int64_t samples = shape[0], each = 1, count = 0;
      for (size_t d = 1; d < shape.size(); ++d)
        each *= shape[d];
      for (int64_t i = 0; i < samples * each; ++i)
        count += value(input, step, i, each, samples) >= 0;
      return static_cast<double>(count);
    }
    return 0;
  }

private:
  static int64_t perSample(const TensorView &view) {
    int64_t each = 1;
    for (int d = 1; d < view.rank; ++d)
      each *= view.globalExtents[d];
    return each;
  }

  double value(const planformat::Input &input, int64_t step, int64_t global, int64_t each, int64_t samples) const {
    if (input.role == "positions")
      return static_cast<double>(global);
    const double unit = hashUnit(input.role == "targets" ? "targets" : input.name, static_cast<uint64_t>(step),
                                 static_cast<uint64_t>(global));
    if (input.role == "targets" && ignoreLabels_ &&
        (ignored(step, global / each, samples, unit) || atTheEnds(step, global % each, each)))
      return -100;
    if (input.role == "data")
      return input.rangeLow + (input.rangeHigh - input.rangeLow) * unit;
    // Skewed towards low values: their frequency can be learned.
    return std::floor(input.rangeLow + (input.rangeHigh - input.rangeLow) * unit * unit);
  }

  static bool ignored(int64_t step, int64_t sample, int64_t samples, double unit) {
    if (step % 2 == 1 && sample < (samples + 3) / 4)
      return true; // A rank of dp=4 without any label.
    return sample % 3 == 1 && unit < 0.6;
  }

  /// In step 4 the first and the last quarter of every sequence: what a rank of cp=2 has.
  static bool atTheEnds(int64_t step, int64_t position, int64_t size) {
    return step == 4 && std::min(position, size - 1 - position) < size / 4;
  }

  bool ignoreLabels_;
};

/// Collects shards into whole tensors; every rank writes its part, equal parts overlap.
class Gatherer {
public:
  void add(TensorMap &map, const std::string &name, const TensorView &view) {
    std::lock_guard<std::mutex> lock(mutex_);
    int64_t count = 1;
    for (int d = 0; d < view.rank; ++d)
      count *= view.globalExtents[d];
    std::vector<double> &whole = map[name];
    whole.resize(static_cast<size_t>(count));
    forEachElement(
        view, [&](int64_t local, int64_t global) { whole[static_cast<size_t>(global)] = loadElement(view, local); });
  }
  std::mutex &mutex() { return mutex_; }

private:
  std::mutex mutex_;
};

/// A parameter as one stage holds it: the owner, or a replica of a tied weight.
struct Held {
  const planformat::Parameter *parameter;
  std::string name; ///< Of a replica: with its stage.
  planformat::BufferId value, gradient;
  const std::vector<std::pair<std::string, planformat::BufferId>> *state;
};

std::vector<Held> heldBy(const Plan &plan, int stage) {
  std::vector<Held> held;
  for (const planformat::Parameter &parameter : plan.parameters) {
    if (parameter.stage == stage)
      held.push_back({&parameter, parameter.name, parameter.value, parameter.gradient, &parameter.state});
    for (const planformat::Replica &replica : parameter.replicas)
      if (replica.stage == stage)
        held.push_back({&parameter, parameter.name + kReplicaSuffix + std::to_string(stage), replica.value,
                        replica.gradient, &replica.state});
  }
  return held;
}

void initialise(const Plan &plan, Executor &executor, const RunOptions &options) {
  for (const Held &held : heldBy(plan, executor.stageIndex())) {
    const planformat::Parameter &parameter = *held.parameter;
    TensorView view = executor.bufferView(held.value);
    // Wide enough that every gradient is well above rounding: norms around one, other weights of deviation 0.08.
    const bool isScale = parameter.init.kind == "ones";
    forEachElement(view, [&](int64_t local, int64_t global) {
      double value = (hashUnit(parameter.name, 7, static_cast<uint64_t>(global)) - 0.5) * 0.28 + (isScale ? 1.0 : 0.0);
      if (options.perturbation && std::get<0>(*options.perturbation) == parameter.name &&
          std::get<1>(*options.perturbation) == global)
        value += std::get<2>(*options.perturbation);
      store(view, local, value);
    });
    for (const auto &[slot, buffer] : *held.state) {
      TensorView state = executor.bufferView(buffer);
      forEachElement(state, [&](int64_t local, int64_t) { store(state, local, 0); });
    }
  }
}

Status runRank(const Plan &plan, Executor &executor, const RunOptions &options, Gatherer &gatherer, RunResult &result) {
  initialise(plan, executor, options);
  Batches batches(options.ignoreLabels);
  // Outputs are on the last stage, whose ranks are the last: the stage is the outermost axis.
  const int64_t stages = static_cast<int64_t>(plan.stages.size());
  const bool reports = executor.rank() == plan.mesh.numRanks() / stages * (stages - 1);
  const std::vector<Held> held = heldBy(plan, executor.stageIndex());
  if (reports) {
    result.losses.reserve(static_cast<size_t>(options.steps));
    result.gradNorms.reserve(static_cast<size_t>(options.steps));
  }
  for (int64_t step = 1; step <= options.steps; ++step) {
    runtime::StepScalars scalars;
    scalars.step = step;
    scalars.learningRate = options.learningRate;
    scalars.labelCount = batches.labelCount(plan, step);
    scalars.seed = 1234;
    scalars.clip = options.clip;
    scalars.epsilon = options.epsilon;
    scalars.weightDecay = options.weightDecay;
    MODELPAR_RETURN_IF_ERROR(executor.runStep(scalars, batches));
    if (reports) {
      double loss = 0, norm = 0;
      MODELPAR_RETURN_IF_ERROR(executor.readOutput("loss", loss));
      MODELPAR_RETURN_IF_ERROR(executor.readOutput("grad_norm", norm));
      result.losses.push_back(loss);
      result.gradNorms.push_back(norm);
    }
    if (step == 1 && options.keepTensors)
      for (const Held &each : held)
        gatherer.add(result.gradients, each.name, executor.bufferView(each.gradient));
    if (options.afterStep)
      options.afterStep(executor.rank(), step);
  }
  if (options.keepTensors)
    for (const Held &each : held)
      gatherer.add(result.weights, each.name, executor.bufferView(each.value));
  std::lock_guard<std::mutex> lock(gatherer.mutex());
  std::map<std::string, int64_t> &sent = result.sentBytesByRank[static_cast<size_t>(executor.rank())];
  for (const runtime::Traffic &traffic : executor.traffic())
    sent[traffic.axes] = traffic.bytes;
  if (executor.rank() == 0)
    result.sentBytes = sent;
  result.plannedBytes = std::max(result.plannedBytes, executor.plannedBytes());
  result.measuredBytes = std::max(result.measuredBytes, executor.measuredBytes());
  return {};
}

/// Replicas of a tied weight stay equal to it, bit by bit; they leave the map.
void checkReplicas(TensorMap &map, const char *what, RunResult &result) {
  for (auto it = map.begin(); it != map.end();) {
    const size_t suffix = it->first.find(kReplicaSuffix);
    if (suffix == std::string::npos) {
      ++it;
      continue;
    }
    const std::string owner = it->first.substr(0, suffix);
    if (result.replicaMismatch.empty() && it->second != map[owner])
      result.replicaMismatch = std::string(what) + " of " + it->first + " differs from its owner's";
    it = map.erase(it);
  }
}

} // namespace

RunResult run(const Plan &plan, const RunOptions &options) {
  RunResult result;
  result.sentBytesByRank.resize(static_cast<size_t>(plan.mesh.numRanks()));
  Gatherer gatherer;
  runtime::RunRanksOptions ranks;
  ranks.executor.numThreads = options.numThreads;
  ranks.streamFuzz = options.streamFuzz;
  Status status = runtime::runRanks(
      plan, ranks, [&](Executor &executor) { return runRank(plan, executor, options, gatherer, result); });
  if (!status.ok())
    result.error = status.message();
  checkReplicas(result.gradients, "gradient", result);
  checkReplicas(result.weights, "value", result);
  return result;
}

static double norm(const std::vector<double> &values) {
  double sum = 0;
  for (double value : values)
    sum += value * value;
  return std::sqrt(sum);
}

static double worse(double worst, double candidate) {
  return std::isnan(candidate) || candidate > worst ? candidate : worst;
}

static double worstRelative(const std::vector<double> &a, const std::vector<double> &b, double tolerance) {
  if (a.size() != b.size() || a.empty())
    return INFINITY;
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i)
    worst = worse(worst, std::abs(a[i] - b[i]) / (tolerance * std::max(std::abs(a[i]), 1e-12)));
  return worst;
}

static void compareGradients(const TensorMap &one, const TensorMap &parallel, Agreement &agreement) {
  double all = 0;
  for (const auto &[name, gradient] : one)
    all += norm(gradient) * norm(gradient);
  const double floor = kGradientFloor * std::sqrt(all) / std::sqrt(double(one.size()));
  for (const auto &[name, gradient] : one) {
    auto other = parallel.find(name);
    double ratio = INFINITY;
    if (other != parallel.end() && other->second.size() == gradient.size()) {
      std::vector<double> difference(gradient.size());
      for (size_t i = 0; i < gradient.size(); ++i)
        difference[i] = gradient[i] - other->second[i];
      ratio = norm(difference) / (kGradientTolerance * norm(gradient) + floor);
    }
    if (worse(agreement.gradients, ratio) != agreement.gradients)
      agreement.worstGradient = name;
    agreement.gradients = worse(agreement.gradients, ratio);
  }
}

RunResult compileAndRun(const std::string &text, const pipelines::CompileOptions &options,
                        const RunOptions &runOptions) {
  const pipelines::CompileResult compiled = compileText(text, options);
  if (compiled.ok)
    return run(compiled.plan, runOptions);
  RunResult failed;
  failed.error = "not compiled";
  return failed;
}

Agreement compare(const RunResult &one, const RunResult &parallel) {
  Agreement agreement;
  if (!one.replicaMismatch.empty() || !parallel.replicaMismatch.empty())
    agreement.weights = INFINITY;
  compareGradients(one.gradients, parallel.gradients, agreement);
  agreement.gradNorms = worstRelative(one.gradNorms, parallel.gradNorms, kGradNormTolerance);
  agreement.losses = worstRelative(one.losses, parallel.losses, kLossTolerance);
  for (const auto &[name, weight] : one.weights) {
    auto other = parallel.weights.find(name);
    if (other == parallel.weights.end() || other->second.size() != weight.size()) {
      agreement.weights = INFINITY;
      continue;
    }
    for (size_t i = 0; i < weight.size(); ++i)
      agreement.weights = worse(agreement.weights, std::abs(weight[i] - other->second[i]) / kWeightTolerance);
  }
  return agreement;
}

double Agreement::worst() const { return worse(worse(gradients, gradNorms), worse(losses, weights)); }

std::string Agreement::toString() const {
  char text[256];
  std::snprintf(text, sizeof text, "of the bounds used: gradients %.3f (%s), grad_norm %.3f, loss %.3f, weights %.3f",
                gradients, worstGradient.c_str(), gradNorms, losses, weights);
  return text;
}

} // namespace modelpar::test
