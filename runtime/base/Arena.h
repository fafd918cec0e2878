//===- Arena.h - the one block of memory of a rank ------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Pages straight from the operating system, so that what is resident can be asked for: the measured peak.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_BASE_ARENA_H
#define MODELPAR_RUNTIME_BASE_ARENA_H

#include "runtime/base/Status.h"

#include <cstddef>
#include <cstdint>

namespace modelpar::runtime {

/// Zeroed host memory of a fixed size, page aligned, released by the destructor. Move-only.
class Arena {
public:
  Arena() = default;
  ~Arena();
  Arena(Arena &&other) noexcept { swap(other); }
  Arena &operator=(Arena &&other) noexcept {
    swap(other);
    return *this;
  }

  /// Maps `bytes` rounded up to pages. Unavailable when the system refuses them.
  static Status map(int64_t bytes, Arena &arena);

  std::byte *data() const { return data_; }
  /// The size asked for.
  int64_t size() const { return size_; }
  /// Bytes of it that are in memory now, whole pages, at most size(). Pages are never given back before the end, so
  /// after the last step this is the peak. Does not allocate.
  int64_t residentBytes() const;

private:
  void swap(Arena &other) noexcept;

  std::byte *data_ = nullptr;
  int64_t size_ = 0, mapped_ = 0;
};

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_BASE_ARENA_H
