//===- ArrayFile.cpp - named arrays of samples ----------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/data/ArrayFile.h"

#include "runtime/base/Log.h"
#include "runtime/checkpoint/Elements.h"

#include <set>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::data;
using planformat::DType;

namespace {

/// An input's array; null for generated positions.
using Array = const FileTensor *;

class ArraySource : public DataSource {
public:
  ArraySource(const planformat::Plan &plan, const InputRoles &roles, SafetensorsFile file, int64_t samples)
      : plan_(plan), batch_(plan.globalBatch), samples_(samples), targets_(roles.targets), file_(std::move(file)) {
    for (const planformat::Input *input : roles.all)
      arrays_[input->name] = file_.find(input->name);
  }

  int64_t labelCount(int64_t step) const override {
    if (!targets_)
      return batch_;
    const FileTensor &array = *arrays_.find(targets_->name)->second;
    const int64_t perSample = elementsPerSample(array.shape);
    int64_t count = 0;
    for (int64_t sample = 0; sample < batch_; ++sample)
      for (int64_t i = 0; i < perSample; ++i)
        count += element(array, sampleOf(step, sample) * perSample + i) >= 0;
    return count;
  }

  std::string describe() const override {
    return "arrays '" + file_.path() + "', " + std::to_string(samples_) + " samples";
  }

  Status fill(const planformat::Input &input, int64_t step, int64_t, const TensorView &view) override {
    Array array = arrays_.find(input.name)->second;
    if (!array)
      return fillPositions(view);
    const bool batch = input.batchDim >= 0, integers = isIntegerType(view.dtype), targets = input.role == "targets";
    const int64_t perSample = batch ? elementsPerSample(array->shape) : 0;
    const int64_t size = bitSize(array->type) / 8;
    const std::byte *bytes = file_.bytes(*array).data();
    return forEachElement(view, input.batchDim, [&](int64_t i, int64_t sample, int64_t within) {
      const int64_t from = (batch ? sampleOf(step, sample) * perSample : 0) + within;
      if (!integers) {
        convertElements(array->type, bytes + from * size, view.dtype,
                        view.as<std::byte>() + i * planformat::byteSize(view.dtype), 1);
        return Status();
      }
      // All values were looked at when the file was opened, but a map shows what is written to a file since.
      const int64_t value = element(*array, from);
      if (!(targets && value < 0) && (value < input.rangeLow || value >= input.rangeHigh))
        return Status::invalid("'" + file_.path() + "' was changed during the run: element " + std::to_string(from) +
                               " of array '" + array->name + "' is " +
                               outsideRange(input, view.dtype, std::to_string(value)));
      // Any negative target is an ignored label; its value must survive a narrower type.
      store(view, i, targets && value < 0 ? int64_t{-100} : value);
      return Status();
    });
  }

private:
  int64_t sampleOf(int64_t step, int64_t sample) const { return ((step - 1) * batch_ + sample) % samples_; }

  int64_t element(const FileTensor &array, int64_t index) const {
    int64_t value = 0;
    convertElements(array.type, file_.bytes(array).data() + index * (bitSize(array.type) / 8), DType::I64,
                    reinterpret_cast<std::byte *>(&value), 1);
    return value;
  }

  const planformat::Plan &plan_;
  int64_t batch_, samples_;
  const planformat::Input *targets_;
  SafetensorsFile file_;
  std::map<std::string, Array, std::less<>> arrays_;
};

} // namespace

static std::string describeArray(const FileTensor &array) {
  return describeShape(array.shape) + " of " + std::string(name(array.type));
}

/// What is wrong with the type and shape of an input's array; empty when it fits. An input with a batch has one element
/// of its array's first dimension for each sample, wherever its batch stands; another has an array of its own shape.
static std::string checkArray(const planformat::Input &input, const planformat::TensorType &type,
                              const FileTensor &array) {
  std::vector<int64_t> expected = type.shape;
  std::string needed = describeShape(expected) + " (the same in each sample)";
  if (input.batchDim >= 0) {
    expected.erase(expected.begin() + input.batchDim);
    needed = "[samples";
    for (int64_t extent : expected)
      needed += ", " + std::to_string(extent);
    needed += "]";
    expected.insert(expected.begin(), array.shape.empty() ? -1 : array.shape[0]);
  }
  if (array.shape != expected)
    return "expected shape " + needed + ", found " + describeArray(array);
  if (input.batchDim >= 0 && array.shape[0] == 0)
    return "has no samples";
  if (!canConvert(array.type, type.dtype))
    return "cannot convert " + std::string(name(array.type)) + " to " + std::string(planformat::name(type.dtype));
  return "";
}

/// Where element `index` of an array stands: "sample 3, element [1, 0]".
static std::string placeOf(const FileTensor &array, bool batch, int64_t index) {
  std::vector<int64_t> at(array.shape.size());
  for (size_t d = at.size(); d > 0; --d) {
    at[d - 1] = index % array.shape[d - 1];
    index /= array.shape[d - 1];
  }
  std::string text = batch ? "sample " + std::to_string(at[0]) + " of " + std::to_string(array.shape[0]) : "";
  if (batch)
    at.erase(at.begin());
  if (!at.empty())
    text += (batch ? ", element " : "element ") + (at.size() == 1 ? std::to_string(at[0]) : describeShape(at));
  return text.empty() ? "the element" : text;
}

/// The first value of an input's array that is not allowed; empty when there is none. NaN stands for what was not
/// measured: it may be there, and `nan` says where the first one is.
static std::string checkValues(const planformat::Input &input, const planformat::TensorType &type,
                               const SafetensorsFile &file, const FileTensor &array, std::string &nan) {
  const std::span<const std::byte> bytes = file.bytes(array);
  Allowed allowed = allowedValues(input, type.dtype);
  auto find = [&] {
    return findOutside(array.type, bytes, allowed, [&](std::span<const std::byte> part) { file.release(part); });
  };
  int64_t at = find();
  if (at >= 0 && elementText(array.type, bytes, at).ends_with("nan")) {
    nan = placeOf(array, input.batchDim >= 0, at);
    allowed.nan = true;
    at = find();
  }
  if (at < 0)
    return "";
  return placeOf(array, input.batchDim >= 0, at) + " is " +
         outsideRange(input, type.dtype, elementText(array.type, bytes, at));
}

static Status doesNotFit(const SafetensorsFile &file, const std::vector<std::string> &problems) {
  std::string message = "'" + file.path() + "' does not fit the plan's inputs:";
  for (const std::string &problem : problems)
    message += (problems.size() == 1 ? " " : "\n  ") + problem;
  return Status::invalid(message);
}

Status data::createArrays(const planformat::Plan &plan, const InputRoles &roles, SafetensorsFile file,
                          std::unique_ptr<DataSource> &source) {
  std::vector<std::string> problems;
  std::set<std::string> used;
  const FileTensor *first = nullptr;
  for (const planformat::Input *input : roles.all) {
    const FileTensor *array = file.find(input->name);
    if (!array) {
      if (input->role != "positions")
        problems.push_back("no array '" + input->name + "' " + describeType(plan.types[input->type]));
      continue;
    }
    used.insert(input->name);
    if (std::string what = checkArray(*input, plan.types[input->type], *array); !what.empty())
      problems.push_back("array '" + input->name + "': " + what);
    else if (input->batchDim < 0)
      continue;
    else if (first && array->shape[0] != first->shape[0])
      problems.push_back("array '" + input->name + "' has " + std::to_string(array->shape[0]) + " samples, '" +
                         first->name + "' has " + std::to_string(first->shape[0]));
    else
      first = array;
  }
  for (const auto &[name, array] : file.tensors())
    if (!used.count(name))
      problems.push_back("array '" + name + "' " + describeArray(array) + " is no input of the plan");
  if (problems.empty() && used.empty())
    problems.push_back("no arrays");
  if (!problems.empty())
    return doesNotFit(file, problems);
  for (const planformat::Input *input : roles.all) {
    const FileTensor *array = file.find(input->name);
    if (!array)
      continue;
    std::string nan;
    if (std::string what = checkValues(*input, plan.types[input->type], file, *array, nan); !what.empty())
      problems.push_back("array '" + input->name + "': " + what);
    if (!nan.empty())
      logWarning("'" + file.path() + "': array '" + input->name + "': " + nan +
                 " is NaN, and perhaps not alone: a step that meets one is skipped");
  }
  if (!problems.empty())
    return doesNotFit(file, problems);
  const int64_t samples = first ? first->shape[0] : 1;
  source = std::make_unique<ArraySource>(plan, roles, std::move(file), samples);
  return {};
}
