//===- DistToPlan.cpp - programs over tensors to instructions -------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Pass convert-dist-to-plan: decides where the values of every block and program live,
// emits their bodies, and writes the tables of inputs, parameters, buffers and outputs.
//
//===----------------------------------------------------------------------===//

#include "lib/Conversion/DistToPlan/ConvertBody.h"
#include "modelpar/Conversion/DistToPlan/Passes.h"
#include "modelpar/Dialect/NN/IR/NN.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringSet.h"

namespace modelpar {

#define GEN_PASS_DEF_CONVERTDISTTOPLAN
#include "modelpar/Conversion/DistToPlan/Passes.h.inc"

using namespace mlir;

namespace {

/// A buffer of the stage, until its op is written.
struct StageBuffer {
  plan::BufferKind kind = plan::BufferKind::activation;
  RankedTensorType type;
  bool perMicroBatch = false;
};

struct ParameterBuffers {
  StringAttr slots[3]; ///< By nn::ParameterSlot; null when the step does not read it.
  RankedTensorType type;
  StringAttr gradient;
};

class Converter {
public:
  Converter(ModuleOp module, sharding::Mesh mesh, StringRef deviceKind)
      : module_(module), tensors_(std::move(mesh)), deviceKind_(deviceKind), builder_(module.getContext()) {}

  LogicalResult run();

private:
  LogicalResult collect();
  LogicalResult convertBlock(func::FuncOp function);
  LogicalResult convertProgram(func::FuncOp function);
  LogicalResult bindArguments(func::FuncOp function, Storage &storage);
  LogicalResult bindParameters(func::FuncOp function, Storage &storage);
  void bindWrites(func::FuncOp function, Storage &storage, SmallVectorImpl<std::pair<Value, Place>> &copies);
  void bindGradients(func::FuncOp function, Storage &storage);
  LogicalResult bindResults(func::FuncOp function, Storage &storage, SmallVectorImpl<std::pair<Value, Place>> &copies);
  void emitLoads(func::FuncOp function, BodyEmitter &emitter);
  void addInput(func::FuncOp function, unsigned index, StringAttr name);
  LogicalResult writeTables();

  ArrayRef<int> updatesOf(func::CallOp call) { return updates_.find(call.getCalleeAttr().getAttr())->second; }
  StringAttr parameterBuffer(FlatSymbolRefAttr parameter, nn::ParameterSlot slot);
  StringAttr unique(const Twine &wanted);
  StringAttr addBuffer(StringAttr name, plan::BufferKind kind, Type type, bool perMicroBatch = false) {
    buffers_.try_emplace(name, StageBuffer{kind, cast<RankedTensorType>(type), perMicroBatch});
    return name;
  }

  ModuleOp module_;
  Tensors tensors_;
  StringRef deviceKind_;
  OpBuilder builder_;
  SmallVector<func::FuncOp> blocks_, programs_;
  llvm::StringSet<> names_;
  llvm::MapVector<StringAttr, StageBuffer> buffers_;
  llvm::DenseMap<StringAttr, StringAttr> crossings_, inputs_;
  llvm::DenseMap<StringAttr, Operation *> lastUse_; ///< Of a value that crosses programs: the last program, in their order.
  llvm::DenseSet<StringAttr> loaded_;
  llvm::MapVector<StringAttr, ParameterBuffers> parameters_;
  llvm::DenseMap<StringAttr, UpdatedArguments> updates_;
  SmallVector<plan::InputOp> inputOps_;
  SmallVector<std::pair<StringAttr, StringAttr>> outputs_;
  int64_t sequence_ = 0; ///< Tokens of one sample; 0 without tokens.
};

} // namespace

/// The name, with a number when it is taken.
StringAttr Converter::unique(const Twine &wanted) {
  std::string name = wanted.str(), candidate = name;
  for (unsigned n = 0; !names_.insert(candidate).second; ++n)
    candidate = name + "." + std::to_string(n);
  return builder_.getStringAttr(candidate);
}

LogicalResult Converter::collect() {
  for (Operation &op : *module_.getBody()) {
    if (auto parameter = dyn_cast<nn::ParameterOp>(op)) {
      parameters_[parameter.getSymNameAttr()].type = cast<RankedTensorType>(parameter.getType());
    } else if (auto function = dyn_cast<func::FuncOp>(op)) {
      if (!function.getBody().hasOneBlock())
        return function.emitOpError() << "expected one straight-line block";
      (function->hasAttr(kProgramAttr) ? programs_ : blocks_).push_back(function);
      names_.insert(function.getSymName());
    }
  }
  if (programs_.empty())
    return module_.emitError() << "expected functions with \"" << kProgramAttr << "\" (phase staged)";
  auto order = [](func::FuncOp program) {
    auto kind = program->getAttrOfType<StringAttr>(kProgramAttr);
    auto found = kind ? plan::symbolizeProgramKind(kind.getValue()) : std::nullopt;
    return found ? static_cast<int>(*found) : -1;
  };
  for (func::FuncOp program : programs_)
    if (order(program) < 0)
      return program.emitOpError() << "expected \"" << kProgramAttr << "\" to name a kind of program, found "
                                   << program->getAttr(kProgramAttr);
  llvm::stable_sort(programs_, [&](func::FuncOp a, func::FuncOp b) { return order(a) < order(b); });
  for (func::FuncOp program : programs_)
    for (unsigned index = 0; index < program.getNumArguments(); ++index)
      if (auto name = program.getArgAttrOfType<StringAttr>(index, kBufferAttr))
        lastUse_[name] = program;
  return success();
}

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

LogicalResult Converter::convertBlock(func::FuncOp function) {
  Block &body = function.getBody().front();
  Operation *terminator = body.getTerminator();
  updates_[function.getSymNameAttr()] = findUpdatedArguments(tensors_, function);
  Storage storage(tensors_, [&](func::CallOp call) { return updatesOf(call); });
  for (BlockArgument argument : body.getArguments())
    storage.start(argument, Place::argument(argument.getArgNumber()), Storage::Overwrite::Never);
  for (Operation &op : body)
    if (isa<func::CallOp, dist::AccumulateOp, nn::ReadParameterOp, nn::WriteParameterOp, nn::GradientOp>(op))
      return op.emitOpError() << "expected in a program, found in block @" << function.getSymName();
  storage.group(body);

  unsigned numInputs = body.getNumArguments();
  SmallVector<std::pair<Value, Place>> copies;
  SmallVector<Type> types;
  SmallVector<Location> locs;
  auto addArgument = [&](Value value) {
    types.push_back(plan::BufferType::get(cast<RankedTensorType>(value.getType())));
    locs.push_back(value.getLoc());
  };
  for (Value argument : body.getArguments())
    addArgument(argument);
  for (OpOperand &returned : terminator->getOpOperands()) {
    Place place = Place::argument(numInputs + returned.getOperandNumber());
    addArgument(returned.get());
    // Bytes can be one result only, and an argument's bytes are the caller's.
    if (!storage.bind(returned.get(), place))
      copies.emplace_back(returned.get(), place);
  }

  builder_.setInsertionPointToEnd(module_.getBody());
  auto block = plan::BlockOp::create(builder_, function.getLoc(), function.getSymName(), static_cast<uint32_t>(numInputs), IntegerAttr());
  Block *entry = builder_.createBlock(&block.getBody(), {}, types, locs);
  BodyEmitter emitter(builder_, tensors_, storage, deviceKind_);
  emitter.setArguments(entry->getArguments());
  if (failed(emitter.emit(body)))
    return failure();
  for (auto &[value, place] : copies)
    if (failed(emitter.emitCopy(value, place)))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

void Converter::addInput(func::FuncOp function, unsigned index, StringAttr name) {
  if (inputs_.contains(name))
    return;
  auto role = function.getArgAttrOfType<StringAttr>(index, nn::kInputRoleAttr);
  bool scalars = role && role.getValue() == "scalars";
  auto type = cast<RankedTensorType>(function.getArgumentTypes()[index]);
  if (role && role.getValue() == "tokens") {
    auto batchDim = function.getArgAttrOfType<IntegerAttr>(index, nn::kBatchDimAttr);
    for (int64_t dim = 0; dim < type.getRank() && sequence_ == 0; ++dim)
      if (!batchDim || batchDim.getInt() != dim)
        sequence_ = type.getDimSize(dim);
  }
  inputs_[name] = addBuffer(unique(name.getValue()), scalars ? plan::BufferKind::scalars : plan::BufferKind::input, type, !scalars);
  SmallVector<double> range;
  if (auto array = function.getArgAttrOfType<ArrayAttr>(index, nn::kInputRangeAttr)) {
    for (Attribute bound : array)
      if (auto real = dyn_cast<FloatAttr>(bound))
        range.push_back(real.getValueAsDouble());
      else if (auto integer = dyn_cast<IntegerAttr>(bound))
        range.push_back(static_cast<double>(integer.getInt()));
  } else if (auto dense = function.getArgAttrOfType<DenseF64ArrayAttr>(index, nn::kInputRangeAttr)) {
    range.assign(dense.asArrayRef().begin(), dense.asArrayRef().end());
  }
  if (range.size() != 2)
    range = {0.0, 1.0};
  auto dims = function.getArgAttrOfType<ArrayAttr>(index, nn::kDimNamesAttr);
  OpBuilder::InsertionGuard guard(builder_);
  builder_.setInsertionPointToEnd(module_.getBody());
  inputOps_.push_back(plan::InputOp::create(builder_, function.getLoc(), name, TypeAttr::get(type),
                                            role ? role : builder_.getStringAttr("data"), builder_.getF64ArrayAttr(range),
                                            dims ? dims : builder_.getArrayAttr({})));
}

LogicalResult Converter::bindArguments(func::FuncOp function, Storage &storage) {
  for (BlockArgument argument : function.getArguments()) {
    unsigned index = argument.getArgNumber();
    if (auto input = function.getArgAttrOfType<StringAttr>(index, nn::kInputAttr)) {
      addInput(function, index, input);
      storage.start(argument, Place::stageBuffer(inputs_[input]), Storage::Overwrite::Never);
      continue;
    }
    auto name = function.getArgAttrOfType<StringAttr>(index, kBufferAttr);
    auto known = name ? crossings_.find(name) : crossings_.end();
    if (known == crossings_.end())
      return function.emitOpError() << "expected argument " << index << " to have \"" << nn::kInputAttr << "\", or \"" << kBufferAttr
                                    << "\" with the name of an earlier program's result";
    // The last program that uses a buffer may write over it: then the next step (or micro-batch) starts by writing it.
    bool isLast = lastUse_.lookup(name) == function.getOperation();
    storage.start(argument, Place::stageBuffer(known->second), isLast ? Storage::Overwrite::Anyone : Storage::Overwrite::Never);
  }
  return success();
}

StringAttr Converter::parameterBuffer(FlatSymbolRefAttr parameter, nn::ParameterSlot slot) {
  return parameters_[parameter.getAttr()].slots[static_cast<unsigned>(slot)];
}

LogicalResult Converter::bindParameters(func::FuncOp function, Storage &storage) {
  // What is written back may take the bytes of what was read.
  llvm::DenseMap<std::pair<StringAttr, unsigned>, Value> written;
  llvm::DenseMap<std::pair<StringAttr, unsigned>, unsigned> reads;
  for (auto write : function.getOps<nn::WriteParameterOp>())
    written[{write.getParameterAttr().getAttr(), static_cast<unsigned>(write.getSlot())}] = write.getValue();
  for (auto read : function.getOps<nn::ReadParameterOp>())
    ++reads[{read.getParameterAttr().getAttr(), static_cast<unsigned>(read.getSlot())}];
  for (auto read : function.getOps<nn::ReadParameterOp>()) {
    StringAttr symbol = read.getParameterAttr().getAttr();
    unsigned slot = static_cast<unsigned>(read.getSlot());
    auto found = parameters_.find(symbol);
    if (found == parameters_.end())
      return read.emitOpError() << "reads unknown parameter @" << symbol.getValue();
    StringAttr &buffer = found->second.slots[slot];
    if (!buffer) {
      bool isValue = read.getSlot() == nn::ParameterSlot::value;
      std::string suffix = isValue ? "" : "." + nn::stringifyParameterSlot(read.getSlot()).str();
      if (isValue)
        found->second.type = cast<RankedTensorType>(read.getType());
      buffer = addBuffer(unique(symbol.getValue() + suffix),
                         isValue ? plan::BufferKind::parameter : plan::BufferKind::optimizer_state, read.getType());
    }
    if (!tensors_.sameLayout(buffers_.find(buffer)->second.type, read.getType()))
      return read.emitOpError() << "reads @" << symbol.getValue() << " as " << read.getType() << ", which another read has as "
                                << buffers_.find(buffer)->second.type;
    Value only = reads[{symbol, slot}] == 1 ? written.lookup({symbol, slot}) : Value();
    storage.start(read.getResult(), Place::stageBuffer(buffer), only ? Storage::Overwrite::Only : Storage::Overwrite::Never, only);
  }
  return success();
}

void Converter::bindWrites(func::FuncOp function, Storage &storage, SmallVectorImpl<std::pair<Value, Place>> &copies) {
  for (auto write : function.getOps<nn::WriteParameterOp>()) {
    StringAttr buffer = parameterBuffer(write.getParameterAttr(), write.getSlot());
    // Bound already when it is written in place; other values could overwrite the buffer before its last read.
    Place place = Place::stageBuffer(buffer);
    if (storage.placeOf(write.getValue()) == place)
      storage.keep(write.getValue());
    else
      copies.emplace_back(write.getValue(), place);
  }
}

void Converter::bindGradients(func::FuncOp function, Storage &storage) {
  for (auto gradient : function.getOps<nn::GradientOp>()) {
    StringAttr parameter = gradient.getParameterAttr().getAttr();
    Value value = gradient.getValue();
    if (storage.placeOf(value).kind == Place::Kind::Local)
      storage.bind(value, Place::stageBuffer(addBuffer(unique(parameter.getValue() + ".grad"), plan::BufferKind::gradient, value.getType())));
    StringAttr buffer = storage.placeOf(value).buffer;
    storage.keep(value);
    parameters_[parameter].gradient = buffer;
    StageBuffer &entry = buffers_.find(buffer)->second;
    entry.kind = plan::BufferKind::gradient;
    entry.type = cast<RankedTensorType>(value.getType());
  }
}

LogicalResult Converter::bindResults(func::FuncOp function, Storage &storage, SmallVectorImpl<std::pair<Value, Place>> &copies) {
  for (OpOperand &returned : function.getBody().front().getTerminator()->getOpOperands()) {
    unsigned index = returned.getOperandNumber();
    Value value = returned.get();
    if (auto name = function.getResultAttrOfType<StringAttr>(index, kBufferAttr)) {
      bool perMicroBatch = function.getResultAttr(index, kPerMicroBatchAttr) != nullptr;
      StringAttr buffer = addBuffer(unique(name.getValue()), plan::BufferKind::activation, value.getType(), perMicroBatch);
      if (!crossings_.try_emplace(name, buffer).second)
        return function.emitOpError() << "result " << index << " has the name " << name << " of another result";
      if (Place place = Place::stageBuffer(buffer); !storage.bind(value, place))
        copies.emplace_back(value, place);
      continue;
    }
    auto output = function.getResultAttrOfType<StringAttr>(index, nn::kOutputAttr);
    if (!output)
      return function.emitOpError() << "expected result " << index << " to have \"" << kBufferAttr << "\" or \"" << nn::kOutputAttr << "\"";
    Place place = storage.placeOf(value);
    auto found = place.kind == Place::Kind::Buffer ? buffers_.find(place.buffer) : buffers_.end();
    if (found == buffers_.end() || found->second.perMicroBatch || found->second.kind != plan::BufferKind::activation) {
      place = Place::stageBuffer(addBuffer(unique(output.getValue()), plan::BufferKind::output, value.getType()));
      if (!storage.bind(value, place))
        copies.emplace_back(value, place);
    }
    storage.keep(value);
    found = buffers_.find(place.buffer);
    found->second.kind = plan::BufferKind::output;
    found->second.type = cast<RankedTensorType>(value.getType());
    outputs_.emplace_back(output, place.buffer);
  }
  return success();
}

void Converter::emitLoads(func::FuncOp function, BodyEmitter &emitter) {
  for (BlockArgument argument : function.getArguments()) {
    auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), nn::kInputAttr);
    if (!name || buffers_.find(inputs_[name])->second.kind == plan::BufferKind::scalars || !loaded_.insert(name).second)
      continue;
    plan::LoadOp::create(builder_, function.getLoc(), name, emitter.handle(argument), builder_.getI32IntegerAttr(0),
                         DenseI32ArrayAttr(), IntegerAttr());
  }
}

LogicalResult Converter::convertProgram(func::FuncOp function) {
  Block &body = function.getBody().front();
  Storage storage(tensors_, [&](func::CallOp call) { return updatesOf(call); });
  SmallVector<std::pair<Value, Place>> copies;
  for (auto call : function.getOps<func::CallOp>())
    if (!updates_.contains(call.getCalleeAttr().getAttr()))
      return call.emitOpError() << "calls unknown block " << call.getCalleeAttr();
  if (failed(bindArguments(function, storage)) || failed(bindParameters(function, storage)))
    return failure();
  storage.group(body);
  bindWrites(function, storage, copies);
  bindGradients(function, storage);
  if (failed(bindResults(function, storage, copies)))
    return failure();

  builder_.setInsertionPointToEnd(module_.getBody());
  auto stage = function->getAttrOfType<IntegerAttr>(dist::DistDialect::getStageAttrName());
  auto kind = *plan::symbolizeProgramKind(function->getAttrOfType<StringAttr>(kProgramAttr).getValue());
  auto program = plan::ProgramOp::create(builder_, function.getLoc(), function.getSymName(), kind,
                                         static_cast<uint32_t>(stage ? stage.getInt() : 0), IntegerAttr());
  builder_.createBlock(&program.getBody());
  BodyEmitter emitter(builder_, tensors_, storage, deviceKind_);
  emitLoads(function, emitter);
  if (failed(emitter.emit(body)))
    return failure();
  for (auto &[value, place] : copies)
    if (failed(emitter.emitCopy(value, place)))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// Tables
//===----------------------------------------------------------------------===//

LogicalResult Converter::writeTables() {
  // Tables first, in the order: inputs, parameters, outputs, buffers.
  builder_.setInsertionPointToStart(module_.getBody());
  for (plan::InputOp input : inputOps_) {
    input->remove();
    builder_.insert(input);
  }
  for (auto parameter : module_.getOps<nn::ParameterOp>()) {
    ParameterBuffers &entry = parameters_[parameter.getSymNameAttr()];
    if (!entry.slots[0])
      return parameter.emitOpError() << "is read by no program";
    SmallVector<StringRef> stateNames;
    SmallVector<Attribute> state;
    for (nn::ParameterSlot slot : {nn::ParameterSlot::exp_avg, nn::ParameterSlot::exp_avg_sq})
      if (StringAttr buffer = entry.slots[static_cast<unsigned>(slot)]) {
        stateNames.push_back(nn::stringifyParameterSlot(slot));
        state.push_back(FlatSymbolRefAttr::get(buffer));
      }
    nn::InitAttr init = parameter.getInit();
    plan::ParameterOp::create(builder_, parameter.getLoc(), parameter.getSymNameAttr(), TypeAttr::get(entry.type),
                              builder_.getStringAttr(nn::stringifyInitKind(init.getKind())),
                              builder_.getF64ArrayAttr({init.getA(), init.getB()}), parameter.getCheckpointNameAttr(),
                              parameter.getCheckpointShapeAttr(), FlatSymbolRefAttr::get(entry.slots[0]),
                              entry.gradient ? FlatSymbolRefAttr::get(entry.gradient) : FlatSymbolRefAttr(),
                              builder_.getStrArrayAttr(stateNames), builder_.getArrayAttr(state),
                              builder_.getBoolAttr(parameter.getWeightDecay()), builder_.getI32IntegerAttr(0));
  }
  for (auto [name, buffer] : outputs_)
    plan::OutputOp::create(builder_, module_.getLoc(), name, FlatSymbolRefAttr::get(buffer));
  for (auto &[name, buffer] : buffers_)
    plan::BufferOp::create(builder_, module_.getLoc(), name, plan::BufferKindAttr::get(module_.getContext(), buffer.kind),
                           TypeAttr::get(buffer.type), builder_.getI64IntegerAttr(tensors_[buffer.type].bytes), IntegerAttr(),
                           builder_.getI32IntegerAttr(1), builder_.getI64IntegerAttr(0),
                           buffer.perMicroBatch ? builder_.getUnitAttr() : UnitAttr(), builder_.getI32IntegerAttr(0));
  for (Operation &op : llvm::make_early_inc_range(*module_.getBody()))
    if (isa<func::FuncOp, nn::ParameterOp>(op))
      op.erase();
  auto rename = [&](StringRef from, StringRef to) {
    if (Attribute value = module_->removeAttr(from))
      module_->setAttr(to, value);
  };
  rename(nn::kModelAttr, plan::kModelAttr);
  rename(nn::kOptimizerAttr, plan::kOptimizerAttr);
  rename("dist.global_batch", plan::kGlobalBatchAttr);
  rename("dist.schedule", plan::kScheduleAttr);
  if (sequence_ > 0)
    module_->setAttr(plan::kSequenceAttr, builder_.getI64IntegerAttr(sequence_));
  module_->setAttr(plan::kNumMicroBatchesAttr, builder_.getI64IntegerAttr(tensors_.mesh().numMicroBatches()));
  return success();
}

LogicalResult Converter::run() {
  if (failed(collect()))
    return failure();
  // Functions and bodies share names until the functions go.
  for (func::FuncOp block : blocks_)
    if (failed(convertBlock(block)))
      return failure();
  for (func::FuncOp program : programs_)
    if (failed(convertProgram(program)))
      return failure();
  return writeTables();
}

namespace {
struct ConvertDistToPlanPass : impl::ConvertDistToPlanBase<ConvertDistToPlanPass> {
  using ConvertDistToPlanBase::ConvertDistToPlanBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    sharding::Mesh mesh;
    if (dist::MeshAttr attr = dist::getMesh(module))
      mesh = attr.getValue();
    if (failed(Converter(module, mesh, deviceKind).run()))
      signalPassFailure();
  }
};
} // namespace

} // namespace modelpar
