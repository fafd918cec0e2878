//===- Inputs.cpp - what the data sources share ---------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/data/Inputs.h"

#include "runtime/base/Hash.h"
#include "runtime/checkpoint/Elements.h"

#include <cmath>

using namespace modelpar;
using namespace modelpar::runtime;
using planformat::DType;

PhiloxKey data::keyFor(uint64_t seed, std::string_view use) { return philoxKey(mixHash(seed, hashString(use))); }

int64_t data::elementsPerSample(const std::vector<int64_t> &shape) {
  int64_t count = 1;
  for (size_t i = 1; i < shape.size(); ++i)
    count *= shape[i];
  return count;
}

void data::store(const TensorView &view, int64_t element, double value) {
  convertElements(FileType::F64, reinterpret_cast<const std::byte *>(&value), view.dtype,
                  view.as<std::byte>() + element * planformat::byteSize(view.dtype), 1);
}

Status data::fillPositions(const TensorView &view) {
  const int last = view.rank - 1;
  // Samples differ only where they are along the last dimension.
  return forEachElement(view, /*batch=*/-1, [&](int64_t element, int64_t, int64_t within) {
    store(view, element, last < 0 ? 0 : within % view.globalExtents[last]);
    return Status();
  });
}

std::string data::describeShape(const std::vector<int64_t> &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

std::string data::describeType(const planformat::TensorType &type) {
  return describeShape(type.shape) + " of " + std::string(planformat::name(type.dtype));
}

Status data::sortInputs(const planformat::Plan &plan, InputRoles &roles) {
  std::string problems;
  for (const planformat::Input &input : plan.inputs) {
    if (input.role == "scalars")
      continue;
    const planformat::TensorType &type = plan.types[input.type];
    roles.all.push_back(&input);
    auto problem = [&](const std::string &what) {
      problems += "\n  input '" + input.name + "' " + describeType(type) + ": " + what;
    };
    const bool batch = input.batchDim >= 0 && static_cast<size_t>(input.batchDim) < type.shape.size() &&
                       type.shape[input.batchDim] == plan.globalBatch;
    if (input.role == "positions") {
      if (input.batchDim >= 0 && !batch)
        problem("expected the batch of " + std::to_string(plan.globalBatch) + " as dimension " +
                std::to_string(input.batchDim));
      continue;
    }
    if (!batch || input.batchDim != 0)
      problem("expected the batch of " + std::to_string(plan.globalBatch) + " as its first dimension");
    if (input.role == "tokens") {
      if (!isIntegerType(type.dtype))
        problem("tokens must be integers");
      if (!roles.tokens)
        roles.tokens = &input;
    } else if (input.role == "targets") {
      if (isIntegerType(type.dtype) && !roles.targets)
        roles.targets = &input;
    } else if (input.role != "data") {
      problem("unknown role '" + input.role + "'");
    }
    if (isIntegerType(type.dtype) && input.rangeHigh < input.rangeLow + 1)
      problem("its range is empty");
  }
  if (!problems.empty())
    return Status::invalid("the plan has inputs that data cannot feed:" + problems);
  return {};
}

data::Allowed data::allowedValues(const planformat::Input &input, DType dtype) {
  const bool integers = isIntegerType(dtype);
  return {input.rangeLow, integers ? std::ceil(input.rangeHigh) - 1 : input.rangeHigh,
          integers && input.role == "targets"};
}

std::string data::outsideRange(const planformat::Input &input, DType dtype, const std::string &value) {
  const Allowed allowed = allowedValues(input, dtype);
  auto bound = [&](double number) {
    return isIntegerType(dtype) ? std::to_string(static_cast<int64_t>(std::ceil(number))) : realText(number);
  };
  return value + ", input '" + input.name + "' takes " + bound(allowed.low) + " to " + bound(allowed.high) +
         (allowed.negative ? " and negative labels to ignore" : "");
}
