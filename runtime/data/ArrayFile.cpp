//===- ArrayFile.cpp - named arrays of samples ----------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/data/ArrayFile.h"

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
    const int64_t perSample = elementsPerSample(array->shape);
    const bool integers = isIntegerType(view.dtype), targets = input.role == "targets";
    const int64_t size = bitSize(array->type) / 8;
    const std::byte *bytes = file_.bytes(*array).data();
    return forEachElement(view, [&](int64_t i, int64_t sample, int64_t within) {
      const int64_t from = sampleOf(step, sample) * perSample + within;
      if (!integers) {
        convertElements(array->type, bytes + from * size, view.dtype,
                        view.as<std::byte>() + i * planformat::byteSize(view.dtype), 1);
        return Status();
      }
      const int64_t value = element(*array, from);
      if (value >= input.rangeHigh || (value < input.rangeLow && !(targets && value < 0)))
        return outOfRange(input, value,
                          "'" + file_.path() + "': element " + std::to_string(from) + " of array '" + array->name +
                              "'");
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
  std::string text = "[";
  for (size_t i = 0; i < array.shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(array.shape[i]);
  return text + "] of " + std::string(name(array.type));
}

/// What is wrong with an input's array; empty when it fits.
static std::string checkArray(const planformat::TensorType &type, const FileTensor &array) {
  std::vector<int64_t> expected = type.shape;
  if (!array.shape.empty() && !expected.empty())
    expected[0] = array.shape[0];
  std::string needed = "[samples";
  for (size_t i = 1; i < expected.size(); ++i)
    needed += ", " + std::to_string(expected[i]);
  if (array.shape.empty() || array.shape != expected)
    return "expected shape " + needed + "], found " + describeArray(array);
  if (array.shape[0] == 0)
    return "has no samples";
  if (!canConvert(array.type, type.dtype))
    return "cannot convert " + std::string(name(array.type)) + " to " + std::string(planformat::name(type.dtype));
  return "";
}

Status data::createArrays(const planformat::Plan &plan, const InputRoles &roles, SafetensorsFile file,
                          std::unique_ptr<DataSource> &source) {
  std::vector<std::string> problems;
  std::set<std::string> used;
  const FileTensor *first = nullptr;
  for (const planformat::Input *input : roles.all) {
    const FileTensor *array = file.find(input->name);
    used.insert(input->name);
    if (!array) {
      if (input->role != "positions")
        problems.push_back("no array '" + input->name + "' " + describeType(plan.types[input->type]));
      continue;
    }
    if (std::string what = checkArray(plan.types[input->type], *array); !what.empty())
      problems.push_back("array '" + input->name + "': " + what);
    else if (first && array->shape[0] != first->shape[0])
      problems.push_back("array '" + input->name + "' has " + std::to_string(array->shape[0]) + " samples, '" +
                         first->name + "' has " + std::to_string(first->shape[0]));
    else
      first = array;
  }
  for (const auto &[name, array] : file.tensors())
    if (!used.count(name))
      problems.push_back("array '" + name + "' " + describeArray(array) + " is no input of the plan");
  if (problems.empty() && !first)
    problems.push_back("no arrays");
  if (!problems.empty()) {
    std::string message = "'" + file.path() + "' does not fit the plan's inputs:";
    for (const std::string &problem : problems)
      message += "\n  " + problem;
    return Status::invalid(message);
  }
  const int64_t samples = first->shape[0];
  source = std::make_unique<ArraySource>(plan, roles, std::move(file), samples);
  return {};
}
