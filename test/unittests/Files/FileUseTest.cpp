//===- FileUseTest.cpp ----------------------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Files/FileUse.h"

#include "test/unittests/Checkpoint/TestFiles.h"

#include <fcntl.h>
#include <filesystem>
#include <gmock/gmock.h>
#include <sys/stat.h>

using namespace modelpar::files;
using namespace modelpar::runtime::test;
using testing::AllOf;
using testing::HasSubstr;
using Kind = FileUse::Kind;

namespace {

class FileUseTest : public testing::Test {
protected:
  FileUseTest() { writeFile(in, "text"); }
  /// The error; empty: the files can be used together.
  static std::string check(const std::vector<FileUse> &uses) {
    std::string error;
    const bool ok = checkFiles(uses, error);
    EXPECT_EQ(ok, error.empty());
    return error;
  }
  /// An output beside an input.
  std::string over(const std::string &output, Kind kind = Kind::File) {
    return check({{"--out", output, kind}, {"--in", in, Kind::Input}});
  }
  /// Two outputs.
  static std::string both(const std::string &a, const std::string &b) {
    return check({{"--a", a, Kind::File}, {"--b", b, Kind::Stream}});
  }

  TemporaryDirectory folder;
  const std::string in = folder / "in";
};

TEST_F(FileUseTest, AnOutputIsNoInput) {
  EXPECT_EQ(over(folder / "out"), "");
  EXPECT_EQ(over(in), "--out: '" + in + "' is --in, which this run reads");
  EXPECT_NE(over(in, Kind::Stream), "");
  // The order of the list does not matter.
  EXPECT_EQ(check({{"--in", in, Kind::Input}, {"--out", in, Kind::File}}),
            "--out: '" + in + "' is --in, which this run reads");
  EXPECT_EQ(check({{"--in", in, Kind::Input}, {"--data", in, Kind::Input}}), "");
}

TEST_F(FileUseTest, LinksAreSeenThrough) {
  std::filesystem::create_symlink("in", folder / "symbolic");
  std::filesystem::create_symlink("symbolic", folder / "twice");
  std::filesystem::create_hard_link(in, folder / "hard");
  std::filesystem::create_directory_symlink(folder.path(), folder / "here");
  for (const char *name : {"symbolic", "twice", "hard", "here/in", "./in"}) {
    const std::string path = folder / name;
    EXPECT_THAT(over(path), AllOf(HasSubstr(path), HasSubstr("--in ('" + in + "')"))) << name;
  }
}

TEST_F(FileUseTest, OutputsThatDoNotExistYetAreCompared) {
  EXPECT_EQ(both(folder / "x", folder / "x"), "--a and --b name the same file, '" + folder / "x" + "'");
  EXPECT_NE(both(folder / "x", folder / "./x"), "");
  EXPECT_NE(both(folder / "new/x", folder / "new/./x"), "");
  EXPECT_NE(both(folder / "new/x", folder / "other/../new/x"), "");
  EXPECT_EQ(both(folder / "x", folder / "y"), "");
  EXPECT_EQ(both(folder / "new/x", folder / "x"), "");
  std::filesystem::create_symlink("x", folder / "dangling");
  EXPECT_THAT(both(folder / "dangling", folder / "x"), AllOf(HasSubstr("dangling"), HasSubstr("/x'")));
  std::filesystem::create_symlink("loop", folder / "loop");
  EXPECT_EQ(both(folder / "loop", folder / "x"), "");
}

TEST_F(FileUseTest, AnInputMayBeReplacedByTheOptionItNames) {
  FileUse input{"--in", in, Kind::Input, "--out"};
  EXPECT_EQ(check({{"--out", in, Kind::File}, input}), "");
  EXPECT_EQ(check({input, {"--out", in, Kind::File}}), "");
  EXPECT_NE(check({{"--other", in, Kind::File}, input}), "");
}

TEST_F(FileUseTest, DevicesBelongToNobody) {
  EXPECT_EQ(check({{"--a", "/dev/null", Kind::Stream}, {"--b", "/dev/null", Kind::Stream}}), "");
  EXPECT_EQ(check({{"--a", "/dev/null", Kind::Stream}, {"--in", "/dev/null", Kind::Input}}), "");
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(check({{"--a", folder / "pipe", Kind::Stream}, {"--b", folder / "pipe", Kind::Stream}}), "");
  EXPECT_THAT(check({{"--a", "/dev/null", Kind::File}}),
              HasSubstr("--a: '/dev/null' exists and is not a regular file"));
}

TEST_F(FileUseTest, FoldersAreNoFiles) {
  EXPECT_THAT(over(folder.path()), HasSubstr("--out: expected a file, found the directory"));
  EXPECT_THAT(over(folder.path(), Kind::Stream), HasSubstr("expected a file"));
  // A folder that will be made, and the folders on the way to it.
  const FileUse made{"--folder", folder / "a/b", Kind::Directory};
  for (const char *name : {"a", "a/b", "./a"})
    EXPECT_THAT(check({{"--out", folder / name, Kind::File}, made}), HasSubstr("has to be a folder for --folder"))
        << name;
  for (const char *name : {"b", "a/c", "a/b/c", "a/bc"})
    EXPECT_EQ(check({made, {"--out", folder / name, Kind::File}}), "") << name;
  EXPECT_EQ(check({made, made}), "");
}

TEST_F(FileUseTest, StandardOutputTakesOneOutput) {
  const FileUse a{"--a", "-", Kind::Stream}, b{"--b", "/dev/stdout", Kind::Stream};
  EXPECT_EQ(check({a}), "");
  EXPECT_EQ(check({a, b}), "--a and --b both write to standard output, expected one of them");
  EXPECT_NE(check({a, {"standard output", "", Kind::StandardOutput}}), "");
  EXPECT_EQ(check({a, {"standard error", "", Kind::StandardError}}), "");
  EXPECT_EQ(check({{"--a", "-", Kind::File}}), "--a: expected the name of a file, found '-', which is standard output");
  EXPECT_EQ(check({{"--a", "-", Kind::Directory}}),
            "--a: expected the name of a folder, found '-', which is standard output");
  EXPECT_EQ(check({a, {"--in", "-", Kind::Input}}), ""); // A file of that name.
}

TEST_F(FileUseTest, StandardStreamsMayBeFilesOfOthers) {
  const int saved = dup(STDERR_FILENO), file = open(in.c_str(), O_WRONLY | O_APPEND);
  dup2(file, STDERR_FILENO);
  const FileUse messages{"standard error", "", Kind::StandardError};
  const std::string output = check({{"--out", in, Kind::File}, messages});
  const std::string input = check({messages, {"--in", in, Kind::Input}});
  dup2(saved, STDERR_FILENO);
  close(saved);
  close(file);
  EXPECT_EQ(output, "--out and standard error name the same file, '" + in + "'");
  EXPECT_EQ(input, "standard error goes to --in ('" + in + "'), which this run reads");
}

} // namespace
