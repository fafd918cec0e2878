//===- Safetensors.cpp - reader and checks of the safetensors format ------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/checkpoint/Safetensors.h"

#include "modelpar/Json/Json.h"

#include <algorithm>
#include <array>
#include <cstring>

using namespace modelpar;
using namespace modelpar::runtime;

namespace {
/// Longest header that the format allows.
constexpr uint64_t kMaxHeaderBytes = 100'000'000;

struct TypeInfo {
  std::string_view name;
  int64_t bits;
};
/// In the order of FileType.
constexpr std::array<TypeInfo, 20> kTypes = {
    {{"BOOL", 8},    {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},   {"I8", 8},    {"F8_E5M2", 8},
     {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"I16", 16},    {"U16", 16},    {"F16", 16}, {"BF16", 16}, {"I32", 32},
     {"U32", 32},    {"F32", 32},    {"C64", 64},    {"F64", 64},    {"I64", 64}, {"U64", 64}}};
} // namespace

std::string_view runtime::name(FileType type) { return kTypes[static_cast<size_t>(type)].name; }

int64_t runtime::bitSize(FileType type) { return kTypes[static_cast<size_t>(type)].bits; }

bool runtime::parseFileType(std::string_view name, FileType &type) {
  for (size_t i = 0; i < kTypes.size(); ++i) {
    if (kTypes[i].name == name) {
      type = static_cast<FileType>(i);
      return true;
    }
  }
  return false;
}

int64_t FileTensor::numElements() const {
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  return count;
}

/// Reads the bytes that the tensor's type and shape take; false on overflow or a fraction of a byte.
static bool expectedBytes(const FileTensor &tensor, uint64_t &bytes) {
  uint64_t bits = static_cast<uint64_t>(bitSize(tensor.type));
  // An extent of zero makes the product zero, but must not hide an overflow of the others from numElements().
  uint64_t guard = 1;
  for (int64_t extent : tensor.shape) {
    if (__builtin_mul_overflow(bits, static_cast<uint64_t>(extent), &bits) ||
        __builtin_mul_overflow(guard, static_cast<uint64_t>(std::max<int64_t>(extent, 1)), &guard) ||
        guard > static_cast<uint64_t>(INT64_MAX))
      return false;
  }
  bytes = bits / 8;
  return bits % 8 == 0;
}

/// One entry of the header, without the check against its neighbours.
static void readTensor(json::Object object, FileTensor &tensor) {
  std::string type = object.string("dtype");
  bool knownType = parseFileType(type, tensor.type);
  if (!knownType && !type.empty())
    object.error("dtype", "unknown element type '" + type + "'");
  tensor.shape = object.integers("shape", 0);
  std::vector<int64_t> offsets = object.integers("data_offsets", 0);
  object.finish();
  if (!knownType || offsets.empty())
    return;
  if (offsets.size() != 2 || offsets[0] > offsets[1]) {
    object.error("data_offsets", "expected [begin, end] with begin <= end");
    return;
  }
  tensor.begin = static_cast<uint64_t>(offsets[0]);
  tensor.end = static_cast<uint64_t>(offsets[1]);
  uint64_t bytes = 0;
  if (!expectedBytes(tensor, bytes))
    object.error("shape", "the size in bytes overflows or is not whole");
  else if (bytes != tensor.end - tensor.begin)
    object.error("data_offsets", "expected " + std::to_string(bytes) + " bytes for the shape, found " +
                                     std::to_string(tensor.end - tensor.begin));
}

/// The ranges must tile the data: no hole, no overlap, nothing behind the last.
static Status checkTiling(const std::map<std::string, FileTensor, std::less<>> &tensors, uint64_t dataBytes) {
  std::vector<const FileTensor *> order;
  for (const auto &[name, tensor] : tensors)
    order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](const FileTensor *a, const FileTensor *b) {
    return std::tie(a->begin, a->end, a->name) < std::tie(b->begin, b->end, b->name);
  });
  uint64_t position = 0;
  for (const FileTensor *tensor : order) {
    if (tensor->begin != position)
      return Status::invalid("tensor '" + tensor->name + "' begins at byte " + std::to_string(tensor->begin) +
                             " of the data, expected " + std::to_string(position) + " (a hole or an overlap)");
    position = tensor->end;
  }
  if (position != dataBytes)
    return Status::invalid("the tensors take " + std::to_string(position) + " bytes of data, the file has " +
                           std::to_string(dataBytes));
  return {};
}

/// Splits the file into header text and data.
static Status splitFile(std::span<const std::byte> bytes, std::string_view &header, std::span<const std::byte> &data) {
  if (bytes.size() < 8)
    return Status::invalid("not a safetensors file: " + std::to_string(bytes.size()) + " bytes, expected at least 8");
  uint64_t length = 0;
  for (int i = 7; i >= 0; --i)
    length = length << 8 | std::to_integer<uint64_t>(bytes[i]);
  if (length > kMaxHeaderBytes)
    return Status::invalid("not a safetensors file: header of " + std::to_string(length) + " bytes, at most " +
                           std::to_string(kMaxHeaderBytes) + " are allowed");
  if (length > bytes.size() - 8)
    return Status::invalid("the header of " + std::to_string(length) + " bytes exceeds the file of " +
                           std::to_string(bytes.size()) + " bytes");
  header = {reinterpret_cast<const char *>(bytes.data()) + 8, static_cast<size_t>(length)};
  data = bytes.subspan(8 + length);
  // Spaces may follow the object, nothing else may, and nothing may precede it.
  size_t last = header.find_last_not_of(' ');
  if (header.empty() || header.front() != '{' || header[last] != '}')
    return Status::invalid("not a safetensors file: the header is not a JSON object");
  header = header.substr(0, last + 1);
  return {};
}

Status SafetensorsFile::parse(std::span<const std::byte> bytes, const std::string &path, SafetensorsFile &file) {
  const std::string where = "'" + path + "'";
  std::string_view header;
  SafetensorsFile parsed;
  parsed.path_ = path;
  MODELPAR_RETURN_IF_ERROR(splitFile(bytes, header, parsed.data_).in(where));
  json::Value value;
  std::string error;
  json::Limits limits;
  limits.maxBytes = kMaxHeaderBytes;
  limits.maxDepth = 4;
  if (!json::parse(header, value, error, limits))
    return Status::invalid(where + ": header:" + error);

  json::Errors errors;
  for (const auto &item : value.items()) {
    const std::string pointer = json::join("", item.key());
    if (item.key() == "__metadata__") {
      if (!item.value().is_object()) {
        errors.add(pointer, "expected an object, found " + json::describe(item.value()));
        continue;
      }
      for (const auto &entry : item.value().items()) {
        if (entry.value().is_string())
          parsed.metadata_[entry.key()] = entry.value().get_ref<const std::string &>();
        else
          errors.add(json::join(pointer, entry.key()), "expected a string, found " + json::describe(entry.value()));
      }
      continue;
    }
    FileTensor tensor;
    tensor.name = item.key();
    readTensor(json::Object(item.value(), pointer, errors), tensor);
    parsed.tensors_.emplace(tensor.name, std::move(tensor));
  }
  if (!errors.empty())
    return Status::invalid(errors.toString(path + ": "));
  MODELPAR_RETURN_IF_ERROR(checkTiling(parsed.tensors_, parsed.data_.size()).in(where));
  file = std::move(parsed);
  return {};
}

Status SafetensorsFile::open(const std::string &path, SafetensorsFile &file) {
  MappedFile map;
  MODELPAR_RETURN_IF_ERROR(MappedFile::openForReading(path, map));
  MODELPAR_RETURN_IF_ERROR(parse(map.bytes(), path, file));
  file.map_ = std::move(map);
  return {};
}

const FileTensor *SafetensorsFile::find(std::string_view name) const {
  auto it = tensors_.find(name);
  return it == tensors_.end() ? nullptr : &it->second;
}
