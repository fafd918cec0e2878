# LLVM and MLIR 22, as shared libraries.
find_package(MLIR 22.1 REQUIRED CONFIG HINTS /usr/lib/llvm-22/lib/cmake/mlir)
list(APPEND CMAKE_MODULE_PATH ${MLIR_CMAKE_DIR} ${LLVM_CMAKE_DIR})
include(TableGen)
include(AddLLVM)
include(AddMLIR)
separate_arguments(MODELPAR_LLVM_DEFINITIONS NATIVE_COMMAND ${LLVM_DEFINITIONS})
set(MODELPAR_LLVM_BINARY_DIR ${LLVM_TOOLS_BINARY_DIR})
