//===- FileKindTest.cpp ---------------------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The marks are those of the formats' own descriptions. What real writers write is tested by the command line
// (test/Tools/modelpar-run/data-kinds.test).
//
//===----------------------------------------------------------------------===//

#include "runtime/data/FileKind.h"
#include "test/unittests/Checkpoint/TestFiles.h"

#include <gmock/gmock.h>

using namespace modelpar::runtime;
using namespace modelpar::runtime::data;
using namespace modelpar::runtime::test;
using namespace std::string_view_literals;
using Strength = FileKind::Strength;
using testing::HasSubstr;

namespace {

std::span<const std::byte> bytesIn(const std::string &text) { return std::as_bytes(std::span(text)); }

std::string nameOf(const std::string &bytes) {
  std::optional<FileKind> kind = recognise(bytesIn(bytes));
  return kind ? kind->name : "";
}

/// The name of what is certain not to be tokens.
std::string sureName(std::string_view start, std::string_view end = "") {
  std::string bytes(start);
  bytes.resize(std::max<size_t>(bytes.size(), 64), '\x01');
  bytes += end;
  std::optional<FileKind> kind = recognise(bytesIn(bytes));
  return kind && kind->strength == Strength::Sure ? kind->name : "";
}

std::string whyNot(const std::string &text) { return whyNotText(bytesIn(text), {}); }

TEST(FileKind, RecognisesFormatsByTheirMarks) {
  EXPECT_THAT(sureName("\x93NUMPY\x01\0\x76\0{'descr'"sv), HasSubstr("NumPy array"));
  EXPECT_THAT(sureName("\x1f\x8b\x08\0\0\0\0\0\x02\xff"sv), HasSubstr("gzip"));
  EXPECT_THAT(sureName("BZh91AY&SY"sv), HasSubstr("bzip2"));
  EXPECT_THAT(sureName("\xfd\x37zXZ\0"sv), HasSubstr("xz"));
  EXPECT_THAT(sureName("\x28\xb5\x2f\xfd"sv), HasSubstr("zstd"));
  EXPECT_THAT(sureName("\x50\x2a\x4d\x18\x04\0\0\0"sv), HasSubstr("zstd or lz4"));
  EXPECT_THAT(sureName("\x04\x22\x4d\x18"sv), HasSubstr("lz4"));
  EXPECT_THAT(sureName("7z\xbc\xaf\x27\x1c"sv), HasSubstr("7z"));
  EXPECT_THAT(sureName("Rar!\x1a\x07\x01\0"sv), HasSubstr("rar"));
  EXPECT_THAT(sureName("PK\x05\x06\0\0"sv), HasSubstr("zip"));
  EXPECT_THAT(sureName("PAR1\x15\x04"sv, "\x10\0\0\0PAR1"sv), HasSubstr("Parquet"));
  EXPECT_THAT(sureName("ARROW1\0\0"sv), HasSubstr("Arrow"));
  EXPECT_THAT(sureName("FEA1\0\0\0\0"sv, "FEA1"sv), HasSubstr("Feather"));
  EXPECT_THAT(sureName("ORC\x0a"sv, "\x03ORC\x17"sv), HasSubstr("ORC"));
  EXPECT_THAT(sureName("Obj\x01\x04\x14"sv), HasSubstr("Avro"));
  EXPECT_THAT(sureName("\x89HDF\r\n\x1a\n"sv), HasSubstr("HDF5"));
  EXPECT_THAT(sureName("SQLite format 3\0"sv), HasSubstr("SQLite"));
  EXPECT_THAT(sureName("GGUF\x03\0\0\0"sv), HasSubstr("GGUF"));
  EXPECT_THAT(sureName("MMIDIDX\0\0\x01\0\0\0\0\0\0\0\x08"sv), HasSubstr("Megatron"));
  EXPECT_THAT(sureName("%PDF-1.7\n"sv), HasSubstr("PDF"));
  EXPECT_THAT(sureName("\x89PNG\r\n\x1a\n"sv), HasSubstr("PNG"));
  EXPECT_THAT(sureName("\x7f\x45LF\x02\x01"sv), HasSubstr("ELF"));
  EXPECT_THAT(sureName("version https://git-lfs.github.com/spec/v1\noid sha256:"sv), HasSubstr("Git LFS"));
  EXPECT_THAT(sureName("\n\x0e\n\x05<unk>\x15\0"sv), HasSubstr("SentencePiece"));
  // A record of 11 bytes; the masked CRC-32C of its length was computed apart, by a program that gives the standard's
  // check value 0xe3069283 for "123456789".
  EXPECT_THAT(sureName("\x0b\0\0\0\0\0\0\0\x86\x15\xf5\x04"sv), HasSubstr("TFRecord"));
  EXPECT_EQ(sureName("\x0b\0\0\0\0\0\0\0\x87\x15\xf5\x04"sv), "");
  EXPECT_EQ(nameOf(std::string("\xff\xd8\xff\xe0\0\x10JFIF"sv)), "a JPEG picture");
  EXPECT_THAT(nameOf(std::string(257, 'a') + std::string("ustar\0"sv)), HasSubstr("tar"));
}

TEST(FileKind, TellsWhatIsInAZipArchive) {
  auto zip = [](const std::string &member) {
    std::string header("PK\x03\x04"sv);
    header.resize(26, '\0');
    return header + static_cast<char>(member.size()) + std::string(3, '\0') + member + "contents";
  };
  EXPECT_THAT(nameOf(zip("arr_0.npy")), HasSubstr(".npz"));
  EXPECT_THAT(nameOf(zip("archive/data.pkl")), HasSubstr("torch.save"));
  EXPECT_THAT(nameOf(zip("[Content_Types].xml")), HasSubstr("Office"));
  EXPECT_EQ(nameOf(zip("text.txt")), "a zip archive");
  EXPECT_EQ(nameOf(zip("text.txt").substr(0, 20)), "a zip archive");
}

TEST(FileKind, TellsLlmCFilesApart) {
  auto magic = [](uint32_t number) { return bytesOf<uint32_t>({number, 1, 10}); };
  for (uint32_t tokens : {20240520u, 20240801u}) {
    std::optional<FileKind> kind = recognise(bytesIn(magic(tokens)));
    ASSERT_TRUE(kind);
    EXPECT_EQ(kind->format, DataFormat::LlmC);
    EXPECT_EQ(kind->name, "a token file of llm.c (magic " + std::to_string(tokens) + ")");
  }
  EXPECT_EQ(nameOf(magic(20240522)), "an evaluation file of llm.c (magic 20240522)");
  EXPECT_EQ(nameOf(magic(20240326)), "the weights of llm.c (magic 20240326)");
  EXPECT_EQ(nameOf(magic(20240328)), "the tokenizer of llm.c (magic 20240328)");
  EXPECT_EQ(nameOf(magic(20240521)), "");
}

TEST(FileKind, SafetensorsNeedNoEnding) {
  std::optional<FileKind> kind = recognise(bytesIn(rawSafetensors("{}", "")));
  ASSERT_TRUE(kind);
  EXPECT_EQ(kind->format, DataFormat::Safetensors);
  EXPECT_EQ(nameOf(rawSafetensors("{}", "").substr(0, 9)), "");
}

TEST(FileKind, PicklesByProtocol) {
  EXPECT_EQ(sureName("\x80\x04\x95\x0b\0\0\0\0\0\0\0]\x94("sv), "a pickle");
  EXPECT_EQ(sureName("\x80\x02]q\0("sv, "."sv), "a pickle");
  EXPECT_EQ(sureName("\x80\x02]q\0("sv, "x"sv), "");
  EXPECT_EQ(nameOf(std::string("\x80\x06]"sv)), "");
  EXPECT_EQ(nameOf("(lp0\nI1\naI2\na."), "a pickle");
  EXPECT_EQ(nameOf(std::string("]q\0(K\x01K\x02\x65."sv)), "a pickle");
  EXPECT_EQ(nameOf("(lp0\nand so on"), "");
}

TEST(FileKind, WordsThatTextsBeginWithAreHints) {
  for (const char *text : {"PAR1 is a format", "ORCS are green", "GIF89a or not", "BMW makes cars", "MZ is short",
                           "BZh is odd", "!<arch>\nof stone", "GGUF is a format", "070701 was his number"}) {
    std::optional<FileKind> kind = recognise(bytesIn(std::string(text) + std::string(60, '.')));
    EXPECT_TRUE(!kind || kind->strength == Strength::Hint) << text;
    EXPECT_EQ(whyNot(text), "") << text;
  }
}

TEST(FileKind, TokensAreNotTakenForOtherFiles) {
  std::vector<uint16_t> tokens(1000);
  for (size_t i = 0; i < tokens.size(); ++i)
    tokens[i] = static_cast<uint16_t>(i * 50 % 50257);
  EXPECT_EQ(nameOf(bytesOf(tokens)), "");
  EXPECT_FALSE(isSurelyText(bytesIn(bytesOf(tokens))));
  // A first token of 35615 is the mark of gzip, but what follows is no header.
  tokens[0] = 0x8b1f, tokens[1] = 0x7708;
  std::optional<FileKind> kind = recognise(bytesIn(bytesOf(tokens)));
  EXPECT_TRUE(!kind || kind->strength != Strength::Sure);
}

TEST(FileKind, ShortFilesAreLookedAtWithinTheirBounds) {
  EXPECT_EQ(nameOf(""), "");
  for (std::string_view mark : {"\x93NUMPY"sv, "PK\x03\x04"sv, "SQLite format 3\0"sv, "\x80\x04\x95"sv})
    for (size_t size = 0; size <= mark.size(); ++size)
      (void)recognise(bytesIn(std::string(mark.substr(0, size))));
}

TEST(Text, AllUsualEncodingsAreText) {
  EXPECT_EQ(whyNot(""), "");
  EXPECT_EQ(whyNot("a"), "");
  EXPECT_EQ(whyNot("lines\r\nof DOS\r\n\x1a"), "");
  EXPECT_EQ(whyNot("\xef\xbb\xbf"
                   "with a mark, \xc3\xa9t\xc3\xa9, \xe6\x97\xa5\xe6\x9c\xac, \xf0\x9f\x98\x80"),
            "");
  EXPECT_EQ(whyNot("Latin-1: \xe9t\xe9 \xa0 \xff, Windows: \x80 \x93 \x9f"), "");
  EXPECT_EQ(whyNot("\a\b\t\n\v\f\r, \x1b[1mbold\x1b[0m"), "");
}

TEST(Text, NulAndControlCharactersAreNotText) {
  EXPECT_EQ(whyNot(std::string("text\0text"sv)), "byte 4 is NUL");
  EXPECT_EQ(whyNot("te\x01xt\x02"), "2 control characters, the first at byte 2: 1");
  EXPECT_EQ(whyNot("\x7f"), "1 control character, the first at byte 0: 127");
  // A stray one in a long text is let through, two are not.
  std::string text(8191, 'a');
  text[5000] = '\x02';
  EXPECT_EQ(whyNot(text), "");
  text[7000] = '\x0e';
  EXPECT_EQ(whyNot(text), "2 control characters, the first at byte 5000: 2");
  text += 'a';
  EXPECT_EQ(whyNot(text), "");
  text += '\0';
  EXPECT_EQ(whyNot(text), "byte 8192 is NUL");
}

TEST(Text, Utf16IsNamed) {
  auto utf16 = [](std::string_view text, bool big) {
    std::string bytes;
    for (char c : text)
      bytes += big ? std::string{'\0', c} : std::string{c, '\0'};
    return bytes;
  };
  EXPECT_EQ(nameOf("\xff\xfe" + utf16("text", false)), "UTF-16 text");
  EXPECT_EQ(nameOf("\xfe\xff" + utf16("text", true)), "UTF-16 text");
  EXPECT_EQ(nameOf(utf16("without a mark", false)), "UTF-16 text");
  EXPECT_EQ(nameOf(utf16("without a mark", true)), "UTF-16 text");
  EXPECT_EQ(nameOf(std::string("\xff\xfe\0\0t\0\0\0"sv)), "UTF-32 text");
  EXPECT_EQ(nameOf(bytesOf<uint16_t>({1, 2, 3, 4, 5, 6, 7, 8})), "");
}

TEST(Text, LongUtf8IsSurelyText) {
  EXPECT_TRUE(isSurelyText(bytesIn(std::string(64, 'a'))));
  EXPECT_FALSE(isSurelyText(bytesIn(std::string(63, 'a'))));
  std::string text;
  while (text.size() < 5000)
    text += "\xd1\x82\xd0\xb5\xe6\x97\xa5"; // Cut off within a character at 4096.
  EXPECT_TRUE(isSurelyText(bytesIn(text)));
  text[100] = '\xff';
  EXPECT_FALSE(isSurelyText(bytesIn(text)));
}

} // namespace
