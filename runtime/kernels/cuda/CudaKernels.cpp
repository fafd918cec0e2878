//===- CudaKernels.cpp - instructions bound to CUDA launches ---------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A table from op to what it reads from the instruction and what it launches.
//
//===----------------------------------------------------------------------===//

#include "runtime/kernels/cuda/CudaKernels.h"
#include "runtime/kernels/KernelSupport.h"
#include "runtime/kernels/cuda/Launch.h"

using namespace modelpar;
using namespace modelpar::runtime;
using planformat::Scalar;

// Device code writes these places out.
static_assert(static_cast<int>(Scalar::Step) == 0 && static_cast<int>(Scalar::LearningRate) == 1 &&
              static_cast<int>(Scalar::LabelCount) == 2 && static_cast<int>(Scalar::Clip) == 5 &&
              static_cast<int>(Scalar::Beta1) == 6 && static_cast<int>(Scalar::Beta2) == 7 &&
              static_cast<int>(Scalar::Epsilon) == 8 && static_cast<int>(Scalar::WeightDecay) == 9 &&
              static_cast<int>(Scalar::Update) == 10);

namespace {

/// The attributes that any of the kernels reads.
struct Attributes {
  int kind = 0;
  double epsilon = 0;
  int64_t paddingRow = -1;
  bool weightDecay = true;
};
Status readNone(const planformat::Instruction &, Attributes &) { return Status(); }
Status readKind(const planformat::Instruction &i, Attributes &a) { return readActivationKind(i, a.kind); }
Status readEpsilon(const planformat::Instruction &i, Attributes &a) { return readAttribute(i, "epsilon", a.epsilon); }
Status readPadding(const planformat::Instruction &i, Attributes &a) {
  return readOptional(i, "padding_row", a.paddingRow);
}
Status readDecay(const planformat::Instruction &i, Attributes &a) {
  return readAttribute(i, "weight_decay", a.weightDecay);
}

/// One launch's tensors in short.
struct Call {
  const Attributes &attributes;
  const KernelArgs &args;
  cudaStream_t stream;
  const TensorView &input(int i) const { return args.inputs[i]; }
  const float *in(int i) const { return args.inputs[i].as<const float>(); }
  const int32_t *ids(int i) const { return args.inputs[i].as<const int32_t>(); }
  const double *scalars(int i) const { return args.inputs[i].as<const double>(); }
  float *out(int i) const { return args.outputs[i].as<float>(); }
  int64_t size() const { return args.outputs[0].numElements(); }
  double *partials() const { return reinterpret_cast<double *>(args.workspace.data()); }
  /// Rows and columns of input `i`, and the global offset of its first column.
  RowsColumns rows(int i) const { return rowsColumns(args.inputs[i]); }
  int64_t firstColumn(int i) const { return args.inputs[i].offsets[args.inputs[i].rank - 1]; }
};

cudaError_t launchAdd(const Call &c) {
  return cuda::add(c.stream, c.size(), std::max<int64_t>(1, c.input(1).numElements()), c.in(0), c.in(1), c.out(0));
}
/// The executor's own: sums over micro-batches.
cudaError_t launchAccumulate(const Call &c) {
  return cuda::add(c.stream, c.size(), std::max<int64_t>(1, c.size()), c.out(0), c.in(0), c.out(0));
}
cudaError_t launchMul(const Call &c) { return cuda::multiply(c.stream, c.size(), c.in(0), c.in(1), c.out(0)); }

/// The result may be the first operand; the sum of nothing is zero.
cudaError_t launchSum(const Call &c) {
  const int64_t n = c.size();
  if (c.args.inputs.empty())
    return n > 0 ? cudaMemsetAsync(c.out(0), 0, n * sizeof(float), c.stream) : cudaSuccess;
  if (c.args.inputs.size() == 1 && c.out(0) != c.in(0) && n > 0)
    return cudaMemcpyAsync(c.out(0), c.in(0), n * sizeof(float), cudaMemcpyDeviceToDevice, c.stream);
  for (size_t i = 1; i < c.args.inputs.size(); ++i)
    if (cudaError_t error =
            cuda::add(c.stream, n, std::max<int64_t>(n, 1), i == 1 ? c.in(0) : c.out(0), c.in(i), c.out(0));
        error != cudaSuccess)
      return error;
  return cudaSuccess;
}

cudaError_t launchReduceSum(const Call &c) {
  const int64_t columns = c.size();
  return cuda::columnSums(c.stream, columns ? c.input(0).numElements() / columns : 0, columns, c.in(0), c.out(0));
}
cudaError_t launchActivation(const Call &c) {
  return cuda::activation(c.stream, c.attributes.kind, c.size(), c.in(0), c.out(0));
}
cudaError_t launchActivationGrad(const Call &c) {
  return cuda::activationGrad(c.stream, c.attributes.kind, c.size(), c.in(0), c.in(1), c.out(0));
}

cudaError_t launchEmbedding(const Call &c) {
  const TensorView &table = c.input(1);
  return cuda::embedding(c.stream, c.input(0).numElements(), table.extents[1], table.offsets[0], table.extents[0],
                         c.ids(0), c.in(1), c.out(0));
}
cudaError_t launchEmbeddingGrad(const Call &c) {
  const TensorView &table = c.args.outputs[0];
  return cuda::embeddingGrad(c.stream, c.input(1).numElements(), table.extents[1], table.offsets[0], table.extents[0],
                             c.attributes.paddingRow, c.in(0), c.ids(1), c.out(0));
}

cudaError_t launchLayerNorm(const Call &c) {
  auto [rows, columns] = c.rows(0);
  return cuda::layerNorm(c.stream, rows, columns, static_cast<float>(c.attributes.epsilon), c.in(0), c.in(1), c.in(2),
                         c.out(0), c.out(1), c.out(2));
}
cudaError_t launchLayerNormInputGrad(const Call &c) {
  auto [rows, columns] = c.rows(1);
  return cuda::layerNormInputGrad(c.stream, rows, columns, c.in(0), c.in(1), c.in(2), c.in(3), c.in(4), c.out(0));
}
cudaError_t launchLayerNormWeightGrad(const Call &c) {
  auto [rows, columns] = c.rows(1);
  return cuda::layerNormWeightGrad(c.stream, rows, columns, c.in(0), c.in(1), c.in(2), c.in(3), c.out(0), c.out(1));
}

cudaError_t launchSoftmaxStats(const Call &c) {
  auto [rows, columns] = c.rows(0);
  return cuda::softmaxStats(c.stream, rows, columns, c.firstColumn(0), c.in(0), c.ids(1), c.out(0), c.out(1));
}
cudaError_t launchSoftmaxStatsGrad(const Call &c) {
  auto [rows, columns] = c.rows(0);
  return cuda::softmaxStatsGrad(c.stream, rows, columns, c.firstColumn(0), c.in(0), c.ids(1), c.in(2), c.in(3), c.in(4),
                                c.out(0));
}
cudaError_t launchTokenLoss(const Call &c) {
  cudaError_t error =
      cuda::tokenLossPartials(c.stream, c.input(2).numElements(), c.in(0), c.in(1), c.ids(2), c.partials());
  return error == cudaSuccess ? cuda::finishSum(c.stream, c.partials(), 1, c.scalars(3), c.out(0)) : error;
}
cudaError_t launchTokenLossGrad(const Call &c) {
  return cuda::tokenLossGrad(c.stream, c.input(0).numElements(), c.ids(0), c.scalars(1), c.out(0), c.out(1));
}
cudaError_t launchSquaredError(const Call &c) {
  cudaError_t error = cuda::squaredErrorPartials(c.stream, c.input(0).numElements(), c.in(0), c.in(1), c.partials());
  const double count = globalCount(c.input(0));
  return error == cudaSuccess ? cuda::finishSum(c.stream, c.partials(), count > 0 ? 1 / count : 0, nullptr, c.out(0))
                              : error;
}
cudaError_t launchSquaredErrorGrad(const Call &c) {
  const double count = globalCount(c.input(0));
  return cuda::squaredErrorGrad(c.stream, c.size(), static_cast<float>(count > 0 ? 2 / count : 0), c.in(0), c.in(1),
                                c.out(0));
}

cudaError_t launchSumSquares(const Call &c) {
  for (size_t i = 0; i < c.args.inputs.size(); ++i)
    if (cudaError_t error = cuda::squarePartials(c.stream, c.input(i).numElements(), i == 0, c.in(i), c.partials());
        error != cudaSuccess)
      return error;
  return cuda::finishSum(c.stream, c.partials(), 1, nullptr, c.out(0));
}
cudaError_t launchClipScale(const Call &c) {
  return cuda::clipScale(c.stream, c.in(0), c.scalars(1), c.out(0), c.out(1));
}
cudaError_t launchAdamW(const Call &c) {
  return cuda::adamw(c.stream, c.size(), c.attributes.weightDecay, c.in(0), c.in(1), c.in(2), c.in(3), c.in(4),
                     c.scalars(5), c.out(0), c.out(1), c.out(2));
}
cudaError_t launchSgd(const Call &c) {
  return cuda::sgd(c.stream, c.size(), c.attributes.weightDecay, c.in(0), c.in(1), c.in(2), c.scalars(3), c.out(0));
}

struct Entry {
  const char *op;
  int inputs, outputs; ///< -1: one or more; kAnyNumber.
  Status (*read)(const planformat::Instruction &, Attributes &);
  cudaError_t (*launch)(const Call &);
  bool needsPartials = false;
};

constexpr Entry kEntries[] = {
    {"accumulate", 1, 1, readNone, launchAccumulate},
    {"activation", 1, 1, readKind, launchActivation},
    {"activation_grad", 2, 1, readKind, launchActivationGrad},
    {"adamw", 6, 3, readDecay, launchAdamW},
    {"add", 2, 1, readNone, launchAdd},
    {"clip_scale", 2, 2, readNone, launchClipScale},
    {"embedding", 2, 1, readNone, launchEmbedding},
    {"embedding_grad", 2, 1, readPadding, launchEmbeddingGrad},
    {"layer_norm", 3, 3, readEpsilon, launchLayerNorm},
    {"layer_norm_input_grad", 5, 1, readNone, launchLayerNormInputGrad},
    {"layer_norm_weight_grad", 4, 2, readNone, launchLayerNormWeightGrad},
    {"mul", 2, 1, readNone, launchMul},
    {"reduce_sum", 1, 1, readNone, launchReduceSum},
    {"sgd", 4, 1, readDecay, launchSgd},
    {"softmax_stats", 2, 2, readNone, launchSoftmaxStats},
    {"softmax_stats_grad", 5, 1, readNone, launchSoftmaxStatsGrad},
    {"squared_error", 2, 1, readNone, launchSquaredError, true},
    {"squared_error_grad", 2, 1, readNone, launchSquaredErrorGrad},
    {"sum", kAnyNumber, 1, readNone, launchSum},
    {"sum_squares", -1, 1, readNone, launchSumSquares, true},
    {"token_loss", 4, 1, readNone, launchTokenLoss, true},
    {"token_loss_grad", 2, 2, readNone, launchTokenLossGrad},
};

class CudaKernel final : public Kernel {
public:
  CudaKernel(const Entry &entry, const Attributes &attributes) : entry_(entry), attributes_(attributes) {}

  static Status create(const planformat::Instruction &instruction, std::unique_ptr<Kernel> &kernel) {
    for (const Entry &entry : kEntries)
      if (instruction.op == entry.op) {
        Attributes attributes;
        MODELPAR_RETURN_IF_ERROR(entry.read(instruction, attributes));
        kernel = std::make_unique<CudaKernel>(entry, attributes);
        return Status();
      }
    return Status::internal("no CUDA kernel of this name");
  }

  Status launch(const KernelArgs &args) override {
    MODELPAR_RETURN_IF_ERROR(checkArity(entry_.op, args, entry_.inputs, entry_.outputs));
    if (args.outputs[0].dtype != planformat::DType::F32)
      return Status::unavailable(std::string(entry_.op) + ": the cuda kernel computes f32, found " +
                                 std::string(planformat::name(args.outputs[0].dtype)));
    MODELPAR_RETURN_IF_ERROR(checkLookup(args));
    if (entry_.needsPartials && args.workspace.size() < sizeof(double) * cuda::kPartials)
      return Status::internal(std::string(entry_.op) + ": the plan gives " + std::to_string(args.workspace.size()) +
                              " bytes of workspace, the kernel needs " +
                              std::to_string(sizeof(double) * cuda::kPartials));
    cudaError_t error = entry_.launch({attributes_, args, static_cast<cudaStream_t>(args.stream)});
    return error == cudaSuccess ? Status()
                                : Status::internal(std::string(entry_.op) + ": " + cudaGetErrorString(error));
  }

private:
  /// Ids and targets are positions along a dimension; the kernels take them for indices.
  Status checkLookup(const KernelArgs &args) const {
    const TensorView *view = nullptr;
    int dim = 0;
    if (entry_.launch == launchEmbedding)
      view = &args.inputs[1];
    else if (entry_.launch == launchEmbeddingGrad)
      view = &args.outputs[0];
    else if (entry_.launch == launchSoftmaxStats || entry_.launch == launchSoftmaxStatsGrad)
      view = &args.inputs[0], dim = view->rank - 1;
    if (!view || view->order(dim).isIdentity())
      return Status();
    return Status::unavailable(std::string(entry_.op) + ": the cuda kernel looks up positions in a dimension in its " +
                               "natural order, found one in " + std::to_string(view->order(dim).parts) +
                               " balanced parts");
  }

  const Entry &entry_;
  Attributes attributes_;
};

} // namespace

void runtime::registerCudaKernels(KernelRegistry &registry) {
  registry.add("matmul", "cuda", planformat::DType::F32, cuda::createMatmul);
  for (const Entry &entry : kEntries)
    registry.add(entry.op, "cuda", planformat::DType::F32, CudaKernel::create);
  // Its only floating-point operand is the f64 scalars; its results are f32.
  registry.add("token_loss_grad", "cuda", planformat::DType::F64, CudaKernel::create);
}
