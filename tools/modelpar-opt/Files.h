//===- Files.h - what modelpar-opt reads and writes -----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Outputs appear whole or not at all: each is written under a temporary name beside it, and all are renamed once all
// are written.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TOOLS_OPT_FILES_H
#define MODELPAR_TOOLS_OPT_FILES_H

#include <string>
#include <utility>
#include <vector>

/// False: `error` says which file and why.
bool readFile(const std::string &path, std::string &text, std::string &error);

class OutputFiles {
public:
  OutputFiles() = default;
  OutputFiles(const OutputFiles &) = delete;
  OutputFiles &operator=(const OutputFiles &) = delete;
  ~OutputFiles(); ///< Removes what was not committed.

  /// Writes `text` for `path`; "-" is standard output, and devices and pipes are written directly, both by commit().
  bool add(const std::string &path, const std::string &text, std::string &error);
  bool commit(std::string &error);

private:
  struct File {
    std::string path, temporary;
  };
  std::vector<File> files_;
  std::vector<std::pair<std::string, std::string>> direct_; ///< Path and text.
};

#endif // MODELPAR_TOOLS_OPT_FILES_H
