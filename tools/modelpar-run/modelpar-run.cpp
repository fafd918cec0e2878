//===- modelpar-run.cpp - executes a plan ---------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Options alone; the run is in runtime/training. Exit codes: 0, 1 when the user's input or machine does not fit (one
// message), 2 when a plan or kernel broke its contract, 128 + N after signal N.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Files/StandardStreams.h"
#include "runtime/training/Trainer.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>

using namespace modelpar;
using namespace modelpar::runtime;

static constexpr int kUserError = 1, kInternalError = 2, kSignal = 128;

static std::atomic<bool> stop = false;
static std::atomic<int> stopSignal = 0;

/// The first signal ends the run before its next instruction, the second the process at once.
static void stopOnSignals() {
  struct sigaction action = {};
  action.sa_handler = [](int signal) {
    stopSignal = signal;
    stop = true;
  };
  action.sa_flags = SA_RESETHAND;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

static int fail(const std::string &message, int code) {
  std::fprintf(stderr, "modelpar-run: error: %s\n", files::printable(message).c_str());
  return code;
}

static int fail(const Status &status) {
  if (const int signal = stopSignal)
    return fail(status.in(signal == SIGINT ? "SIGINT" : "SIGTERM").message(), kSignal + signal);
  return fail(status.message(), status.code() == StatusCode::Internal ? kInternalError : kUserError);
}

/// Options of the full tool that this version refuses by name, so that nobody takes them for done.
static void addUnsupported(CLI::App &app) {
  for (const char *flag : {"--save", "--save-every", "--keep", "--resume", "--eval-every", "--eval-data", "--table",
                           "--supervise", "--calibrate"}) {
    app.add_option_function<std::vector<std::string>>(
           flag,
           [flag](const std::vector<std::string> &) {
             throw CLI::ValidationError(flag, "not supported yet (--save-weights=FILE writes the final weights)");
           })
        ->expected(0, 1)
        ->group("");
  }
}

static void addOptions(CLI::App &app, TrainerOptions &o, std::string &format, std::vector<double> &betas,
                       uint64_t &streamFuzz) {
  const auto real = [](double low, double high) {
    return CLI::Validator(
        [low, high](std::string &text) {
          double value = 0;
          if (!CLI::detail::lexical_cast(text, value) || !(value >= low && value <= high))
            return "expected a number from " + CLI::detail::to_string(low) + " to " + CLI::detail::to_string(high) +
                   ", found " + text;
          return std::string();
        },
        "");
  };
  // A minus sign would otherwise be taken modulo 2^64.
  const CLI::Validator natural(
      [](std::string &text) {
        uint64_t value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        return error == std::errc() && end == text.data() + text.size()
                   ? std::string()
                   : "expected a number from 0 to 2^64 - 1, found " + text;
      },
      "");
  const auto steps = CLI::Range(int64_t{0}, int64_t{1} << 50);
  app.add_option("PLAN", o.planPath, "what modelpar-opt wrote")->required();
  app.add_option("--data", o.data.path, "text, token file or named arrays (default: synthetic data)");
  app.add_option("--data-format", format, "when the file does not tell it")
      ->check(CLI::IsMember({"auto", "text", "nanogpt", "llmc", "safetensors"}))
      ->capture_default_str();
  app.add_option("--steps", o.steps, "the last step of the run")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 50))
      ->capture_default_str();
  app.add_option("--seed", o.seed, "of weights, batches and dropout")->check(natural)->capture_default_str();
  app.add_option("--init", o.initPath, "first weights: a Hugging Face directory or safetensors file");
  app.add_option("--lr", o.learningRate.peak, "learning rate")->check(real(0, 1e6))->capture_default_str();
  app.add_option("--warmup", o.learningRate.warmup, "steps of linear warm-up")->check(steps)->capture_default_str();
  app.add_option("--decay-steps", o.learningRate.decaySteps, "step at which the cosine ends; 0: constant")
      ->check(steps)
      ->capture_default_str();
  app.add_option("--min-lr-ratio", o.learningRate.minimumRatio, "where it ends, relative to --lr")
      ->check(real(0, 1))
      ->capture_default_str();
  app.add_option("--weight-decay", o.weightDecay, "of parameters of two or more dimensions")
      ->check(real(0, 1e6))
      ->capture_default_str();
  app.add_option("--betas", betas, "of AdamW: B1,B2")
      ->delimiter(',')
      ->expected(2)
      ->check(real(0, std::nextafter(1.0, 0.0)))
      ->default_str("0.9,0.95");
  app.add_option("--eps", o.epsilon, "of AdamW")->check(real(0, 1))->capture_default_str();
  app.add_option("--clip", o.clip, "bound of the gradients' global norm; 0: none")
      ->check(real(0, 1e30))
      ->capture_default_str();
  app.add_option("--metrics", o.metricsPath,
                 "a JSON object per step; - is standard output, and then results go to standard error");
  app.add_option("--trace", o.tracePath,
                 "a timeline for Perfetto: every instruction of every rank; - is standard output");
  app.add_option("--trace-steps", o.traceSteps, "how many steps --trace has, from the first (default: 10)")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 50));
  app.add_option("--dump-grads", o.dumpGradsPath,
                 "directory for gradients.safetensors: every gradient after step 1, before clipping");
  app.add_option("--dump-outputs", o.dumpOutputsPath,
                 "directory for outputs.safetensors: the model's output in step 1, what the loss is computed from");
  app.add_option("--save-weights", o.saveWeightsPath,
                 "safetensors file for the final weights, under their checkpoint names");
  app.add_option("--backend", o.backend, "auto, cpu or cuda")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
      ->capture_default_str();
  app.add_option("--comm", o.comm, "auto, local, mpi or nccl")
      ->check(CLI::IsMember({"auto", "local", "mpi", "nccl"}))
      ->capture_default_str();
  app.add_option("--threads-per-rank", o.threadsPerRank, "default: cores / ranks")->check(CLI::Range(1, 1024));
  app.add_option("--stream-fuzz", streamFuzz, "delay the heads of streams at random, from this seed")->check(natural);
  app.add_option("--timeout", o.timeoutSeconds, "seconds that a rank waits for others")
      ->check(real(1e-3, 1e9))
      ->capture_default_str();
  app.add_flag("--check-numerics", o.checkNumerics,
               "stop at the first instruction with an output that is not finite, and name it");
  app.add_flag("!--no-verify", o.verify, "run a plan that the verifier was not asked about");
  app.add_flag("--dry-run", o.dryRun, "check everything, print the plan's summary and memory, run nothing");
}

static int run(int argc, char **argv) {
  TrainerOptions options;
  std::string format = "auto";
  std::vector<double> betas = {options.beta1, options.beta2};
  uint64_t streamFuzz = 0;
  CLI::App app{"Executes a plan: all ranks as threads of this process."};
  app.name("modelpar-run");
  addOptions(app, options, format, betas, streamFuzz);
  addUnsupported(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp &) {
    std::fputs(app.help().c_str(), stdout);
    return 0;
  } catch (const CLI::ParseError &error) {
    return fail(std::string(error.what()) + " (--help lists the options)", kUserError);
  }
  options.beta1 = betas[0];
  options.beta2 = betas[1];
  if (app.count("--stream-fuzz"))
    options.streamFuzz = streamFuzz;
  parseDataFormat(format, options.data.format);
  // A rank that is stuck in a kernel cannot be joined: the process ends under it.
  options.onStuck = [](const Status &status) {
    std::_Exit(fail(status.in("some ranks are stuck outside any collective")));
  };
  options.stop = &stop;
  stopOnSignals();
  Status status = train(options);
  return status.ok() ? 0 : fail(status);
}

int main(int argc, char **argv) {
  files::openStandardStreams();
  return files::closeStandardStreams("modelpar-run", run(argc, argv));
}
