//===- FileUse.cpp - what a run reads and writes --------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Files/FileUse.h"

#include "modelpar/Files/OutputFiles.h"
#include "modelpar/Files/StandardStreams.h"

#include <filesystem>

#include <sys/stat.h>
#include <unistd.h>

namespace fs = std::filesystem;

namespace modelpar::files {

using Kind = FileUse::Kind;

namespace {

/// What a path stands for, however it is spelled.
struct Identity {
  bool known = false; ///< Not of devices and pipes, which nobody owns.
  dev_t device = 0;
  ino_t node = 0;
  std::string rest; ///< Of a file that does not exist: its path below the folder (device, node) that does.

  bool operator==(const Identity &) const = default;
  /// Whether this is, or will be, a folder on the way to `other`.
  bool leadsTo(const Identity &other) const {
    return !rest.empty() && device == other.device && node == other.node &&
           (other.rest + "/").compare(0, rest.size() + 1, rest + "/") == 0;
  }
};

Identity identify(const struct stat &info, std::string rest = {}) {
  return {S_ISREG(info.st_mode) || S_ISDIR(info.st_mode), info.st_dev, info.st_ino, std::move(rest)};
}

Identity identify(const std::string &path) {
  struct stat info;
  if (stat(path.c_str(), &info) == 0)
    return identify(info);
  std::error_code ignored;
  fs::path folder = fs::weakly_canonical(resolveLinks(path), ignored), rest;
  while (folder.has_relative_path()) {
    rest = rest.empty() ? folder.filename() : folder.filename() / rest;
    folder = folder.parent_path();
    if (stat(folder.empty() ? "." : folder.c_str(), &info) == 0)
      return identify(info, (rest.has_filename() ? rest : rest.parent_path()).string());
  }
  return {};
}

Identity identify(const FileUse &use) {
  struct stat info;
  const bool error = use.kind == Kind::StandardError;
  if (!error && use.kind != Kind::StandardOutput && !(use.kind == Kind::Stream && isStandardOutput(use.path)))
    return identify(use.path);
  return fstat(error ? STDERR_FILENO : STDOUT_FILENO, &info) == 0 ? identify(info) : Identity();
}

bool isStandard(const FileUse &use) {
  return use.kind == Kind::StandardOutput || use.kind == Kind::StandardError ||
         (use.kind == Kind::Stream && isStandardOutput(use.path));
}

} // namespace

/// What is wrong with an output by itself; empty: nothing.
static std::string checkAlone(const FileUse &use) {
  if (use.kind == Kind::Input || use.kind == Kind::StandardOutput || use.kind == Kind::StandardError)
    return "";
  const bool folder = use.kind == Kind::Directory;
  if (isStandardOutput(use.path)) {
    if (use.kind != Kind::Stream)
      return use.option + ": expected the name of a " + (folder ? "folder" : "file") + ", found '" + use.path +
             "', which is standard output";
    return standardOutputWasClosed() ? use.option + ": standard output is closed" : "";
  }
  std::error_code ignored;
  const fs::file_status status = fs::status(use.path, ignored);
  if (!folder && fs::is_directory(status))
    return use.option + ": expected a file, found the directory '" + use.path + "'";
  // The file is renamed into place, which would replace a device.
  if (use.kind == Kind::File && fs::exists(status) && !fs::is_regular_file(status))
    return use.option + ": '" + use.path + "' exists and is not a regular file";
  return "";
}

static std::string quoted(const FileUse &use) { return isStandard(use) ? "standard output" : "'" + use.path + "'"; }

static std::string againstInput(const FileUse &output, const FileUse &input) {
  const std::string name = input.path == output.path ? input.option : input.option + " ('" + input.path + "')";
  if (output.kind == Kind::StandardOutput || output.kind == Kind::StandardError)
    return output.option + " goes to " + name + ", which this run reads";
  return output.option + ": " + quoted(output) + " is " + name + ", which this run reads";
}

static std::string againstOutput(const FileUse &a, const FileUse &b) {
  if (isStandard(a) && isStandard(b))
    return a.option + " and " + b.option + " both write to standard output, expected one of them";
  // A standard stream has no name of its own.
  const FileUse &named = isStandard(a) ? b : a, &other = isStandard(a) ? a : b;
  std::string text = a.option + " and " + b.option + " name the same file, '" + named.path + "'";
  return isStandard(other) || other.path == named.path ? text : text + " and '" + other.path + "'";
}

/// Empty: the two can be used together.
static std::string checkPair(const FileUse &a, const Identity &aFile, const FileUse &b, const Identity &bFile) {
  if (a.kind == Kind::Input && b.kind == Kind::Input)
    return "";
  if (isStandard(a) && isStandard(b)) // Messages may go where results go.
    return a.kind == Kind::StandardError || b.kind == Kind::StandardError ? "" : againstOutput(a, b);
  if (!aFile.known || !bFile.known)
    return "";
  if (a.kind == Kind::Directory || b.kind == Kind::Directory) {
    const bool aIsFolder = a.kind == Kind::Directory;
    if (a.kind == b.kind || !(aIsFolder ? bFile.leadsTo(aFile) : aFile.leadsTo(bFile)))
      return "";
    const FileUse &folder = aIsFolder ? a : b, &file = aIsFolder ? b : a;
    return file.option + ": '" + file.path + "' has to be a folder for " + folder.option + " ('" + folder.path + "')";
  }
  if (aFile != bFile)
    return "";
  if (a.kind == Kind::Input)
    return a.replacedBy == b.option ? "" : againstInput(b, a);
  if (b.kind == Kind::Input)
    return b.replacedBy == a.option ? "" : againstInput(a, b);
  return againstOutput(a, b);
}

bool checkFiles(const std::vector<FileUse> &uses, std::string &error) {
  std::vector<Identity> files;
  for (const FileUse &use : uses) {
    error = checkAlone(use);
    if (!error.empty())
      return false;
    files.push_back(identify(use));
  }
  for (size_t i = 0; i < uses.size(); ++i) {
    for (size_t j = i + 1; j < uses.size(); ++j) {
      error = checkPair(uses[i], files[i], uses[j], files[j]);
      if (!error.empty())
        return false;
    }
  }
  return true;
}

} // namespace modelpar::files
