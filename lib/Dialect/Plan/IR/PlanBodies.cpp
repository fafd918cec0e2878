//===- PlanBodies.cpp - blocks and programs: assembly, streams, events ----===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The assembly of plan.block and the constraints that hold over a whole body.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Dialect/Plan/IR/PlanDialect.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallBitVector.h"

using namespace mlir;
using namespace modelpar::plan;

//===----------------------------------------------------------------------===//
// plan.block @name ins(%x: T, ...) outs(%y: T, ...) frame 128 { ... }
//===----------------------------------------------------------------------===//

static ParseResult parseArguments(OpAsmParser &parser, StringRef keyword, SmallVectorImpl<OpAsmParser::Argument> &all) {
  if (parser.parseKeyword(keyword))
    return failure();
  return parser.parseCommaSeparatedList(AsmParser::Delimiter::Paren,
                                        [&] { return parser.parseArgument(all.emplace_back(), /*allowType=*/true); });
}

ParseResult BlockOp::parse(OpAsmParser &parser, OperationState &result) {
  StringAttr name;
  SmallVector<OpAsmParser::Argument> arguments;
  Builder &builder = parser.getBuilder();
  if (parser.parseSymbolName(name, getSymNameAttrName(result.name), result.attributes) ||
      parseArguments(parser, "ins", arguments))
    return failure();
  result.addAttribute(getNumInputsAttrName(result.name),
                      builder.getI32IntegerAttr(static_cast<int32_t>(arguments.size())));
  if (parseArguments(parser, "outs", arguments))
    return failure();
  if (succeeded(parser.parseOptionalKeyword("frame"))) {
    int64_t frame;
    if (parser.parseInteger(frame))
      return failure();
    result.addAttribute(getFrameAttrName(result.name), builder.getI64IntegerAttr(frame));
  }
  if (parser.parseOptionalAttrDictWithKeyword(result.attributes))
    return failure();
  Region *body = result.addRegion();
  if (parser.parseRegion(*body, arguments))
    return failure();
  if (body->empty())
    body->emplaceBlock();
  return success();
}

void BlockOp::print(OpAsmPrinter &printer) {
  printer << ' ';
  printer.printSymbolName(getSymName());
  Block &body = getBody().front();
  auto print = [&](StringRef keyword, ArrayRef<BlockArgument> arguments) {
    printer << ' ' << keyword << '(';
    llvm::interleaveComma(arguments, printer, [&](BlockArgument argument) { printer.printRegionArgument(argument); });
    printer << ')';
  };
  ArrayRef<BlockArgument> arguments = body.getArguments();
  print("ins", arguments.take_front(getNumInputs()));
  print("outs", arguments.drop_front(getNumInputs()));
  if (getFrame())
    printer << " frame " << *getFrame();
  printer.printOptionalAttrDictWithKeyword((*this)->getAttrs(),
                                           {getSymNameAttrName(), getNumInputsAttrName(), getFrameAttrName()});
  printer << ' ';
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

LogicalResult BlockOp::verify() {
  Block &body = getBody().front();
  for (BlockArgument argument : body.getArguments())
    if (!isa<BufferType>(argument.getType())) // C1
      return emitOpError() << "expected argument " << argument.getArgNumber() << " to be a buffer, found "
                           << argument.getType();
  if (getNumInputs() > body.getNumArguments()) // C2
    return emitOpError() << "expected at most " << body.getNumArguments() << " inputs, found " << getNumInputs();
  return success();
}

//===----------------------------------------------------------------------===//
// Streams and events of a body
//===----------------------------------------------------------------------===//

static LogicalResult verifyBody(Block &body, bool isFinal) {
  // Per event, the steps per stream that are known to have run; the same at the head of each stream.
  using Clock = SmallVector<int32_t, 2>;
  llvm::DenseMap<int32_t, Clock> events;
  constexpr uint32_t kMaxStreams = 64;
  uint32_t numStreams = 1;
  for (Operation &op : body)
    if (auto instruction = dyn_cast<InstructionOpInterface>(op)) {
      if (instruction.getStream() >= kMaxStreams)
        return op.emitOpError() << "expected a stream from 0 to " << kMaxStreams - 1 << ", found "
                                << static_cast<int32_t>(instruction.getStream());
      numStreams = std::max(numStreams, instruction.getStream() + 1);
    }
  SmallVector<Clock> heads(numStreams, Clock(numStreams, 0));
  Operation *last = nullptr;
  for (Operation &op : body) {
    auto instruction = dyn_cast<InstructionOpInterface>(op);
    if (!instruction)
      continue;
    last = &op;
    Clock &head = heads[instruction.getStream()];
    for (int32_t event : instruction.getWaits().value_or(ArrayRef<int32_t>())) {
      auto found = events.find(event);
      if (found == events.end()) // C3
        return op.emitOpError() << "expected event " << event << " to be recorded before it is waited for";
      for (uint32_t s = 0; s < numStreams; ++s)
        head[s] = std::max(head[s], found->second[s]);
    }
    ++head[instruction.getStream()];
    if (std::optional<uint32_t> record = instruction.getRecord())
      if (!events.try_emplace(static_cast<int32_t>(*record), head).second) // C3
        return op.emitOpError() << "expected event " << *record << " to be recorded once";
  }
  for (uint32_t s = 1; s < numStreams && isFinal; ++s)
    if (heads[0][s] < heads[s][s]) // C4
      return last->emitOpError() << "expected stream 0 to have waited for stream " << s << " at the end of the body";
  return success();
}

LogicalResult BlockOp::verifyRegions() { return verifyBody(getBody().front(), getFrame().has_value()); }
LogicalResult ProgramOp::verifyRegions() { return verifyBody(getBody().front(), getFrame().has_value()); }
