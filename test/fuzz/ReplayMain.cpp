//===- ReplayMain.cpp - runs a fuzz target without a fuzzer ---------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Feeds every file of a corpus to the target, then truncations and byte changes of it from a fixed generator: the same
// inputs on every run and machine. Meant to run under AddressSanitizer too.
//
//===----------------------------------------------------------------------===//

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static constexpr int kMutationsPerFile = 2000;

static void run(const std::vector<uint8_t> &bytes) {
  // An exact allocation, so that a read behind the end is seen by the sanitizer.
  std::vector<uint8_t> copy(bytes.begin(), bytes.end());
  copy.shrink_to_fit();
  LLVMFuzzerTestOneInput(copy.data(), copy.size());
}

static void mutate(std::vector<uint8_t> &bytes, std::mt19937 &random) {
  const char *alphabet = "{}[]\",:0123456789-+.eE truefalsn\\u";
  for (uint32_t changes = 1 + random() % 4; changes > 0 && !bytes.empty(); --changes) {
    size_t at = random() % bytes.size();
    switch (random() % 5) {
    case 0:
      bytes[at] ^= static_cast<uint8_t>(1u << random() % 8);
      break;
    case 1:
      bytes[at] = static_cast<uint8_t>(alphabet[random() % 34]);
      break;
    case 2:
      bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(at));
      break;
    case 3:
      bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), static_cast<uint8_t>(alphabet[random() % 34]));
      break;
    default:
      bytes.resize(at);
    }
  }
}

int main(int argc, char **argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s CORPUS-DIRECTORY\n", argv[0]);
    return 1;
  }
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const auto &entry : std::filesystem::directory_iterator(argv[1], error))
    files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  if (files.empty()) {
    std::fprintf(stderr, "%s: no corpus\n", argv[1]);
    return 1;
  }
  std::mt19937 random(1);
  for (const auto &file : files) {
    std::ifstream stream(file, std::ios::binary);
    std::vector<uint8_t> bytes{std::istreambuf_iterator<char>(stream), {}};
    run(bytes);
    for (int i = 0; i < kMutationsPerFile; ++i) {
      std::vector<uint8_t> changed = bytes;
      mutate(changed, random);
      run(changed);
    }
  }
  std::printf("%zu files, %d mutations each\n", files.size(), kMutationsPerFile);
  return 0;
}
