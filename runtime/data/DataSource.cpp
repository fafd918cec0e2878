//===- DataSource.cpp - where the batches come from -----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/data/DataSource.h"

#include "runtime/data/ArrayFile.h"
#include "runtime/data/FileKind.h"
#include "runtime/data/Synthetic.h"
#include "runtime/data/TokenFile.h"

#include <array>

using namespace modelpar;
using namespace modelpar::runtime;

bool runtime::parseDataFormat(std::string_view name, DataFormat &format) {
  constexpr std::array<std::pair<std::string_view, DataFormat>, 5> kNames = {
      {{"auto", DataFormat::Auto},
       {"text", DataFormat::Text},
       {"nanogpt", DataFormat::NanoGPT},
       {"llmc", DataFormat::LlmC},
       {"safetensors", DataFormat::Safetensors}}};
  for (const auto &[known, value] : kNames) {
    if (known == name) {
      format = value;
      return true;
    }
  }
  return false;
}

/// An error about a file that is no safetensors file, with what it is.
static Status withKind(const std::string &path, Status status) {
  MappedFile map;
  if (!MappedFile::openForReading(path, map).ok())
    return status;
  const std::optional<data::FileKind> kind = data::recognise(map.bytes());
  if (!kind || kind->strength == data::FileKind::Strength::Hint || kind->format == DataFormat::Safetensors)
    return status;
  return Status::invalid(status.message() + "; it is " + kind->name);
}

Status runtime::createDataSource(const planformat::Plan &plan, const DataOptions &options,
                                 std::unique_ptr<DataSource> &source) {
  data::InputRoles roles;
  MODELPAR_RETURN_IF_ERROR(data::sortInputs(plan, roles));
  if (options.path.empty())
    return data::createSynthetic(plan, roles, options.seed, source);
  if (options.format == DataFormat::Safetensors ||
      (options.format == DataFormat::Auto && options.path.ends_with(".safetensors"))) {
    SafetensorsFile file;
    if (Status status = SafetensorsFile::open(options.path, file); !status.ok())
      return withKind(options.path, std::move(status));
    return data::createArrays(plan, roles, std::move(file), source);
  }
  data::TokenFile file;
  MODELPAR_RETURN_IF_ERROR(data::TokenFile::open(options.path, options.format, file));
  return data::createWindows(plan, roles, std::move(file), options.seed, source);
}
