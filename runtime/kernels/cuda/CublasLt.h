//===- CublasLt.h - cuBLASLt, loaded when first used -----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The library has hundreds of megabytes and is on GPU machines only, so it is not
// linked: programs with the CUDA kernels start without it.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_KERNELS_CUDA_CUBLASLT_H
#define MODELPAR_RUNTIME_KERNELS_CUDA_CUBLASLT_H

#include "runtime/base/Status.h"

#include <cublasLt.h>

namespace modelpar::runtime::cuda {

/// The functions we call, under their own names without the prefix.
struct CublasLt {
  decltype(&cublasLtCreate) create = nullptr;
  decltype(&cublasLtMatmulDescCreate) matmulDescCreate = nullptr;
  decltype(&cublasLtMatmulDescDestroy) matmulDescDestroy = nullptr;
  decltype(&cublasLtMatmulDescSetAttribute) matmulDescSetAttribute = nullptr;
  decltype(&cublasLtMatrixLayoutCreate) matrixLayoutCreate = nullptr;
  decltype(&cublasLtMatrixLayoutDestroy) matrixLayoutDestroy = nullptr;
  decltype(&cublasLtMatmulPreferenceCreate) preferenceCreate = nullptr;
  decltype(&cublasLtMatmulPreferenceDestroy) preferenceDestroy = nullptr;
  decltype(&cublasLtMatmulPreferenceSetAttribute) preferenceSetAttribute = nullptr;
  decltype(&cublasLtMatmulAlgoGetHeuristic) algoGetHeuristic = nullptr;
  decltype(&cublasLtMatmul) matmul = nullptr;
  decltype(&cublasLtGetStatusString) getStatusString = nullptr;

  /// The loaded library, or Unavailable with the loader's reason.
  static Status get(const CublasLt *&library);
  /// This process's handle for the current device, made at first use.
  Status handle(cublasLtHandle_t &handle) const;
  Status check(cublasStatus_t status, const char *call) const;

private:
  Status load();
};

} // namespace modelpar::runtime::cuda

#endif // MODELPAR_RUNTIME_KERNELS_CUDA_CUBLASLT_H
