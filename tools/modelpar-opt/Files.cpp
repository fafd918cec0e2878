//===- Files.cpp - what modelpar-opt reads and writes ---------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Files.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include <unistd.h>

namespace fs = std::filesystem;

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

static bool write(const std::string &path, const std::string &text) {
  errno = 0;
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  return file.good();
}

OutputFiles::~OutputFiles() {
  std::error_code ignored;
  for (const File &file : files_)
    fs::remove(file.temporary, ignored);
}

bool OutputFiles::add(const std::string &path, const std::string &text, std::string &error) {
  std::error_code ignored;
  const fs::file_status status = fs::status(path, ignored);
  if (fs::is_directory(status)) {
    errno = EISDIR;
    return fail(error, "write", path);
  }
  if (path == "-" || (fs::exists(status) && !fs::is_regular_file(status))) {
    direct_.emplace_back(path, text);
    return true;
  }
  // A link keeps pointing at its file.
  const fs::path target = fs::exists(status) ? fs::canonical(path, ignored) : fs::path(path);
  File file{target.string(), target.string() + ".tmp" + std::to_string(getpid()) + "-" + std::to_string(files_.size())};
  files_.push_back(file);
  return write(file.temporary, text) || fail(error, "write", path);
}

bool OutputFiles::commit(std::string &error) {
  for (const auto &[path, text] : direct_)
    if (path == "-" ? !(std::cout << text << std::flush) : !write(path, text))
      return fail(error, "write", path == "-" ? "standard output" : path);
  while (!files_.empty()) {
    errno = 0;
    if (std::rename(files_.back().temporary.c_str(), files_.back().path.c_str()) != 0)
      return fail(error, "write", files_.back().path);
    files_.pop_back();
  }
  return true;
}
