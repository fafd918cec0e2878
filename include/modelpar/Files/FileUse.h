//===- FileUse.h - what a run reads and writes ----------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One place decides whether the files of a command line can be used together, before anything is computed: no output
// may destroy an input or another output, however the two are spelled.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_FILES_FILEUSE_H
#define MODELPAR_FILES_FILEUSE_H

#include <string>
#include <vector>

namespace modelpar::files {

/// One file of a command line.
struct FileUse {
  enum class Kind {
    Input,
    File,           ///< An output that needs a file's name.
    Stream,         ///< An output that may also be "-", standard output, a device or a pipe.
    Directory,      ///< A folder that is made for outputs; these are uses of their own.
    StandardOutput, ///< Results that have no option of their own; `path` is not used, nor here:
    StandardError
  };
  std::string option; ///< What a message calls it: "--metrics", "the plan".
  std::string path;
  Kind kind = Kind::Input;
  std::string replacedBy = {}; ///< Of an input: the option that may replace it, once it was read.
};

/// False, with one message in `error` that names both options and the file, when an output is also an input or another
/// output (through symbolic and hard links, and where the file does not exist yet), or cannot be what its kind says.
/// Devices and pipes may be used by several.
bool checkFiles(const std::vector<FileUse> &uses, std::string &error);

} // namespace modelpar::files

#endif // MODELPAR_FILES_FILEUSE_H
