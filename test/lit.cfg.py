# Configuration of the lit tests: modelpar-opt, modelpar-run, FileCheck and `not` are on the PATH, %models and %src name folders.
import os

import lit.formats

config.name = "modelpar"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.test_source_root = os.path.join(config.modelpar_source, "test")
config.test_exec_root = os.path.join(config.modelpar_build, "test")
config.excludes = ["Inputs", "CMakeLists.txt"]
config.environment["PATH"] = os.pathsep.join(
    [os.path.join(config.modelpar_build, "bin"), config.llvm_bin, os.environ["PATH"]])
for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
    if name in os.environ:
        config.environment[name] = os.environ[name]
config.substitutions.append(("%models", os.path.join(config.modelpar_source, "models")))
config.substitutions.append(("%src", config.modelpar_source))
config.substitutions.append(("%python", config.python))
if os.path.exists(os.path.join(config.modelpar_build, "bin", "modelpar-run")):
    config.available_features.add("runtime")
if config.onednn:
    config.available_features.add("onednn")
