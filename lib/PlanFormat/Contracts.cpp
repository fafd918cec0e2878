//===- Contracts.cpp - what kernels take and give -------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/PlanFormat/Contracts.h"

#include "lib/PlanFormat/Checks.h"
#include "lib/PlanFormat/Partials.h"
#include "modelpar/Sharding/AxisParts.h"

#include <algorithm>
#include <cctype>
#include <cmath>

namespace modelpar::planformat {

using Types = std::vector<const TensorType *>;

namespace {

constexpr std::string_view kMatmul = "matmul";

bool isFloat(DType type) { return type != DType::I32 && type != DType::I64; }
DType statisticsOf(DType type) { return type == DType::F64 ? DType::F64 : DType::F32; }

/// The dimensions of some letter, as the first operand has them that has it.
struct Bound {
  std::vector<int64_t> extents;
  std::vector<sharding::DimSharding> shardings;
  const Operand *from = nullptr;
  bool operator==(const Bound &other) const { return extents == other.extents && shardings == other.shardings; }
};

Bound dimsOf(const Operand &operand, size_t begin, size_t count) {
  Bound bound;
  bound.from = &operand;
  for (size_t d = begin; d < begin + count; ++d) {
    bound.extents.push_back(operand.type->shape[d]);
    bound.shardings.push_back(sharding::joinedAxes(operand.type->sharding.dims[d]));
  }
  return bound;
}

bool isMany(char letter) { return letter == '*' || letter == '&'; }

/// Matches the operands of one kernel with its patterns.
class Matcher {
public:
  explicit Matcher(std::vector<Operand> operands) : operands_(std::move(operands)) {}

  /// With the letters of their dimensions, once they fit.
  const std::vector<Operand> &operands() const { return operands_; }

  std::string run() {
    for (const Operand &operand : operands_)
      if (std::string error = elements(operand); !error.empty())
        return error;
    // A pattern with one unknown list tells its length; those with two wait for the others.
    for (std::vector<Operand *> open = pointers(); !open.empty();) {
      auto next = std::find_if(open.begin(), open.end(), [&](Operand *each) { return unknownLists(*each) <= 1; });
      if (next == open.end())
        break;
      if (std::string error = dims(**next); !error.empty())
        return error;
      open.erase(next);
    }
    return "";
  }

private:
  std::vector<Operand *> pointers() {
    std::vector<Operand *> all;
    for (Operand &operand : operands_)
      all.push_back(&operand);
    return all;
  }
  static std::string has(const Operand &operand) { return operand.name + " has type " + describe(*operand.type); }

  std::string elements(const Operand &operand) {
    const DType dtype = operand.type->dtype;
    switch (operand.pattern.elements) {
    case 'T':
    case 'U':
      if (!isFloat(dtype))
        return has(operand) + ", expected floats";
      if (operand.pattern.elements == 'T' && !computed_)
        computed_ = dtype;
      if (computed_ && dtype != *computed_ && (operand.pattern.elements == 'T' || dtype != statisticsOf(*computed_)))
        return has(operand) + ", expected elements " + std::string(name(*computed_));
      return "";
    case 'S':
      if (!statistics_)
        statistics_ = computed_ ? statisticsOf(*computed_) : dtype;
      if (dtype != *statistics_ || (dtype != DType::F32 && dtype != DType::F64))
        return has(operand) + ", expected elements " +
               std::string(name(*statistics_ == DType::F64 ? DType::F64 : DType::F32));
      return "";
    case 'I':
      return isFloat(dtype) ? has(operand) + ", expected integers" : "";
    case 'C':
      if (dtype != DType::F64 || operand.type->shape != std::vector<int64_t>{kNumScalars} ||
          !operand.type->sharding.dims[0].empty())
        return has(operand) + ", expected the step's scalars, f64[" + std::to_string(kNumScalars) + "]";
      return "";
    default:
      return "";
    }
  }

  int unknownLists(const Operand &operand) const {
    return static_cast<int>(std::count_if(operand.pattern.dims.begin(), operand.pattern.dims.end(),
                                          [&](char c) { return isMany(c) && !bound_.count(c); }));
  }

  std::string dims(Operand &operand) {
    if (operand.pattern.elements == 'C' || operand.pattern.dims == "?") {
      operand.letters.assign(operand.type->shape.size(), '?');
      return "";
    }
    size_t needed = 0;
    for (char letter : operand.pattern.dims)
      needed += !isMany(letter) ? 1 : bound_.count(letter) ? bound_.at(letter).extents.size() : 0;
    const size_t rank = operand.type->shape.size();
    if (rank < needed || (rank > needed && unknownLists(operand) == 0))
      return has(operand) + ", expected " + (unknownLists(operand) ? "at least " : "") + std::to_string(needed) +
             " dimensions";
    size_t at = 0;
    for (char letter : operand.pattern.dims) {
      const auto known = bound_.find(letter);
      const size_t count = !isMany(letter) ? 1 : known != bound_.end() ? known->second.extents.size() : rank - needed;
      const Bound found = dimsOf(operand, at, count);
      if (known == bound_.end())
        bound_.emplace(letter, found);
      else if (!(found == known->second))
        return has(operand) + ", expected dimensions " + std::to_string(at) + " to " + std::to_string(at + count - 1) +
               " as in " + known->second.from->name + ", " + describe(*known->second.from->type);
      operand.letters.append(count, letter);
      at += count;
    }
    return "";
  }

  std::vector<Operand> operands_;
  std::optional<DType> computed_, statistics_;
  std::map<char, Bound> bound_;
};

std::string countError(const Types &inputs, const Types &outputs, const std::string &expected) {
  return "has " + std::to_string(inputs.size()) + " inputs and " + std::to_string(outputs.size()) +
         " outputs, expected " + expected;
}

std::vector<Operand> operandsOf(const Types &inputs, const Types &outputs,
                                const std::vector<std::string_view> &inputPatterns,
                                const std::vector<std::string_view> &outputPatterns) {
  std::vector<Operand> operands;
  auto add = [&](const char *what, const Types &types, const std::vector<std::string_view> &patterns) {
    for (size_t n = 0; n < types.size(); ++n)
      operands.push_back(
          {what + std::to_string(n), types[n], parsePattern(patterns[std::min(n, patterns.size() - 1)])});
  };
  add("input ", inputs, inputPatterns);
  add("output ", outputs, outputPatterns);
  return operands;
}

/// What is partial among operands that fit their patterns.
std::string partialsError(const Matcher &matcher, size_t numInputs, const Letters &letters) {
  const auto middle = matcher.operands().begin() + static_cast<std::ptrdiff_t>(numInputs);
  return partialsError({matcher.operands().begin(), middle}, {middle, matcher.operands().end()}, letters);
}

std::string attributeError(const Instruction &i, const AttributeContract &contract) {
  using Type = AttributeContract::Type;
  const std::string what = "attribute \"" + std::string(contract.name) + "\"";
  auto found = i.attributes.find(std::string(contract.name));
  if (found == i.attributes.end())
    return contract.optional ? "" : what + " is missing";
  const Attribute &value = found->second;
  const int64_t *integer = std::get_if<int64_t>(&value);
  const double *real = std::get_if<double>(&value);
  const bool fits = contract.type == Type::Bool      ? std::holds_alternative<bool>(value)
                    : contract.type == Type::Text    ? std::holds_alternative<std::string>(value)
                    : contract.type == Type::Integer ? integer != nullptr
                                                     : real || integer;
  if (!fits) {
    constexpr const char *types[] = {"a boolean", "an integer", "a number", "a string"};
    return what + " is of another type, expected " + types[static_cast<size_t>(contract.type)];
  }
  if (!real && !integer)
    return "";
  const double number = real ? *real : static_cast<double>(*integer);
  const bool bounded = contract.low != 0 || contract.high != 0;
  if (!std::isfinite(number) || (bounded && !(number >= contract.low && number <= contract.high)))
    return what + " is " + std::to_string(number) + ", out of its range";
  return "";
}

/// "bd,df->bf" as three patterns, and the letters that the product sums over; an error when it is none.
std::string subscriptsOf(const Instruction &i, std::vector<std::string> &patterns, std::string &summed) {
  auto found = i.attributes.find("subscripts");
  const std::string *text = found == i.attributes.end() ? nullptr : std::get_if<std::string>(&found->second);
  if (!text)
    return "attribute \"subscripts\" is missing, expected a string";
  const size_t comma = text->find(','), arrow = text->find("->");
  if (comma == std::string::npos || arrow == std::string::npos || comma > arrow)
    return "subscripts \"" + *text + "\", expected the form \"ab,bc->ac\"";
  const std::string letters[] = {text->substr(0, comma), text->substr(comma + 1, arrow - comma - 1),
                                 text->substr(arrow + 2)};
  for (const std::string &each : letters) {
    for (size_t at = 0; at < each.size(); ++at) {
      if (!std::isalpha(static_cast<unsigned char>(each[at])) || each.find(each[at], at + 1) != std::string::npos)
        return "subscripts \"" + *text + "\", expected different letters for each tensor";
      const auto uses = std::count_if(std::begin(letters), std::end(letters), [&](const std::string &other) {
        return other.find(each[at]) != std::string::npos;
      });
      if (uses < 2)
        return "subscripts \"" + *text + "\": '" + each[at] + "' is in one tensor alone";
    }
    // The product is linear in each of the two, but not in both together.
    constexpr const char *groups[] = {"0", "1", ""};
    patterns.push_back("T:" + each + groups[patterns.size()]);
  }
  std::copy_if(letters[0].begin(), letters[0].end(), std::back_inserter(summed),
               [&](char letter) { return letters[2].find(letter) == std::string::npos; });
  return "";
}

std::string matmulError(const Instruction &i, const Types &inputs, const Types &outputs) {
  std::vector<std::string> patterns;
  std::string summed;
  if (inputs.size() != 2 || outputs.size() != 1)
    return countError(inputs, outputs, "2 and 1");
  if (std::string error = subscriptsOf(i, patterns, summed); !error.empty())
    return error;
  Matcher matcher(operandsOf(inputs, outputs, {patterns[0], patterns[1]}, {patterns[2]}));
  if (std::string error = matcher.run(); !error.empty())
    return error;
  return partialsError(matcher, inputs.size(), {summed});
}

bool fitsCount(const Contract &contract, const Types &inputs, const Types &outputs) {
  const bool members = contract.outputs.empty(); // Any number.
  return (contract.manyInputs ? !inputs.empty() : inputs.size() == contract.inputs.size()) &&
         (members ? !outputs.empty() : outputs.size() == contract.outputs.size());
}

/// An error; `isOther` when the operands fit none of the contract's patterns.
std::string errorOf(const Contract &contract, const Instruction &i, const Types &inputs, const Types &outputs,
                    bool &isOther) {
  const std::vector<std::string_view> members = {"T:?"};
  const auto &outputPatterns = contract.outputs.empty() ? members : contract.outputs;
  Matcher matcher(operandsOf(inputs, outputs, contract.inputs, outputPatterns));
  std::string error = matcher.run();
  isOther = !error.empty();
  for (size_t a = 0; a < contract.attributes.size() && error.empty(); ++a)
    error = attributeError(i, contract.attributes[a]);
  if (error.empty() && contract.more)
    error = contract.more(i, inputs, outputs);
  return error.empty() ? partialsError(matcher, inputs.size(), contract.letters) : error;
}

} // namespace

bool hasContract(std::string_view op) {
  return op == kMatmul || std::any_of(contracts().begin(), contracts().end(),
                                      [&](const Contract &contract) { return contract.op == op; });
}

std::string contractError(const Instruction &instruction, const Types &inputs, const Types &outputs) {
  if (instruction.op == kMatmul)
    return matmulError(instruction, inputs, outputs);
  // Several contracts are alternatives for other ranks: the error of the one that fits is told, else the first.
  std::string counts, first;
  for (const Contract &contract : contracts()) {
    if (contract.op != instruction.op)
      continue;
    if (!fitsCount(contract, inputs, outputs)) {
      const std::string expected = (contract.manyInputs ? "one or more" : std::to_string(contract.inputs.size())) +
                                   " and " + std::to_string(contract.outputs.size());
      if (counts.find(expected) == std::string::npos)
        counts += (counts.empty() ? "" : ", or ") + expected;
      continue;
    }
    bool isOther = false;
    const std::string error = errorOf(contract, instruction, inputs, outputs, isOther);
    if (!isOther)
      return error;
    if (first.empty())
      first = error;
  }
  return !first.empty() ? first : counts.empty() ? "" : countError(inputs, outputs, counts);
}

bool canAccumulate(DType input, DType sum) {
  return (sum == DType::F32 && (input == DType::F32 || input == DType::F64 || input == DType::BF16)) ||
         (sum == DType::F64 && (input == DType::F32 || input == DType::F64));
}

} // namespace modelpar::planformat
