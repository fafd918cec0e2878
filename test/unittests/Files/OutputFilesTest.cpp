//===- OutputFilesTest.cpp ------------------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Files/OutputFiles.h"

#include "modelpar/Files/StandardStreams.h"
#include "test/unittests/Checkpoint/TestFiles.h"

#include <filesystem>
#include <gtest/gtest.h>

using namespace modelpar::files;
using modelpar::runtime::test::TemporaryDirectory;
using modelpar::runtime::test::writeFile;

namespace {

std::string contentOf(const std::string &path) { return modelpar::runtime::test::readFile(path); }

size_t filesIn(const TemporaryDirectory &folder) {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder.path()), {}));
}

TEST(OutputFiles, AppearTogether) {
  TemporaryDirectory folder;
  std::string error;
  OutputFiles outputs;
  ASSERT_TRUE(outputs.add(folder / "a", "1", error)) << error;
  ASSERT_TRUE(outputs.add(folder / "b", "2", error)) << error;
  EXPECT_FALSE(std::filesystem::exists(folder / "a"));
  ASSERT_TRUE(outputs.commit(error)) << error;
  EXPECT_EQ(contentOf(folder / "a") + contentOf(folder / "b"), "12");
  EXPECT_EQ(filesIn(folder), 2u);
}

TEST(OutputFiles, AFullDeviceLeavesTheOthersAsTheyWere) {
  TemporaryDirectory folder;
  writeFile(folder / "a", "old");
  {
    std::string error;
    OutputFiles outputs;
    ASSERT_TRUE(outputs.add(folder / "a", "new", error)) << error;
    ASSERT_TRUE(outputs.add("/dev/full", "text", error)) << error;
    EXPECT_FALSE(outputs.commit(error));
    EXPECT_EQ(error, "cannot write /dev/full: No space left on device");
  }
  EXPECT_EQ(contentOf(folder / "a"), "old");
  EXPECT_EQ(filesIn(folder), 1u);
}

TEST(OutputFiles, LinksKeepPointingAtTheirFiles) {
  TemporaryDirectory folder;
  writeFile(folder / "file", "old");
  std::filesystem::create_symlink("file", folder / "link");
  std::filesystem::create_symlink("new", folder / "dangling");
  std::string error;
  OutputFiles outputs;
  ASSERT_TRUE(outputs.add(folder / "link", "1", error) && outputs.add(folder / "dangling", "2", error)) << error;
  ASSERT_TRUE(outputs.commit(error)) << error;
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link") && std::filesystem::is_symlink(folder / "dangling"));
  EXPECT_EQ(contentOf(folder / "file") + contentOf(folder / "new"), "12");
}

TEST(OutputFiles, ErrorsNameFileAndReason) {
  TemporaryDirectory folder;
  std::string error, text;
  OutputFiles outputs;
  EXPECT_FALSE(outputs.add(folder.path(), "", error));
  EXPECT_EQ(error, "cannot write " + folder.path() + ": Is a directory");
  EXPECT_FALSE(outputs.add(folder / "none/a", "", error));
  EXPECT_EQ(error, "cannot write " + folder / "none/a" + ": No such file or directory");
  EXPECT_FALSE(readFile(folder / "none", text, error));
  EXPECT_EQ(error, "cannot read " + folder / "none" + ": No such file or directory");
}

TEST(StandardStreams, ControlBytesArePrinted) {
  EXPECT_EQ(printable("a b\n\tc"), "a b\n\tc");
  EXPECT_EQ(printable("\x1b[31m\r\x7f"), "\\x1b[31m\\x0d\\x7f");
  EXPECT_EQ(printable(std::string(1, '\0')), "\\x00");
  EXPECT_EQ(printable("é·漢"), "é·漢");
  // U+009B is the one-character form of ESC [.
  EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b");
  EXPECT_EQ(printable("\xc2"), "\xc2");
}

TEST(StandardStreams, NamesOfStandardOutput) {
  EXPECT_TRUE(isStandardOutput("-") && isStandardOutput("/dev/stdout"));
  EXPECT_FALSE(isStandardOutput("./-") || isStandardOutput(""));
}

} // namespace
