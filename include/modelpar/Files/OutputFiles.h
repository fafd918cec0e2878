//===- OutputFiles.h - files that appear whole or not at all --------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each output is written under a temporary name beside its file, and all are renamed once all are written.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_FILES_OUTPUTFILES_H
#define MODELPAR_FILES_OUTPUTFILES_H

#include <string>
#include <utility>
#include <vector>

namespace modelpar::files {

/// False: `error` says which file and why.
bool readFile(const std::string &path, std::string &text, std::string &error);

/// The file that a path names after its symbolic links, which need not exist.
std::string resolveLinks(const std::string &path);

class OutputFiles {
public:
  OutputFiles() = default;
  OutputFiles(const OutputFiles &) = delete;
  OutputFiles &operator=(const OutputFiles &) = delete;
  ~OutputFiles(); ///< Removes what was not committed.

  /// Writes `text` for `path`; a link keeps pointing at its file. "-" is standard output; that, devices and pipes are
  /// written by commit().
  bool add(const std::string &path, const std::string &text, std::string &error);
  /// After the messages before it; written by commit().
  void addStandardError(const std::string &text) { direct_.push_back({"", text}); }
  /// What cannot be taken back is written first. False: `error` says which file and why, and the others are as they
  /// were.
  bool commit(std::string &error);

private:
  struct File {
    std::string path, temporary;
  };
  std::vector<File> files_;
  std::vector<std::pair<std::string, std::string>> direct_; ///< Path and text; an empty path is standard error.
};

} // namespace modelpar::files

#endif // MODELPAR_FILES_OUTPUTFILES_H
