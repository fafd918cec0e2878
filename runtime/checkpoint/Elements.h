//===- Elements.h - element types of files and of tensors -----------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_CHECKPOINT_ELEMENTS_H
#define MODELPAR_RUNTIME_CHECKPOINT_ELEMENTS_H

#include "modelpar/PlanFormat/Plan.h"
#include "runtime/checkpoint/Safetensors.h"

namespace modelpar::runtime {

/// The file type with the bits of a tensor's type.
FileType fileType(planformat::DType type);
/// True for the floating-point types that can be converted: F16, BF16, F32, F64.
bool isConvertibleFloat(FileType type);
/// True for BOOL and the signed and unsigned integers of 8 to 64 bits.
bool isInteger(FileType type);
/// True when `convertElements` has a way from one to the other: floats to floats, integers to integers and to floats.
bool canConvert(FileType from, planformat::DType to);

/// Converts `count` elements; neither side need be aligned. Floats are rounded to nearest even. Integers that do not
/// fit become the nearest that does (a caller that must know checks the range of what it got).
void convertElements(FileType from, const std::byte *source, planformat::DType to, std::byte *target, int64_t count);

float bfloat16ToFloat(uint16_t bits);
float halfToFloat(uint16_t bits);
uint16_t floatToBfloat16(float value);
uint16_t floatToHalf(float value);

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_CHECKPOINT_ELEMENTS_H
