//===- ImportModel.cpp - a model's text to phase `import` -----------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Parses, tells the formats apart, checks, builds.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Target/ImportModel.h"
#include "modelpar/Target/HuggingFace/HuggingFace.h"
#include "modelpar/Target/ModelJSON/BuildModule.h"
#include "modelpar/Target/ModelJSON/ModelJSON.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"

using namespace modelpar;
using namespace modelpar::target;

/// A model's description is small: weights live elsewhere.
static json::Limits modelLimits() {
  json::Limits limits;
  limits.maxBytes = size_t{64} << 20;
  limits.maxDepth = 32;
  limits.maxStringBytes = size_t{1} << 20;
  return limits;
}

/// "models/gpt2-tiny.json" → "gpt2-tiny".
static std::string stem(const std::string &file) {
  std::string name = file.substr(file.find_last_of('/') + 1);
  return name.substr(0, name.find_last_of('.'));
}

/// Options of the command line, judged before any file.
static void checkOptions(const ModelOptions &options, std::vector<std::string> &errors) {
  if (options.globalBatch < 1 || options.globalBatch > kMaxDimSize)
    errors.push_back("--global-batch=" + std::to_string(options.globalBatch) + ": expected 1 to 2^40");
  if (options.sequence && (*options.sequence < 1 || *options.sequence > kMaxDimSize))
    errors.push_back("--seq=" + std::to_string(*options.sequence) + ": expected 1 to 2^40");
  if (options.dtype != "f32" && options.dtype != "f64")
    errors.push_back("--dtype=" + options.dtype + ": not supported, expected f32");
  if (options.optimizer != "adamw" && options.optimizer != "sgd")
    errors.push_back("--optimizer=" + options.optimizer + ": unknown, expected adamw or sgd");
}

static Graph readGraph(const json::Value &value, const ModelOptions &options, json::Errors &errors,
                       std::vector<std::string> &warnings) {
  Graph graph;
  if (isModelJSON(value)) {
    graph = readModelJSON(value, options, errors);
  } else if (isHuggingFaceConfig(value)) {
    graph = readHuggingFaceConfig(value, options, errors, warnings);
    std::string name = stem(options.fileName);
    if (!name.empty() && name != "config")
      graph.name = name;
  } else if (value.is_object()) {
    errors.add("", "neither a model graph (key 'modelpar') nor a Hugging Face config (key 'model_type')");
  } else {
    errors.add("", "expected an object, found " + json::describe(value));
  }
  return graph;
}

mlir::OwningOpRef<mlir::ModuleOp> target::importModel(mlir::MLIRContext &context, std::string_view text,
                                                      const ModelOptions &options, ImportDiagnostics &diagnostics) {
  checkOptions(options, diagnostics.errors);
  if (!diagnostics.errors.empty())
    return {};
  json::Value value;
  std::string parseError;
  if (!json::parse(text, value, parseError, modelLimits())) {
    diagnostics.errors.push_back(options.fileName + ":" + parseError);
    return {};
  }
  json::Errors errors;
  std::vector<std::string> warnings;
  Graph graph = readGraph(value, options, errors, warnings);
  CheckedGraph checked;
  // A graph's fields and their meaning are judged together; a config that is wrong has no graph.
  if (errors.empty() || isModelJSON(value))
    checked = checkGraph(graph, errors);
  for (const std::string &message : errors.messages())
    diagnostics.errors.push_back(options.fileName + ": " + message);
  for (const std::string &message : warnings)
    diagnostics.warnings.push_back(options.fileName + ": " + message);
  if (!errors.empty())
    return {};

  mlir::OwningOpRef<mlir::ModuleOp> module = buildModule(context, checked, options);
  // The checks above should leave nothing to find; a module that does not verify must still not go on.
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
    diagnostics.errors.push_back(options.fileName + ": " + diagnostic.str());
    return mlir::success();
  });
  if (mlir::failed(mlir::verify(*module))) {
    if (diagnostics.errors.empty())
      diagnostics.errors.push_back(options.fileName + ": the imported module does not verify");
    return {};
  }
  return module;
}
