//===- CublasLt.cpp - cuBLASLt, loaded when first used ---------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// See CublasLt.h.
//
//===----------------------------------------------------------------------===//

#include "runtime/kernels/cuda/CublasLt.h"

#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <map>
#include <mutex>

using namespace modelpar::runtime;
using namespace modelpar::runtime::cuda;

Status CublasLt::load() {
  // The version that the headers describe; the plain name is the toolkit's own link.
  const std::string versioned = "libcublasLt.so." + std::to_string(CUBLAS_VER_MAJOR);
  void *library = dlopen(versioned.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return Status::unavailable(std::string("matmul on cuda needs cuBLASLt: ") + dlerror());
  Status status;
  auto find = [&](auto &function, const char *name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
    if (!function && status.ok())
      status = Status::unavailable(versioned + " has no function " + name);
  };
  find(create, "cublasLtCreate");
  find(matmulDescCreate, "cublasLtMatmulDescCreate");
  find(matmulDescDestroy, "cublasLtMatmulDescDestroy");
  find(matmulDescSetAttribute, "cublasLtMatmulDescSetAttribute");
  find(matrixLayoutCreate, "cublasLtMatrixLayoutCreate");
  find(matrixLayoutDestroy, "cublasLtMatrixLayoutDestroy");
  find(preferenceCreate, "cublasLtMatmulPreferenceCreate");
  find(preferenceDestroy, "cublasLtMatmulPreferenceDestroy");
  find(preferenceSetAttribute, "cublasLtMatmulPreferenceSetAttribute");
  find(algoGetHeuristic, "cublasLtMatmulAlgoGetHeuristic");
  find(matmul, "cublasLtMatmul");
  find(getStatusString, "cublasLtGetStatusString");
  return status;
}

Status CublasLt::get(const CublasLt *&library) {
  static CublasLt loaded;
  static const Status status = loaded.load();
  library = &loaded;
  return status;
}

Status CublasLt::check(cublasStatus_t status, const char *call) const {
  if (status == CUBLAS_STATUS_SUCCESS)
    return Status();
  return Status::internal(std::string(call) + ": " + getStatusString(status));
}

Status CublasLt::handle(cublasLtHandle_t &handle) const {
  static std::mutex mutex;
  static std::map<int, cublasLtHandle_t> handles; // By device; they live as long as the process.
  int device = 0;
  if (cudaError_t error = cudaGetDevice(&device); error != cudaSuccess)
    return Status::internal(std::string("cudaGetDevice: ") + cudaGetErrorString(error));
  std::lock_guard lock(mutex);
  auto it = handles.find(device);
  if (it == handles.end()) {
    MODELPAR_RETURN_IF_ERROR(check(create(&handle), "cublasLtCreate"));
    it = handles.emplace(device, handle).first;
  }
  handle = it->second;
  return Status();
}
