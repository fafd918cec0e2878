//===- Initialize.cpp - where parameters start ----------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/training/Initialize.h"

#include "runtime/base/Hash.h"
#include "runtime/base/Philox.h"
#include "runtime/checkpoint/Elements.h"
#include "runtime/checkpoint/Slices.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

using namespace modelpar;
using namespace modelpar::runtime;

namespace {

/// The words of one counter serve four consecutive elements.
constexpr int64_t kLanes = 4;

/// Standard normal numbers for four elements, by Box and Muller from two pairs of words.
std::array<float, kLanes> normals(const PhiloxCounter &words) {
  std::array<float, kLanes> values;
  for (size_t pair = 0; pair < 2; ++pair) {
    // (0, 1]: the logarithm is finite; at most 6.7 standard deviations.
    const double uniform = (static_cast<double>(words[2 * pair]) + 1) * 0x1p-32;
    const double radius = std::sqrt(-2 * std::log(uniform));
    const double angle = 2 * std::numbers::pi * (static_cast<double>(words[2 * pair + 1]) * 0x1p-32);
    values[2 * pair] = static_cast<float>(radius * std::cos(angle));
    values[2 * pair + 1] = static_cast<float>(radius * std::sin(angle));
  }
  return values;
}

std::array<float, kLanes> uniforms(const PhiloxCounter &words) {
  return {uniformFloat(words[0]), uniformFloat(words[1]), uniformFloat(words[2]), uniformFloat(words[3])};
}

/// values[i] = offset + scale · number of element first + i.
template <typename Numbers>
void fillRandom(PhiloxKey key, int64_t first, std::span<float> values, double offset, double scale, Numbers numbers) {
  const int64_t count = static_cast<int64_t>(values.size());
  for (int64_t i = 0; i < count;) {
    const int64_t element = first + i, lane = element % kLanes;
    const auto four = numbers(philox4x32(philoxCounter(static_cast<uint64_t>(element / kLanes)), key));
    const int64_t end = std::min(kLanes, lane + count - i);
    for (int64_t l = lane; l < end; ++l)
      values[static_cast<size_t>(i++)] = static_cast<float>(offset + scale * four[static_cast<size_t>(l)]);
  }
}

} // namespace

/// Zeros for the elements [first, first + values) that lie in the parameter's row of zeros.
static void clearZeroRow(const planformat::Parameter &parameter, int64_t rowElements, int64_t first,
                         std::span<float> values) {
  if (parameter.zeroRow < 0)
    return;
  const int64_t count = static_cast<int64_t>(values.size()), row = parameter.zeroRow * rowElements - first;
  const int64_t begin = std::clamp<int64_t>(row, 0, count), end = std::clamp<int64_t>(row + rowElements, 0, count);
  std::ranges::fill(values.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)), 0.0f);
}

Status runtime::initialValues(const planformat::Parameter &parameter, uint64_t seed, int64_t first,
                              std::span<float> values) {
  const planformat::Initializer &init = parameter.init;
  const PhiloxKey key = philoxKey(mixHash(seed, hashString(parameter.name)));
  if (init.kind == "zeros")
    std::ranges::fill(values, 0.0f);
  else if (init.kind == "ones")
    std::ranges::fill(values, 1.0f);
  else if (init.kind == "constant")
    std::ranges::fill(values, static_cast<float>(init.a));
  else if (init.kind == "normal")
    fillRandom(key, first, values, init.a, init.b, normals);
  else if (init.kind == "uniform")
    fillRandom(key, first, values, init.a, init.b - init.a, uniforms);
  else
    return Status::invalid("parameter '" + parameter.name + "' has unknown initializer '" + init.kind + "'");
  return {};
}

Status runtime::initialize(const planformat::Parameter &parameter, uint64_t seed, const TensorView &view) {
  if (!canConvert(FileType::F32, view.dtype))
    return Status::invalid("parameter '" + parameter.name + "' has type " + std::string(planformat::name(view.dtype)) +
                           ", expected a floating-point type");
  Status status;
  const int64_t rows = view.rank ? view.globalExtents[0] : 1, rowElements = rows ? globalElements(view) / rows : 0;
  std::array<float, 4096> chunk;
  forEachRun(view, [&](int64_t global, int64_t local, int64_t count) {
    for (int64_t done = 0; done < count && status.ok();) {
      const int64_t part = std::min<int64_t>(count - done, static_cast<int64_t>(chunk.size()));
      const std::span values(chunk.data(), static_cast<size_t>(part));
      status = initialValues(parameter, seed, global + done, values);
      clearZeroRow(parameter, rowElements, global + done, values);
      convertElements(FileType::F32, reinterpret_cast<const std::byte *>(chunk.data()), view.dtype,
                      view.as<std::byte>() + (local + done) * planformat::byteSize(view.dtype), part);
      done += part;
    }
  });
  return status;
}

Status runtime::initializeParameters(Executor &executor, uint64_t seed, const Checkpoint *checkpoint) {
  const planformat::Plan &plan = executor.plan();
  for (const planformat::Parameter &parameter : plan.parameters) {
    planformat::BufferId buffer = -1;
    for (const planformat::Replica &copy : planformat::copiesOf(parameter))
      if (copy.stage == executor.stageIndex())
        buffer = copy.value;
    if (buffer < 0)
      continue;
    TensorView view = executor.bufferView(buffer);
    // Devices whose memory the host does not see get the shard through a buffer.
    std::vector<std::byte> staging;
    if (plan.deviceKind != "cpu") {
      staging.resize(static_cast<size_t>(view.numElements() * planformat::byteSize(view.dtype)));
      view.data = staging.data();
    }
    if (checkpoint)
      MODELPAR_RETURN_IF_ERROR(readSlice(checkpoint->find(parameter), view));
    else
      MODELPAR_RETURN_IF_ERROR(initialize(parameter, seed, view));
    if (!staging.empty())
      MODELPAR_RETURN_IF_ERROR(executor.writeBuffer(buffer, staging));
  }
  return {};
}
