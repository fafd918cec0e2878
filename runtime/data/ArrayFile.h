//===- ArrayFile.h - named arrays of samples ------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_DATA_ARRAYFILE_H
#define MODELPAR_RUNTIME_DATA_ARRAYFILE_H

#include "runtime/checkpoint/Safetensors.h"
#include "runtime/data/Inputs.h"

namespace modelpar::runtime::data {

/// One array per input, under its name; the first dimension counts samples, which are taken in order and from the start
/// again. An input without a batch has an array of its own shape. Negative targets are ignored labels. Positions may be
/// left out. Error: everything that is missing, extra or of another shape, at once; then the first value of each array
/// that is outside its input's range.
Status createArrays(const planformat::Plan &plan, const InputRoles &roles, SafetensorsFile file,
                    std::unique_ptr<DataSource> &source);

} // namespace modelpar::runtime::data

#endif // MODELPAR_RUNTIME_DATA_ARRAYFILE_H
