//===- Checkpoint.cpp - parameters in Hugging Face files ------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/checkpoint/Checkpoint.h"

#include "modelpar/Json/Json.h"
#include "runtime/checkpoint/Elements.h"
#include "runtime/checkpoint/Slices.h"

#include <algorithm>
#include <set>
#include <sys/stat.h>

using namespace modelpar;
using namespace modelpar::runtime;

static bool isDirectory(const std::string &path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

static bool exists(const std::string &path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0;
}

/// An index comes from strangers: the files it names lie beside it and nowhere else.
static bool isPlainFileName(std::string_view name) {
  return !name.empty() && name != "." && name.find("..") == std::string_view::npos &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
}

Status Checkpoint::addFile(const std::string &path) {
  SafetensorsFile file;
  MODELPAR_RETURN_IF_ERROR(SafetensorsFile::open(path, file));
  files_.push_back(std::move(file));
  return {};
}

/// The file of each tensor, by its path.
static Status readIndex(const std::string &indexPath, std::map<std::string, std::string> &fileOf) {
  MappedFile map;
  MODELPAR_RETURN_IF_ERROR(MappedFile::openForReading(indexPath, map));
  json::Value value;
  std::string error;
  json::Limits limits;
  limits.maxBytes = size_t{256} << 20;
  limits.maxDepth = 8;
  std::string_view text(reinterpret_cast<const char *>(map.bytes().data()), map.bytes().size());
  if (!json::parse(text, value, error, limits))
    return Status::invalid(indexPath + ":" + error);

  json::Errors errors;
  json::Object object(value, "", errors);
  object.ignore("metadata");
  const json::Value &weights = object.any("weight_map");
  if (errors.empty() && !weights.is_object())
    object.error("weight_map", "expected an object, found " + json::describe(weights));
  object.finish();
  const size_t slash = indexPath.rfind('/');
  const std::string directory = slash == std::string::npos ? "" : indexPath.substr(0, slash + 1);
  if (weights.is_object()) {
    for (const auto &item : weights.items()) {
      const std::string pointer = json::join("/weight_map", item.key());
      if (!item.value().is_string())
        errors.add(pointer, "expected a file name, found " + json::describe(item.value()));
      else if (!isPlainFileName(item.value().get_ref<const std::string &>()))
        errors.add(pointer, "expected the name of a file in the same directory, found '" +
                                item.value().get_ref<const std::string &>() + "'");
      else
        fileOf[item.key()] = directory + item.value().get_ref<const std::string &>();
    }
  }
  return errors.empty() ? Status() : Status::invalid(errors.toString(indexPath + ": "));
}

Status Checkpoint::openIndex(const std::string &indexPath) {
  std::map<std::string, std::string> fileOf;
  MODELPAR_RETURN_IF_ERROR(readIndex(indexPath, fileOf));
  std::map<std::string, size_t> opened;
  for (const auto &[tensor, path] : fileOf) {
    auto [it, inserted] = opened.try_emplace(path, files_.size());
    if (inserted)
      MODELPAR_RETURN_IF_ERROR(addFile(path));
    if (!files_[it->second].find(tensor))
      return Status::invalid("'" + indexPath + "': tensor '" + tensor + "' is not in '" +
                             path.substr(path.rfind('/') + 1) + "'");
  }
  return {};
}

/// The file that stands for `path`: of a directory its one safetensors file, or its index.
static Status mainFile(const std::string &path, std::string &file) {
  file = path;
  if (!isDirectory(path))
    return {};
  file = path + "/model.safetensors";
  if (!exists(file))
    file = path + "/model.safetensors.index.json";
  if (!exists(file))
    return Status::invalid("'" + path + "' has neither model.safetensors nor model.safetensors.index.json");
  return {};
}

Status Checkpoint::listFiles(const std::string &path, std::vector<std::string> &files) {
  std::string file;
  MODELPAR_RETURN_IF_ERROR(mainFile(path, file));
  files = {file};
  if (isDirectory(path))
    for (const char *name : {"/model.safetensors.index.json", "/config.json"})
      if (path + name != file && exists(path + name))
        files.push_back(path + name);
  if (!file.ends_with(".json"))
    return {};
  std::map<std::string, std::string> fileOf;
  MODELPAR_RETURN_IF_ERROR(readIndex(file, fileOf));
  std::set<std::string> shards;
  for (const auto &[tensor, shard] : fileOf)
    if (shards.insert(shard).second)
      files.push_back(shard);
  return {};
}

Status Checkpoint::open(const std::string &path, Checkpoint &checkpoint) {
  Checkpoint opened;
  opened.path_ = path;
  std::string file;
  MODELPAR_RETURN_IF_ERROR(mainFile(path, file));
  if (file.ends_with(".json"))
    MODELPAR_RETURN_IF_ERROR(opened.openIndex(file));
  else
    MODELPAR_RETURN_IF_ERROR(opened.addFile(file));
  for (size_t i = 0; i < opened.files_.size(); ++i) {
    for (const auto &[name, tensor] : opened.files_[i].tensors()) {
      auto [it, inserted] = opened.tensors_.try_emplace(name, i, &tensor);
      if (!inserted)
        return Status::invalid("'" + path + "': tensor '" + name + "' is in '" +
                               opened.files_[it->second.first].path() + "' and in '" + opened.files_[i].path() + "'");
    }
  }
  // The tensors live in the files' maps, whose nodes do not move with the vector that holds them.
  checkpoint = std::move(opened);
  return {};
}

static constexpr std::string_view kPrefix = "transformer.";

CheckpointTensor Checkpoint::find(const std::string &name) const {
  auto it = tensors_.find(name);
  if (it == tensors_.end())
    it = name.starts_with(kPrefix) ? tensors_.find(std::string_view(name).substr(kPrefix.size()))
                                   : tensors_.find(std::string(kPrefix) + name);
  if (it == tensors_.end())
    return {};
  const auto &[file, tensor] = it->second;
  return {tensor, files_[file].bytes(*tensor)};
}

static std::string toString(const std::vector<int64_t> &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

/// Saved with models by older versions of their libraries, and computed by ours.
static bool isBuffer(std::string_view name) {
  return name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias") || name.ends_with(".rotary_emb.inv_freq");
}

Status Checkpoint::check(const std::vector<planformat::Parameter> &parameters) const {
  std::vector<std::string> problems;
  std::set<const FileTensor *> used;
  for (const planformat::Parameter &parameter : parameters) {
    CheckpointTensor found = find(parameter.checkpointName);
    if (!found) {
      problems.push_back("missing tensor '" + parameter.checkpointName + "'");
      continue;
    }
    used.insert(found.tensor);
    if (found.tensor->shape != parameter.checkpointShape)
      problems.push_back("tensor '" + found.tensor->name + "': expected shape " + toString(parameter.checkpointShape) +
                         ", found " + toString(found.tensor->shape));
    if (!isConvertibleFloat(found.tensor->type))
      problems.push_back("tensor '" + found.tensor->name + "': expected F32, F16, BF16 or F64, found " +
                         std::string(name(found.tensor->type)));
  }
  auto repeatsEmbedding = [&](const FileTensor &head, size_t file) {
    for (std::string_view name : {"transformer.wte.weight", "model.embed_tokens.weight"}) {
      CheckpointTensor embedding = find(std::string(name));
      if (embedding && embedding.tensor->type == head.type && embedding.tensor->shape == head.shape &&
          std::ranges::equal(embedding.bytes, files_[file].bytes(head)))
        return true;
    }
    return false;
  };
  for (const auto &[name, place] : tensors_) {
    if (used.count(place.second) || isBuffer(name) ||
        (name == "lm_head.weight" && repeatsEmbedding(*place.second, place.first)))
      continue;
    problems.push_back("extra tensor '" + name + "', which the plan does not have");
  }
  if (problems.empty())
    return {};
  constexpr size_t kShown = 20;
  std::string message = "'" + path_ + "' does not fit the plan's parameters:";
  for (size_t i = 0; i < std::min(problems.size(), kShown); ++i)
    message += "\n  " + problems[i];
  if (problems.size() > kShown)
    message += "\n  and " + std::to_string(problems.size() - kShown) + " more";
  return Status::invalid(message);
}

Status runtime::readSlice(const CheckpointTensor &source, const TensorView &view) {
  if (source.tensor->numElements() != globalElements(view))
    return Status::internal("tensor '" + source.tensor->name + "' has " + std::to_string(source.tensor->numElements()) +
                            " elements, its parameter " + std::to_string(globalElements(view)));
  if (!canConvert(source.tensor->type, view.dtype))
    return Status::invalid("tensor '" + source.tensor->name + "': cannot convert " +
                           std::string(name(source.tensor->type)) + " to " + std::string(planformat::name(view.dtype)));
  const int64_t sourceSize = bitSize(source.tensor->type) / 8, targetSize = planformat::byteSize(view.dtype);
  forEachRun(view, [&](int64_t global, int64_t local, int64_t count) {
    convertElements(source.tensor->type, source.bytes.data() + global * sourceSize, view.dtype,
                    view.as<std::byte>() + local * targetSize, count);
  });
  return {};
}

Status runtime::writeSlice(const TensorView &view, std::span<std::byte> whole) {
  const int64_t size = planformat::byteSize(view.dtype);
  if (static_cast<int64_t>(whole.size()) != globalElements(view) * size)
    return Status::internal("a tensor of " + std::to_string(globalElements(view) * size) + " bytes is written into " +
                            std::to_string(whole.size()));
  forEachRun(view, [&](int64_t global, int64_t local, int64_t count) {
    std::copy_n(view.as<const std::byte>() + local * size, count * size, whole.data() + global * size);
  });
  return {};
}
