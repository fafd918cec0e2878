//===- modelpar-opt.cpp - the compiler's command --------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Two ways in: a model and a cluster lead to a plan; a .mlir file and pass names work as in mlir-opt.
//
//===----------------------------------------------------------------------===//

#include "Options.h"

#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#ifdef MODELPAR_TEST_PASSES
#include "test/lib/TestPasses.h"
#endif

#include <fstream>
#include <iostream>
#include <sstream>

using namespace modelpar::pipelines;

/// A .mlir file (or standard input) without any option of a compilation.
static bool wantsPasses(int argc, char **argv) {
  bool mlir = false;
  for (int i = 1; i < argc; ++i) {
    llvm::StringRef argument(argv[i]);
    if (argument.starts_with("--compile-"))
      return false;
    mlir |= argument.ends_with(".mlir") || argument == "-" || argument == "--show-dialects" ||
            argument.starts_with("--pass-pipeline");
  }
  return mlir;
}

static int fail(const std::string &message) {
  std::cerr << "modelpar-opt: error: " << message << "\n";
  return 1;
}

static bool writeFile(const std::string &path, const std::string &text) {
  if (path == "-")
    return static_cast<bool>(std::cout << text);
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  return file.good();
}

static int compileModel(const Options &options) {
  const std::string &path = options.compile.modelFile;
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  if (!file || !(text << file.rdbuf()))
    return fail("cannot read " + path);

  CompileResult result = compile(text.str(), options.compile);
  for (const std::string &warning : result.warnings)
    std::cerr << "modelpar-opt: warning: " << warning << "\n";
  for (const std::string &error : result.errors)
    fail(error);
  if (!result.ok)
    return 1;

  const bool plan = options.compile.compileTo == Phase::Plan;
  std::string output = options.output;
  if (output.empty() && !plan)
    output = "-";
  if (!output.empty() && !writeFile(output, plan ? result.planText : result.ir))
    return fail("cannot write " + output);
  if (plan && !options.summary.empty() && !writeFile(options.summary, result.summary))
    return fail("cannot write " + options.summary);
  if (plan && options.explain)
    std::cout << explain(result.plan);
  return 0;
}

int main(int argc, char **argv) {
  if (wantsPasses(argc, argv)) {
    mlir::DialectRegistry registry;
    registerModelparDialects(registry);
    registerModelparPasses();
#ifdef MODELPAR_TEST_PASSES
    modelpar::test::registerTestPasses();
#endif
    return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "modelpar optimizer driver\n", registry));
  }
  int exitCode = 0;
  std::optional<Options> options = parseOptions(argc, argv, exitCode);
  return options ? compileModel(*options) : exitCode;
}
