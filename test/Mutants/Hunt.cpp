//===- Hunt.cpp - many mutants, each able to die alone --------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Hunt.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace modelpar::test;

namespace {

/// A verdict as one line of a pipe.
std::string encode(const Verdict &verdict) {
  std::string text = verdict.message.substr(0, 2000);
  std::replace(text.begin(), text.end(), '\n', '\t');
  return std::to_string(static_cast<int>(verdict.kind)) + text + "\n";
}

Verdict decode(std::string line) {
  std::replace(line.begin(), line.end(), '\t', '\n');
  return {static_cast<Verdict::Kind>(line[0] - '0'), line.substr(1)};
}

class Child {
public:
  Child(const HuntOptions &options, const std::function<Verdict(size_t)> &attempt)
      : options_(options), attempt_(attempt), words_(options.folder + "/stderr.txt") {}

  ~Child() { close(pipe_); }

  bool start(size_t begin, size_t end) {
    int ends[2];
    if (pipe(ends) != 0)
      return false;
    pid_ = fork();
    if (pid_ == 0) {
      close(ends[0]);
      run(begin, end, ends[1]);
    }
    close(ends[1]);
    pipe_ = ends[0];
    return pid_ > 0;
  }

  /// The next verdict; nothing after the last, or when the child is gone.
  std::optional<Verdict> next() {
    while (true) {
      if (size_t end = received_.find('\n'); end != std::string::npos) {
        const Verdict verdict = decode(received_.substr(0, end));
        received_.erase(0, end + 1);
        return verdict;
      }
      pollfd wait{pipe_, POLLIN, 0};
      const int ready = poll(&wait, 1, static_cast<int>(options_.hangSeconds * 1000));
      if (ready == 0) {
        hung_ = true;
        kill(pid_, SIGKILL);
        return std::nullopt;
      }
      char buffer[4096];
      const ssize_t count = ready < 0 ? -1 : read(pipe_, buffer, sizeof(buffer));
      if (count == 0)
        return std::nullopt;
      if (count < 0 && errno != EINTR)
        return std::nullopt;
      received_.append(buffer, static_cast<size_t>(std::max<ssize_t>(count, 0)));
    }
  }

  /// How it ended, once it has.
  Verdict wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    if (hung_)
      return {Verdict::Kind::Hung, "no end within " + std::to_string(options_.hangSeconds) + " seconds"};
    const std::string how =
        WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status)) + " (" + strsignal(WTERMSIG(status)) + ")"
                            : "exit code " + std::to_string(WEXITSTATUS(status));
    std::ifstream file(words_, std::ios::binary);
    const std::string words(std::istreambuf_iterator<char>(file), {});
    return {Verdict::Kind::Crashed, how + "\n" + words.substr(0, 1500)};
  }

private:
  [[noreturn]] void run(size_t begin, size_t end, int out) {
    const int silent = open("/dev/null", O_WRONLY),
              words = open(words_.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_APPEND, 0644);
    dup2(silent, STDOUT_FILENO);
    dup2(words, STDERR_FILENO);
    const rlimit noCore{0, 0};
    setrlimit(RLIMIT_CORE, &noCore);
    if (options_.memoryBytes > 0) {
      const rlimit limit{static_cast<rlim_t>(options_.memoryBytes), static_cast<rlim_t>(options_.memoryBytes)};
      setrlimit(RLIMIT_AS, &limit);
    }
    for (size_t i = begin; i < end; ++i) {
      if (ftruncate(words, 0) != 0)
        _exit(1);
      const std::string line = encode(attempt_(i));
      if (write(out, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
        _exit(1);
    }
    _exit(0);
  }

  const HuntOptions &options_;
  const std::function<Verdict(size_t)> &attempt_;
  std::string words_, received_;
  pid_t pid_ = -1;
  int pipe_ = -1;
  bool hung_ = false;
};

} // namespace

void modelpar::test::hunt(size_t count, const HuntOptions &options, const std::function<Verdict(size_t)> &attempt,
                          const std::function<void(size_t, const Verdict &)> &report) {
  for (size_t at = 0; at < count;) {
    const size_t end = std::min(count, at + options.perChild);
    Child child(options, attempt);
    if (!child.start(at, end))
      return report(at, {Verdict::Kind::Crashed, "cannot start a process"});
    while (at < end) {
      const std::optional<Verdict> verdict = child.next();
      if (!verdict)
        break;
      report(at++, *verdict);
    }
    const Verdict ending = child.wait();
    if (at < end)
      report(at++, ending);
  }
}
