//===- TokenFile.h - text and token files ---------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_DATA_TOKENFILE_H
#define MODELPAR_RUNTIME_DATA_TOKENFILE_H

#include "runtime/checkpoint/MappedFile.h"
#include "runtime/data/Inputs.h"

namespace modelpar::runtime::data {

/// A sequence of little-endian unsigned tokens of one, two or four bytes in a mapped file.
class TokenFile {
public:
  /// Finds out the format when it is Auto; checks magic, version and size. A file that is something else (FileKind.h)
  /// is refused, unless the format is Text: then any bytes are.
  static Status open(const std::string &path, DataFormat format, TokenFile &file);
  /// The same on bytes that the caller keeps alive.
  static Status parse(std::span<const std::byte> bytes, const std::string &path, DataFormat format, TokenFile &file,
                      const Release &release = {});

  int64_t size() const { return count_; }
  int64_t token(int64_t index) const;
  /// The first token that is not allowed, or -1; reads all.
  int64_t findOutside(const Allowed &allowed) const;
  const std::string &path() const { return path_; }
  std::string describe() const; ///< "text 'FILE', 1115394 bytes"

private:
  MappedFile map_;
  std::string path_, kind_;
  std::span<const std::byte> tokens_;
  int64_t count_ = 0;
  int width_ = 1;
};

/// Windows of the file at random starts: sample i of step n starts where a generator keyed by the seed says for (n, i);
/// targets are the tokens shifted by one.
Status createWindows(const planformat::Plan &plan, const InputRoles &roles, TokenFile file, uint64_t seed,
                     std::unique_ptr<DataSource> &source);

} // namespace modelpar::runtime::data

#endif // MODELPAR_RUNTIME_DATA_TOKENFILE_H
