//===- Matmul.cpp - contraction of two tensors by cuBLASLt -----------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// cuBLASLt is column-major: a row-major product C = A·B is its product Cᵀ = Bᵀ·Aᵀ on
// the same bytes. The algorithm of a shape is chosen at its first use.
//
//===----------------------------------------------------------------------===//

#include "runtime/kernels/Einsum.h"
#include "runtime/kernels/cuda/CublasLt.h"
#include "runtime/kernels/cuda/CudaKernels.h"

#include <array>
#include <cuda_runtime_api.h>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::cuda;

namespace {

/// rows × columns in column-major order, to be read transposed or not.
struct Layout {
  int64_t rows = 0, columns = 0, leading = 0;
  bool transposed = false;
};

/// How cuBLASLt sees the transpose of a strided rows × columns matrix; false when neither stride is 1.
bool describe(int64_t rows, int64_t columns, int64_t rowStride, int64_t columnStride, Layout &layout) {
  // A dimension of extent 1 has no stride of its own.
  if (columns == 1)
    columnStride = 1;
  else if (rows == 1)
    rowStride = columnStride == 1 ? columns : rowStride;
  if (columnStride == 1) {
    layout = {columns, rows, std::max(rowStride, columns), false};
    return rows == 1 || rowStride >= columns;
  }
  layout = {rows, columns, std::max(columnStride, rows), true};
  return (rowStride == 1 || rows == 1) && columnStride >= rows;
}

/// Descriptors and algorithm of one shape.
class Plan {
public:
  explicit Plan(const CublasLt &library) : library_(library) {}
  ~Plan() {
    for (cublasLtMatrixLayout_t layout : layouts_)
      if (layout)
        library_.matrixLayoutDestroy(layout);
    if (operation_)
      library_.matmulDescDestroy(operation_);
  }
  Plan(const Plan &) = delete;
  Plan &operator=(const Plan &) = delete;

  /// `layouts`: of the first and second factor as cuBLASLt takes them, and of the result.
  Status init(const Layout (&layouts)[3], size_t workspace) {
    MODELPAR_RETURN_IF_ERROR(library_.check(library_.matmulDescCreate(&operation_, CUBLAS_COMPUTE_32F, CUDA_R_32F),
                                            "cublasLtMatmulDescCreate"));
    const cublasLtMatmulDescAttributes_t sides[] = {CUBLASLT_MATMUL_DESC_TRANSA, CUBLASLT_MATMUL_DESC_TRANSB};
    for (int i = 0; i < 2; ++i) {
      cublasOperation_t operation = layouts[i].transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
      MODELPAR_RETURN_IF_ERROR(
          library_.check(library_.matmulDescSetAttribute(operation_, sides[i], &operation, sizeof operation),
                         "cublasLtMatmulDescSetAttribute"));
    }
    for (int i = 0; i < 3; ++i)
      MODELPAR_RETURN_IF_ERROR(library_.check(library_.matrixLayoutCreate(&layouts_[i], CUDA_R_32F, layouts[i].rows,
                                                                          layouts[i].columns, layouts[i].leading),
                                              "cublasLtMatrixLayoutCreate"));
    return choose(workspace);
  }

  Status run(cudaStream_t stream, const float *first, const float *second, float *result, bool accumulate,
             std::span<std::byte> workspace) const {
    cublasLtHandle_t handle;
    MODELPAR_RETURN_IF_ERROR(library_.handle(handle));
    const float alpha = 1, beta = accumulate ? 1 : 0;
    return library_.check(library_.matmul(handle, operation_, &alpha, first, layouts_[0], second, layouts_[1], &beta,
                                          result, layouts_[2], result, layouts_[2], &algorithm_, workspace.data(),
                                          workspace.size(), stream),
                          "cublasLtMatmul");
  }

private:
  Status choose(size_t workspace) {
    cublasLtHandle_t handle;
    cublasLtMatmulPreference_t preference;
    MODELPAR_RETURN_IF_ERROR(library_.handle(handle));
    MODELPAR_RETURN_IF_ERROR(library_.check(library_.preferenceCreate(&preference), "cublasLtMatmulPreferenceCreate"));
    uint64_t bytes = workspace;
    cublasStatus_t status =
        library_.preferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes, sizeof bytes);
    cublasLtMatmulHeuristicResult_t result;
    int found = 0;
    if (status == CUBLAS_STATUS_SUCCESS)
      status = library_.algoGetHeuristic(handle, operation_, layouts_[0], layouts_[1], layouts_[2], layouts_[2],
                                         preference, 1, &result, &found);
    library_.preferenceDestroy(preference);
    MODELPAR_RETURN_IF_ERROR(library_.check(status, "cublasLtMatmulAlgoGetHeuristic"));
    if (found == 0)
      return Status::unavailable("cuBLASLt has no algorithm for this matmul");
    algorithm_ = result.algo;
    return Status();
  }

  const CublasLt &library_;
  cublasLtMatmulDesc_t operation_ = nullptr;
  cublasLtMatrixLayout_t layouts_[3] = {};
  cublasLtMatmulAlgo_t algorithm_ = {};
};

class CudaMatmul final : public Kernel {
public:
  Status init(const planformat::Instruction &instruction) {
    auto it = instruction.attributes.find("subscripts");
    const std::string *text = it == instruction.attributes.end() ? nullptr : std::get_if<std::string>(&it->second);
    return text ? einsum_.parse(*text) : Status::internal("attribute \"subscripts\" is missing");
  }

  Status launch(const KernelArgs &args) override {
    if (args.inputs.size() != 2 || args.outputs.size() != 1)
      return Status::internal("matmul: expected 2 inputs and 1 output");
    EinsumProblem problem;
    MODELPAR_RETURN_IF_ERROR(einsum_.bind(args.inputs[0], args.inputs[1], args.outputs[0], problem));
    auto *stream = static_cast<cudaStream_t>(args.stream);
    float *result = args.outputs[0].as<float>();
    if (problem.resultSize == 0)
      return Status();
    if (problem.emptyDepth) {
      cudaError_t error = cudaMemsetAsync(result, 0, problem.resultSize * sizeof(float), stream);
      return error == cudaSuccess ? Status()
                                  : Status::internal(std::string("cudaMemsetAsync: ") + cudaGetErrorString(error));
    }
    const Plan *plan = nullptr;
    bool swapped = false;
    MODELPAR_RETURN_IF_ERROR(planFor(problem, args.workspace.size(), plan, swapped));
    const float *left = args.inputs[0].as<const float>(), *right = args.inputs[1].as<const float>();
    for (int64_t i = 0; i < problem.outerCount(); ++i)
      for (int64_t d = 0; d < problem.depthCount(); ++d) {
        int64_t base[3], at[3];
        problem.outerOffsets(i, base);
        problem.depthOffsets(d, at);
        const float *a = left + base[0] + at[0], *b = right + base[1] + at[1];
        // cuBLASLt's first factor is the transposed right side, or the left when the result is column-major itself.
        MODELPAR_RETURN_IF_ERROR(
            plan->run(stream, swapped ? a : b, swapped ? b : a, result + base[2], d > 0, args.workspace));
      }
    return Status();
  }

private:
  using Key = std::array<int64_t, 10>;

  Status planFor(const EinsumProblem &problem, size_t workspace, const Plan *&plan, bool &swapped) {
    const EinsumLoop &m = problem.m, &n = problem.n, &k = problem.k;
    Layout a, b, c;
    const bool described = describe(m.size, k.size, m.strides[0], k.strides[0], a) &&
                           describe(k.size, n.size, k.strides[1], n.strides[1], b) &&
                           describe(m.size, n.size, m.strides[2], n.strides[2], c);
    if (!described)
      return Status::unavailable("matmul: the cuda kernel needs matrices with one stride of 1");
    swapped = c.transposed;
    const Key key = {m.size,       n.size,       k.size,       m.strides[0], k.strides[0],
                     k.strides[1], n.strides[1], m.strides[2], n.strides[2], static_cast<int64_t>(workspace)};
    auto it = plans_.find(key);
    if (it == plans_.end()) {
      const CublasLt *library = nullptr;
      MODELPAR_RETURN_IF_ERROR(CublasLt::get(library));
      auto made = std::make_unique<Plan>(*library);
      // Not swapped: Cᵀ = Bᵀ·Aᵀ. Swapped: C itself is column-major, C = A·B with both read the other way round.
      Layout first = swapped ? a : b, second = swapped ? b : a, result = c;
      if (swapped) {
        first.transposed = !first.transposed;
        second.transposed = !second.transposed;
        result.transposed = false;
      }
      MODELPAR_RETURN_IF_ERROR(made->init({first, second, result}, workspace));
      it = plans_.emplace(key, std::move(made)).first;
    }
    plan = it->second.get();
    return Status();
  }

  Einsum einsum_;
  std::map<Key, std::unique_ptr<Plan>> plans_;
};

} // namespace

Status cuda::createMatmul(const planformat::Instruction &instruction, std::unique_ptr<Kernel> &kernel) {
  auto result = std::make_unique<CudaMatmul>();
  MODELPAR_RETURN_IF_ERROR(result->init(instruction));
  kernel = std::move(result);
  return Status();
}
