//===- ModuleText.cpp - modules as text, with the places of their ops -----===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ModuleText.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/AsmParser/AsmParserState.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"

#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;

namespace modelpar::pipelines {

/// The name that a location gives; null when it gives none.
static StringAttr nameOf(Location location) {
  StringAttr name;
  location->walk([&](Location each) {
    if (auto named = dyn_cast<NameLoc>(each)) {
      name = named.getName();
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return name;
}

static FileLineColLoc placeOf(Location location) {
  FileLineColLoc place;
  location->walk([&](Location each) {
    place = dyn_cast<FileLineColLoc>(each);
    return place ? WalkResult::interrupt() : WalkResult::advance();
  });
  return place;
}

static Location makeLocation(StringAttr name, Location place) {
  return name ? Location(NameLoc::get(name, place)) : place;
}

/// Calls `change` on the location of every op and block argument.
static void changeLocations(ModuleOp module, llvm::function_ref<Location(Location)> change) {
  module->walk([&](Operation *op) {
    op->setLoc(change(op->getLoc()));
    for (Region &region : op->getRegions())
      for (Block &block : region)
        for (BlockArgument argument : block.getArguments())
          argument.setLoc(change(argument.getLoc()));
  });
}

OwningOpRef<ModuleOp> readModule(MLIRContext &context, StringRef text, StringRef file) {
  llvm::SourceMgr source;
  unsigned buffer = source.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBufferCopy(text, file), llvm::SMLoc());
  // Verified once places are there: what verifiers say should have them.
  ParserConfig config(&context, /*verifyAfterParse=*/false);
  AsmParserState state;
  Block block;
  if (failed(parseAsmSourceFile(source, &block, config, &state)))
    return nullptr;
  for (const AsmParserState::OperationDefinition &definition : state.getOpDefs()) {
    auto [line, column] = source.getLineAndColumn(definition.loc.Start, buffer);
    Location place = FileLineColLoc::get(&context, file, line, column);
    definition.op->setLoc(makeLocation(nameOf(definition.op->getLoc()), place));
  }
  Location top = FileLineColLoc::get(&context, file, 1, 1);
  OwningOpRef<ModuleOp> module = detail::constructContainerOpForParserIfNecessary<ModuleOp>(&block, &context, top);
  if (module && failed(verify(*module)))
    return nullptr;
  return module;
}

std::string printModule(ModuleOp module) {
  // Later messages need the places, so a copy loses them.
  OwningOpRef<ModuleOp> copy = module.clone();
  Location unknown = UnknownLoc::get(module.getContext());
  changeLocations(*copy, [&](Location location) { return makeLocation(nameOf(location), unknown); });
  std::string text;
  llvm::raw_string_ostream stream(text);
  OpPrintingFlags flags;
  flags.enableDebugInfo(/*enable=*/true, /*prettyForm=*/false);
  copy->print(stream, flags);
  return text;
}

std::string describe(Location location) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (FileLineColLoc place = placeOf(location))
    stream << place.getFilename().getValue() << ":" << place.getLine() << ":" << place.getColumn() << ": ";
  if (StringAttr name = nameOf(location))
    stream << name.getValue() << ": ";
  return text;
}

} // namespace modelpar::pipelines
