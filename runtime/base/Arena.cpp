//===- Arena.cpp - the one block of memory of a rank ----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// mmap, mincore and munmap.
//
//===----------------------------------------------------------------------===//

#include "runtime/base/Arena.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <sys/mman.h>
#include <unistd.h>

using namespace modelpar::runtime;

Arena::~Arena() {
  if (data_)
    ::munmap(data_, static_cast<size_t>(mapped_));
}

void Arena::swap(Arena &other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(mapped_, other.mapped_);
}

Status Arena::map(int64_t bytes, Arena &arena) {
  if (bytes < 0)
    return Status::internal("arena of negative size " + std::to_string(bytes));
  int64_t page = ::sysconf(_SC_PAGESIZE);
  if (bytes > std::numeric_limits<int64_t>::max() - page)
    return Status::unavailable("no memory for an arena of " + std::to_string(bytes) + " bytes");
  int64_t mapped = std::max<int64_t>((bytes + page - 1) / page * page, page);
  void *data = ::mmap(nullptr, static_cast<size_t>(mapped), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED)
    return Status::unavailable("no memory for an arena of " + std::to_string(bytes) +
                               " bytes: " + std::strerror(errno));
  Arena result;
  result.data_ = static_cast<std::byte *>(data);
  result.size_ = bytes;
  result.mapped_ = mapped;
  arena = std::move(result);
  return {};
}

int64_t Arena::residentBytes() const {
  constexpr int64_t kPages = 4096; // Pages asked for at once: one page of answers.
  unsigned char resident[kPages];
  int64_t page = ::sysconf(_SC_PAGESIZE), count = 0;
  for (int64_t offset = 0; offset < mapped_; offset += kPages * page) {
    int64_t bytes = std::min(kPages * page, mapped_ - offset);
    if (::mincore(data_ + offset, static_cast<size_t>(bytes), resident) != 0)
      return size_;
    for (int64_t i = 0; i < bytes / page; ++i)
      count += resident[i] & 1;
  }
  return std::min(count * page, size_);
}
