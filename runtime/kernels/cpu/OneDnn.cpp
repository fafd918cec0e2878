//===- OneDnn.cpp - matrix product by oneDNN -------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Debian's oneDNN runs on OpenMP; every call is made with one OpenMP thread on a
// slice of the result, so that the rank's own pool is the only one. Primitives, their
// memory handles and scratchpads are made at the first use of a shape.
//
//===----------------------------------------------------------------------===//

#include "runtime/kernels/cpu/OneDnn.h"
#include "runtime/kernels/cpu/CpuKernels.h"

#include <atomic>
#include <cstdlib>
#include <string_view>

#ifdef MODELPAR_HAVE_ONEDNN
#include <array>
#include <map>
#include <oneapi/dnnl/dnnl.hpp>

extern "C" void omp_set_num_threads(int);
#endif

using namespace modelpar::runtime;
using namespace modelpar::runtime::cpu;

static constexpr const char *kVariable = "MODELPAR_MATMUL";

/// What the environment says; the built-in product where it says nothing.
static std::string_view requested() {
  const char *name = std::getenv(kVariable);
  return name ? name : "builtin";
}

#ifdef MODELPAR_HAVE_ONEDNN

namespace {

using Key = std::array<int64_t, 9>;

/// A part of the result with its own memory handles and scratchpad, so that parts run at the same time.
struct Slice {
  int64_t row, column;
  dnnl::matmul primitive;
  dnnl::memory a, b, c, scratch;
};

dnnl::memory::desc describe(int64_t rows, int64_t columns, int64_t rowStride, int64_t columnStride) {
  return {{rows, columns}, dnnl::memory::data_type::f32, dnnl::memory::dims{rowStride, columnStride}};
}

/// One of the two strides must be 1 and the other no shorter than a row: oneDNN's plain layouts.
bool plain(int64_t rows, int64_t columns, int64_t rowStride, int64_t columnStride) {
  return (columnStride == 1 && rowStride >= columns) || (rowStride == 1 && columnStride >= rows);
}

} // namespace

struct OneDnnMatmul::Cache {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  std::map<Key, std::vector<Slice>> slices;

  std::vector<Slice> make(const Key &key) {
    const auto [m, n, k, ar, ac, br, bc, cr, cc] = key;
    // Rows, or columns when there are few rows, in about 16 parts of a multiple of 64.
    const bool byRows = m >= 256 || m >= n;
    const int64_t size = byRows ? m : n, part = std::max<int64_t>(64, (size / 16 + 63) / 64 * 64);
    std::vector<Slice> result;
    for (int64_t at = 0; at < size; at += part) {
      const int64_t count = std::min(part, size - at), rows = byRows ? count : m, columns = byRows ? n : count;
      dnnl::memory::desc a = describe(rows, k, ar, ac), b = describe(k, columns, br, bc),
                         c = describe(rows, columns, cr, cc);
      dnnl::primitive_attr attributes;
      attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
      dnnl::matmul::primitive_desc description(dnnl::matmul::desc(a, b, c), attributes, engine);
      result.push_back({byRows ? at : 0, byRows ? 0 : at, dnnl::matmul(description),
                        dnnl::memory(a, engine, DNNL_MEMORY_NONE), dnnl::memory(b, engine, DNNL_MEMORY_NONE),
                        dnnl::memory(c, engine, DNNL_MEMORY_NONE),
                        dnnl::memory(description.scratchpad_desc(), engine)});
    }
    return result;
  }

  dnnl_status_t execute(Slice &slice, Matrix<const float> a, Matrix<const float> b, Matrix<float> c) {
    thread_local bool single = false;
    if (!single)
      omp_set_num_threads(1); // Of this thread alone.
    single = true;
    dnnl_memory_set_data_handle(slice.a.get(), const_cast<float *>(a.at(slice.row, 0).data));
    dnnl_memory_set_data_handle(slice.b.get(), const_cast<float *>(b.at(0, slice.column).data));
    dnnl_memory_set_data_handle(slice.c.get(), c.at(slice.row, slice.column).data);
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, slice.a.get()},
                                    {DNNL_ARG_WEIGHTS, slice.b.get()},
                                    {DNNL_ARG_DST, slice.c.get()},
                                    {DNNL_ARG_SCRATCHPAD, slice.scratch.get()}};
    return dnnl_primitive_execute(slice.primitive.get(), stream.get(), 4, args);
  }
};

bool OneDnnMatmul::selected() {
  static const bool value = requested() == "onednn";
  return value;
}

Status OneDnnMatmul::run(ThreadPool *pool, int64_t m, int64_t n, int64_t k, Matrix<const float> a,
                         Matrix<const float> b, Matrix<float> c, bool &done) {
  done = false;
  if (!plain(m, k, a.rowStride, a.columnStride) || !plain(k, n, b.rowStride, b.columnStride) ||
      !plain(m, n, c.rowStride, c.columnStride))
    return Status();
  const Key key = {m, n, k, a.rowStride, a.columnStride, b.rowStride, b.columnStride, c.rowStride, c.columnStride};
  std::vector<Slice> *slices = nullptr;
  try {
    if (!cache_)
      cache_ = std::make_unique<Cache>();
    auto it = cache_->slices.find(key);
    if (it == cache_->slices.end())
      it = cache_->slices.emplace(key, cache_->make(key)).first;
    slices = &it->second;
  } catch (const dnnl::error &error) {
    return Status::internal(std::string("oneDNN: ") + error.what());
  }
  std::atomic<int> failure{dnnl_success};
  parallelFor(pool, static_cast<int64_t>(slices->size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      if (dnnl_status_t status = cache_->execute((*slices)[i], a, b, c); status != dnnl_success)
        failure = status;
  });
  if (failure != dnnl_success)
    return Status::internal("oneDNN: executing a matmul returned status " + std::to_string(failure.load()));
  done = true;
  return Status();
}

#else

struct OneDnnMatmul::Cache {};
bool OneDnnMatmul::selected() { return false; }
Status OneDnnMatmul::run(ThreadPool *, int64_t, int64_t, int64_t, Matrix<const float>, Matrix<const float>,
                         Matrix<float>, bool &done) {
  done = false;
  return Status();
}

#endif

Status OneDnnMatmul::checkEnvironment() {
  const std::string_view name = requested();
  if (name == "builtin" || name == "onednn")
    return Status();
  return Status::invalid(std::string(kVariable) + ": expected builtin or onednn, found '" + std::string(name) + "'");
}

OneDnnMatmul::OneDnnMatmul() = default;
OneDnnMatmul::~OneDnnMatmul() = default;
OneDnnMatmul::OneDnnMatmul(OneDnnMatmul &&) noexcept = default;
OneDnnMatmul &OneDnnMatmul::operator=(OneDnnMatmul &&) noexcept = default;
