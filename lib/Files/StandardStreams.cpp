//===- StandardStreams.cpp - descriptors 0 to 2 of a tool -----------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Files/StandardStreams.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <iostream>

#include <fcntl.h>
#include <unistd.h>

namespace modelpar::files {

static bool outputWasClosed = false;

void ignoreWriteSignals() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

void openStandardStreams() {
  ignoreWriteSignals();
  for (int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(descriptor, F_GETFD) != -1 || errno != EBADF)
      continue;
    outputWasClosed |= descriptor == STDOUT_FILENO;
    // The lowest free number is this one: those below are open.
    if (open("/dev/null", O_RDWR) != descriptor)
      std::_Exit(1);
  }
}

bool standardOutputWasClosed() { return outputWasClosed; }

int closeStandardStreams(const char *tool, int exitCode) {
  errno = 0;
  const bool flushed = std::cout.flush().good() && std::fflush(stdout) == 0 && !std::ferror(stdout);
  if (!flushed) {
    std::fprintf(stderr, "%s: error: cannot write standard output: %s\n", tool,
                 errno ? std::strerror(errno) : "an earlier write failed");
    exitCode = exitCode ? exitCode : 1;
  }
  // Nobody can be told, but by the exit code.
  if (!std::cerr.flush().good() || std::fflush(stderr) != 0 || std::ferror(stderr))
    exitCode = exitCode ? exitCode : 1;
  return exitCode;
}

bool isStandardOutput(std::string_view path) {
  return path == "-" || path == "/dev/stdout" || path == "/dev/fd/1" || path == "/proc/self/fd/1";
}

bool writeAll(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(descriptor, text.data(), text.size());
    if (written < 0 && errno != EINTR)
      return false;
    text.remove_prefix(written < 0 ? 0 : static_cast<size_t>(written));
  }
  return true;
}

std::string printable(std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // In UTF-8, the control characters above ASCII are C2 80 to C2 9F.
    const bool wide = byte == 0xc2 && i + 1 < text.size() && (static_cast<unsigned char>(text[i + 1]) & 0xe0) == 0x80;
    if ((byte >= 0x20 && byte != 0x7f && !wide) || byte == '\n' || byte == '\t') {
      result += text[i];
      continue;
    }
    for (size_t end = i + (wide ? 1 : 0);; ++i) {
      const auto control = static_cast<unsigned char>(text[i]);
      result += {'\\', 'x', kHex[control >> 4], kHex[control & 15]};
      if (i == end)
        break;
    }
  }
  return result;
}

} // namespace modelpar::files
