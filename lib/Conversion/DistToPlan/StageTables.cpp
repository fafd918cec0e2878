//===- StageTables.cpp - buffers, channels and tables of a plan -----------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lib/Conversion/DistToPlan/StageTables.h"

#include "modelpar/Dialect/Dist/IR/Dist.h"

using namespace mlir;
using namespace modelpar;

int64_t modelpar::stageOf(func::FuncOp program) {
  auto stage = program->getAttrOfType<IntegerAttr>(dist::DistDialect::getStageAttrName());
  return stage ? stage.getInt() : 0;
}

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

/// The name; with the stage, then a number, when it is taken.
StringAttr StageTables::unique(int64_t stage, const Twine &wanted) {
  std::string name = wanted.str(), candidate = name;
  if (stage > 0 && names_.contains(candidate))
    candidate = name += ".stage" + std::to_string(stage);
  for (unsigned n = 0; !names_.insert(candidate).second; ++n)
    candidate = name + "." + std::to_string(n);
  return builder_.getStringAttr(candidate);
}

StringAttr StageTables::addBuffer(int64_t stage, const Twine &wanted, plan::BufferKind kind, Type type,
                                  bool perMicroBatch) {
  StringAttr name = unique(stage, wanted);
  buffers_.try_emplace(name, StageBuffer{stage, kind, cast<RankedTensorType>(type), perMicroBatch});
  return name;
}

void StageTables::addChannel(int64_t stage, plan::Direction direction, int64_t peer, ArrayRef<StringAttr> buffers) {
  channels_[{stage, peer, direction}].assign(buffers.begin(), buffers.end());
}

//===----------------------------------------------------------------------===//
// Inputs
//===----------------------------------------------------------------------===//

void StageTables::addInput(func::FuncOp program, unsigned index, StringAttr name) {
  auto role = program.getArgAttrOfType<StringAttr>(index, nn::kInputRoleAttr);
  auto type = cast<RankedTensorType>(program.getArgumentTypes()[index]);
  SmallVector<double> range;
  if (auto array = program.getArgAttrOfType<ArrayAttr>(index, nn::kInputRangeAttr)) {
    for (Attribute bound : array)
      if (auto real = dyn_cast<FloatAttr>(bound))
        range.push_back(real.getValueAsDouble());
      else if (auto integer = dyn_cast<IntegerAttr>(bound))
        range.push_back(static_cast<double>(integer.getInt()));
  } else if (auto dense = program.getArgAttrOfType<DenseF64ArrayAttr>(index, nn::kInputRangeAttr)) {
    range.assign(dense.asArrayRef().begin(), dense.asArrayRef().end());
  }
  if (range.size() != 2)
    range = {0.0, 1.0};
  auto dims = program.getArgAttrOfType<ArrayAttr>(index, nn::kDimNamesAttr);
  auto batchDim = program.getArgAttrOfType<IntegerAttr>(index, nn::kBatchDimAttr);
  builder_.setInsertionPointToEnd(module_.getBody());
  inputs_[name] = plan::InputOp::create(
      builder_, program.getLoc(), name, TypeAttr::get(type), role ? role : builder_.getStringAttr("data"),
      builder_.getF64ArrayAttr(range), dims ? dims : builder_.getArrayAttr({}),
      batchDim ? builder_.getI32IntegerAttr(static_cast<int32_t>(batchDim.getInt())) : IntegerAttr());
  if (!role || role.getValue() != "tokens" || module_->hasAttr(plan::kSequenceAttr))
    return;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    if (!batchDim || batchDim.getInt() != dim) {
      module_->setAttr(plan::kSequenceAttr, builder_.getI64IntegerAttr(type.getDimSize(dim)));
      return;
    }
}

StringAttr StageTables::inputBuffer(func::FuncOp program, unsigned index) {
  auto name = program.getArgAttrOfType<StringAttr>(index, nn::kInputAttr);
  if (!inputs_.contains(name))
    addInput(program, index, name);
  StringAttr &buffer = inputBuffers_[{stageOf(program), name}];
  if (!buffer) {
    bool scalars = inputs_[name].getRole() == "scalars";
    buffer = addBuffer(stageOf(program), name.getValue(), scalars ? plan::BufferKind::scalars : plan::BufferKind::input,
                       program.getArgumentTypes()[index], !scalars);
  }
  return buffer;
}

bool StageTables::startLoad(int64_t stage, StringAttr input) {
  return inputs_[input].getRole() != "scalars" && loaded_.insert({stage, input}).second;
}

//===----------------------------------------------------------------------===//
// Tables
//===----------------------------------------------------------------------===//

LogicalResult StageTables::writeParameter(nn::ParameterOp parameter) {
  const std::map<int64_t, ParameterBuffers> &stages = parameters_[parameter.getSymNameAttr()];
  if (stages.empty() || !stages.begin()->second.slots[0])
    return parameter.emitOpError() << "is read by no program";
  SmallVector<StringRef> stateNames;
  auto stateOf = [&](const ParameterBuffers &entry) {
    stateNames.clear();
    SmallVector<Attribute> state;
    for (nn::ParameterSlot slot : {nn::ParameterSlot::exp_avg, nn::ParameterSlot::exp_avg_sq})
      if (StringAttr buffer = entry.slots[static_cast<unsigned>(slot)]) {
        stateNames.push_back(nn::stringifyParameterSlot(slot));
        state.push_back(FlatSymbolRefAttr::get(buffer));
      }
    return builder_.getArrayAttr(state);
  };
  auto symbol = [](StringAttr name) { return name ? FlatSymbolRefAttr::get(name) : FlatSymbolRefAttr(); };
  SmallVector<plan::ReplicaOp> replicas;
  const auto &[owner, owned] = *stages.begin();
  ArrayAttr ownedState = stateOf(owned);
  nn::InitAttr init = parameter.getInit();
  plan::ParameterOp::create(
      builder_, parameter.getLoc(), parameter.getSymNameAttr(), TypeAttr::get(owned.type),
      builder_.getStringAttr(nn::stringifyInitKind(init.getKind())),
      builder_.getF64ArrayAttr({init.getA(), init.getB()}), parameter.getCheckpointNameAttr(),
      parameter.getCheckpointShapeAttr(), parameter.getCheckpointAliasesAttr(), parameter.getZeroRowAttr(),
      symbol(owned.slots[0]), symbol(owned.gradient), builder_.getStrArrayAttr(stateNames), ownedState,
      builder_.getBoolAttr(parameter.getWeightDecay()), builder_.getI32IntegerAttr(static_cast<int32_t>(owner)));
  for (const auto &[stage, replica] : llvm::drop_begin(stages)) {
    if (!replica.slots[0])
      return parameter.emitOpError() << "has no value in stage " << stage << ", which updates it";
    plan::ReplicaOp::create(builder_, parameter.getLoc(), parameter.getSymNameAttr(),
                            builder_.getI32IntegerAttr(static_cast<int32_t>(stage)), symbol(replica.slots[0]),
                            symbol(replica.gradient), stateOf(replica));
  }
  return success();
}

void StageTables::writeChannels() {
  for (const auto &[key, buffers] : channels_) {
    auto [stage, peer, direction] = key;
    std::string name = "stage" + std::to_string(stage) + (direction == plan::Direction::send ? ".send." : ".recv.") +
                       std::to_string(peer);
    SmallVector<Attribute> symbols;
    for (StringAttr buffer : buffers)
      symbols.push_back(FlatSymbolRefAttr::get(buffer));
    plan::ChannelOp::create(builder_, module_.getLoc(), StringRef(name), direction, static_cast<uint32_t>(stage),
                            static_cast<uint32_t>(peer), builder_.getArrayAttr(symbols));
  }
}

LogicalResult StageTables::write() {
  builder_.setInsertionPointToStart(module_.getBody());
  for (auto &[name, input] : inputs_) {
    input->remove();
    builder_.insert(input);
  }
  for (auto parameter : module_.getOps<nn::ParameterOp>())
    if (failed(writeParameter(parameter)))
      return failure();
  for (auto [name, buffer] : outputs_)
    plan::OutputOp::create(builder_, module_.getLoc(), name, FlatSymbolRefAttr::get(buffer));
  for (auto &[name, buffer] : buffers_)
    plan::BufferOp::create(builder_, module_.getLoc(), name,
                           plan::BufferKindAttr::get(module_.getContext(), buffer.kind), TypeAttr::get(buffer.type),
                           builder_.getI64IntegerAttr(tensors_[buffer.type].bytes), IntegerAttr(),
                           builder_.getI32IntegerAttr(1), builder_.getI64IntegerAttr(0),
                           buffer.perMicroBatch ? builder_.getUnitAttr() : UnitAttr(),
                           builder_.getI32IntegerAttr(static_cast<int32_t>(buffer.stage)));
  writeChannels();
  return success();
}
