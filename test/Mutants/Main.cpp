//===- Main.cpp - no mutant of an input may crash a tool ------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Makes mutants of every kind of input in turn and tries them: a tool must accept one or refuse it with a message. What
// it does otherwise is written to a folder with the command that shows it again, and fails the test.
//
//===----------------------------------------------------------------------===//

#include "Hunt.h"

#include <CLI/CLI.hpp>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <thread>

using namespace modelpar::test;

namespace {

struct Arguments {
  std::vector<std::string> kinds = modelpar::test::kinds();
  uint64_t seed = 1;
  size_t mutants = 400;
  std::optional<size_t> only; ///< The number of one mutant.
  std::string out = "mutants", log;
  HuntOptions hunt;
  size_t maxFindings = 100;
};

/// Mutant `number` of a kind: the same for ever.
class Mutants {
public:
  Mutants(const std::vector<Original> &originals, const std::vector<std::string> &kinds, uint64_t seed)
      : kinds_(kinds), seed_(seed) {
    for (const Original &original : originals)
      byKind_[original.kind].push_back(&original);
  }

  struct Mutant {
    const Original *original = nullptr;
    size_t number = 0; ///< Of its kind.
    std::string text, what;
  };
  /// Kinds take turns.
  Mutant make(size_t index) const {
    const std::string &kind = kinds_[index % kinds_.size()];
    const size_t number = index / kinds_.size();
    uint64_t hash = 1469598103934665603ull ^ seed_;
    for (char c : kind + "#" + std::to_string(number))
      hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
    Random random(hash);
    const std::vector<const Original *> &originals = byKind_.at(kind);
    const Original *original = originals[random.below(originals.size())];
    auto [text, what] = mutate(*original, random);
    return {original, number, std::move(text), std::move(what)};
  }

private:
  const std::vector<std::string> &kinds_;
  uint64_t seed_;
  std::map<std::string, std::vector<const Original *>> byKind_;
};

/// Counts verdicts, and writes findings to their folders.
class Report {
public:
  explicit Report(const Arguments &arguments) : arguments_(arguments), log_(arguments.log) {}

  void add(const Mutants::Mutant &mutant, const Verdict &verdict) {
    ++counts_[mutant.original->kind][verdict.kind];
    if (!arguments_.log.empty())
      log_ << mutant.original->kind << " " << mutant.number << " " << name(verdict.kind) << ": "
           << verdict.message.substr(0, verdict.message.find('\n')) << " <- " << mutant.original->name << ": "
           << mutant.what << "\n";
    if (!verdict.isFinding())
      return;
    ++findings_;
    if (findings_ > arguments_.maxFindings)
      return;
    const std::string folder = arguments_.out + "/" + mutant.original->kind + "-" + std::to_string(arguments_.seed) +
                               "-" + std::to_string(mutant.number);
    std::filesystem::create_directories(folder);
    std::ofstream(folder + "/" + mutant.original->fileName, std::ios::binary) << mutant.text;
    if (!mutant.original->plan.empty())
      std::ofstream(folder + "/reader.plan", std::ios::binary) << mutant.original->plan;
    std::ofstream(folder + "/command") << commandsFor(*mutant.original, folder);
    std::ofstream(folder + "/verdict") << name(verdict.kind) << ": " << verdict.message << "\n"
                                       << mutant.original->name << ": " << mutant.what << "\n"
                                       << "--kinds=" << mutant.original->kind << " --seed=" << arguments_.seed
                                       << " --only=" << mutant.number << "\n";
    std::cerr << folder << ": " << name(verdict.kind) << ": " << verdict.message.substr(0, 300) << "\n  "
              << mutant.original->name << ": " << mutant.what << "\n";
  }

  void print() const {
    std::printf("%-16s %8s %8s %8s %8s %8s %8s\n", "kind", "accepted", "refused", "silent", "contract", "crashed",
                "hung");
    for (const std::string &kind : arguments_.kinds) {
      std::printf("%-16s", kind.c_str());
      auto found = counts_.find(kind);
      for (int verdict = 0; verdict <= static_cast<int>(Verdict::Kind::Hung); ++verdict) {
        size_t count = 0;
        if (found != counts_.end())
          if (auto each = found->second.find(static_cast<Verdict::Kind>(verdict)); each != found->second.end())
            count = each->second;
        std::printf(" %8zu", count);
      }
      std::printf("\n");
    }
    std::printf("%zu findings%s\n", findings_, findings_ ? (" in " + arguments_.out).c_str() : "");
  }

  size_t findings() const { return findings_; }

private:
  const Arguments &arguments_;
  std::ofstream log_;
  std::map<std::string, std::map<Verdict::Kind, size_t>> counts_;
  size_t findings_ = 0;
};

int hunt(Arguments &arguments) {
  std::error_code ignored;
  std::filesystem::create_directories(arguments.out, ignored);
  const std::string scratch = arguments.hunt.folder;
  std::filesystem::create_directories(scratch, ignored);
  std::string error;
  const std::vector<Original> originals = makeOriginals(arguments.kinds, scratch, error);
  if (!error.empty())
    return std::cerr << "mutants: error: " << error << "\n", 1;
  hunt(
      originals.size(), arguments.hunt,
      [&](size_t i) { return tryMutant(originals[i], unchanged(originals[i]), scratch); },
      [&](size_t i, const Verdict &verdict) {
        if (verdict.kind != Verdict::Kind::Accepted && error.empty())
          error = originals[i].kind + " " + originals[i].name + " is " + std::string(name(verdict.kind)) +
                  " before any change: " + verdict.message;
      });
  if (!error.empty())
    return std::cerr << "mutants: error: " << error << "\n", 1;
  const Mutants mutants(originals, arguments.kinds, arguments.seed);
  Report report(arguments);
  const size_t first = arguments.only ? *arguments.only * arguments.kinds.size() : 0;
  const size_t count = arguments.only ? arguments.kinds.size() : arguments.mutants;
  auto attempt = [&](size_t i) {
    const Mutants::Mutant mutant = mutants.make(first + i);
    return tryMutant(*mutant.original, mutant.text, scratch);
  };
  hunt(count, arguments.hunt, attempt,
       [&](size_t i, const Verdict &verdict) { report.add(mutants.make(first + i), verdict); });
  report.print();
  std::filesystem::remove_all(scratch, ignored);
  return report.findings() == 0 ? 0 : 1;
}

/// What the hunt must see: each of these ends in its verdict, and the one behind it is tried all the same.
int selfTest(HuntOptions options) {
  struct Case {
    const char *what;
    Verdict::Kind expected;
    Verdict (*attempt)();
  };
  static constexpr Case kCases[] = {
      {"accepted", Verdict::Kind::Accepted, [] { return Verdict{}; }},
      {"a segmentation fault", Verdict::Kind::Crashed,
       [] {
         std::raise(SIGSEGV);
         return Verdict{};
       }},
      {"an abort", Verdict::Kind::Crashed, []() -> Verdict { std::abort(); }},
      {"an exit", Verdict::Kind::Crashed, []() -> Verdict { std::_Exit(0); }},
      {"no end", Verdict::Kind::Hung,
       [] {
         for (volatile bool go = true; go;)
           std::this_thread::sleep_for(std::chrono::milliseconds(10));
         return Verdict{};
       }},
      {"all memory", Verdict::Kind::Crashed,
       [] {
         std::vector<char> all(size_t{1} << 62);
         return Verdict{Verdict::Kind::Accepted, std::string(all.begin(), all.begin() + 1)};
       }},
      {"a refusal", Verdict::Kind::Refused, [] { return Verdict{Verdict::Kind::Refused, "line 1\nline 2"}; }}};
  std::error_code ignored;
  std::filesystem::create_directories(options.folder, ignored);
  options.hangSeconds = 2;
  size_t seen = 0, wrong = 0;
  hunt(
      std::size(kCases), options, [](size_t i) { return kCases[i].attempt(); },
      [&](size_t i, const Verdict &verdict) {
        const bool right = i == seen++ && verdict.kind == kCases[i].expected &&
                           (verdict.kind != Verdict::Kind::Refused || verdict.message == "line 1\nline 2");
        wrong += !right;
        std::printf("%s: %s%s\n", kCases[i].what, std::string(name(verdict.kind)).c_str(), right ? "" : " (WRONG)");
      });
  return seen == std::size(kCases) && wrong == 0 ? 0 : 1;
}

} // namespace

int main(int argc, char **argv) {
  Arguments arguments;
  CLI::App app{"Tries mutants of everything that modelpar-opt and modelpar-run read."};
  app.add_option("--kinds", arguments.kinds, "which inputs")
      ->delimiter(',')
      ->check(CLI::IsMember(modelpar::test::kinds()))
      ->capture_default_str();
  app.add_option("--seed", arguments.seed, "another seed makes other mutants")->capture_default_str();
  app.add_option("--mutants", arguments.mutants, "how many, over all kinds")->capture_default_str();
  app.add_option("--only", arguments.only, "mutant of this number alone, of each kind");
  app.add_option("--out", arguments.out, "folder for what is found")->capture_default_str();
  app.add_option("--log", arguments.log, "a line for every mutant: its verdict, and what was changed");
  app.add_option("--hang", arguments.hunt.hangSeconds, "seconds after which a mutant hangs")->capture_default_str();
  bool test = false;
  app.add_flag("--self-test", test, "show that each way to fail is found");
  CLI11_PARSE(app, argc, argv);
#ifdef MODELPAR_SANITIZE
  arguments.hunt.memoryBytes = 0;
#endif
  arguments.hunt.folder = arguments.out + "/scratch";
  return test ? selfTest(arguments.hunt) : hunt(arguments);
}
