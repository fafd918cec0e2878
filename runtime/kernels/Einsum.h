//===- Einsum.h - einsum subscripts as strided matrix products -------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Turns "bsh,hf->bsf" and the extents of three dense tensors into loops around one
// matrix product: letters fall into batch, rows (left and result), columns (right
// and result) and depth (summed); neighbours that every tensor keeps together are
// merged, and the largest of each kind becomes the matrix dimension.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_KERNELS_CPU_EINSUM_H
#define MODELPAR_RUNTIME_KERNELS_CPU_EINSUM_H

#include "runtime/kernels/Kernel.h"

namespace modelpar::runtime {

/// A loop: its extent and what one step advances in left, right and result (elements).
struct EinsumLoop {
  int64_t size = 1;
  int64_t strides[3] = {0, 0, 0};
};

struct EinsumProblem {
  EinsumLoop m, n, k;
  EinsumLoop outer[3 * kMaxRank]; ///< Over independent products.
  int numOuter = 0;
  EinsumLoop outerDepth[2 * kMaxRank]; ///< Over products that add to one result.
  int numOuterDepth = 0;
  int64_t resultSize = 0;
  bool emptyDepth = false; ///< A summed letter has extent 0: the result is zero.

  int64_t outerCount() const;
  int64_t depthCount() const;
  /// Offsets (elements in left, right, result) of the `index`-th outer product, row-major.
  void outerOffsets(int64_t index, int64_t offsets[3]) const;
  void depthOffsets(int64_t index, int64_t offsets[3]) const;
};

/// Subscripts of two operands, checked once.
class Einsum {
public:
  Status parse(const std::string &subscripts);
  /// Fits the tensors' extents; an error names the letter whose extents disagree. Does not allocate when it succeeds.
  Status bind(const TensorView &left, const TensorView &right, const TensorView &result, EinsumProblem &problem) const;

private:
  std::string text_;
  std::string letters_[3];
};

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_KERNELS_CPU_EINSUM_H
