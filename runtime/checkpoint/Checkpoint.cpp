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

/// The name that a parameter has in a model that nothing is wrapped around. Wrappers name their inner module: those
/// below have names that no model uses, and "module" is one in front alone.
static std::string withoutWrappers(std::string_view name) {
  static constexpr std::string_view kWrappers[] = {"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"};
  std::string plain;
  for (size_t begin = 0, end = 0; begin <= name.size(); begin = end + 1) {
    end = std::min(name.find('.', begin), name.size());
    const std::string_view part = name.substr(begin, end - begin);
    const bool last = end == name.size();
    if (!last && (std::ranges::count(kWrappers, part) || (plain.empty() && part == "module")))
      continue;
    plain.append(part).append(last ? "" : ".");
  }
  return plain;
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
  for (const auto &[name, place] : opened.tensors_)
    opened.unwrapped_.try_emplace(withoutWrappers(name), place); // A second one of the name is left over, and reported.
  // The tensors live in the files' maps, whose nodes do not move with the vector that holds them.
  checkpoint = std::move(opened);
  return {};
}

const Checkpoint::Place *Checkpoint::findExactly(const std::string &name) const {
  auto it = tensors_.find(name);
  return it == tensors_.end() ? nullptr : &it->second;
}

const Checkpoint::Place *Checkpoint::findUnwrapped(const std::string &name) const {
  auto it = unwrapped_.find(withoutWrappers(name));
  return it == unwrapped_.end() ? nullptr : &it->second;
}

CheckpointTensor Checkpoint::find(const std::string &name) const {
  planformat::Parameter parameter;
  parameter.checkpointName = name;
  return find(parameter);
}

static std::vector<std::string> namesOf(const planformat::Parameter &parameter) {
  std::vector<std::string> names = {parameter.checkpointName};
  names.insert(names.end(), parameter.aliases.begin(), parameter.aliases.end());
  return names;
}

CheckpointTensor Checkpoint::find(const planformat::Parameter &parameter) const {
  const std::vector<std::string> names = namesOf(parameter);
  for (auto lookUp : {&Checkpoint::findExactly, &Checkpoint::findUnwrapped})
    for (const std::string &name : names)
      if (const Place *place = (this->*lookUp)(name))
        return {place->second, bytes(*place)};
  return {};
}

static std::string toString(const std::vector<int64_t> &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

/// Saved with models by older versions of their libraries, and computed by ours.
static bool isBuffer(std::string_view name) {
  for (std::string_view buffer : {"attn.bias", "attn.masked_bias", "rotary_emb.inv_freq"})
    if (name == buffer || (name.ends_with(buffer) && name[name.size() - buffer.size() - 1] == '.'))
      return true;
  return false;
}

static bool equal(const CheckpointTensor &a, const CheckpointTensor &b) {
  return a.tensor->type == b.tensor->type && a.tensor->shape == b.tensor->shape && std::ranges::equal(a.bytes, b.bytes);
}

Status Checkpoint::check(const std::vector<planformat::Parameter> &parameters) const {
  std::vector<std::string> problems;
  std::map<const FileTensor *, const planformat::Parameter *> used;
  std::map<std::string, CheckpointTensor, std::less<>> taken; ///< By every name of the parameter that took it.
  for (const planformat::Parameter &parameter : parameters) {
    CheckpointTensor found = find(parameter);
    if (!found) {
      problems.push_back("missing tensor '" + parameter.checkpointName + "'");
      continue;
    }
    if (auto [it, inserted] = used.emplace(found.tensor, &parameter); !inserted)
      problems.push_back("tensor '" + found.tensor->name + "' is of parameters '" + it->second->name + "' and '" +
                         parameter.name + "'");
    for (const std::string &name : namesOf(parameter))
      taken.emplace(withoutWrappers(name), found);
    if (found.tensor->shape != parameter.checkpointShape)
      problems.push_back("tensor '" + found.tensor->name + "': expected shape " + toString(parameter.checkpointShape) +
                         ", found " + toString(found.tensor->shape));
    if (!isConvertibleFloat(found.tensor->type))
      problems.push_back("tensor '" + found.tensor->name + "': expected F32, F16, BF16 or F64, found " +
                         std::string(name(found.tensor->type)));
  }
  for (const auto &[name, place] : tensors_) {
    if (used.count(place.second) || isBuffer(name))
      continue;
    auto second = taken.find(withoutWrappers(name));
    if (second == taken.end())
      problems.push_back("extra tensor '" + name + "', which the plan does not have");
    else if (!equal(second->second, {place.second, bytes(place)}))
      problems.push_back("tensors '" + second->second.tensor->name + "' and '" + name +
                         "' are one parameter of the plan, and differ");
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
