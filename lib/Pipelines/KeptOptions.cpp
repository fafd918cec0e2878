//===- KeptOptions.cpp - the options that a printed module keeps ----------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KeptOptions.h"

#include "CheckOptions.h"
#include "OptionFacts.h"
#include "modelpar/Dialect/NN/IR/NN.h"

#include "mlir/IR/Builders.h"

#include <variant>

using namespace mlir;

namespace modelpar::pipelines {

namespace {

using Member = std::variant<std::optional<int64_t> CompileOptions::*, std::optional<std::string> CompileOptions::*,
                            std::optional<bool> CompileOptions::*, std::vector<std::string> CompileOptions::*>;

struct KeptOption {
  StringRef name; ///< Without dashes: its key in nn.options.
  Member member;  ///< Where it is among the options.
  Phase decided;  ///< Modules of this phase and later ones have it in `fact`.
  OptionFactFunction fact;
  StringRef on = "on";      ///< How true is written.
  StringRef attribute = ""; ///< Where modules before `decided` keep it, when not in nn.options.
};

OptionFact tensorAxis(ModuleOp module, Attribute) { return meshAxisFact(module, "tp"); }
OptionFact pipelineAxis(ModuleOp module, Attribute) { return meshAxisFact(module, "pp"); }
OptionFact dataAxis(ModuleOp module, Attribute) { return meshAxisFact(module, "dp"); }
OptionFact contextAxis(ModuleOp module, Attribute) { return meshAxisFact(module, "cp"); }
OptionFact expertAxis(ModuleOp module, Attribute) { return meshAxisFact(module, "ep"); }

/// Every option that a later phase depends on, but --cluster and --nodes: a module has its cluster's text (nn.cluster).
const KeptOption kKeptOptions[] = {
    {"global-batch", &CompileOptions::globalBatch, Phase::Import, globalBatchFact},
    {"seq", &CompileOptions::sequence, Phase::Import, sequenceFact},
    {"dtype", &CompileOptions::dtype, Phase::Import, dtypeFact},
    {"dropout", &CompileOptions::dropout, Phase::Import, dropoutFact, "config"},
    {"optimizer", &CompileOptions::optimizer, Phase::Differentiated, optimizerFact, "", nn::kOptimizerAttr},
    {"tp", &CompileOptions::tp, Phase::Sharded, tensorAxis},
    {"pp", &CompileOptions::pp, Phase::Sharded, pipelineAxis},
    {"dp", &CompileOptions::dp, Phase::Sharded, dataAxis},
    {"cp", &CompileOptions::cp, Phase::Sharded, contextAxis},
    {"ep", &CompileOptions::ep, Phase::Sharded, expertAxis},
    {"sp", &CompileOptions::sequenceParallel, Phase::Sharded, sequenceParallelFact},
    {"micro-batch", &CompileOptions::microBatch, Phase::Sharded, microBatchFact},
    {"schedule", &CompileOptions::schedule, Phase::Sharded, scheduleFact},
    {"pin", &CompileOptions::pins, Phase::Sharded, pinsFact},
    {"grad-sync", &CompileOptions::gradSync, Phase::Partitioned, gradSyncFact},
};

template <typename... F> struct Overloaded : F... {
  using F::operator()...;
};

/// The value as an attribute; null when the option was not given.
Attribute get(Builder &builder, const CompileOptions &options, const Member &member) {
  return std::visit(Overloaded{
                        [&](std::optional<int64_t> CompileOptions::*m) -> Attribute {
                          return options.*m ? builder.getI64IntegerAttr(*(options.*m)) : IntegerAttr();
                        },
                        [&](std::optional<std::string> CompileOptions::*m) -> Attribute {
                          return options.*m ? builder.getStringAttr(*(options.*m)) : StringAttr();
                        },
                        [&](std::optional<bool> CompileOptions::*m) -> Attribute {
                          return options.*m ? builder.getBoolAttr(*(options.*m)) : BoolAttr();
                        },
                        [&](std::vector<std::string> CompileOptions::*m) -> Attribute {
                          SmallVector<StringRef> each((options.*m).begin(), (options.*m).end());
                          return each.empty() ? ArrayAttr() : builder.getStrArrayAttr(each);
                        },
                    },
                    member);
}

/// Nothing when the option could be set, or what was expected.
StringRef set(CompileOptions &options, const Member &member, Attribute value) {
  return std::visit(Overloaded{
                        [&](std::optional<int64_t> CompileOptions::*m) -> StringRef {
                          auto integer = dyn_cast<IntegerAttr>(value);
                          if (!integer || !integer.getType().isInteger(64) || integer.getInt() < 1)
                            return "a 64-bit integer of at least 1";
                          options.*m = integer.getInt();
                          return "";
                        },
                        [&](std::optional<std::string> CompileOptions::*m) -> StringRef {
                          auto string = dyn_cast<StringAttr>(value);
                          if (!string)
                            return "a string";
                          options.*m = string.str();
                          return "";
                        },
                        [&](std::optional<bool> CompileOptions::*m) -> StringRef {
                          auto flag = dyn_cast<BoolAttr>(value);
                          if (!flag)
                            return "true or false";
                          options.*m = flag.getValue();
                          return "";
                        },
                        [&](std::vector<std::string> CompileOptions::*m) -> StringRef {
                          auto array = dyn_cast<ArrayAttr>(value);
                          if (!array || !llvm::all_of(array, llvm::IsaPred<StringAttr>))
                            return "a list of strings";
                          for (auto each : array.getAsRange<StringAttr>())
                            (options.*m).push_back(each.str());
                          return "";
                        },
                    },
                    member);
}

std::string show(const KeptOption &option, Attribute value) {
  if (auto flag = dyn_cast<BoolAttr>(value))
    return flag.getValue() ? option.on.str() : "off";
  if (auto integer = dyn_cast<IntegerAttr>(value))
    return std::to_string(integer.getInt());
  if (auto string = dyn_cast<StringAttr>(value))
    return string.str();
  std::string text;
  llvm::raw_string_ostream(text) << value;
  return text;
}

/// As on a command line: --tp=2.
std::string flag(const KeptOption &option, Attribute value) {
  auto one = [&](Attribute each) { return "--" + option.name.str() + "=" + show(option, each); };
  std::string text;
  if (auto array = dyn_cast<ArrayAttr>(value))
    for (Attribute each : array)
      text += (text.empty() ? "" : " ") + one(each);
  return text.empty() ? one(value) : text;
}

class Merger {
public:
  Merger(ModuleOp module, Phase phase, CompileOptions &options, std::vector<std::string> &errors)
      : module(module), phase(phase), options(options), builder(module.getContext()), errors(errors) {}

  bool run(std::string &keptFlags) {
    const size_t before = errors.size();
    for (const KeptOption &option : kKeptOptions)
      if (Attribute given = get(builder, options, option.member); given && phase >= option.decided)
        compare(option, given);
    if (Attribute attribute = module->getAttr(kOptionsAttr)) {
      auto dictionary = dyn_cast<DictionaryAttr>(attribute);
      if (!dictionary)
        error(" is " + show(kKeptOptions[0], attribute) + ", expected a dictionary of options");
      else
        for (NamedAttribute entry : dictionary)
          take(entry.getName(), entry.getValue());
    }
    // What is wrong with a value whatever the model is; the other ones come from the command line.
    std::vector<std::string> wrong;
    if (errors.size() == before && !checkValues(kept, wrong))
      for (const std::string &each : wrong)
        error(": " + each);
    for (const KeptOption &option : kKeptOptions)
      if (Attribute value = get(builder, kept, option.member))
        keptFlags += (keptFlags.empty() ? "" : " ") + flag(option, value);
    return errors.size() == before;
  }

private:
  void error(const std::string &message) {
    errors.push_back(options.modelFile + ": attribute " + kOptionsAttr.str() + message);
  }

  void compare(const KeptOption &option, Attribute given) {
    OptionFact fact = option.fact(module, given);
    if (fact.value == given)
      return;
    const std::string head = flag(option, given) + ": " + options.modelFile + " is a module of phase " +
                             std::string(name(phase)) + ", in which this is decided: ";
    errors.push_back(head + (fact.value ? fact.where + " is " + show(option, fact.value)
                                        : "it has no " + fact.where + " to agree with"));
  }

  void take(StringAttr name, Attribute value) {
    const auto *option = llvm::find_if(kKeptOptions, [&](const KeptOption &each) { return each.name == name; });
    if (option == std::end(kKeptOptions) || !option->attribute.empty() || option->decided == Phase::Import)
      return error(": unknown option \"" + name.str() + "\", expected one of " + names());
    if (phase >= option->decided)
      return error(": option \"" + name.str() + "\" is decided in phase " + std::string(pipelines::name(phase)) +
                   ", expected it in earlier ones only");
    CompileOptions alone;
    if (StringRef expected = set(alone, option->member, value); !expected.empty())
      return error(": option \"" + name.str() + "\" is " + show(*option, value) + ", expected " + expected.str());
    if (get(builder, options, option->member))
      return; // Given again: that counts.
    set(kept, option->member, value);
    set(options, option->member, value);
  }

  static std::string names() {
    std::string text;
    for (const KeptOption &option : kKeptOptions)
      if (option.attribute.empty() && option.decided > Phase::Import)
        text += (text.empty() ? "" : ", ") + option.name.str();
    return text;
  }

  ModuleOp module;
  Phase phase;
  CompileOptions &options;
  CompileOptions kept;
  Builder builder;
  std::vector<std::string> &errors;
};

} // namespace

bool takeKeptOptions(ModuleOp module, Phase phase, CompileOptions &options, std::string &kept,
                     std::vector<std::string> &errors) {
  return Merger(module, phase, options, errors).run(kept);
}

void keepOptions(ModuleOp module, Phase phase, const CompileOptions &options) {
  Builder builder(module.getContext());
  NamedAttrList kept;
  for (const KeptOption &option : kKeptOptions) {
    Attribute value = get(builder, options, option.member);
    if (!value || phase >= option.decided)
      continue;
    if (option.attribute.empty())
      kept.set(option.name, value);
    else
      module->setAttr(option.attribute, value);
  }
  if (kept.empty())
    module->removeAttr(kOptionsAttr);
  else
    module->setAttr(kOptionsAttr, kept.getDictionary(module.getContext()));
}

} // namespace modelpar::pipelines
