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

#include "Files.h"
#include "Options.h"

#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#ifdef MODELPAR_TEST_PASSES
#include "test/lib/TestPasses.h"
#endif

#include <iostream>

using namespace modelpar::pipelines;

/// A .mlir file (or standard input) without any option of a compilation, and not for a plan.
static bool wantsPasses(int argc, char **argv) {
  bool mlir = false;
  for (int i = 1; i < argc; ++i) {
    llvm::StringRef argument(argv[i]);
    if (isCompileOption(argument.str()) || (i > 1 && argument.ends_with(".plan")))
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

static int compileModel(const Options &options) {
  const std::string &path = options.compile.modelFile;
  std::string text, error;
  if (!readFile(path, text, error))
    return fail(error);

  CompileResult result = compile(text, options.compile);
  for (const std::string &warning : result.warnings)
    std::cerr << "modelpar-opt: warning: " << warning << "\n";
  for (const std::string &remark : result.remarks)
    std::cerr << "modelpar-opt: remark: " << remark << "\n";
  // A module of another phase is wrong in every op.
  constexpr size_t kMaxErrors = 20;
  for (size_t i = 0; i < std::min(result.errors.size(), kMaxErrors); ++i)
    fail(result.errors[i]);
  if (result.errors.size() > kMaxErrors)
    std::cerr << "modelpar-opt: and " << result.errors.size() - kMaxErrors << " errors more\n";
  if (!result.ok)
    return 1;

  const bool plan = options.compile.compileTo == Phase::Plan;
  std::string output = options.output;
  if (output.empty() && !plan)
    output = "-";
  OutputFiles files;
  if ((!output.empty() && !files.add(output, plan ? result.planText : result.ir, error)) ||
      (plan && !options.summary.empty() && !files.add(options.summary, result.summary, error)) || !files.commit(error))
    return fail(error);
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
