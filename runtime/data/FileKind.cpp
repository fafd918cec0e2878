//===- FileKind.cpp - what a file is, by its bytes ------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/data/FileKind.h"

#include <algorithm>
#include <atomic>
#include <cstring>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::data;
using namespace std::string_view_literals;
using Strength = FileKind::Strength;

namespace {

constexpr std::string_view kUnpack = "unpack it first";
constexpr std::string_view kSaveTokens =
    "write its tokens as bare 16-bit words (nanoGPT) or as arrays of a .safetensors "
    "file";
constexpr std::string_view kExtractText = "extract its text first";

struct Magic {
  size_t offset;
  std::string_view bytes, name, advice;
  Strength strength;
};

/// Bytes at a fixed place. Formats that need more than that to be told apart come first, in `recognise`.
constexpr Magic kMagics[] = {
    {0, "\x93NUMPY"sv, "a NumPy array (.npy)", kSaveTokens, Strength::Sure},
    {0, "MMIDIDX\0\0"sv, "the index of Megatron data (.idx)", "it is not supported", Strength::Sure},
    {0, "TNTIDX\0\0"sv, "the index of fairseq data (.idx)", "it is not supported", Strength::Sure},
    // Compressed files and archives.
    {0, "\x1f\x8b\x08"sv, "a gzip file", kUnpack, Strength::NotText},
    {0, "\x1f\x9d"sv, "a file of compress (.Z)", kUnpack, Strength::Hint},
    {0,
     "\xfd"
     "7zXZ\0"sv,
     "an xz file", kUnpack, Strength::Sure},
    {0, "\x28\xb5\x2f\xfd"sv, "a zstd file", kUnpack, Strength::Sure},
    {0, "\x04\x22\x4d\x18"sv, "an lz4 file", kUnpack, Strength::Sure},
    {0, "\x02\x21\x4c\x18"sv, "an lz4 file", kUnpack, Strength::Sure},
    {0, "LZIP\x01"sv, "an lzip file", kUnpack, Strength::Sure},
    {0, "\x5d\0\0"sv, "an lzma file", kUnpack, Strength::Hint},
    {0, "\x89LZO\0\r\n\x1a\n"sv, "an lzop file", kUnpack, Strength::Sure},
    {0, "\xff\x06\0\0sNaPpY"sv, "a snappy file", kUnpack, Strength::Sure},
    {0, "\x78\x01"sv, "a zlib stream", kUnpack, Strength::Hint},
    {0, "\x78\x9c"sv, "a zlib stream", kUnpack, Strength::Hint},
    {0, "\x78\xda"sv, "a zlib stream", kUnpack, Strength::Hint},
    {0, "7z\xbc\xaf\x27\x1c"sv, "a 7z archive", kUnpack, Strength::Sure},
    {0, "Rar!\x1a\x07"sv, "a rar archive", kUnpack, Strength::Sure},
    {0, "MSCF\0\0\0\0"sv, "a cabinet archive", kUnpack, Strength::Sure},
    {0, "!<arch>\n"sv, "an ar archive", kUnpack, Strength::Hint},
    {0, "070701"sv, "a cpio archive", kUnpack, Strength::Hint},
    {257, "ustar\0"sv, "a tar archive", kUnpack, Strength::Sure},
    {257, "ustar  \0"sv, "a tar archive", kUnpack, Strength::Sure},
    // Tables, arrays and weights.
    {0, "ARROW1\0\0"sv, "an Arrow file (Feather)", kExtractText, Strength::Sure},
    {0, "\xff\xff\xff\xff"sv, "an Arrow stream", kExtractText, Strength::Hint},
    {0, "\x89HDF\r\n\x1a\n"sv, "an HDF5 file", kSaveTokens, Strength::Sure},
    {512, "\x89HDF\r\n\x1a\n"sv, "an HDF5 file", kSaveTokens, Strength::Sure},
    {0, "CDF\x01"sv, "a NetCDF file", kSaveTokens, Strength::Sure},
    {0, "CDF\x02"sv, "a NetCDF file", kSaveTokens, Strength::Sure},
    {0, "MATLAB 5.0 MAT-file"sv, "a MATLAB file", kSaveTokens, Strength::Hint},
    {0, "Obj\x01"sv, "an Avro file", kExtractText, Strength::Sure},
    {0, "PAR1"sv, "a Parquet file", kExtractText, Strength::Hint},
    {0, "ORC"sv, "an ORC file", kExtractText, Strength::Hint},
    {0, "FEA1"sv, "a Feather file", kExtractText, Strength::Hint},
    {0, "SQLite format 3\0"sv, "an SQLite database", kExtractText, Strength::Sure},
    {0, "SEQ\x06"sv, "a Hadoop sequence file", kExtractText, Strength::Sure},
    {0, "GGUF\x01\0\0\0"sv, "a GGUF file", "it holds weights", Strength::Sure},
    {0, "GGUF\x02\0\0\0"sv, "a GGUF file", "it holds weights", Strength::Sure},
    {0, "GGUF\x03\0\0\0"sv, "a GGUF file", "it holds weights", Strength::Sure},
    {0, "lmgg"sv, "a ggml file", "it holds weights", Strength::Hint},
    {0, "tjgg"sv, "a ggml file", "it holds weights", Strength::Hint},
    {4, "TFL3"sv, "a TensorFlow Lite model", "it holds weights", Strength::Hint},
    {0, "\0\0\x08\x01"sv, "an IDX array (MNIST)", kSaveTokens, Strength::Hint},
    {0, "\0\0\x08\x03"sv, "an IDX array (MNIST)", kSaveTokens, Strength::Hint},
    {0, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"sv, "a pickle of torch.save (.pt)", kSaveTokens,
     Strength::Sure},
    // Documents, pictures, sound.
    {0, "%PDF-"sv, "a PDF document", kExtractText, Strength::Sure},
    {0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"sv, "an Office document", kExtractText, Strength::Sure},
    {0, "\x89PNG\r\n\x1a\n"sv, "a PNG picture", "", Strength::Sure},
    {0, "\xff\xd8\xff"sv, "a JPEG picture", "", Strength::NotText},
    {0, "GIF87a"sv, "a GIF picture", "", Strength::Hint},
    {0, "GIF89a"sv, "a GIF picture", "", Strength::Hint},
    {0, "II*\0"sv, "a TIFF picture", "", Strength::Sure},
    {0, "MM\0*"sv, "a TIFF picture", "", Strength::Sure},
    {0, "BM"sv, "a BMP picture", "", Strength::Hint},
    {8, "WEBP"sv, "a WebP picture", "", Strength::Hint},
    {8, "WAVE"sv, "a WAV recording", "", Strength::Hint},
    {8, "AVI "sv, "an AVI film", "", Strength::Hint},
    {4, "ftyp"sv, "an MP4 film", "", Strength::Hint},
    {0, "ID3\x03"sv, "an MP3 recording", "", Strength::Sure},
    {0, "ID3\x04"sv, "an MP3 recording", "", Strength::Sure},
    {0, "OggS\0"sv, "an Ogg recording", "", Strength::Sure},
    {0, "fLaC\0"sv, "a FLAC recording", "", Strength::Sure},
    // Programs.
    {0,
     "\x7f"
     "ELF"sv,
     "an ELF binary", "", Strength::Sure},
    {0, "MZ"sv, "a Windows binary", "", Strength::Hint},
    {0, "\xcf\xfa\xed\xfe"sv, "a Mach-O binary", "", Strength::Sure},
    {0, "\xca\xfe\xba\xbe"sv, "a Java class or Mach-O binary", "", Strength::Sure},
    {0, "\0asm\x01\0\0\0"sv, "a WebAssembly binary", "", Strength::Sure},
    // Text that is not one byte a character, or not there.
    {0, "\xff\xfe\0\0"sv, "UTF-32 text", "convert it to UTF-8", Strength::NotText},
    {0, "\0\0\xfe\xff"sv, "UTF-32 text", "convert it to UTF-8", Strength::NotText},
    {0, "\xff\xfe"sv, "UTF-16 text", "convert it to UTF-8", Strength::NotText},
    {0, "\xfe\xff"sv, "UTF-16 text", "convert it to UTF-8", Strength::NotText},
    {0, "version https://git-lfs.github.com/spec/v1\n"sv, "a Git LFS pointer", "fetch the file it stands for",
     Strength::Sure},
};

/// The ends of a file as a string; every access is checked against its size.
class Ends {
public:
  explicit Ends(std::span<const std::byte> bytes) : text_(reinterpret_cast<const char *>(bytes.data()), bytes.size()) {}

  size_t size() const { return text_.size(); }
  bool has(size_t offset, std::string_view part) const {
    return offset <= text_.size() && text_.substr(offset).starts_with(part);
  }
  bool ends(std::string_view part) const { return text_.ends_with(part); }
  uint8_t byte(size_t offset) const { return offset < text_.size() ? static_cast<uint8_t>(text_[offset]) : 0; }
  /// Little-endian.
  uint64_t word(size_t offset, int bytes) const {
    uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; --i)
      value = value << 8 | byte(offset + static_cast<size_t>(i));
    return value;
  }
  std::string_view part(size_t offset, size_t length) const {
    return offset <= text_.size() ? text_.substr(offset, length) : std::string_view();
  }

private:
  std::string_view text_;
};

} // namespace

static FileKind kind(std::string_view name, std::string_view advice, Strength strength,
                     DataFormat format = DataFormat::Auto) {
  return {std::string(name), std::string(advice), strength, format};
}

/// llm.c marks all that it writes with a date.
static std::optional<FileKind> recogniseLlmC(const Ends &file) {
  constexpr std::string_view kNotTokens = "it holds no sequence of tokens";
  const uint64_t magic = file.size() >= 4 ? file.word(0, 4) : 0;
  auto found = [&](std::string_view name, std::string_view advice, DataFormat format = DataFormat::Auto) {
    return kind(std::string(name) + " of llm.c (magic " + std::to_string(magic) + ")", advice, Strength::Sure, format);
  };
  switch (magic) {
  case 20240520:
  case 20240801:
    return found("a token file", "use --data-format=llmc", DataFormat::LlmC);
  case 20240522:
    return found("an evaluation file", kNotTokens);
  case 20240326:
    return found("the weights", kNotTokens);
  case 20240327:
  case 20240527:
    return found("the state", kNotTokens);
  case 20240328:
    return found("the tokenizer", kNotTokens);
  default:
    return std::nullopt;
  }
}

/// Many formats are zip archives; the name of the first member tells some.
static std::optional<FileKind> recogniseZip(const Ends &file) {
  if (!file.has(0, "PK\x03\x04"sv)) {
    if (file.has(0, "PK\x05\x06"sv) || file.has(0, "PK\x07\x08"sv))
      return kind("a zip archive", kUnpack, Strength::Sure);
    return std::nullopt;
  }
  const std::string_view member = file.part(30, file.word(26, 2));
  if (member.ends_with(".npy"))
    return kind("NumPy arrays (.npz)", kSaveTokens, Strength::Sure);
  if (member.ends_with("/data.pkl") || member == "data.pkl")
    return kind("a file of torch.save (.pt)", kSaveTokens, Strength::Sure);
  if (member == "[Content_Types].xml" || member.starts_with("_rels/"))
    return kind("an Office document", kExtractText, Strength::Sure);
  if (member == "mimetype")
    return kind("an e-book or OpenDocument file", kExtractText, Strength::Sure);
  return kind("a zip archive", kUnpack, Strength::Sure);
}

/// Eight bytes of header length, then a JSON object of that length.
static bool isSafetensors(const Ends &file) {
  const uint64_t length = file.word(0, 8);
  return file.size() >= 10 && length >= 2 && length <= file.size() - 8 && file.byte(8) == '{' &&
         (file.byte(9) == '"' || file.byte(9) == '}' || file.byte(9) == ' ' || file.byte(9) == '\n');
}

/// Protocols from 2 on begin with their number and end with a stop; from 4 on a frame with its length follows.
static std::optional<FileKind> recognisePickle(const Ends &file) {
  // Protocol 0 is made of ASCII lines, and 1 has no mark: what they begin with for lists, dictionaries and objects.
  for (std::string_view start : {"(lp0\n"sv, "(dp0\n"sv, "ccopy_reg\n"sv, "cnumpy."sv, "]q\0("sv, "}q\0("sv})
    if (file.has(0, start) && file.ends("."sv))
      return kind("a pickle", kSaveTokens, Strength::Sure);
  const int protocol = file.byte(1);
  if (file.byte(0) != 0x80 || protocol < 2 || protocol > 5)
    return std::nullopt;
  const bool framed = protocol >= 4 && file.byte(2) == 0x95 && file.word(3, 8) <= file.size();
  const bool opened =
      protocol < 4 && "c]})(qXKJMNG\x8a"sv.find(static_cast<char>(file.byte(2))) != std::string_view::npos;
  return kind("a pickle", kSaveTokens, framed || (opened && file.ends("."sv)) ? Strength::Sure : Strength::NotText);
}

/// CRC-32C of eight bytes, rotated and offset as TFRecord stores it.
static uint32_t maskedCrcOfLength(uint64_t length) {
  uint32_t crc = ~0u;
  for (int i = 0; i < 8; ++i) {
    crc ^= static_cast<uint8_t>(length >> (8 * i));
    for (int bit = 0; bit < 8; ++bit)
      crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
  }
  crc = ~crc;
  return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

/// Formats with a mark at both ends, or whose mark at the start is short and something near it can be checked.
static std::optional<FileKind> recogniseByTwoPlaces(const Ends &file) {
  if (file.has(0, "\x1f\x8b\x08"sv) && (file.byte(3) & 0xe0) == 0 && file.size() >= 18 &&
      (file.byte(8) == 0 || file.byte(8) == 2 || file.byte(8) == 4) && (file.byte(9) <= 13 || file.byte(9) == 255))
    return kind("a gzip file", kUnpack, Strength::Sure);
  if (file.has(0, "BZh"sv) && (file.has(4, "1AY&SY"sv) || file.has(4, "\x17\x72\x45\x38\x50\x90"sv)))
    return kind("a bzip2 file", kUnpack, Strength::Sure);
  if (file.size() >= 8 && (file.word(0, 4) & ~uint64_t{15}) == 0x184d2a50)
    return kind("a zstd or lz4 file", kUnpack, Strength::Sure);
  if (file.size() >= 12 && file.has(0, "PAR1"sv) && file.ends("PAR1"sv))
    return kind("a Parquet file", kExtractText, Strength::Sure);
  if (file.size() >= 12 && file.has(0, "FEA1"sv) && file.ends("FEA1"sv))
    return kind("a Feather file", kExtractText, Strength::Sure);
  if (file.size() >= 8 && file.has(0, "ORC"sv) && file.has(file.size() - 4, "ORC"sv))
    return kind("an ORC file", kExtractText, Strength::Sure);
  if (file.size() >= 16 && file.word(8, 4) == maskedCrcOfLength(file.word(0, 8)))
    return kind("a TFRecord file", kExtractText, Strength::Sure);
  if (file.byte(0) == 0x0a && file.has(2, "\x0a\x05<unk>"sv))
    return kind("a SentencePiece model", "it holds a tokenizer", Strength::Sure);
  return std::nullopt;
}

static bool isControl(uint8_t byte) {
  // Without branches, for vector code. The bell, backspace, tab, line and page breaks, end of file of DOS and escape
  // are found in text.
  return ((byte < 0x20) & (static_cast<uint8_t>(byte - 7) > 6) & (byte != 0x1a) & (byte != 0x1b)) | (byte == 0x7f);
}

/// UTF-16 without a mark, told by the Latin letters in it: nearly all units are printable ASCII.
static bool looksLikeUtf16(const Ends &file, bool bigEndian) {
  const size_t units = std::min<size_t>(file.size() / 2, 2048);
  size_t printable = 0;
  for (size_t i = 0; i < units; ++i) {
    const uint8_t low = file.byte(2 * i + (bigEndian ? 1 : 0)), high = file.byte(2 * i + (bigEndian ? 0 : 1));
    printable += high == 0 && low >= 9 && low < 0x7f && !isControl(low);
  }
  return units >= 4 && printable * 10 >= units * 9;
}

std::optional<FileKind> data::recognise(std::span<const std::byte> bytes) {
  const Ends file(bytes);
  if (std::optional<FileKind> found = recogniseLlmC(file))
    return found;
  if (std::optional<FileKind> found = recogniseZip(file))
    return found;
  if (isSafetensors(file))
    return kind("a safetensors file", "use --data-format=safetensors", Strength::Sure, DataFormat::Safetensors);
  if (std::optional<FileKind> found = recogniseByTwoPlaces(file))
    return found;
  for (const Magic &magic : kMagics)
    if (file.has(magic.offset, magic.bytes))
      return kind(magic.name, magic.advice, magic.strength);
  if (std::optional<FileKind> found = recognisePickle(file))
    return found;
  if (looksLikeUtf16(file, false) || looksLikeUtf16(file, true))
    return kind("UTF-16 text", "convert it to UTF-8", Strength::Hint);
  if (file.has(0, "BZh"sv))
    return kind("a bzip2 file", kUnpack, Strength::Hint);
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

/// Control characters in [begin, end), and where the first is. Blocks without any are told by a loop that the compiler
/// makes vector code of.
static int64_t countControls(const uint8_t *text, int64_t begin, int64_t end, int64_t &first) {
  constexpr int64_t kBlock = 4096;
  int64_t count = 0;
  for (int64_t block = begin; block < end; block += kBlock) {
    const int64_t last = std::min(block + kBlock, end);
    uint8_t any = 0;
    for (int64_t i = block; i < last; ++i)
      any |= isControl(text[i]) ? 0xff : 0;
    for (int64_t i = block; any && i < last; ++i) {
      if (isControl(text[i]) && count++ == 0)
        first = i;
    }
  }
  return count;
}

std::string data::whyNotText(std::span<const std::byte> bytes, const Release &release) {
  constexpr int64_t kBytesPerControl = 4096;
  const auto *text = reinterpret_cast<const uint8_t *>(bytes.data());
  const int64_t size = static_cast<int64_t>(bytes.size());
  std::atomic<int64_t> controls{0}, firstControl{size};
  // Stops at the first NUL; stray control characters are counted on the way.
  const int64_t nul = findFirst(
      bytes, 1,
      [&](int64_t begin, int64_t end) -> int64_t {
        const void *at = std::memchr(text + begin, 0, static_cast<size_t>(end - begin));
        if (at)
          return static_cast<const uint8_t *>(at) - text;
        int64_t first = size;
        controls.fetch_add(countControls(text, begin, end, first));
        for (int64_t least = firstControl.load(); first < least && !firstControl.compare_exchange_weak(least, first);)
          ;
        return -1;
      },
      release);
  if (nul >= 0)
    return "byte " + std::to_string(nul) + " is NUL";
  if (controls.load() * kBytesPerControl <= size)
    return "";
  const int64_t first = firstControl.load();
  return std::to_string(controls.load()) + (controls.load() == 1 ? " control character" : " control characters") +
         ", the first at byte " + std::to_string(first) + ": " + std::to_string(text[first]);
}

/// The length of the UTF-8 character at the start of `text`; 0 when there is none.
static size_t utf8Length(std::string_view text) {
  const auto lead = static_cast<uint8_t>(text[0]);
  const size_t length = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
  for (size_t i = 1; i < length; ++i)
    if (i >= text.size() || (static_cast<uint8_t>(text[i]) & 0xc0) != 0x80)
      return 0;
  return length;
}

bool data::isSurelyText(std::span<const std::byte> bytes) {
  constexpr size_t kLookedAt = 4096, kEnough = 64;
  if (bytes.size() < kEnough)
    return false;
  std::string_view text(reinterpret_cast<const char *>(bytes.data()), std::min(bytes.size(), kLookedAt));
  // The last character may be cut off.
  for (const size_t end = bytes.size() > kLookedAt ? 4 : 0; text.size() > end;) {
    const size_t length = utf8Length(text);
    if (length == 0 || isControl(static_cast<uint8_t>(text[0])))
      return false;
    text.remove_prefix(length);
  }
  return true;
}
