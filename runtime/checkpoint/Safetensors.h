//===- Safetensors.h - reader and writer of the safetensors format --------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A file is eight bytes of little-endian header length, a JSON header that gives every tensor a type, a shape and a
// byte range, and the ranges, which tile the rest of the file. Files come from strangers: every number is checked
// before it is used, and nothing is allocated by a size that the file claims.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_CHECKPOINT_SAFETENSORS_H
#define MODELPAR_RUNTIME_CHECKPOINT_SAFETENSORS_H

#include "runtime/checkpoint/MappedFile.h"

#include <map>
#include <string_view>
#include <vector>

namespace modelpar::runtime {

/// Element types of the format, in the order that its writers sort by.
enum class FileType {
  Bool,
  F4,
  F6E2M3,
  F6E3M2,
  U8,
  I8,
  F8E5M2,
  F8E4M3,
  F8E8M0,
  I16,
  U16,
  F16,
  BF16,
  I32,
  U32,
  F32,
  C64,
  F64,
  I64,
  U64
};
std::string_view name(FileType type); ///< "F32", ...
bool parseFileType(std::string_view name, FileType &type);
int64_t bitSize(FileType type);

struct FileTensor {
  std::string name;
  FileType type = FileType::F32;
  std::vector<int64_t> shape;
  uint64_t begin = 0, end = 0; ///< Bytes, counted from the end of the header.

  int64_t numElements() const;
};

/// A safetensors file, checked in full when opened. Tensors keep pointing into the map while this lives.
class SafetensorsFile {
public:
  static Status open(const std::string &path, SafetensorsFile &file);
  /// The same on bytes that the caller keeps alive; `path` is for messages.
  static Status parse(std::span<const std::byte> bytes, const std::string &path, SafetensorsFile &file);

  const std::string &path() const { return path_; }
  const std::map<std::string, FileTensor, std::less<>> &tensors() const { return tensors_; }
  const std::map<std::string, std::string> &metadata() const { return metadata_; }
  const FileTensor *find(std::string_view name) const;
  std::span<const std::byte> bytes(const FileTensor &tensor) const {
    return data_.subspan(tensor.begin, tensor.end - tensor.begin);
  }
  /// Gives back the memory of a part of the file (MappedFile::release).
  void release(std::span<const std::byte> part) const { map_.release(part); }

private:
  MappedFile map_;
  std::string path_;
  std::span<const std::byte> data_; ///< After the header.
  std::map<std::string, FileTensor, std::less<>> tensors_;
  std::map<std::string, std::string> metadata_;
};

/// What a file to be written holds.
struct TensorSpec {
  std::string name;
  FileType type = FileType::F32;
  std::vector<int64_t> shape;
};

/// The bytes before the data for these tensors: length and padded header. Tensors are laid out by type, widest first,
/// then by name; `layout` gets them in that order with their ranges. The same tensors and metadata give the same bytes.
std::string safetensorsHeader(const std::vector<TensorSpec> &tensors,
                              const std::map<std::string, std::string> &metadata, std::vector<FileTensor> &layout);

/// Writes one file through a map under a temporary name; `finish` makes it durable and gives it its name. Ranks may
/// fill disjoint parts of the tensors at the same time.
class SafetensorsWriter {
public:
  /// The metadata gets `format: pt`, which loaders look for.
  static Status create(const std::string &path, const std::vector<TensorSpec> &tensors, SafetensorsWriter &writer);
  SafetensorsWriter() = default;
  SafetensorsWriter(SafetensorsWriter &&) = default;
  SafetensorsWriter &operator=(SafetensorsWriter &&) = default;
  /// Removes the temporary file of a writer that was not finished.
  ~SafetensorsWriter();

  const FileTensor *find(std::string_view name) const;
  std::span<std::byte> bytes(const FileTensor &tensor);
  Status finish();
  /// Removes the temporary file of a writer that will not be finished, while ranks may still write.
  void abandon() const;

private:
  std::string path_, temporaryPath_;
  MappedFile map_;
  uint64_t dataBegin_ = 0;
  std::map<std::string, FileTensor, std::less<>> tensors_;
};

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_CHECKPOINT_SAFETENSORS_H
