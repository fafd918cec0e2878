//===- SafetensorsWriter.cpp - byte-exact writer of safetensors -----------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/checkpoint/Safetensors.h"

#include "modelpar/Json/Json.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <unistd.h>

using namespace modelpar;
using namespace modelpar::runtime;

/// Puts the tensors in the format's order with contiguous ranges.
static std::vector<FileTensor> layOut(const std::vector<TensorSpec> &tensors) {
  std::vector<FileTensor> layout;
  for (const TensorSpec &spec : tensors)
    layout.push_back({spec.name, spec.type, spec.shape, 0, 0});
  std::sort(layout.begin(), layout.end(), [](const FileTensor &a, const FileTensor &b) {
    return a.type != b.type ? a.type > b.type : a.name < b.name;
  });
  uint64_t position = 0;
  for (FileTensor &tensor : layout) {
    tensor.begin = position;
    position += static_cast<uint64_t>(tensor.numElements()) * static_cast<uint64_t>(bitSize(tensor.type)) / 8;
    tensor.end = position;
  }
  return layout;
}

std::string runtime::safetensorsHeader(const std::vector<TensorSpec> &tensors,
                                       const std::map<std::string, std::string> &metadata,
                                       std::vector<FileTensor> &layout) {
  layout = layOut(tensors);
  // Built as text: an ordered JSON object would look every key up among all before it.
  std::string text = "{";
  auto key = [&](std::string_view name) {
    if (text.size() > 1)
      text += ',';
    text += json::dump(json::Value(std::string(name))) + ":";
  };
  if (!metadata.empty()) {
    key("__metadata__");
    json::Value object = json::Value::object();
    for (const auto &[name, value] : metadata)
      object[name] = value;
    text += json::dump(object);
  }
  for (const FileTensor &tensor : layout) {
    key(tensor.name);
    text += "{\"dtype\":\"" + std::string(name(tensor.type)) + "\",\"shape\":[";
    for (size_t i = 0; i < tensor.shape.size(); ++i)
      text += (i ? "," : "") + std::to_string(tensor.shape[i]);
    text += "],\"data_offsets\":[" + std::to_string(tensor.begin) + "," + std::to_string(tensor.end) + "]}";
  }
  text += '}';
  // The data, and with it every tensor, starts at a multiple of its own size.
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string header(8, '\0');
  for (int i = 0; i < 8; ++i)
    header[i] = static_cast<char>(static_cast<uint64_t>(text.size()) >> (8 * i) & 0xff);
  return header + text;
}

Status SafetensorsWriter::create(const std::string &path, const std::vector<TensorSpec> &tensors,
                                 SafetensorsWriter &writer) {
  SafetensorsWriter created;
  std::vector<FileTensor> layout;
  std::string header = safetensorsHeader(tensors, {{"format", "pt"}}, layout);
  created.path_ = path;
  created.temporaryPath_ = path + ".tmp-" + std::to_string(getpid());
  created.dataBegin_ = header.size();
  uint64_t size = header.size() + (layout.empty() ? 0 : layout.back().end);
  for (FileTensor &tensor : layout) {
    std::string name = tensor.name;
    if (!created.tensors_.emplace(name, std::move(tensor)).second)
      return Status::invalid("'" + path + "': two tensors are named '" + name + "'");
  }
  MODELPAR_RETURN_IF_ERROR(MappedFile::createForWriting(created.temporaryPath_, size, created.map_));
  std::memcpy(created.map_.writableBytes().data(), header.data(), header.size());
  writer = std::move(created);
  return {};
}

SafetensorsWriter::~SafetensorsWriter() {
  if (!map_.path().empty())
    abandon();
}

void SafetensorsWriter::abandon() const { unlink(temporaryPath_.c_str()); }

const FileTensor *SafetensorsWriter::find(std::string_view name) const {
  auto it = tensors_.find(name);
  return it == tensors_.end() ? nullptr : &it->second;
}

std::span<std::byte> SafetensorsWriter::bytes(const FileTensor &tensor) {
  return map_.writableBytes().subspan(dataBegin_ + tensor.begin, tensor.end - tensor.begin);
}

Status SafetensorsWriter::finish() {
  MODELPAR_RETURN_IF_ERROR(map_.sync());
  if (std::rename(temporaryPath_.c_str(), path_.c_str()) != 0)
    return Status::invalid("cannot write '" + path_ + "': " + std::strerror(errno));
  map_ = MappedFile();
  return {};
}
