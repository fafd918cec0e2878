//===- Inputs.h - what the data sources share -----------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_DATA_INPUTS_H
#define MODELPAR_RUNTIME_DATA_INPUTS_H

#include "runtime/base/Philox.h"
#include "runtime/data/DataSource.h"
#include "runtime/data/Scan.h"

#include <cstring>

namespace modelpar::runtime::data {

/// A generator key for one use ("windows", an input's name) under a seed, so that uses do not share numbers.
PhiloxKey keyFor(uint64_t seed, std::string_view use);
/// The counter of element `index` in `step`.
inline PhiloxCounter counterFor(int64_t step, int64_t index) {
  return philoxCounter(static_cast<uint64_t>(index), static_cast<uint32_t>(step),
                       static_cast<uint32_t>(static_cast<uint64_t>(step) >> 32));
}
/// A number in [0, bound) from 64 random bits.
inline int64_t below(uint64_t bits, int64_t bound) {
  return static_cast<int64_t>(static_cast<unsigned __int128>(bits) * static_cast<uint64_t>(bound) >> 64);
}
inline uint64_t word64(const PhiloxCounter &words) { return uint64_t{words[1]} << 32 | words[0]; }

inline bool isIntegerType(planformat::DType type) {
  return type == planformat::DType::I32 || type == planformat::DType::I64;
}

/// Product of the extents behind the first dimension, that of samples.
int64_t elementsPerSample(const std::vector<int64_t> &shape);

/// Stores with the view's type, rounding to nearest.
void store(const TensorView &view, int64_t element, double value);
inline void store(const TensorView &view, int64_t element, int64_t value) {
  if (view.dtype == planformat::DType::I32)
    view.as<int32_t>()[element] = static_cast<int32_t>(value);
  else if (view.dtype == planformat::DType::I64)
    view.as<int64_t>()[element] = value;
  else
    store(view, element, static_cast<double>(value));
}

/// Calls body(element of the view, sample, element within the sample) for all elements in the order in which they are
/// stored, until it returns an error. Dimension `batch` (-1: none) counts samples. Samples and elements within are
/// those of the data, whatever the stored order; an input without a batch has one sample, 0.
template <typename Body> Status forEachElement(const TensorView &view, int batch, Body &&body) {
  const int64_t count = view.numElements();
  int64_t index[kMaxRank] = {};
  for (int64_t element = 0; element < count; ++element) {
    int64_t within = 0;
    for (int i = 0; i < view.rank; ++i)
      if (i != batch)
        within = within * view.globalExtents[i] + view.order(i).position(view.offsets[i] + index[i]);
    const int64_t sample = batch < 0 ? 0 : view.order(batch).position(view.offsets[batch] + index[batch]);
    MODELPAR_RETURN_IF_ERROR(body(element, sample, within));
    for (int i = view.rank - 1; i >= 0 && ++index[i] == view.extents[i]; --i)
      index[i] = 0;
  }
  return {};
}

/// Positions count along the last dimension.
Status fillPositions(const TensorView &view);

/// The plan's inputs by what fills them; the scalars are the executor's and not among them.
struct InputRoles {
  const planformat::Input *tokens = nullptr;  ///< The first of role "tokens".
  const planformat::Input *targets = nullptr; ///< The first integer input of role "targets": its labels are counted.
  std::vector<const planformat::Input *> all;
};
/// Error: an input that no source can fill (unknown role, no batch as its first dimension where positions alone may do
/// without, tokens that are not integers), all at once.
Status sortInputs(const planformat::Plan &plan, InputRoles &roles);

/// `[8, 128] of i32`
std::string describeType(const planformat::TensorType &type);
/// `[8, 128]`
std::string describeShape(const std::vector<int64_t> &shape);
/// What an input's elements may be: integers below the range's end, reals up to it.
Allowed allowedValues(const planformat::Input &input, planformat::DType dtype);
/// `47, input 'tokens' takes 0 to 46`: a value outside an input's range.
std::string outsideRange(const planformat::Input &input, planformat::DType dtype, const std::string &value);

} // namespace modelpar::runtime::data

#endif // MODELPAR_RUNTIME_DATA_INPUTS_H
