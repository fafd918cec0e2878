//===- CheckOptions.h - options that cannot be -----------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_LIB_PIPELINES_CHECKOPTIONS_H
#define MODELPAR_LIB_PIPELINES_CHECKOPTIONS_H

#include "modelpar/Pipelines/Compile.h"

namespace modelpar::pipelines {

inline constexpr int64_t kDefaultGlobalBatch = 8;

/// Values that are wrong whatever the model is. False: `errors` has grown.
bool checkValues(const CompileOptions &options, std::vector<std::string> &errors);

} // namespace modelpar::pipelines

#endif // MODELPAR_LIB_PIPELINES_CHECKOPTIONS_H
