//===- BuildModule.cpp - a checked graph to the nn dialect ----------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each block of the graph is built once as a private function: values, then
// parameters, then the scalars where an op needs them. `@step` reads the parameters
// and calls the functions, one call a layer.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Target/ModelJSON/BuildModule.h"
#include "modelpar/Dialect/NN/IR/NN.h"
#include "modelpar/Target/ModelJSON/Ops.h"
#include "modelpar/Target/ModelJSON/Outline.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

#include <cmath>

using namespace modelpar;
using namespace modelpar::target;
using namespace mlir;

namespace {
/// What a block became.
struct BuiltBlock {
  func::FuncOp function;
  bool scalars = false;      ///< Takes the step's scalars last.
  int64_t firstInstance = 0; ///< Calls of the function by blocks before this one.
};

class ModuleBuilder {
public:
  ModuleBuilder(MLIRContext &context, const CheckedGraph &checked, const ModelOptions &options)
      : checked(checked), graph(*checked.graph), options(options), builder(&context) {
    if (options.dtype == "f64")
      floatType = builder.getF64Type();
    else
      floatType = builder.getF32Type();
    for (const Dimension &dim : graph.dims)
      dimNames.push_back(dim.name);
  }

  OwningOpRef<ModuleOp> run();

private:
  void buildParameter(const GraphParameter &parameter, bool repeated, int64_t layer);
  BuiltBlock buildBlock(size_t index);
  void buildStep(ArrayRef<BuiltBlock> blocks);
  func::FuncOp buildStepFunction(std::map<std::string, Value> &values);
  void callBlock(size_t index, const BuiltBlock &built, Value scalars, std::map<std::string, Value> &values);
  Value readParameter(const std::string &name, const TensorShape &shape, Location loc);
  DictionaryAttr inputAttributes(const GraphInput &input);

  /// Builds one op; returns its outputs.
  SmallVector<Value> buildOp(const GraphOp &op, ValueRange in, const CheckedBlock &block);
  SmallVector<Value> buildMatmul(const GraphOp &op, ValueRange in, const CheckedBlock &block, Type type);
  SmallVector<Value> buildAttention(const GraphOp &op, ValueRange in, Type type);
  Value buildRotary(const GraphOp &op, ValueRange in, Type type);
  SmallVector<Value> buildUnpack(const GraphOp &op, ValueRange in, const CheckedBlock &block);

  RankedTensorType typeOf(const TensorShape &shape);
  /// A tensor of statistics with the leading `dims` of `type`.
  RankedTensorType statisticsType(Type type, size_t dims);
  Location loc(const std::string &name) { return NameLoc::get(builder.getStringAttr(name)); }

  const CheckedGraph &checked;
  const Graph &graph;
  const ModelOptions &options;
  OpBuilder builder;
  Type floatType;
  std::vector<std::string> dimNames;
  Value scalars; ///< Of the function being built.
  bool scalarsUsed = false;
  int64_t nextDropoutKey = 0; ///< Unique in the module: two blocks may have calls of the same instance.
};
} // namespace

std::string target::einsumSubscripts(const std::vector<std::string> &names, const TensorShape &lhs,
                                     const TensorShape &rhs, const TensorShape &result) {
  std::map<std::string, char> letters;
  std::string taken;
  auto assign = [&](const std::string &name) {
    std::string candidates;
    for (char c : name)
      if (llvm::isAlpha(c))
        candidates += llvm::toLower(c);
    candidates += "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t at = candidates.find_first_not_of(taken);
    if (at == std::string::npos || letters.count(name))
      return;
    letters[name] = candidates[at];
    taken += candidates[at];
  };
  // Beyond 52 dimensions in a graph the letters are those of this op alone: it has at most 16.
  if (names.size() <= 52)
    llvm::for_each(names, assign);
  for (const TensorShape *shape : {&lhs, &rhs})
    for (const TensorShape::Dim &dim : shape->dims)
      assign(dim.name);
  auto text = [&](const TensorShape &shape) {
    std::string out;
    for (const TensorShape::Dim &dim : shape.dims)
      out += letters[dim.name];
    return out;
  };
  return text(lhs) + "," + text(rhs) + "->" + text(result);
}

RankedTensorType ModuleBuilder::typeOf(const TensorShape &shape) {
  SmallVector<int64_t> sizes;
  for (const TensorShape::Dim &dim : shape.dims)
    sizes.push_back(dim.size);
  return RankedTensorType::get(sizes, shape.type == ElementType::Integer ? builder.getI32Type() : floatType);
}

RankedTensorType ModuleBuilder::statisticsType(Type type, size_t dims) {
  auto tensor = cast<RankedTensorType>(type);
  return RankedTensorType::get(tensor.getShape().take_front(dims), nn::getStatisticsType(tensor.getElementType()));
}

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

static nn::InitKind initKind(const std::string &kind) {
  return nn::symbolizeInitKind(kind).value_or(nn::InitKind::zeros);
}

void ModuleBuilder::buildParameter(const GraphParameter &parameter, bool repeated, int64_t layer) {
  TensorShape shape;
  for (const std::string &dim : parameter.dims)
    shape.dims.push_back({dim, checked.dimSizes.at(dim)});
  RankedTensorType type = typeOf(shape);
  std::string file = parameter.checkpointName.empty() ? parameter.name : parameter.checkpointName;
  std::string name = repeated ? expandIndex(parameter.name, layer) : parameter.name;
  std::vector<int64_t> fileShape = parameter.checkpointShape.value_or(type.getShape().vec());
  auto init =
      nn::InitAttr::get(builder.getContext(), initKind(parameter.init.kind), parameter.init.a, parameter.init.b);
  SmallVector<std::string> aliases;
  for (const std::string &alias : parameter.checkpointAliases)
    aliases.push_back(repeated ? expandIndex(alias, layer) : alias);
  ArrayAttr aliasNames =
      aliases.empty() ? ArrayAttr() : builder.getStrArrayAttr(SmallVector<StringRef>(aliases.begin(), aliases.end()));
  nn::ParameterOp::create(builder, loc(name), builder.getStringAttr(name), TypeAttr::get(type), init,
                          builder.getStringAttr(repeated ? expandIndex(file, layer) : file),
                          builder.getDenseI64ArrayAttr(fileShape), aliasNames,
                          parameter.zeroRow ? builder.getI64IntegerAttr(*parameter.zeroRow) : IntegerAttr(),
                          builder.getBoolAttr(parameter.weightDecay.value_or(fileShape.size() >= 2)));
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

SmallVector<Value> ModuleBuilder::buildMatmul(const GraphOp &op, ValueRange in, const CheckedBlock &block, Type type) {
  // The result's letters are those before `rename`.
  TensorShape result;
  const TensorShape &lhs = block.shapes.at(op.inputs[0]), &rhs = block.shapes.at(op.inputs[1]);
  std::vector<std::string> names = op.attributes.result ? *op.attributes.result : defaultMatmulResult(lhs, rhs);
  for (const std::string &name : names)
    result.dims.push_back({name, checked.dimSizes.at(name)});
  std::string subscripts = einsumSubscripts(dimNames, lhs, rhs, result);
  return {nn::MatmulOp::create(builder, loc(op.name), type, in[0], in[1], builder.getStringAttr(subscripts))};
}

SmallVector<Value> ModuleBuilder::buildAttention(const GraphOp &op, ValueRange in, Type type) {
  auto tensor = cast<RankedTensorType>(type);
  double scale = op.attributes.scale.value_or(1.0 / std::sqrt(static_cast<double>(tensor.getShape().back())));
  double rate = options.dropout ? op.attributes.rate.value_or(0.0) : 0.0;
  scalarsUsed = true;
  SmallVector<Value> operands = {in[0], in[1], in[2], scalars};
  llvm::append_range(operands, in.drop_front(3)); // The mask.
  auto attention = nn::AttentionOp::create(
      builder, loc(op.name), TypeRange{type, statisticsType(type, tensor.getRank() - 1)}, operands,
      ArrayRef<NamedAttribute>{builder.getNamedAttr("causal", builder.getBoolAttr(op.attributes.causal.value_or(true))),
                               builder.getNamedAttr("scale", builder.getF64FloatAttr(scale)),
                               builder.getNamedAttr("rate", builder.getF64FloatAttr(rate)),
                               builder.getNamedAttr("dropout_key", builder.getI64IntegerAttr(nextDropoutKey++))});
  return {attention.getResult()};
}

Value ModuleBuilder::buildRotary(const GraphOp &op, ValueRange in, Type type) {
  FloatAttr factor, low, high;
  IntegerAttr original;
  if (const auto &scaling = op.attributes.scaling) {
    factor = builder.getF64FloatAttr(scaling->factor);
    low = builder.getF64FloatAttr(scaling->lowFrequencyFactor);
    high = builder.getF64FloatAttr(scaling->highFrequencyFactor);
    original = builder.getI64IntegerAttr(scaling->originalPositions);
  }
  return nn::RotaryOp::create(builder, loc(op.name), type, in[0], in[1],
                              builder.getF64FloatAttr(op.attributes.theta.value_or(10000)), builder.getBoolAttr(false),
                              factor, low, high, original);
}

SmallVector<Value> ModuleBuilder::buildUnpack(const GraphOp &op, ValueRange in, const CheckedBlock &block) {
  const TensorShape &input = block.shapes.at(op.inputs[0]);
  auto at = llvm::find_if(input.dims, [&](const TensorShape::Dim &dim) { return dim.name == *op.attributes.dim; });
  SmallVector<Type> types;
  for (const std::string &name : op.outputs)
    types.push_back(typeOf(block.shapes.at(name)));
  auto unpack =
      nn::UnpackOp::create(builder, loc(op.name), types, in[0], builder.getI64IntegerAttr(at - input.dims.begin()));
  return SmallVector<Value>(unpack->getResults());
}

SmallVector<Value> ModuleBuilder::buildOp(const GraphOp &op, ValueRange in, const CheckedBlock &block) {
  Location at = loc(op.name);
  if (op.kind == "unpack")
    return buildUnpack(op, in, block);
  RankedTensorType type = typeOf(block.shapes.at(op.outputs[0]));
  if (op.kind == "matmul")
    return buildMatmul(op, in, block, type);
  if (op.kind == "attention")
    return buildAttention(op, in, type);
  if (op.kind == "add")
    return {nn::AddOp::create(builder, at, type, in[0], in[1])};
  if (op.kind == "mul")
    return {nn::MulOp::create(builder, at, type, in[0], in[1])};
  if (op.kind == "embedding")
    return {nn::EmbeddingOp::create(builder, at, type, in[0], in[1],
                                    op.attributes.paddingRow ? builder.getI64IntegerAttr(*op.attributes.paddingRow)
                                                             : IntegerAttr())};
  if (op.kind == "activation") {
    auto kind = nn::symbolizeActivationKind(*op.attributes.kind).value_or(nn::ActivationKind::relu);
    return {nn::ActivationOp::create(builder, at, type, in[0], kind)};
  }
  if (op.kind == "layer_norm") {
    RankedTensorType statistics = statisticsType(type, type.getRank() - 1);
    auto norm = nn::LayerNormOp::create(builder, at, type, statistics, statistics, in[0], in[1], in[2],
                                        builder.getF64FloatAttr(*op.attributes.epsilon));
    return {norm.getResult()};
  }
  if (op.kind == "rms_norm") {
    auto norm = nn::RmsNormOp::create(builder, at, type, statisticsType(type, type.getRank() - 1), in[0], in[1],
                                      builder.getF64FloatAttr(*op.attributes.epsilon));
    return {norm.getResult()};
  }
  if (op.kind == "rotary")
    return {buildRotary(op, in, type)};
  if (op.kind == "dropout") {
    int64_t key = nextDropoutKey++; // Also when it is off: other ops keep their keys.
    if (!options.dropout || *op.attributes.rate == 0.0)
      return {in[0]};
    scalarsUsed = true;
    return {nn::DropoutOp::create(builder, at, type, in[0], scalars, builder.getF64FloatAttr(*op.attributes.rate),
                                  builder.getI64IntegerAttr(key))};
  }
  if (op.kind == "squared_error")
    return {nn::SquaredErrorOp::create(builder, at, statisticsType(in[0].getType(), 0), in[0], in[1])};
  // What is left in the table of ops: cross_entropy.
  scalarsUsed = true;
  return {nn::buildCrossEntropy(builder, at, in[0], in[1], scalars)};
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

static RankedTensorType scalarsType(Builder &builder) {
  return RankedTensorType::get({nn::kNumScalars}, builder.getF64Type());
}

BuiltBlock ModuleBuilder::buildBlock(size_t index) {
  const GraphBlock &block = graph.blocks[index];
  const CheckedBlock &info = checked.blocks[index];
  SmallVector<Type> argumentTypes;
  std::vector<std::string> names = info.values;
  llvm::append_range(names, info.parameters);
  for (const std::string &name : names)
    argumentTypes.push_back(typeOf(info.shapes.at(name)));
  argumentTypes.push_back(scalarsType(builder));

  OpBuilder::InsertionGuard guard(builder);
  auto function =
      func::FuncOp::create(builder, loc(block.name), block.name, builder.getFunctionType(argumentTypes, {}));
  function.setPrivate();
  Block *body = function.addEntryBlock();
  builder.setInsertionPointToStart(body);
  std::map<std::string, Value> values;
  for (auto [name, argument] : llvm::zip(names, body->getArguments())) {
    argument.setLoc(loc(name));
    values[name] = argument;
  }
  scalars = body->getArguments().back();
  scalarsUsed = false;
  for (const GraphOp &op : block.ops) {
    SmallVector<Value> in;
    for (const std::string &name : op.inputs)
      in.push_back(values.at(name));
    for (auto [name, value] : llvm::zip(op.outputs, buildOp(op, in, info)))
      values[name] = value;
  }
  SmallVector<Value> results;
  for (const std::string &name : info.results)
    results.push_back(values.at(name));
  func::ReturnOp::create(builder, loc(block.name), results);
  if (!scalarsUsed) {
    body->eraseArgument(body->getNumArguments() - 1);
    argumentTypes.pop_back();
  }
  function.setFunctionType(builder.getFunctionType(argumentTypes, ValueRange(results).getTypes()));
  return {function, scalarsUsed, 0};
}

DictionaryAttr ModuleBuilder::inputAttributes(const GraphInput &input) {
  NamedAttrList attributes;
  attributes.set(nn::kInputAttr, builder.getStringAttr(input.name));
  attributes.set(nn::kInputRoleAttr, builder.getStringAttr(input.role));
  attributes.set(nn::kInputRangeAttr, builder.getF64ArrayAttr({input.low, input.high}));
  SmallVector<StringRef> names(input.dims.begin(), input.dims.end());
  attributes.set(nn::kDimNamesAttr, builder.getStrArrayAttr(names));
  for (const Dimension &dim : graph.dims) {
    auto at = llvm::find(input.dims, dim.name);
    if (dim.role == Dimension::Role::Plain || at == input.dims.end())
      continue;
    auto name = dim.role == Dimension::Role::Batch ? nn::kBatchDimAttr : nn::kSequenceDimAttr;
    attributes.set(name, builder.getI64IntegerAttr(at - input.dims.begin()));
  }
  return attributes.getDictionary(builder.getContext());
}

func::FuncOp ModuleBuilder::buildStepFunction(std::map<std::string, Value> &values) {
  SmallVector<Type> types;
  SmallVector<DictionaryAttr> attributes;
  for (const GraphInput &input : graph.inputs) {
    TensorShape shape;
    shape.type = input.type;
    for (const std::string &dim : input.dims)
      shape.dims.push_back({dim, checked.dimSizes.at(dim)});
    types.push_back(typeOf(shape));
    attributes.push_back(inputAttributes(input));
  }
  types.push_back(scalarsType(builder));
  attributes.push_back(
      builder.getDictionaryAttr({builder.getNamedAttr(nn::kInputAttr, builder.getStringAttr("scalars")),
                                 builder.getNamedAttr(nn::kInputRoleAttr, builder.getStringAttr("scalars"))}));
  auto step = func::FuncOp::create(builder, loc("step"), nn::kStepFunction, builder.getFunctionType(types, {}));
  step.setAllArgAttrs(attributes);
  Block *body = step.addEntryBlock();
  for (auto [input, argument] : llvm::zip(graph.inputs, body->getArguments())) {
    argument.setLoc(loc(input.name));
    values[input.name] = argument;
  }
  builder.setInsertionPointToStart(body);
  return step;
}

Value ModuleBuilder::readParameter(const std::string &name, const TensorShape &shape, Location at) {
  return nn::ReadParameterOp::create(builder, at, typeOf(shape), FlatSymbolRefAttr::get(builder.getContext(), name),
                                     nn::ParameterSlotAttr::get(builder.getContext(), nn::ParameterSlot::value));
}

void ModuleBuilder::callBlock(size_t index, const BuiltBlock &built, Value stepScalars,
                              std::map<std::string, Value> &values) {
  const GraphBlock &block = graph.blocks[index];
  const CheckedBlock &info = checked.blocks[index];
  std::map<std::string, Value> carried;
  for (const Carry &carry : block.carries)
    carried[carry.name] = values.at(carry.from);
  for (int64_t layer = 0; layer < block.repeat; ++layer) {
    SmallVector<Value> operands;
    for (const std::string &name : info.values)
      operands.push_back(carried.count(name) ? carried[name] : values.at(name));
    for (const std::string &name : info.parameters) {
      // Read where it is used: a shared one once a call, which later phases may merge inside `@step`.
      std::string symbol = block.repeated ? expandIndex(name, block.firstLayer + layer) : name;
      operands.push_back(readParameter(symbol, info.shapes.at(name), loc(symbol)));
    }
    if (built.scalars)
      operands.push_back(stepScalars);
    auto call = func::CallOp::create(builder, loc(block.name), built.function, operands);
    call->setAttr(nn::kInstanceAttr, builder.getI64IntegerAttr(built.firstInstance + layer));
    for (auto [carry, result] : llvm::zip(block.carries, call.getResults()))
      carried[carry.name] = result;
    if (!block.repeated)
      for (auto [name, result] : llvm::zip(info.results, call.getResults()))
        values[name] = result;
  }
  for (const Carry &carry : block.carries)
    values[carry.result] = carried[carry.name];
}

void ModuleBuilder::buildStep(ArrayRef<BuiltBlock> blocks) {
  std::map<std::string, Value> values;
  func::FuncOp step = buildStepFunction(values);
  Value stepScalars = step.getArguments().back();
  for (size_t i = 0; i < blocks.size(); ++i)
    callBlock(i, blocks[i], stepScalars, values);
  Value loss = values.at(graph.loss);
  func::ReturnOp::create(builder, loc("step"), loss);
  step.setFunctionType(builder.getFunctionType(step.getArgumentTypes(), loss.getType()));
  step.setResultAttr(0, nn::kOutputAttr, builder.getStringAttr("loss"));
}

OwningOpRef<ModuleOp> ModuleBuilder::run() {
  OwningOpRef<ModuleOp> module = ModuleOp::create(loc(options.fileName), graph.name);
  builder.setInsertionPointToStart(module->getBody());
  (*module)->setAttr(nn::kModelAttr, builder.getStringAttr(graph.name));
  (*module)->setAttr(nn::kOptimizerAttr, builder.getStringAttr(options.optimizer));
  for (const Dimension &dim : graph.dims)
    if (dim.role == Dimension::Role::Sequence)
      (*module)->setAttr("nn.sequence", builder.getI64IntegerAttr(dim.size));
  for (const GraphParameter &parameter : graph.parameters)
    buildParameter(parameter, false, 0);
  for (const GraphBlock &block : graph.blocks)
    for (int64_t layer = 0; layer < block.repeat; ++layer)
      for (const GraphParameter &parameter : block.parameters)
        buildParameter(parameter, block.repeated, block.firstLayer + layer);
  SmallVector<BuiltBlock> blocks;
  std::map<std::string, BuiltBlock> functions; // By fingerprint; firstInstance is the next one's.
  for (auto [i, block] : llvm::enumerate(graph.blocks)) {
    auto [it, inserted] = functions.try_emplace(blockFingerprint(block, checked.blocks[i]));
    if (inserted)
      it->second = buildBlock(i);
    blocks.push_back(it->second);
    it->second.firstInstance += block.repeat;
  }
  buildStep(blocks);
  return module;
}

OwningOpRef<ModuleOp> target::buildModule(MLIRContext &context, const CheckedGraph &checked,
                                          const ModelOptions &options) {
  context.loadDialect<nn::NNDialect, func::FuncDialect>();
  return ModuleBuilder(context, checked, options).run();
}
