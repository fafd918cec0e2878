//===- PassDriver.cpp - modelpar-opt as an mlir-opt -----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// mlir-opt's own main opens the output, and empties it, before the input is read. Here files are treated as by a
// compilation.
//
//===----------------------------------------------------------------------===//

#include "PassDriver.h"

#include "Options.h"
#include "modelpar/Files/FileUse.h"
#include "modelpar/Files/OutputFiles.h"
#include "modelpar/Files/StandardStreams.h"

#include "mlir/Pass/PassRegistry.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#ifdef MODELPAR_TEST_PASSES
#include "test/lib/TestPasses.h"
#endif

using namespace modelpar;

/// Options that print something about the tool and read nothing. Nothing: none of them was given.
static std::optional<std::string> describe(const mlir::MlirOptMainConfig &config,
                                           const mlir::DialectRegistry &registry) {
  if (!config.shouldShowDialects())
    return std::nullopt;
  std::string text = "Available Dialects: ";
  llvm::raw_string_ostream stream(text);
  llvm::interleave(registry.getDialectNames(), stream, ",");
  return text + "\n";
}

static bool checkFiles(const std::string &input, const std::string &output, std::string &error) {
  using Kind = files::FileUse::Kind;
  std::vector<files::FileUse> uses = {{"-o", output, Kind::Stream}, {"standard error", "", Kind::StandardError}};
  if (input != "-")
    uses.push_back({"the module", input, Kind::Input});
  return files::checkFiles(uses, error);
}

int runPasses(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv, /*InstallPipeSignalExitHandler=*/false);
  files::ignoreWriteSignals();
  mlir::DialectRegistry registry;
  pipelines::registerModelparDialects(registry);
  pipelines::registerModelparPasses();
#ifdef MODELPAR_TEST_PASSES
  modelpar::test::registerTestPasses();
#endif
  const auto [input, output] = mlir::registerAndParseCLIOptions(argc, argv, "modelpar optimizer driver\n", registry);
  const mlir::MlirOptMainConfig config = mlir::MlirOptMainConfig::createFromCLOptions();
  std::string error;
  if (!checkFiles(input, output, error))
    return fail(error);

  files::OutputFiles outputs;
  if (std::optional<std::string> text = describe(config, registry))
    return outputs.add("-", *text, error) && outputs.commit(error) ? 0 : fail(error);
  if (config.shouldListPasses()) {
    mlir::printRegisteredPasses();
    llvm::outs().flush();
    const std::error_code code = llvm::outs().error();
    llvm::outs().clear_error();
    return code ? fail("cannot write standard output: " + code.message()) : 0;
  }
  std::unique_ptr<llvm::MemoryBuffer> module = mlir::openInputFile(input, &error);
  if (!module)
    return fail(error);
  std::string text;
  llvm::raw_string_ostream stream(text);
  const bool passed = mlir::succeeded(mlir::MlirOptMain(stream, std::move(module), registry, config));
  // What was printed before a failure is shown, and kept in no file.
  if ((passed || files::isStandardOutput(output)) && !(outputs.add(output, text, error) && outputs.commit(error)))
    return fail(error);
  return passed ? 0 : 1;
}
