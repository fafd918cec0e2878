//===- MappedFile.cpp - files as bytes in memory --------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/checkpoint/MappedFile.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace modelpar::runtime;

static Status systemError(const char *action, const std::string &path, int error) {
  return Status::invalid(std::string("cannot ") + action + " '" + path + "': " + std::strerror(error));
}

MappedFile &MappedFile::operator=(MappedFile &&other) noexcept {
  if (this == &other)
    return *this;
  reset();
  path_ = std::move(other.path_);
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  descriptor_ = std::exchange(other.descriptor_, -1);
  writable_ = std::exchange(other.writable_, false);
  return *this;
}

void MappedFile::reset() {
  if (data_)
    munmap(data_, size_);
  if (descriptor_ >= 0)
    close(descriptor_);
  data_ = nullptr;
  size_ = 0;
  descriptor_ = -1;
  writable_ = false;
}

Status MappedFile::openForReading(const std::string &path, MappedFile &file) {
  MappedFile opened;
  opened.path_ = path;
  // Non-blocking, so that a FIFO is refused below instead of waiting for its writer.
  opened.descriptor_ = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (opened.descriptor_ < 0)
    return systemError("open", path, errno);
  struct stat info;
  if (fstat(opened.descriptor_, &info) != 0)
    return systemError("read", path, errno);
  if (!S_ISREG(info.st_mode))
    return Status::invalid("cannot open '" + path + "': expected a file, found " +
                           (S_ISDIR(info.st_mode) ? "a directory" : "something else"));
  opened.size_ = static_cast<size_t>(info.st_size);
  if (opened.size_ > 0) {
    void *data = mmap(nullptr, opened.size_, PROT_READ, MAP_PRIVATE, opened.descriptor_, 0);
    if (data == MAP_FAILED) {
      opened.size_ = 0;
      return systemError("map", path, errno);
    }
    opened.data_ = static_cast<std::byte *>(data);
  }
  close(std::exchange(opened.descriptor_, -1));
  file = std::move(opened);
  return {};
}

Status MappedFile::createForWriting(const std::string &path, uint64_t bytes, MappedFile &file) {
  MappedFile created;
  created.path_ = path;
  created.descriptor_ = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (created.descriptor_ < 0)
    return systemError("create", path, errno);
  // Nothing stays behind.
  const auto fail = [&](const char *action, int error) {
    unlink(path.c_str());
    return systemError(action, path, error);
  };
  if (bytes > 0) {
    if (int error = posix_fallocate(created.descriptor_, 0, static_cast<off_t>(bytes)))
      return fail("allocate space for", error);
    void *data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, created.descriptor_, 0);
    if (data == MAP_FAILED)
      return fail("map", errno);
    created.data_ = static_cast<std::byte *>(data);
    created.size_ = bytes;
  }
  created.writable_ = true;
  file = std::move(created);
  return {};
}

void MappedFile::release(std::span<const std::byte> part) const {
  if (!data_ || writable_)
    return;
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  // The map starts at a page; pages that `part` shares with its neighbours stay.
  const size_t offset = static_cast<size_t>(part.data() - data_);
  const size_t begin = (offset + page - 1) / page * page, end = (offset + part.size()) / page * page;
  if (begin < end)
    madvise(data_ + begin, end - begin, MADV_DONTNEED);
}

Status MappedFile::sync() {
  if (data_ && msync(data_, size_, MS_SYNC) != 0)
    return systemError("write", path_, errno);
  if (descriptor_ >= 0 && fsync(descriptor_) != 0)
    return systemError("write", path_, errno);
  return {};
}
