//===- Inputs.cpp - what the data sources share ---------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/data/Inputs.h"

#include "runtime/base/Hash.h"
#include "runtime/checkpoint/Elements.h"

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
  return forEachElement(view, [&](int64_t element, int64_t sample, int64_t within) {
    store(view, element, last > 0 ? within % view.globalExtents[last] : sample);
    return Status();
  });
}

std::string data::describeType(const planformat::TensorType &type) {
  std::string text = "[";
  for (size_t i = 0; i < type.shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(type.shape[i]);
  return text + "] of " + std::string(planformat::name(type.dtype));
}

Status data::sortInputs(const planformat::Plan &plan, InputRoles &roles) {
  std::string problems;
  for (const planformat::Input &input : plan.inputs) {
    if (input.role == "scalars")
      continue;
    const planformat::TensorType &type = plan.types[input.type];
    roles.all.push_back(&input);
    if (input.role == "positions")
      continue;
    auto problem = [&](const std::string &what) {
      problems += "\n  input '" + input.name + "' " + describeType(type) + ": " + what;
    };
    if (type.shape.empty() || type.shape[0] != plan.globalBatch)
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

Status data::outOfRange(const planformat::Input &input, int64_t value, const std::string &where) {
  return Status::invalid(where + " is " + std::to_string(value) + ", input '" + input.name + "' takes " +
                         std::to_string(static_cast<int64_t>(input.rangeLow)) + " to " +
                         std::to_string(static_cast<int64_t>(input.rangeHigh) - 1));
}
