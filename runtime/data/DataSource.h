//===- DataSource.h - where the batches come from -------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The batch of step n is a function of the seed, n and the data alone: every rank reads its own part of it without
// asking another, and a run that is resumed or planned anew sees the same batches. docs/DataFormat.md describes the
// kinds of files.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_DATA_DATASOURCE_H
#define MODELPAR_RUNTIME_DATA_DATASOURCE_H

#include "modelpar/PlanFormat/Plan.h"
#include "runtime/executor/Executor.h"

namespace modelpar::runtime {

/// One per process; `fill` and `labelCount` may be called by any number of threads and do not allocate unless they
/// fail.
class DataSource : public InputProvider {
public:
  /// Labels of the whole global batch of a step that are not ignored (integer targets >= 0; for models without any, the
  /// batch size).
  virtual int64_t labelCount(int64_t step) const = 0;
  /// What this is, for the first line of a run: "synthetic", "text 'FILE', 1115394 bytes".
  virtual std::string describe() const = 0;
};

enum class DataFormat { Auto, Text, NanoGPT, LlmC, Safetensors };
/// "auto", "text", "nanogpt", "llmc", "safetensors"
bool parseDataFormat(std::string_view name, DataFormat &format);

struct DataOptions {
  std::string path; ///< Empty: synthetic.
  DataFormat format = DataFormat::Auto;
  uint64_t seed = 0;
};

/// Opens the data for the plan's inputs and checks that it can feed them. The plan must outlive it.
Status createDataSource(const planformat::Plan &plan, const DataOptions &options, std::unique_ptr<DataSource> &source);

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_DATA_DATASOURCE_H
