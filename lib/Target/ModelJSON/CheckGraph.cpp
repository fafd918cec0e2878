//===- CheckGraph.cpp - resolve names, infer shapes -----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Names are assigned once. What a repeated block defines lives inside it, except
// what it carries out; what another block defines is visible in later blocks. A tensor
// that nothing uses is an error: it is a mistake in the graph, and a parameter
// without gradient could not be trained.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Target/ModelJSON/CheckedGraph.h"
#include "modelpar/Target/ModelJSON/Ops.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace modelpar;
using namespace modelpar::target;

namespace {
constexpr size_t kMaxNameBytes = 256;

struct Symbol {
  enum class Kind { Input, Parameter, Value };
  Kind kind = Kind::Value;
  TensorShape shape;
  std::string pointer;
  bool used = false;
  size_t block = 0;         ///< Values: where they are defined.
  double low = 0, high = 0; ///< Inputs.
  std::string role;         ///< Inputs.
};
using Scope = std::map<std::string, Symbol>;

class Checker {
public:
  Checker(const Graph &graph, json::Errors &errors) : graph(graph), errors(errors) { result.graph = &graph; }

  CheckedGraph run() {
    checkDims();
    checkInputs();
    for (const GraphParameter &parameter : graph.parameters)
      checkParameter(parameter, nullptr, globals);
    checkBlockNames();
    for (size_t i = 0; i < graph.blocks.size(); ++i)
      checkBlock(i);
    checkLoss();
    reportUnused(globals);
    // Another mistake may be why nothing uses a tensor.
    if (errors.empty())
      for (const auto &[pointer, message] : unused)
        errors.add(pointer, message);
    orderResults();
    return std::move(result);
  }

private:
  void checkDims();
  void checkInputs();
  void checkParameter(const GraphParameter &parameter, const GraphBlock *block, Scope &scope);
  void checkCheckpoint(const GraphParameter &parameter, const TensorShape &shape);
  void checkBlockNames();
  void checkBlock(size_t index);
  void enterCarries(size_t index, Scope &local);
  void checkOp(size_t index, const GraphOp &op, Scope &local);
  void leaveCarries(size_t index, Scope &local);
  void checkIds(const GraphOp &op, const std::vector<TensorShape> &shapes, Scope &local);
  void checkLoss();
  /// Notes what nothing uses, for the end.
  void reportUnused(const Scope &scope);
  void orderResults();

  TensorShape shapeOf(const std::vector<std::string> &dims, ElementType type, const std::string &pointer);
  bool checkName(const std::string &name, const std::string &pointer, bool inRepeat = false);
  void define(Scope &scope, const std::string &name, Symbol symbol);
  Symbol *find(const std::string &name, Scope &local);
  void use(size_t index, const std::string &name, Symbol &symbol, bool local);

  const Graph &graph;
  json::Errors &errors;
  CheckedGraph result;
  Scope globals;
  std::map<std::string, std::string> hidden; ///< Names inside repeated blocks, for messages: name → block.
  std::vector<std::pair<std::string, std::string>> unused; ///< Pointer and message.
  std::set<std::string> symbolNames, checkpointNames;
  int64_t numParameters = 0, numTargets = 0;
};
} // namespace

static std::string inQuotes(const std::string &name) { return "'" + name.substr(0, kMaxNameBytes) + "'"; }

/// Letters, digits, '_', '-', '.', starting with a letter or '_'; "{i}" in the names of a layer's parameters.
bool Checker::checkName(const std::string &name, const std::string &pointer, bool inRepeat) {
  std::string plain = inRepeat ? expandIndex(name, 0) : name;
  bool good = !plain.empty() && plain.size() <= kMaxNameBytes && (llvm::isAlpha(plain[0]) || plain[0] == '_') &&
              llvm::all_of(plain, [](char c) { return llvm::isAlnum(c) || c == '_' || c == '-' || c == '.'; });
  if (!good)
    errors.add(
        pointer,
        inQuotes(name) +
            " is not a name; expected letters, digits, '_', '-' and '.', starting with a letter or '_', at most " +
            std::to_string(kMaxNameBytes) + " of them");
  return good;
}

void Checker::checkDims() {
  const Dimension *batch = nullptr, *sequence = nullptr;
  for (const Dimension &dim : graph.dims) {
    checkName(dim.name, dim.pointer);
    if (!result.dimSizes.emplace(dim.name, dim.size).second)
      errors.add(dim.pointer, "dim " + inQuotes(dim.name) + " is declared twice");
    if (dim.size < 1 || dim.size > kMaxDimSize)
      errors.add(dim.pointer,
                 "dim " + inQuotes(dim.name) + " has size " + std::to_string(dim.size) + ", expected 1 to 2^40");
    if (dim.role == Dimension::Role::Plain)
      continue;
    const Dimension *&first = dim.role == Dimension::Role::Batch ? batch : sequence;
    if (first)
      errors.add(dim.pointer, "dims " + inQuotes(first->name) + " and " + inQuotes(dim.name) + " have the same role");
    first = &dim;
  }
  if (!batch)
    errors.add("/dims", "no dim has role 'batch'");
}

TensorShape Checker::shapeOf(const std::vector<std::string> &dims, ElementType type, const std::string &pointer) {
  TensorShape shape;
  shape.type = type;
  std::set<std::string> seen;
  int64_t elements = 1;
  for (const std::string &name : dims) {
    auto size = result.dimSizes.find(name);
    if (size == result.dimSizes.end()) {
      std::vector<std::string_view> known;
      for (const Dimension &dim : graph.dims)
        known.push_back(dim.name);
      errors.add(pointer, "unknown dim " + inQuotes(name) + "; " + supportedList(name, known));
      shape.known = false;
      continue;
    }
    if (!seen.insert(name).second) {
      errors.add(pointer, "dim " + inQuotes(name) + " occurs twice; declare a second dim of the same size");
      shape.known = false;
    }
    shape.dims.push_back({name, size->second});
    if (size->second < 1 || __builtin_mul_overflow(elements, size->second, &elements) || elements > kMaxElements) {
      if (shape.known && size->second >= 1) // A bad size was reported at its dim.
        errors.add(pointer, "tensor " + toString(shape) + " has more than 2^48 elements");
      shape.known = false;
      elements = 1;
    }
  }
  if (dims.size() > kMaxRank) {
    errors.add(pointer, "found " + std::to_string(dims.size()) + " dims, expected at most " + std::to_string(kMaxRank));
    shape.known = false;
  }
  return shape;
}

void Checker::define(Scope &scope, const std::string &name, Symbol symbol) {
  std::string pointer = symbol.pointer;
  auto outer = globals.find(name);
  if (outer != globals.end() || !scope.emplace(name, std::move(symbol)).second)
    errors.add(pointer, inQuotes(name) + " is defined twice, first at " +
                            (outer != globals.end() ? outer->second.pointer : scope[name].pointer));
}

void Checker::checkInputs() {
  for (const GraphInput &input : graph.inputs) {
    checkName(input.name, input.pointer);
    if (input.name == "scalars")
      errors.add(input.pointer, "the name 'scalars' is taken by the step's own scalars");
    Symbol symbol{Symbol::Kind::Input, shapeOf(input.dims, input.type, json::join(input.pointer, "dims")),
                  input.pointer};
    symbol.shape.known &= !input.broken;
    symbol.low = input.low;
    symbol.high = input.high;
    symbol.role = input.role;
    bool integer = input.type == ElementType::Integer;
    if (!(input.low <= input.high) || (integer && input.low >= input.high))
      errors.add(json::join(input.pointer, "range"), "empty range of " + inQuotes(input.name));
    if (!input.broken && input.role != "data" && !integer) {
      errors.add(input.pointer, "role '" + input.role + "' of " + inQuotes(input.name) + " needs type i32");
      symbol.shape.known = false;
    }
    const Dimension *first = nullptr;
    for (const Dimension &dim : graph.dims)
      if (!input.dims.empty() && dim.name == input.dims[0])
        first = &dim;
    if (symbol.shape.known && input.role != "positions" && (!first || first->role != Dimension::Role::Batch)) {
      errors.add(json::join(input.pointer, "dims"), "the first dim of " + inQuotes(input.name) +
                                                        " must be the one of role 'batch': data comes in samples");
      symbol.shape.known = false;
    }
    // The count of labels that the loss is divided by is one number.
    if (input.role == "targets" && ++numTargets == 2)
      errors.add(input.pointer, "second input of role 'targets', expected at most one");
    if (integer && (input.low < -2147483648.0 || input.high > 2147483648.0))
      errors.add(json::join(input.pointer, "range"), "range of " + inQuotes(input.name) + " does not fit i32");
    define(globals, input.name, std::move(symbol));
  }
}

void Checker::checkCheckpoint(const GraphParameter &parameter, const TensorShape &shape) {
  int64_t elements = 1, found = 1;
  for (const TensorShape::Dim &dim : shape.dims)
    elements *= dim.size; // Within kMaxElements.
  if (parameter.checkpointShape) {
    bool good = parameter.checkpointShape->size() <= kMaxRank;
    for (int64_t size : *parameter.checkpointShape)
      good = good && size > 0 && !__builtin_mul_overflow(found, size, &found);
    if (!good || found != elements)
      errors.add(json::join(parameter.pointer, "checkpoint"),
                 "shape has " + (good ? std::to_string(found) : "too many") + " elements, the parameter " +
                     toString(shape) + " has " + std::to_string(elements));
  }
}

void Checker::checkParameter(const GraphParameter &parameter, const GraphBlock *block, Scope &scope) {
  bool repeated = block && block->repeated;
  if (!checkName(parameter.name, parameter.pointer, repeated))
    return;
  TensorShape shape = shapeOf(parameter.dims, ElementType::Float, json::join(parameter.pointer, "dims"));
  shape.known &= !parameter.broken;
  if (shape.known)
    checkCheckpoint(parameter, shape);
  if (int64_t rows = shape.dims.empty() ? 0 : shape.dims[0].size; shape.known && parameter.zeroRow >= rows)
    errors.add(json::join(parameter.pointer, "zero_row"),
               "found " + std::to_string(*parameter.zeroRow) + ", the parameter has " + std::to_string(rows) + " rows");
  std::string checkpoint = parameter.checkpointName.empty() ? parameter.name : parameter.checkpointName;
  std::vector<std::string> names = {checkpoint};
  names.insert(names.end(), parameter.checkpointAliases.begin(), parameter.checkpointAliases.end());
  names.push_back(parameter.name);
  for (const std::string &name : names)
    if (repeated != (name.find("{i}") != std::string::npos)) {
      errors.add(parameter.pointer, inQuotes(name) + (repeated ? " needs {i}, the number of the layer, in its name"
                                                               : " has {i} in its name outside a repeat"));
      shape.known = false;
      return define(scope, parameter.name, Symbol{Symbol::Kind::Parameter, std::move(shape), parameter.pointer});
    }
  int64_t count = repeated ? block->repeat : 1;
  if (count > kMaxRepeat || (numParameters += count) > kMaxParameters) {
    if (numParameters - count <= kMaxParameters)
      errors.add(parameter.pointer, "more than " + std::to_string(kMaxParameters) + " parameters");
    return;
  }
  names.pop_back(); // What is left are those in checkpoints.
  for (int64_t i = block ? block->firstLayer : 0, end = i + count; i < end; ++i) {
    std::string name = expandIndex(parameter.name, i);
    auto taken = llvm::find_if(
        names, [&](const std::string &file) { return !checkpointNames.insert(expandIndex(file, i)).second; });
    if (!symbolNames.insert(name).second || taken != names.end()) {
      errors.add(parameter.pointer, "parameter " + inQuotes(name) + " (" +
                                        inQuotes(expandIndex(taken == names.end() ? checkpoint : *taken, i)) +
                                        " in the checkpoint) exists twice");
      break;
    }
  }
  define(scope, parameter.name, Symbol{Symbol::Kind::Parameter, std::move(shape), parameter.pointer});
}

void Checker::checkBlockNames() {
  std::set<std::string> names = {"step"};
  if (graph.blocks.empty())
    errors.add("/ops", "no ops");
  for (const GraphBlock &block : graph.blocks) {
    if (checkName(block.name, block.pointer) && !names.insert(block.name).second)
      errors.add(block.pointer, "block name " + inQuotes(block.name) + " is taken");
    if (block.repeat < 1 || block.repeat > kMaxRepeat)
      errors.add(block.pointer,
                 "repeat is " + std::to_string(block.repeat) + ", expected 1 to " + std::to_string(kMaxRepeat));
  }
}

Symbol *Checker::find(const std::string &name, Scope &local) {
  if (auto it = local.find(name); it != local.end())
    return &it->second;
  auto it = globals.find(name);
  return it == globals.end() ? nullptr : &it->second;
}

/// Notes that block `index` uses a symbol, and what that makes an argument of it or a result of another block.
void Checker::use(size_t index, const std::string &name, Symbol &symbol, bool local) {
  symbol.used = true;
  CheckedBlock &block = result.blocks[index];
  block.shapes[name] = symbol.shape;
  if (symbol.kind == Symbol::Kind::Parameter) {
    if (!llvm::is_contained(block.parameters, name))
      block.parameters.push_back(name);
    return;
  }
  if (local)
    return;
  if (!llvm::is_contained(block.values, name))
    block.values.push_back(name);
}

void Checker::enterCarries(size_t index, Scope &local) {
  const GraphBlock &block = graph.blocks[index];
  if (block.repeated && block.carries.empty())
    errors.add(block.pointer, "repeat " + inQuotes(block.name) + " carries no value from layer to layer");
  for (const Carry &carry : block.carries) {
    checkName(carry.name, carry.pointer);
    Symbol symbol{Symbol::Kind::Value, {}, carry.pointer};
    symbol.shape.known = false;
    if (auto from = globals.find(carry.from); from == globals.end()) {
      errors.add(json::join(carry.pointer, "from"),
                 inQuotes(carry.from) + " is not defined before " + inQuotes(block.name));
    } else if (from->second.kind == Symbol::Kind::Parameter || from->second.shape.type == ElementType::Integer) {
      errors.add(json::join(carry.pointer, "from"),
                 inQuotes(carry.from) + " is " +
                     (from->second.kind == Symbol::Kind::Parameter ? "a parameter" : "of integers") +
                     "; only float values are carried");
    } else {
      from->second.used = true;
      symbol.shape = from->second.shape;
    }
    result.blocks[index].values.push_back(carry.name);
    result.blocks[index].shapes[carry.name] = symbol.shape;
    define(local, carry.name, std::move(symbol));
  }
}

/// An input that indexes rows must stay inside them.
void Checker::checkIds(const GraphOp &op, const std::vector<TensorShape> &shapes, Scope &local) {
  bool embedding = op.kind == "embedding";
  if ((!embedding && op.kind != "cross_entropy") || shapes.size() != 2 || !shapes[0].known || !shapes[1].known)
    return;
  const Symbol *ids = find(op.inputs[embedding ? 0 : 1], local);
  const TensorShape &rows = shapes[embedding ? 1 : 0];
  if (!ids || ids->kind != Symbol::Kind::Input || rows.dims.empty())
    return;
  if (!embedding && ids->role != "targets")
    errors.add(op.pointer, op.kind + " " + inQuotes(op.name) + ": targets " + inQuotes(op.inputs[1]) + " have role '" +
                               ids->role + "', expected 'targets': its labels are counted");
  const TensorShape::Dim &dim = embedding ? rows.dims.front() : rows.dims.back();
  if (ids->high > static_cast<double>(dim.size) || (embedding && ids->low < 0))
    errors.add(op.pointer,
               op.kind + " " + inQuotes(op.name) + ": range [" + std::to_string(static_cast<int64_t>(ids->low)) + ", " +
                   std::to_string(static_cast<int64_t>(ids->high)) + ") of " + inQuotes(op.inputs[embedding ? 0 : 1]) +
                   " leaves dim '" + dim.name + "' of size " + std::to_string(dim.size));
}

void Checker::checkOp(size_t index, const GraphOp &op, Scope &local) {
  std::vector<TensorShape> shapes;
  for (auto [i, name] : llvm::enumerate(op.inputs)) {
    Symbol *symbol = find(name, local);
    if (!symbol) {
      std::string pointer = json::join(json::join(op.pointer, "inputs"), i);
      auto inside = hidden.find(name);
      errors.add(pointer,
                 inside != hidden.end()
                     ? inQuotes(name) + " lives inside the repeat " + inQuotes(inside->second) + "; carry it out"
                     : op.kind + " " + inQuotes(op.name) + ": operand " + inQuotes(name) + " is not defined before it");
      shapes.emplace_back().known = false;
      continue;
    }
    use(index, name, *symbol, local.count(name) != 0);
    shapes.push_back(symbol->shape);
  }
  if (!op.broken)
    checkIds(op, shapes, local);
  std::vector<TensorShape> outputs(op.outputs.size());
  if (op.broken)
    llvm::for_each(outputs, [](TensorShape &shape) { shape.known = false; });
  else
    outputs = inferOp(op, shapes, result.dimSizes, errors);
  Scope &scope = graph.blocks[index].repeated ? local : globals;
  for (auto [name, shape] : llvm::zip(op.outputs, outputs)) {
    if (!checkName(name, op.pointer))
      continue;
    Symbol symbol{Symbol::Kind::Value, shape, op.pointer};
    symbol.block = index;
    result.blocks[index].shapes[name] = shape;
    define(scope, name, std::move(symbol));
    if (graph.blocks[index].repeated)
      hidden.emplace(name, graph.blocks[index].name);
  }
}

void Checker::leaveCarries(size_t index, Scope &local) {
  const GraphBlock &block = graph.blocks[index];
  for (const Carry &carry : block.carries) {
    Symbol after{Symbol::Kind::Value, {}, carry.pointer};
    after.block = index;
    after.shape.known = false;
    auto next = local.find(carry.next);
    std::string pointer = json::join(carry.pointer, "next");
    if (next == local.end() || next->second.kind != Symbol::Kind::Value) {
      errors.add(pointer, inQuotes(carry.next) + " is not a value of the repeat " + inQuotes(block.name));
    } else {
      next->second.used = true;
      after.shape = next->second.shape;
      auto first = local.find(carry.name);
      if (first != local.end() && first->second.shape.known && after.shape.known &&
          first->second.shape.dims != after.shape.dims)
        errors.add(pointer, inQuotes(carry.next) + " " + toString(after.shape) + " cannot be carried as " +
                                inQuotes(carry.name) + " " + toString(first->second.shape));
      if (first != local.end())
        after.shape = first->second.shape; // What follows expects this one.
    }
    result.blocks[index].results.push_back(carry.next);
    checkName(carry.result, json::join(carry.pointer, "result"));
    define(globals, carry.result, std::move(after));
  }
}

void Checker::checkBlock(size_t index) {
  const GraphBlock &block = graph.blocks[index];
  result.blocks.emplace_back();
  Scope local;
  if (symbolNames.count(block.name))
    errors.add(block.pointer, "block name " + inQuotes(block.name) + " is a parameter's name");
  for (const GraphParameter &parameter : block.parameters)
    checkParameter(parameter, &block, block.repeated ? local : globals);
  enterCarries(index, local);
  for (const GraphOp &op : block.ops)
    checkOp(index, op, local);
  leaveCarries(index, local);
  reportUnused(local);
  if (block.repeated)
    return;
  // What this block defines itself is not an argument of it.
  llvm::erase_if(result.blocks[index].values, [&](const std::string &name) {
    const Symbol &symbol = globals[name];
    return symbol.kind == Symbol::Kind::Value && symbol.block == index;
  });
}

void Checker::checkLoss() {
  auto loss = globals.find(graph.loss);
  if (loss == globals.end()) {
    errors.add(graph.lossPointer, "loss " + inQuotes(graph.loss) + " is not a value of the graph");
    return;
  }
  loss->second.used = true;
  if (loss->second.shape.known && (loss->second.kind != Symbol::Kind::Value || !loss->second.shape.dims.empty()))
    errors.add(graph.lossPointer, "loss " + inQuotes(graph.loss) + " " + toString(loss->second.shape) +
                                      " is not a scalar value; expected the result of cross_entropy or squared_error");
}

void Checker::reportUnused(const Scope &scope) {
  for (const auto &[name, symbol] : scope)
    if (!symbol.used)
      unused.emplace_back(symbol.pointer, (symbol.kind == Symbol::Kind::Input       ? "input "
                                           : symbol.kind == Symbol::Kind::Parameter ? "parameter "
                                                                                    : "value ") +
                                              inQuotes(name) + " is never used");
}

/// A block that is not repeated returns what later blocks or the loss use, in order of definition.
void Checker::orderResults() {
  std::vector<std::set<std::string>> needed(graph.blocks.size());
  auto need = [&](const std::string &name, size_t user) {
    auto it = globals.find(name);
    if (it != globals.end() && it->second.kind == Symbol::Kind::Value && it->second.block < user)
      needed[it->second.block].insert(name);
  };
  for (auto [i, block] : llvm::enumerate(graph.blocks)) {
    for (const std::string &name : result.blocks[i].values)
      need(name, i);
    for (const Carry &carry : block.carries)
      need(carry.from, i);
  }
  need(graph.loss, graph.blocks.size());
  for (auto [i, block] : llvm::enumerate(graph.blocks))
    if (!block.repeated)
      for (const GraphOp &op : block.ops)
        for (const std::string &name : op.outputs)
          if (needed[i].count(name))
            result.blocks[i].results.push_back(name);
}

CheckedGraph target::checkGraph(const Graph &graph, json::Errors &errors) { return Checker(graph, errors).run(); }
