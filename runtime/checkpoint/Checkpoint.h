//===- Checkpoint.h - parameters in Hugging Face files --------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A checkpoint is one safetensors file, or several with an index. A plan's parameter is a row-major reshape of the
// tensor of its checkpoint name, so a rank's shard is a set of runs of that tensor: it is copied run by run, from and
// to the map of the file.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_CHECKPOINT_CHECKPOINT_H
#define MODELPAR_RUNTIME_CHECKPOINT_CHECKPOINT_H

#include "runtime/checkpoint/Safetensors.h"
#include "runtime/kernels/Kernel.h"

namespace modelpar::runtime {

/// A tensor of a checkpoint, in the map of its file.
struct CheckpointTensor {
  const FileTensor *tensor = nullptr;
  std::span<const std::byte> bytes;
  explicit operator bool() const { return tensor != nullptr; }
};

class Checkpoint {
public:
  /// `path`: a safetensors file, an index file (*.index.json), or a directory with model.safetensors or
  /// model.safetensors.index.json.
  static Status open(const std::string &path, Checkpoint &checkpoint);
  /// The files that open() reads for `path`, without opening any but an index; of a directory also the index and
  /// config.json that lie there.
  static Status listFiles(const std::string &path, std::vector<std::string> &files);

  const std::string &path() const { return path_; }
  /// The tensor of this name, or else of one that differs only by what wrappers of PyTorch put into names
  /// (torch.compile's "_orig_mod.", "module." of data parallelism in front, ...).
  CheckpointTensor find(const std::string &name) const;
  /// The first of the parameter's names that the file has.
  CheckpointTensor find(const planformat::Parameter &parameter) const;
  /// One error that lists every parameter that is missing, has another shape or a type that cannot be read, and every
  /// tensor that no parameter takes. Buffers that are no parameters (causal masks, rotary frequencies) may be there,
  /// and so may a tensor under a second name of a parameter, if it repeats the first byte for byte.
  Status check(const std::vector<planformat::Parameter> &parameters) const;

private:
  Status openIndex(const std::string &indexPath);
  Status addFile(const std::string &path);
  using Place = std::pair<size_t, const FileTensor *>; ///< Index into files_.
  std::span<const std::byte> bytes(const Place &place) const { return files_[place.first].bytes(*place.second); }
  const Place *findExactly(const std::string &name) const;
  const Place *findUnwrapped(const std::string &name) const;

  std::string path_;
  std::vector<SafetensorsFile> files_;
  std::map<std::string, Place, std::less<>> tensors_;
  std::map<std::string, Place, std::less<>> unwrapped_; ///< By the names without wrappers.
};

/// Fills `view`, a shard of a tensor whose global extents are a row-major reshape of the checkpoint tensor, converting
/// its elements.
Status readSlice(const CheckpointTensor &source, const TensorView &view);
/// Writes the shard into the bytes of the whole tensor, which has the view's type.
Status writeSlice(const TensorView &view, std::span<std::byte> whole);

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_CHECKPOINT_CHECKPOINT_H
