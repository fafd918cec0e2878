//===- StageTables.h - buffers, channels and tables of a plan ---*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What programs share: the buffers of every stage by what they are for, and the tables of
// inputs, parameters with their replicas, outputs and channels that are written at the end.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_LIB_CONVERSION_DISTTOPLAN_STAGETABLES_H
#define MODELPAR_LIB_CONVERSION_DISTTOPLAN_STAGETABLES_H

#include "lib/Conversion/DistToPlan/Tensors.h"

#include "modelpar/Dialect/NN/IR/NN.h"
#include "modelpar/Dialect/Plan/IR/PlanDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringSet.h"

#include <map>

namespace modelpar {

/// The stage of a program.
int64_t stageOf(mlir::func::FuncOp program);

/// A buffer of a stage, until its op is written.
struct StageBuffer {
  int64_t stage = 0;
  plan::BufferKind kind = plan::BufferKind::activation;
  mlir::RankedTensorType type;
  bool perMicroBatch = false;
};

struct ParameterBuffers {
  mlir::StringAttr slots[3]; ///< By nn::ParameterSlot; null when the stage does not read it.
  mlir::RankedTensorType type;
  mlir::StringAttr gradient;
};

class StageTables {
public:
  StageTables(mlir::ModuleOp module, Tensors &tensors)
      : module_(module), tensors_(tensors), builder_(module.getContext()) {}

  /// Symbols that buffers must not have.
  void reserve(mlir::StringRef name) { names_.insert(name); }
  void addParameter(mlir::StringAttr name) { parameters_[name]; }

  /// A new buffer with this name, or one like it.
  mlir::StringAttr addBuffer(int64_t stage, const mlir::Twine &name, plan::BufferKind kind, mlir::Type type,
                             bool perMicroBatch = false);
  StageBuffer &buffer(mlir::StringAttr name) { return buffers_.find(name)->second; }

  /// The buffer of an input in the stage of the program whose argument it is.
  mlir::StringAttr inputBuffer(mlir::func::FuncOp program, unsigned argument);
  /// True once per stage, for inputs that are loaded.
  bool startLoad(int64_t stage, mlir::StringAttr input);

  /// The buffer that crosses between the programs of a stage, or between stages, under a name; null when there is none
  /// yet.
  mlir::StringAttr &crossing(int64_t stage, mlir::StringAttr name) { return crossings_[{stage, name}]; }

  bool hasParameter(mlir::StringAttr name) const { return parameters_.contains(name); }
  ParameterBuffers &parameter(int64_t stage, mlir::StringAttr name) { return parameters_[name][stage]; }
  void addOutput(mlir::StringAttr name, mlir::StringAttr buffer) { outputs_.emplace_back(name, buffer); }
  void addChannel(int64_t stage, plan::Direction direction, int64_t peer, mlir::ArrayRef<mlir::StringAttr> buffers);

  /// Writes all tables at the start of the module: inputs, parameters, outputs, buffers, channels. Emits an error for a
  /// parameter that no program reads.
  mlir::LogicalResult write();

private:
  using StageName = std::pair<int64_t, mlir::StringAttr>;
  mlir::StringAttr unique(int64_t stage, const mlir::Twine &wanted);
  void addInput(mlir::func::FuncOp program, unsigned argument, mlir::StringAttr name);
  mlir::LogicalResult writeParameter(nn::ParameterOp parameter);
  void writeChannels();

  mlir::ModuleOp module_;
  Tensors &tensors_;
  mlir::OpBuilder builder_;
  llvm::StringSet<> names_;
  llvm::MapVector<mlir::StringAttr, StageBuffer> buffers_;
  llvm::MapVector<mlir::StringAttr, plan::InputOp> inputs_;
  llvm::DenseMap<StageName, mlir::StringAttr> inputBuffers_, crossings_;
  llvm::DenseSet<StageName> loaded_;
  /// Per stage that uses it; the first owns it.
  llvm::MapVector<mlir::StringAttr, std::map<int64_t, ParameterBuffers>> parameters_;
  mlir::SmallVector<std::pair<mlir::StringAttr, mlir::StringAttr>> outputs_;
  std::map<std::tuple<int64_t, int64_t, plan::Direction>, mlir::SmallVector<mlir::StringAttr>> channels_;
};

} // namespace modelpar

#endif // MODELPAR_LIB_CONVERSION_DISTTOPLAN_STAGETABLES_H
