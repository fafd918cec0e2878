//===- Names.h - words of the plan file ----------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The enumerators of Plan.h as they stand in JSON and in messages.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_LIB_PLANFORMAT_NAMES_H
#define MODELPAR_LIB_PLANFORMAT_NAMES_H

#include "modelpar/PlanFormat/Plan.h"

#include <array>

namespace modelpar::planformat {

// In the order of the enumerators.
inline constexpr std::array<std::string_view, 4> kStorageNames = {"argument", "buffer", "local", "alias"};
inline constexpr std::array<std::string_view, 6> kInstructionNames = {"kernel",     "collective", "call",
                                                                      "accumulate", "load",       "wait"};
inline constexpr std::array<std::string_view, 7> kBufferNames = {
    "parameter", "gradient", "optimizer_state", "activation", "input", "output", "scalars"};
inline constexpr std::array<std::string_view, 5> kProgramNames = {"forward", "backward_input", "backward_weight",
                                                                  "backward", "update"};

inline constexpr std::array<std::string_view, 2> kDirectionNames = {"send", "receive"};

inline std::string_view name(Channel::Direction direction) { return kDirectionNames[static_cast<size_t>(direction)]; }
inline std::string_view name(Value::Storage storage) { return kStorageNames[static_cast<size_t>(storage)]; }
inline std::string_view name(Instruction::Kind kind) { return kInstructionNames[static_cast<size_t>(kind)]; }
inline std::string_view name(Buffer::Kind kind) { return kBufferNames[static_cast<size_t>(kind)]; }
inline std::string_view name(Program::Kind kind) { return kProgramNames[static_cast<size_t>(kind)]; }

/// "tp" for a whole axis, "tp:(2)4" for a part, "cp*", "cp+1" and "pp{0,-1}" where it is balanced, shifted or a subset.
inline std::string toText(const sharding::Mesh &mesh, const sharding::AxisRef &axis) {
  if (axis.preSize == 1 && axis.size == mesh.size(axis.name))
    return axis.name + modifiersOf(axis);
  return axis.name + ":(" + std::to_string(axis.preSize) + ")" + std::to_string(axis.size) + modifiersOf(axis);
}

} // namespace modelpar::planformat

#endif // MODELPAR_LIB_PLANFORMAT_NAMES_H
