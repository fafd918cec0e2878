//===- SafetensorsTest.cpp ------------------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/checkpoint/Safetensors.h"

#include "TestFiles.h"

#include <gmock/gmock.h>

using namespace modelpar::runtime;
using namespace modelpar::runtime::test;
using testing::HasSubstr;

namespace {

Status parse(const std::string &bytes, SafetensorsFile &file) {
  return SafetensorsFile::parse(std::as_bytes(std::span(bytes.data(), bytes.size())), "f.safetensors", file);
}

/// Expects the file to be refused with a message that has `part`.
void expectRefused(const std::string &bytes, const std::string &part) {
  SafetensorsFile file;
  Status status = parse(bytes, file);
  ASSERT_FALSE(status.ok()) << "accepted, expected: " << part;
  EXPECT_EQ(status.code(), StatusCode::InvalidInput);
  EXPECT_THAT(status.message(), HasSubstr(part));
  EXPECT_THAT(status.message(), HasSubstr("f.safetensors"));
  EXPECT_TRUE(file.tensors().empty());
}

TEST(Safetensors, ReadsTensorsInAnyOrder) {
  SafetensorsFile file;
  std::string bytes = rawSafetensors(R"({"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]},)"
                                     R"("a":{"shape":[2,2],"dtype":"I8","data_offsets":[0,4]},)"
                                     R"("__metadata__":{"format":"pt"}}   )",
                                     "abcd12345678");
  Status status = parse(bytes, file);
  ASSERT_TRUE(status.ok()) << status.message();
  ASSERT_EQ(file.tensors().size(), 2u);
  const FileTensor *b = file.find("b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b->type, FileType::F32);
  EXPECT_EQ(b->shape, std::vector<int64_t>{2});
  EXPECT_EQ(std::string(reinterpret_cast<const char *>(file.bytes(*b).data()), 8), "12345678");
  EXPECT_EQ(file.metadata().at("format"), "pt");
  EXPECT_EQ(file.find("c"), nullptr);
}

TEST(Safetensors, ReadsScalarsAndEmptyTensors) {
  SafetensorsFile file;
  Status status = parse(rawSafetensors(R"({"e":{"dtype":"F32","shape":[0,3],"data_offsets":[4,4]},)"
                                       R"("s":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})",
                                       "abcd"),
                        file);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(file.find("s")->numElements(), 1);
  EXPECT_EQ(file.find("e")->numElements(), 0);
  ASSERT_TRUE(parse(rawSafetensors("{}", ""), file).ok());
  EXPECT_TRUE(file.tensors().empty());
}

TEST(Safetensors, ReadsSubByteTypesThatFillBytes) {
  SafetensorsFile file;
  EXPECT_TRUE(parse(rawSafetensors(R"({"a":{"dtype":"F4","shape":[4],"data_offsets":[0,2]}})", "ab"), file).ok());
  expectRefused(rawSafetensors(R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}})", "ab"), "not whole");
}

TEST(Safetensors, RefusesBadFrames) {
  expectRefused("", "0 bytes, expected at least 8");
  expectRefused("1234567", "7 bytes");
  expectRefused(std::string("\xff\xff\xff\xff\xff\xff\xff\xff", 8), "at most 100000000");
  expectRefused(std::string("\x09\0\0\0\0\0\0\0{}      ", 16), "exceeds the file");
  expectRefused(rawSafetensors("", ""), "not a JSON object");
  expectRefused(rawSafetensors("      ", ""), "not a JSON object");
  expectRefused(rawSafetensors("[]", ""), "not a JSON object");
  expectRefused(rawSafetensors(" {}", ""), "not a JSON object");
  expectRefused(rawSafetensors("{}\n", ""), "not a JSON object");
  expectRefused(rawSafetensors("{}{}", ""), "header");
  expectRefused(rawSafetensors("{\"a\":1,\"a\":2}", ""), "header");
}

TEST(Safetensors, RefusesBadEntriesAllAtOnce) {
  std::string bytes = rawSafetensors(R"({"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]},)"
                                     R"("b":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]},)"
                                     R"("c":{"dtype":"F32","shape":[1],"data_offsets":[4]},)"
                                     R"("d":{"dtype":"F32","shape":[1],"data_offsets":[4,0]},)"
                                     R"("e":{"dtype":"F32","shape":[2],"data_offsets":[0,4]},)"
                                     R"("f":{"dtype":"F32","shape":[1],"offsets":[0,4]},)"
                                     R"("g":7,"__metadata__":{"x":1}})",
                                     "abcd");
  for (const char *part : {"/a/dtype", "unknown element type 'F33'", "/b/shape", "/c/data_offsets", "/d/data_offsets",
                           "/e/data_offsets", "expected 8 bytes for the shape, found 4", "/f", "/g", "/__metadata__/x"})
    expectRefused(bytes, part);
}

TEST(Safetensors, RefusesOverflowingShapes) {
  expectRefused(rawSafetensors(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", ""),
                "overflows");
  expectRefused(rawSafetensors(R"({"a":{"dtype":"F32","shape":[0,4294967296,4294967296],"data_offsets":[0,0]}})", ""),
                "overflows");
  expectRefused(
      rawSafetensors(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[9223372036854775804,9223372036854775808]}})",
                     "abcd"),
      "header");
}

TEST(Safetensors, RefusesHolesOverlapsAndTrailers) {
  auto two = [](const char *first, const char *second) {
    return std::string(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":)") + first +
           R"(},"b":{"dtype":"U8","shape":[2],"data_offsets":)" + second + "}}";
  };
  SafetensorsFile file;
  ASSERT_TRUE(parse(rawSafetensors(two("[0,2]", "[2,4]"), "abcd"), file).ok());
  expectRefused(rawSafetensors(two("[0,2]", "[3,5]"), "abcde"), "hole or an overlap");
  expectRefused(rawSafetensors(two("[0,2]", "[1,3]"), "abc"), "hole or an overlap");
  expectRefused(rawSafetensors(two("[0,2]", "[0,2]"), "ab"), "hole or an overlap");
  expectRefused(rawSafetensors(two("[1,3]", "[3,5]"), "abcde"), "hole or an overlap");
  expectRefused(rawSafetensors(two("[0,2]", "[2,4]"), "abcde"), "the file has 5");
  expectRefused(rawSafetensors(two("[0,2]", "[2,4]"), "abc"), "the file has 3");
  expectRefused(rawSafetensors("{}", "a"), "the file has 1");
}

TEST(Safetensors, WritesTheReferenceBytes) {
  std::vector<FileTensor> layout;
  EXPECT_EQ(safetensorsHeader({{"attn.0", FileType::F32, {1, 2, 3}}}, {}, layout),
            std::string("\x40\0\0\0\0\0\0\0", 8) +
                R"({"attn.0":{"dtype":"F32","shape":[1,2,3],"data_offsets":[0,24]}})");
  EXPECT_EQ(safetensorsHeader({}, {}, layout), std::string("\x08\0\0\0\0\0\0\0", 8) + "{}      ");
}

TEST(Safetensors, WritesWideTypesFirstThenByName) {
  std::vector<FileTensor> layout;
  std::string header = safetensorsHeader(
      {{"b", FileType::F16, {1}}, {"z", FileType::F32, {2}}, {"a", FileType::F16, {1}}, {"c", FileType::I64, {}}},
      {{"format", "pt"}}, layout);
  EXPECT_EQ(header.size() % 8, 0u);
  EXPECT_THAT(header,
              HasSubstr(R"({"__metadata__":{"format":"pt"},"c":{"dtype":"I64","shape":[],"data_offsets":[0,8]},)"
                        R"("z":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},)"
                        R"("a":{"dtype":"F16","shape":[1],"data_offsets":[16,18]},)"
                        R"("b":{"dtype":"F16","shape":[1],"data_offsets":[18,20]}})"));
}

TEST(Safetensors, RoundTrip) {
  TemporaryDirectory directory;
  const std::string path = directory / "w.safetensors";
  {
    SafetensorsWriter writer;
    Status status = SafetensorsWriter::create(path, {{"x\"y", FileType::F32, {2}}, {"i", FileType::I32, {3}}}, writer);
    ASSERT_TRUE(status.ok()) << status.message();
    std::memcpy(writer.bytes(*writer.find("x\"y")).data(), "12345678", 8);
    std::memcpy(writer.bytes(*writer.find("i")).data(), "abcdefghijkl", 12);
    EXPECT_FALSE(std::filesystem::exists(path)); // Only a finished file gets the name.
    ASSERT_TRUE(writer.finish().ok());
  }
  SafetensorsFile file;
  Status status = SafetensorsFile::open(path, file);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(file.metadata().at("format"), "pt");
  EXPECT_EQ(std::string(reinterpret_cast<const char *>(file.bytes(*file.find("x\"y")).data()), 8), "12345678");
  EXPECT_EQ(std::string(reinterpret_cast<const char *>(file.bytes(*file.find("i")).data()), 12), "abcdefghijkl");
}

TEST(Safetensors, AnUnfinishedWriterLeavesNothing) {
  TemporaryDirectory directory;
  {
    SafetensorsWriter writer;
    ASSERT_TRUE(SafetensorsWriter::create(directory / "w", {{"x", FileType::F32, {2}}}, writer).ok());
    EXPECT_FALSE(std::filesystem::is_empty(directory.path()));
  }
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(Safetensors, AWriterWithoutSpaceLeavesNothing) {
  TemporaryDirectory directory;
  SafetensorsWriter writer;
  // 2^60 bytes.
  EXPECT_THAT(SafetensorsWriter::create(directory / "w", {{"x", FileType::F32, {int64_t{1} << 58}}}, writer).message(),
              HasSubstr("cannot allocate space for"));
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(MappedFile, ReleasedPagesComeBack) {
  TemporaryDirectory directory;
  const std::string bytes = std::string(100'000, 'a') + std::string(100'000, 'b');
  writeFile(directory / "f", bytes);
  MappedFile file;
  ASSERT_TRUE(MappedFile::openForReading(directory / "f", file).ok());
  auto text = [&] { return std::string(reinterpret_cast<const char *>(file.bytes().data()), file.bytes().size()); };
  for (auto [begin, size] : {std::pair<size_t, size_t>{0, 200'000}, {1, 5}, {5000, 100'000}, {200'000, 0}}) {
    file.release(file.bytes().subspan(begin, size));
    EXPECT_EQ(text(), bytes);
  }
  // What is written is kept.
  MappedFile written;
  ASSERT_TRUE(MappedFile::createForWriting(directory / "w", 8192, written).ok());
  std::memset(written.writableBytes().data(), 'w', 8192);
  written.release(written.bytes());
  EXPECT_EQ(static_cast<char>(written.bytes()[4096]), 'w');
}

TEST(Safetensors, ErrorsOfFilesNameThem) {
  TemporaryDirectory directory;
  SafetensorsFile file;
  EXPECT_THAT(SafetensorsFile::open(directory / "none", file).message(), HasSubstr("none': No such file"));
  EXPECT_THAT(SafetensorsFile::open(directory.path(), file).message(), HasSubstr("a directory"));
  SafetensorsWriter writer;
  EXPECT_THAT(SafetensorsWriter::create(directory / "no/such/w", {}, writer).message(), HasSubstr("cannot create"));
  EXPECT_THAT(SafetensorsWriter::create(directory / "w", {{"a", FileType::F32, {}}, {"a", FileType::F32, {}}}, writer)
                  .message(),
              HasSubstr("two tensors are named 'a'"));
}

} // namespace
