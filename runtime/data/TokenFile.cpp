//===- TokenFile.cpp - text and token files -------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/data/TokenFile.h"

#include "runtime/data/FileKind.h"

#include <algorithm>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::data;

namespace {
constexpr size_t kLlmCHeaderBytes = 256 * 4;
constexpr uint32_t kLlmCMagic = 20240520;       ///< Version 1: 16-bit tokens.
constexpr uint32_t kLlmCMagicLlama3 = 20240801; ///< Version 7: 32-bit tokens.
} // namespace

static uint32_t readWord(std::span<const std::byte> bytes, size_t index) {
  uint32_t word = 0;
  for (size_t i = 4; i > 0; --i)
    word = word << 8 | std::to_integer<uint32_t>(bytes[index * 4 + i - 1]);
  return word;
}

/// Checks an llm.c header whose magic number is right; `width` and the tokens behind it.
static Status parseLlmC(std::span<const std::byte> bytes, int &width, std::span<const std::byte> &tokens) {
  if (bytes.size() < kLlmCHeaderBytes)
    return Status::invalid("the llm.c header is cut off: " + std::to_string(bytes.size()) + " bytes, expected " +
                           std::to_string(kLlmCHeaderBytes));
  const bool wide = readWord(bytes, 0) == kLlmCMagicLlama3;
  const uint32_t version = readWord(bytes, 1), expected = wide ? 7 : 1;
  if (version != expected)
    return Status::invalid("llm.c file of version " + std::to_string(version) + ", expected " +
                           std::to_string(expected));
  width = wide ? 4 : 2;
  const uint64_t count = readWord(bytes, 2);
  tokens = bytes.subspan(kLlmCHeaderBytes);
  if (tokens.size() != count * static_cast<uint64_t>(width))
    return Status::invalid("the header says " + std::to_string(count) + " tokens, which take " +
                           std::to_string(kLlmCHeaderBytes + count * static_cast<uint64_t>(width)) +
                           " bytes; the file has " + std::to_string(bytes.size()));
  return {};
}

/// `advice` tells what else to do with the file; may be empty.
static Status notPlainText(const std::string &where, const std::string &what, const std::string &advice) {
  return Status::invalid(where + " is " + what + ", not plain text: " + (advice.empty() ? "" : advice + "; ") +
                         "--data-format=text takes its bytes as they are");
}

/// A format for a file that none was named for.
static Status detectFormat(std::span<const std::byte> bytes, const std::string &path,
                           const std::optional<FileKind> &kind, const Release &release, DataFormat &format) {
  const std::string where = "'" + path + "'";
  if (kind && kind->format == DataFormat::LlmC) {
    format = DataFormat::LlmC;
    return {};
  }
  if (kind && kind->strength != FileKind::Strength::Hint)
    return notPlainText(where, kind->name, kind->advice);
  if (path.ends_with(".bin") && !bytes.empty())
    return Status::invalid(where + " has no header that tells its format: use --data-format=nanogpt for 16-bit tokens");
  if (path.ends_with(".idx"))
    return Status::invalid(where + ": Megatron index files are not supported");
  if (std::string why = whyNotText(bytes, release); !why.empty())
    return kind ? notPlainText(where, kind->name, kind->advice) : notPlainText(where, "binary data (" + why + ")", "");
  format = DataFormat::Text;
  return {};
}

/// Bare tokens have no header, so another file is told by its own.
static Status checkBareTokens(std::span<const std::byte> bytes, const std::optional<FileKind> &kind) {
  if (kind && kind->strength == FileKind::Strength::Sure)
    return Status::invalid("expected bare 16-bit tokens, found " + kind->name +
                           (kind->advice.empty() ? "" : ": " + kind->advice));
  if (isSurelyText(bytes))
    return Status::invalid("expected bare 16-bit tokens, found text: use --data-format=text");
  if (bytes.size() % 2)
    return Status::invalid(std::to_string(bytes.size()) + " bytes are not whole 16-bit tokens");
  return {};
}

Status TokenFile::parse(std::span<const std::byte> bytes, const std::string &path, DataFormat format, TokenFile &file,
                        const Release &release) {
  const std::string where = "'" + path + "'";
  const std::optional<FileKind> kind = recognise(bytes);
  TokenFile parsed;
  parsed.path_ = path;
  if (format == DataFormat::Auto)
    MODELPAR_RETURN_IF_ERROR(detectFormat(bytes, path, kind, release, format));
  if (format == DataFormat::LlmC) {
    parsed.kind_ = "llm.c tokens";
    if (!kind || kind->format != DataFormat::LlmC)
      return Status::invalid(where + ": not an llm.c token file: expected magic " + std::to_string(kLlmCMagic) +
                             " or " + std::to_string(kLlmCMagicLlama3) +
                             (kind                ? ", found " + kind->name
                              : bytes.size() >= 4 ? ", found " + std::to_string(readWord(bytes, 0))
                                                  : ""));
    MODELPAR_RETURN_IF_ERROR(parseLlmC(bytes, parsed.width_, parsed.tokens_).in(where));
  } else if (format == DataFormat::NanoGPT) {
    parsed.kind_ = "nanoGPT tokens";
    parsed.width_ = 2;
    parsed.tokens_ = bytes;
    MODELPAR_RETURN_IF_ERROR(checkBareTokens(bytes, kind).in(where));
  } else {
    parsed.kind_ = "text";
    parsed.tokens_ = bytes;
  }
  parsed.count_ = static_cast<int64_t>(parsed.tokens_.size() / static_cast<size_t>(parsed.width_));
  file = std::move(parsed);
  return {};
}

Status TokenFile::open(const std::string &path, DataFormat format, TokenFile &file) {
  MappedFile map;
  MODELPAR_RETURN_IF_ERROR(MappedFile::openForReading(path, map));
  MODELPAR_RETURN_IF_ERROR(
      parse(map.bytes(), path, format, file, [&](std::span<const std::byte> part) { map.release(part); }));
  file.map_ = std::move(map);
  return {};
}

int64_t TokenFile::findOutside(const Allowed &allowed) const {
  const FileType type = width_ == 1 ? FileType::U8 : width_ == 2 ? FileType::U16 : FileType::U32;
  return data::findOutside(type, tokens_, allowed, [&](std::span<const std::byte> part) { map_.release(part); });
}

int64_t TokenFile::token(int64_t index) const {
  const std::byte *at = tokens_.data() + index * width_;
  int64_t value = 0;
  for (int i = width_ - 1; i >= 0; --i)
    value = value << 8 | std::to_integer<int64_t>(at[i]);
  return value;
}

std::string TokenFile::describe() const {
  return kind_ + " '" + path_ + "', " + std::to_string(count_) + (width_ == 1 ? " bytes" : " tokens");
}

namespace {

class WindowSource : public DataSource {
public:
  WindowSource(const planformat::Plan &plan, const InputRoles &roles, TokenFile file, uint64_t seed)
      : plan_(plan), batch_(plan.globalBatch), length_(plan.types[roles.tokens->type].shape[1]),
        hasTargets_(roles.targets), file_(std::move(file)), key_(keyFor(seed, "windows")) {}

  int64_t labelCount(int64_t) const override { return hasTargets_ ? batch_ * length_ : batch_; }
  std::string describe() const override { return file_.describe(); }

  Status fill(const planformat::Input &input, int64_t step, int64_t, const TensorView &view) override {
    if (input.role == "positions")
      return fillPositions(view);
    const sharding::SequenceOrder order = view.order(1);
    const int64_t shift = input.role == "targets" ? 1 : 0;
    const int64_t low = static_cast<int64_t>(input.rangeLow), high = static_cast<int64_t>(input.rangeHigh);
    for (int64_t row = 0; row < view.extents[0]; ++row) {
      const int64_t first = start(step, view.offsets[0] + row) + shift;
      for (int64_t column = 0; column < view.extents[1]; ++column) {
        const int64_t at = first + order.position(view.offsets[1] + column), token = file_.token(at);
        if (token < low || token >= high)
          return outside(input, at, "' was changed during the run: token ");
        store(view, row * view.extents[1] + column, token);
      }
    }
    return {};
  }

  /// Looks at all tokens once, so that none stops the run later.
  Status checkRange(const planformat::Input &input) const {
    const int64_t at = file_.findOutside(allowedValues(input, plan_.types[input.type].dtype));
    return at < 0 ? Status() : outside(input, at, "': token ");
  }

private:
  Status outside(const planformat::Input &input, int64_t at, const std::string &what) const {
    return Status::invalid("'" + file_.path() + what + std::to_string(at) + " is " +
                           outsideRange(input, plan_.types[input.type].dtype, std::to_string(file_.token(at))));
  }

  int64_t start(int64_t step, int64_t sample) const {
    return below(word64(philox4x32(counterFor(step, sample), key_)), file_.size() - length_);
  }

  const planformat::Plan &plan_;
  int64_t batch_, length_;
  bool hasTargets_;
  TokenFile file_;
  PhiloxKey key_;
};

} // namespace

Status data::createWindows(const planformat::Plan &plan, const InputRoles &roles, TokenFile file, uint64_t seed,
                           std::unique_ptr<DataSource> &source) {
  std::string problems;
  for (const planformat::Input *input : roles.all) {
    const planformat::TensorType &type = plan.types[input->type];
    const bool sequence = input->role == "tokens" || (input->role == "targets" && isIntegerType(type.dtype));
    if (input->role != "positions" &&
        (!sequence || type.shape.size() != 2 || !roles.tokens || type.shape != plan.types[roles.tokens->type].shape))
      problems += "\n  input '" + input->name + "' " + describeType(type) + " of role '" + input->role + "'";
  }
  if (!problems.empty() || !roles.tokens)
    return Status::invalid("'" + file.path() +
                           "' holds a sequence of tokens, which feeds tokens and targets of shape [batch, sequence]; "
                           "the plan has:" +
                           (problems.empty() ? " no input of role 'tokens'" : problems));
  const int64_t length = plan.types[roles.tokens->type].shape[1];
  if (file.size() < length + 1)
    return Status::invalid("'" + file.path() + "' has " + std::to_string(file.size()) +
                           " tokens, the plan's sequences need at least " + std::to_string(length + 1));
  auto windows = std::make_unique<WindowSource>(plan, roles, std::move(file), seed);
  for (const planformat::Input *input : roles.all)
    if (input->role != "positions")
      MODELPAR_RETURN_IF_ERROR(windows->checkRange(*input));
  source = std::move(windows);
  return {};
}
