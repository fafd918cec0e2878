//===- Partials.cpp - what a kernel makes of partial values ---------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lib/PlanFormat/Partials.h"

#include "lib/PlanFormat/Checks.h"
#include "modelpar/Sharding/AxisParts.h"

#include <algorithm>

namespace modelpar::planformat {

using sharding::AxisRef;
using sharding::DimSharding;
using sharding::PartialAxis;
using sharding::ReduceKind;
using Partials = std::vector<PartialAxis>;

Partials joined(Partials partial) {
  std::sort(partial.begin(), partial.end());
  Partials result;
  for (const PartialAxis &entry : partial) {
    AxisRef *last = result.empty() ? nullptr : &result.back().axis;
    if (last && result.back().kind == entry.kind && sharding::follows(*last, entry.axis))
      last->size *= entry.axis.size;
    else
      result.push_back(entry);
  }
  return result;
}

namespace {

constexpr char kOwnShape = '?';

std::string toText(const AxisRef &axis) {
  const std::string part =
      axis.preSize == 1 ? "" : ":(" + std::to_string(axis.preSize) + ")" + std::to_string(axis.size);
  return axis.name + part + sharding::modifiersOf(axis);
}

/// "whole", or "partial over dp (sum), tp (sum)"
std::string toText(const Partials &partial) {
  std::string text;
  for (const PartialAxis &entry : partial)
    text += (text.empty() ? "partial over " : ", ") + toText(entry.axis) + " (" + std::string(name(entry.kind)) + ")";
  return text.empty() ? "whole" : text;
}

bool has(std::string_view letters, char letter) { return letters.find(letter) != std::string_view::npos; }

/// True when the axis, at whatever place of a ring and in whatever order, is one of `axes`.
bool hasAxis(const DimSharding &axes, const AxisRef &axis) {
  return std::any_of(axes.begin(), axes.end(),
                     [&](const AxisRef &other) { return sharding::plain(other) == sharding::plain(axis); });
}

/// The operand's axes on a letter.
DimSharding axesOn(const Operand &operand, char letter) {
  DimSharding axes;
  for (size_t d = 0; d < operand.letters.size(); ++d)
    if (operand.letters[d] == letter)
      for (const AxisRef &axis : operand.type->sharding.dims[d])
        axes.push_back(axis);
  return axes;
}

class PartialChecker {
public:
  PartialChecker(const std::vector<Operand> &inputs, const std::vector<Operand> &outputs, const Letters &letters)
      : inputs_(inputs), outputs_(outputs), letters_(letters) {}

  std::string run() {
    for (const std::vector<Operand> *list : {&inputs_, &outputs_})
      for (const Operand &operand : *list)
        for (const std::string &error : {whole(operand), streamed(operand)})
          if (!error.empty())
            return error;
    Partials passed;
    if (std::string error = passThrough(passed); !error.empty())
      return error;
    for (const Operand &output : outputs_)
      if (std::string error = result(output, passed); !error.empty())
        return error;
    return "";
  }

private:
  static std::string isPartial(const Operand &operand) {
    return operand.name + " is " + toText(joined(operand.type->sharding.partial));
  }

  std::string whole(const Operand &operand) const {
    for (size_t d = 0; d < operand.letters.size(); ++d)
      if (has(letters_.whole, operand.letters[d]) && !operand.type->sharding.dims[d].empty())
        return operand.name + " has type " + describe(*operand.type) + ", expected dimension " + std::to_string(d) +
               " whole";
    return "";
  }

  const Operand *firstWith(char letter) const {
    for (const Operand &input : inputs_)
      if (has(input.letters, letter))
        return &input;
    return nullptr;
  }

  /// Parts go round the ranks that share what they are streamed along: no other rank has the rest.
  std::string streamed(const Operand &operand) const {
    if (letters_.streamed.empty())
      return "";
    const Operand *along = firstWith(letters_.streamed[1]);
    for (const AxisRef &axis : axesOn(operand, letters_.streamed[0]))
      if (!along || !hasAxis(axesOn(*along, letters_.streamed[1]), axis))
        return operand.name + " has type " + describe(*operand.type) + ", split over " + toText(axis) +
               ", expected only axes that " + (along ? along->name : "the first input") + " is split over";
    return "";
  }

  /// Sums pass through operands that the kernel is linear in: through all of one group alike, or none.
  std::string passThrough(Partials &passed) const {
    const Operand *first = nullptr;
    for (const Operand &input : inputs_) {
      if (!input.type->sharding.isPartial())
        continue;
      if (input.pattern.linearGroup < 0)
        return isPartial(input) + ", expected it whole: a reduction is missing";
      if (first && first->pattern.linearGroup != input.pattern.linearGroup)
        return isPartial(input) + ", as is " + first->name +
               ", and they are multiplied: expected one of them whole, a reduction is missing";
      first = first ? first : &input;
    }
    if (!first)
      return "";
    passed = joined(first->type->sharding.partial);
    for (const Operand &input : inputs_)
      if (input.pattern.linearGroup == first->pattern.linearGroup && joined(input.type->sharding.partial) != passed)
        return isPartial(input) + ", " + isPartial(*first) +
               ", and they are added: expected both partial over the same axes";
    for (const PartialAxis &entry : passed) {
      if (entry.kind != ReduceKind::Sum)
        return isPartial(*first) + ", expected it whole: only a sum may pass through a kernel";
      if (const Operand *other = splitOver(entry.axis))
        return isPartial(*first) + ", and " + other->name + " is split over " + toText(entry.axis) +
               ": parts of different values are no sum";
    }
    return "";
  }

  const Operand *splitOver(const AxisRef &axis) const {
    for (const std::vector<Operand> *list : {&inputs_, &outputs_})
      for (const Operand &operand : *list)
        for (const DimSharding &dim : operand.type->sharding.dims)
          if (std::any_of(dim.begin(), dim.end(), [&](const AxisRef &other) { return sharding::overlap(other, axis); }))
            return &operand;
    return nullptr;
  }

  /// What the output is partial over because the input's letter is summed (or joined by the output's kind) and split;
  /// axes over which the parts go round are none of it.
  Partials reduced(const Operand &input, char letter, ReduceKind kind) const {
    Partials partial;
    for (const AxisRef &axis : axesOn(input, letter)) {
      const Operand *ring =
          !letters_.streamed.empty() && letters_.streamed[1] == letter ? firstWith(letters_.streamed[0]) : nullptr;
      if (!ring || !hasAxis(axesOn(*ring, letters_.streamed[0]), axis))
        partial.push_back({sharding::plain(axis), kind});
    }
    return joined(std::move(partial));
  }

  std::string result(const Operand &output, const Partials &passed) const {
    Partials expected = passed;
    std::string why;
    for (char letter : letters_.reduced) {
      const Operand *first = has(output.letters, letter) ? nullptr : firstWith(letter);
      if (!first)
        continue;
      const Partials partial = reduced(*first, letter, output.pattern.kind);
      for (const Operand &other : inputs_) // Dimensions with a letter are split alike, shapes of their own need not be.
        if (letter == kOwnShape && reduced(other, letter, output.pattern.kind) != partial)
          return other.name + " has type " + describe(*other.type) + ", " + first->name + " has type " +
                 describe(*first->type) + ": expected both split over the same axes, they make one sum";
      if (!partial.empty())
        why += (why.empty() ? "" : " and ") + first->name + " is split along what is reduced";
      expected.insert(expected.end(), partial.begin(), partial.end());
    }
    if (!passed.empty())
      why += std::string(why.empty() ? "" : " and ") + "an input is partial";
    expected = joined(std::move(expected));
    const Partials found = joined(output.type->sharding.partial);
    if (found == expected || isSumOfStages(found, expected) || isSumOfNothing(found))
      return "";
    return output.name + " has type " + describe(*output.type) + ", expected it " + toText(expected) + ": " +
           (why.empty() ? "no input is partial, or split along what is reduced" : why);
  }

  bool isSumOfStages(Partials found, const Partials &expected) const {
    auto isStage = [](const PartialAxis &entry) {
      return entry.axis.name == sharding::kStageAxis && entry.kind == ReduceKind::Sum;
    };
    if (!letters_.overStages || std::any_of(expected.begin(), expected.end(), isStage))
      return false;
    std::erase_if(found, isStage);
    return found == expected;
  }

  /// Zeros, of which any number may be summed.
  bool isSumOfNothing(const Partials &found) const {
    return inputs_.empty() && std::all_of(found.begin(), found.end(),
                                          [](const PartialAxis &entry) { return entry.kind == ReduceKind::Sum; });
  }

  const std::vector<Operand> &inputs_, &outputs_;
  const Letters &letters_;
};

} // namespace

std::string partialsError(const std::vector<Operand> &inputs, const std::vector<Operand> &outputs,
                          const Letters &letters) {
  return PartialChecker(inputs, outputs, letters).run();
}

} // namespace modelpar::planformat
