//===- FileKind.h - what a file is, by its bytes --------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Text and bare tokens have no header, so any file could be read as either, and a model would train on the bytes of an
// archive without complaint. Formats that people have beside their data are told by their magic numbers, other binary
// files by bytes that text does not have.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_DATA_FILEKIND_H
#define MODELPAR_RUNTIME_DATA_FILEKIND_H

#include "runtime/data/DataSource.h"
#include "runtime/data/Scan.h"

#include <optional>

namespace modelpar::runtime::data {

/// A format that has a mark, so neither text nor bare tokens.
struct FileKind {
  /// How far the mark goes: some are words that a text may begin with, or two bytes that tokens may have.
  enum class Strength {
    Hint,    ///< Names a file that is known not to be text.
    NotText, ///< No text begins like this, but tokens may.
    Sure
  };
  std::string name;   ///< "a gzip file"
  std::string advice; ///< What to do with it, as the end of a sentence; may be empty.
  Strength strength = Strength::Hint;
  DataFormat format = DataFormat::Auto; ///< What reads it; Auto: nothing does.
};

/// What the file is; nothing when no format is recognised. Looks at both ends and never past them.
std::optional<FileKind> recognise(std::span<const std::byte> bytes);

/// What makes the bytes something else than text ("byte 17 is NUL"); empty for text. Text has no NUL bytes and at most
/// one of the other control characters that are not used in text among 4096 bytes. Bytes above 127 are fine: UTF-8 and
/// the many encodings of one byte.
std::string whyNotText(std::span<const std::byte> bytes, const Release &release);

/// True for the beginning of a text that is long enough to tell it from tokens: UTF-8 without control characters.
bool isSurelyText(std::span<const std::byte> bytes);

} // namespace modelpar::runtime::data

#endif // MODELPAR_RUNTIME_DATA_FILEKIND_H
