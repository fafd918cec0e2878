//===- OutputFiles.cpp - files that appear whole or not at all ------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Files/OutputFiles.h"

#include "modelpar/Files/StandardStreams.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include <fcntl.h>
#include <unistd.h>

namespace fs = std::filesystem;

namespace modelpar::files {

static bool fail(std::string &error, const std::string &what, const std::string &path) {
  const std::string reason = errno ? std::strerror(errno) : "input or output failed";
  error = "cannot " + what + " " + path + ": " + reason;
  return false;
}

bool readFile(const std::string &path, std::string &text, std::string &error) {
  std::error_code ignored;
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (fs::is_directory(path, ignored))
    errno = EISDIR;
  else if (file)
    text.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  return (file && errno != EISDIR && !file.bad()) || fail(error, "read", path);
}

std::string resolveLinks(const std::string &path) {
  constexpr int kMaxLinks = 40; // What systems follow.
  fs::path file = path;
  std::error_code error;
  for (int i = 0; i < kMaxLinks && fs::is_symlink(fs::symlink_status(file, error)); ++i) {
    const fs::path target = fs::read_symlink(file, error);
    if (error)
      break;
    file = file.parent_path() / target; // An absolute target stays itself.
  }
  return file.string();
}

/// False: errno says why. Also what close() reports counts: some systems tell only there that a write failed.
static bool write(const std::string &path, const std::string &text) {
  const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0)
    return false;
  const bool written = writeAll(descriptor, text);
  const int reason = errno;
  const bool closed = close(descriptor) == 0;
  if (!written)
    errno = reason;
  return written && closed;
}

/// After what is still in the buffers of the descriptor's stream.
static bool writeStandard(int descriptor, const std::string &text) {
  if (descriptor == STDOUT_FILENO)
    std::cout.flush();
  return writeAll(descriptor, text);
}

OutputFiles::~OutputFiles() {
  std::error_code ignored;
  for (const File &file : files_)
    fs::remove(file.temporary, ignored);
}

bool OutputFiles::add(const std::string &path, const std::string &text, std::string &error) {
  std::error_code ignored;
  const fs::file_status status = fs::status(path, ignored);
  if (isStandardOutput(path) || (fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status))) {
    direct_.emplace_back(path, text);
    return true;
  }
  if (fs::is_directory(status)) {
    errno = EISDIR;
    return fail(error, "write", path);
  }
  const std::string target = resolveLinks(path);
  files_.push_back({target, target + ".tmp" + std::to_string(getpid()) + "-" + std::to_string(files_.size())});
  errno = 0;
  return write(files_.back().temporary, text) || fail(error, "write", path);
}

bool OutputFiles::commit(std::string &error) {
  for (const auto &[path, text] : direct_) {
    errno = 0;
    if (path.empty()             ? !writeStandard(STDERR_FILENO, text)
        : isStandardOutput(path) ? !writeStandard(STDOUT_FILENO, text)
                                 : !write(path, text))
      return fail(error, "write", path.empty() ? "standard error" : isStandardOutput(path) ? "standard output" : path);
  }
  while (!files_.empty()) {
    errno = 0;
    if (std::rename(files_.back().temporary.c_str(), files_.back().path.c_str()) != 0)
      return fail(error, "write", files_.back().path);
    files_.pop_back();
  }
  return true;
}

} // namespace modelpar::files
