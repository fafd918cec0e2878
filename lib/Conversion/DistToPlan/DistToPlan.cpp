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
#include "lib/Conversion/DistToPlan/StageTables.h"
#include "lib/Conversion/DistToPlan/Transfers.h"
#include "modelpar/Conversion/DistToPlan/Passes.h"
#include "modelpar/Dialect/NN/IR/NN.h"
#include "modelpar/Dialect/Plan/IR/ElementType.h"

namespace modelpar {

#define GEN_PASS_DEF_CONVERTDISTTOPLAN
#include "modelpar/Conversion/DistToPlan/Passes.h.inc"

using namespace mlir;

namespace {

/// Values to copy to where they must be at the end of a body.
using Copies = SmallVector<std::pair<Value, Place>>;

class Converter {
public:
  Converter(ModuleOp module, sharding::Mesh mesh, StringRef deviceKind)
      : module_(module), tensors_(std::move(mesh)), tables_(module, tensors_), deviceKind_(deviceKind),
        builder_(module.getContext()) {}

  LogicalResult run();

private:
  LogicalResult collect();
  LogicalResult convertBlock(func::FuncOp function);
  LogicalResult convertProgram(func::FuncOp function);
  LogicalResult bindArguments(func::FuncOp function, Storage &storage);
  LogicalResult bindParameters(func::FuncOp function, Storage &storage);
  LogicalResult bindWrites(func::FuncOp function, Storage &storage, Copies &copies);
  LogicalResult bindGradients(func::FuncOp function, Storage &storage);
  LogicalResult bindResults(func::FuncOp function, Storage &storage, Copies &copies);
  void emitLoads(func::FuncOp function, BodyEmitter &emitter);
  LogicalResult bindReceived(func::FuncOp function, Storage &storage);
  void bindSent(func::FuncOp function, Storage &storage, Copies &copies);
  void finishModule();

  ArrayRef<int> updatesOf(func::CallOp call) { return updates_.find(call.getCalleeAttr().getAttr())->second; }
  Storage::Overwrite overwriteOf(func::FuncOp function, StringAttr name) const;

  ModuleOp module_;
  Tensors tensors_;
  StageTables tables_;
  StringRef deviceKind_;
  OpBuilder builder_;
  SmallVector<func::FuncOp> blocks_, programs_;
  /// Of a value that crosses programs, by stage and name: the last program that reads it, in their order.
  llvm::DenseMap<std::pair<int64_t, StringAttr>, Operation *> lastUse_;
  llvm::DenseSet<std::pair<int64_t, StringAttr>> results_; ///< Names of results so far.
  llvm::DenseMap<StringAttr, UpdatedArguments> updates_;
};

} // namespace

LogicalResult Converter::collect() {
  for (Operation &op : *module_.getBody()) {
    if (auto parameter = dyn_cast<nn::ParameterOp>(op)) {
      tables_.addParameter(parameter.getSymNameAttr());
    } else if (auto function = dyn_cast<func::FuncOp>(op)) {
      if (!function.getBody().hasOneBlock())
        return function.emitOpError() << "expected one straight-line block";
      (function->hasAttr(kProgramAttr) ? programs_ : blocks_).push_back(function);
      tables_.reserve(function.getSymName());
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
  llvm::stable_sort(programs_, [&](func::FuncOp a, func::FuncOp b) {
    return std::pair(stageOf(a), order(a)) < std::pair(stageOf(b), order(b));
  });
  for (func::FuncOp program : programs_) {
    for (auto recv : program.getOps<dist::RecvOp>())
      for (auto name : recv.getBuffers().getAsRange<StringAttr>())
        lastUse_[{stageOf(program), name}] = program;
    for (unsigned index = 0; index < program.getNumArguments(); ++index)
      if (auto name = program.getArgAttrOfType<StringAttr>(index, kBufferAttr))
        lastUse_[{stageOf(program), name}] = program;
  }
  return checkTransfers(programs_);
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
  Copies copies;
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
  auto block = plan::BlockOp::create(builder_, function.getLoc(), function.getSymName(),
                                     static_cast<uint32_t>(numInputs), IntegerAttr());
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

/// Every send has its receive in the peer, of the same names and types, and the other way round.
Storage::Overwrite Converter::overwriteOf(func::FuncOp function, StringAttr name) const {
  bool isLast = lastUse_.lookup({stageOf(function), name}) == function.getOperation();
  return isLast ? Storage::Overwrite::Anyone : Storage::Overwrite::Never;
}

LogicalResult Converter::bindArguments(func::FuncOp function, Storage &storage) {
  for (BlockArgument argument : function.getArguments()) {
    unsigned index = argument.getArgNumber();
    if (function.getArgAttrOfType<StringAttr>(index, nn::kInputAttr)) {
      storage.start(argument, Place::stageBuffer(tables_.inputBuffer(function, index)), Storage::Overwrite::Never);
      continue;
    }
    auto name = function.getArgAttrOfType<StringAttr>(index, kBufferAttr);
    StringAttr known = name ? tables_.crossing(stageOf(function), name) : StringAttr();
    if (!known)
      return function.emitOpError() << "expected argument " << index << " to have \"" << nn::kInputAttr << "\", or \""
                                    << kBufferAttr << "\" with the name of an earlier program's result";
    storage.start(argument, Place::stageBuffer(known), overwriteOf(function, name));
  }
  return success();
}

LogicalResult Converter::bindReceived(func::FuncOp function, Storage &storage) {
  for (auto recv : function.getOps<dist::RecvOp>()) {
    SmallVector<StringAttr> buffers;
    for (auto [attr, value] : llvm::zip_equal(recv.getBuffers(), recv.getValues())) {
      auto name = cast<StringAttr>(attr);
      StringAttr &buffer = tables_.crossing(stageOf(function), name);
      if (buffer)
        return recv.emitOpError() << "receives " << name << ", which stage " << stageOf(function) << " has already";
      buffer =
          tables_.addBuffer(stageOf(function), name.getValue(), plan::BufferKind::activation, value.getType(), true);
      storage.start(value, Place::stageBuffer(buffer), overwriteOf(function, name));
      buffers.push_back(buffer);
    }
    tables_.addChannel(stageOf(function), plan::Direction::receive, static_cast<int64_t>(recv.getPeer()), buffers);
  }
  return success();
}

/// What is sent has a buffer: its own, or the received one that it was written over.
void Converter::bindSent(func::FuncOp function, Storage &storage, Copies &copies) {
  for (auto send : function.getOps<dist::SendOp>()) {
    SmallVector<StringAttr> buffers;
    for (auto [attr, value] : llvm::zip_equal(send.getBuffers(), send.getValues())) {
      auto name = cast<StringAttr>(attr);
      StringAttr &buffer = tables_.crossing(stageOf(function), name);
      Place place = storage.placeOf(value);
      if (!buffer && place.kind == Place::Kind::Buffer && tables_.buffer(place.buffer).perMicroBatch &&
          tables_.buffer(place.buffer).kind == plan::BufferKind::activation &&
          tables_.buffer(place.buffer).type == value.getType())
        buffer = place.buffer;
      if (!buffer)
        buffer =
            tables_.addBuffer(stageOf(function), name.getValue(), plan::BufferKind::activation, value.getType(), true);
      if (!storage.bind(value, Place::stageBuffer(buffer)))
        copies.emplace_back(value, Place::stageBuffer(buffer));
      buffers.push_back(buffer);
    }
    tables_.addChannel(stageOf(function), plan::Direction::send, static_cast<int64_t>(send.getPeer()), buffers);
  }
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
    if (!tables_.hasParameter(symbol))
      return read.emitOpError() << "reads unknown parameter @" << symbol.getValue();
    ParameterBuffers &parameter = tables_.parameter(stageOf(function), symbol);
    StringAttr &buffer = parameter.slots[slot];
    if (!buffer) {
      bool isValue = read.getSlot() == nn::ParameterSlot::value;
      std::string suffix = isValue ? "" : "." + nn::stringifyParameterSlot(read.getSlot()).str();
      if (isValue)
        parameter.type = cast<RankedTensorType>(read.getType());
      buffer =
          tables_.addBuffer(stageOf(function), symbol.getValue() + suffix,
                            isValue ? plan::BufferKind::parameter : plan::BufferKind::optimizer_state, read.getType());
    }
    if (RankedTensorType type = tables_.buffer(buffer).type; !tensors_.sameLayout(type, read.getType()))
      return read.emitOpError() << "reads @" << symbol.getValue() << " as " << read.getType()
                                << ", which another read has as " << type;
    Value only = reads[{symbol, slot}] == 1 ? written.lookup({symbol, slot}) : Value();
    storage.start(read.getResult(), Place::stageBuffer(buffer),
                  only ? Storage::Overwrite::Only : Storage::Overwrite::Never, only);
  }
  return success();
}

LogicalResult Converter::bindWrites(func::FuncOp function, Storage &storage, Copies &copies) {
  for (auto write : function.getOps<nn::WriteParameterOp>()) {
    StringAttr buffer = tables_.parameter(stageOf(function), write.getParameterAttr().getAttr())
                            .slots[static_cast<unsigned>(write.getSlot())];
    if (!buffer)
      return write.emitOpError() << "writes " << nn::stringifyParameterSlot(write.getSlot()) << " of "
                                 << write.getParameterAttr() << ", which stage " << stageOf(function)
                                 << " does not read";
    // Bound already when it is written in place; other values could overwrite the buffer before its last read.
    Place place = Place::stageBuffer(buffer);
    if (storage.placeOf(write.getValue()) == place)
      storage.keep(write.getValue());
    else
      copies.emplace_back(write.getValue(), place);
  }
  return success();
}

LogicalResult Converter::bindGradients(func::FuncOp function, Storage &storage) {
  for (auto gradient : function.getOps<nn::GradientOp>()) {
    StringAttr parameter = gradient.getParameterAttr().getAttr();
    Value value = gradient.getValue();
    if (!tables_.hasParameter(parameter))
      return gradient.emitOpError() << "names the gradient of unknown parameter " << gradient.getParameterAttr();
    if (storage.placeOf(value).kind == Place::Kind::Local)
      storage.bind(value, Place::stageBuffer(tables_.addBuffer(stageOf(function), parameter.getValue() + ".grad",
                                                               plan::BufferKind::gradient, value.getType())));
    StringAttr buffer = storage.placeOf(value).buffer;
    storage.keep(value);
    tables_.parameter(stageOf(function), parameter).gradient = buffer;
    StageBuffer &entry = tables_.buffer(buffer);
    entry.kind = plan::BufferKind::gradient;
    entry.type = cast<RankedTensorType>(value.getType());
  }
  return success();
}

LogicalResult Converter::bindResults(func::FuncOp function, Storage &storage, Copies &copies) {
  for (OpOperand &returned : function.getBody().front().getTerminator()->getOpOperands()) {
    unsigned index = returned.getOperandNumber();
    Value value = returned.get();
    if (auto name = function.getResultAttrOfType<StringAttr>(index, kBufferAttr)) {
      if (!results_.insert({stageOf(function), name}).second)
        return function.emitOpError() << "result " << index << " has the name " << name << " of another result";
      StringAttr &buffer = tables_.crossing(stageOf(function), name);
      if (!buffer) // Else it is sent too.
        buffer = tables_.addBuffer(stageOf(function), name.getValue(), plan::BufferKind::activation, value.getType(),
                                   function.getResultAttr(index, kPerMicroBatchAttr) != nullptr);
      Place place = Place::stageBuffer(buffer);
      if (!storage.bind(value, place) && !llvm::is_contained(copies, std::pair(value, place)))
        copies.emplace_back(value, place);
      continue;
    }
    auto output = function.getResultAttrOfType<StringAttr>(index, nn::kOutputAttr);
    if (!output)
      return function.emitOpError() << "expected result " << index << " to have \"" << kBufferAttr << "\" or \""
                                    << nn::kOutputAttr << "\"";
    Place place = storage.placeOf(value);
    StageBuffer *found = place.kind == Place::Kind::Buffer ? &tables_.buffer(place.buffer) : nullptr;
    if (!found || found->perMicroBatch || found->kind != plan::BufferKind::activation) {
      place = Place::stageBuffer(
          tables_.addBuffer(stageOf(function), output.getValue(), plan::BufferKind::output, value.getType()));
      if (!storage.bind(value, place))
        copies.emplace_back(value, place);
    }
    storage.keep(value);
    found = &tables_.buffer(place.buffer);
    found->kind = plan::BufferKind::output;
    found->type = cast<RankedTensorType>(value.getType());
    tables_.addOutput(output, place.buffer);
  }
  return success();
}

void Converter::emitLoads(func::FuncOp function, BodyEmitter &emitter) {
  for (BlockArgument argument : function.getArguments()) {
    auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), nn::kInputAttr);
    if (!name || !tables_.startLoad(stageOf(function), name))
      continue;
    plan::LoadOp::create(builder_, function.getLoc(), name, emitter.handle(argument), builder_.getI32IntegerAttr(0),
                         DenseI32ArrayAttr(), IntegerAttr());
  }
}

LogicalResult Converter::convertProgram(func::FuncOp function) {
  Block &body = function.getBody().front();
  Storage storage(tensors_, [&](func::CallOp call) { return updatesOf(call); });
  Copies copies;
  for (auto call : function.getOps<func::CallOp>())
    if (!updates_.contains(call.getCalleeAttr().getAttr()))
      return call.emitOpError() << "calls unknown block " << call.getCalleeAttr();
  if (failed(bindReceived(function, storage)) || failed(bindArguments(function, storage)) ||
      failed(bindParameters(function, storage)))
    return failure();
  storage.group(body);
  if (failed(bindWrites(function, storage, copies)) || failed(bindGradients(function, storage)))
    return failure();
  bindSent(function, storage, copies);
  if (failed(bindResults(function, storage, copies)))
    return failure();

  builder_.setInsertionPointToEnd(module_.getBody());
  auto kind = *plan::symbolizeProgramKind(function->getAttrOfType<StringAttr>(kProgramAttr).getValue());
  auto program = plan::ProgramOp::create(builder_, function.getLoc(), function.getSymName(), kind,
                                         static_cast<uint32_t>(stageOf(function)), IntegerAttr());
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
// The module
//===----------------------------------------------------------------------===//

void Converter::finishModule() {
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
  module_->setAttr(plan::kNumMicroBatchesAttr, builder_.getI64IntegerAttr(tensors_.mesh().numMicroBatches()));
}

/// Everything that becomes a buffer has elements that a plan knows.
static LogicalResult checkElements(ModuleOp module) {
  llvm::DenseSet<Type> seen;
  auto isKnown = [&](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    return !tensor || !seen.insert(type).second || plan::toDType(tensor.getElementType());
  };
  WalkResult result = module.walk([&](Operation *op) {
    SmallVector<Type> types(op->getResultTypes());
    if (auto function = dyn_cast<func::FuncOp>(op))
      llvm::append_range(types, function.getArgumentTypes());
    for (Type type : types)
      if (!isKnown(type)) {
        op->emitOpError() << "has a tensor of type " << type << ", " << plan::kExpectedElements;
        return WalkResult::interrupt();
      }
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

LogicalResult Converter::run() {
  if (failed(checkElements(module_)) || failed(collect()))
    return failure();
  // Functions and bodies share names until the functions go.
  for (func::FuncOp block : blocks_)
    if (failed(convertBlock(block)))
      return failure();
  for (func::FuncOp program : programs_)
    if (failed(convertProgram(program)))
      return failure();
  if (failed(tables_.write()))
    return failure();
  finishModule();
  return success();
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
