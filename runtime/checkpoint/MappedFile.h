//===- MappedFile.h - files as bytes in memory ----------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Checkpoints and data sets are read through maps, so that a rank touches only the pages of its own shards; checkpoints
// are written through a map too, so that ranks fill disjoint parts of one file without assembling it anywhere.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_CHECKPOINT_MAPPEDFILE_H
#define MODELPAR_RUNTIME_CHECKPOINT_MAPPEDFILE_H

#include "runtime/base/Status.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace modelpar::runtime {

/// A regular file mapped for reading, or created at a given size and mapped for writing. Move-only.
class MappedFile {
public:
  MappedFile() = default;
  ~MappedFile() { reset(); }
  MappedFile(MappedFile &&other) noexcept { *this = std::move(other); }
  MappedFile &operator=(MappedFile &&other) noexcept;
  MappedFile(const MappedFile &) = delete;
  MappedFile &operator=(const MappedFile &) = delete;

  /// Symbolic links are followed (model caches consist of them); anything but a regular file is refused.
  static Status openForReading(const std::string &path, MappedFile &file);
  /// Creates or truncates `path`, with its blocks allocated: a full disk is an error here and not a signal at the first
  /// write. After an error there is no such file.
  static Status createForWriting(const std::string &path, uint64_t bytes, MappedFile &file);

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  /// Only of a file created for writing.
  std::span<std::byte> writableBytes() {
    return writable_ ? std::span<std::byte>(data_, size_) : std::span<std::byte>();
  }
  const std::string &path() const { return path_; }
  /// Gives back the memory of pages within `part` until they are looked at again; only of a file opened for reading.
  void release(std::span<const std::byte> part) const;
  /// Forces written bytes to the disk.
  Status sync();

private:
  void reset();

  std::string path_;
  std::byte *data_ = nullptr;
  size_t size_ = 0;
  int descriptor_ = -1;
  bool writable_ = false;
};

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_CHECKPOINT_MAPPEDFILE_H
