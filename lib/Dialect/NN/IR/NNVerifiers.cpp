//===- NNVerifiers.cpp - constraints of nn ops ----------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The constraints C1..Cn of each op's description. Shapes and element types are
// compared, never types: an encoding may say how a tensor is sharded, and its
// shape is the global one all the same.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Dialect/NN/IR/NN.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace modelpar;
using namespace modelpar::nn;

namespace {

using Shape = ArrayRef<int64_t>;

Shape shapeOf(Value value) { return cast<RankedTensorType>(value.getType()).getShape(); }
Type elementOf(Value value) { return cast<RankedTensorType>(value.getType()).getElementType(); }

std::string toString(Shape shape) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << '[';
  llvm::interleaveComma(shape, os);
  os << ']';
  return text;
}

LogicalResult requireShape(Operation *op, const Twine &what, Value value, Shape expected) {
  if (shapeOf(value) == expected)
    return success();
  return op->emitOpError() << what << " has shape " << toString(shapeOf(value)) << ", expected " << toString(expected);
}

LogicalResult requireElement(Operation *op, const Twine &what, Value value, Type expected) {
  if (elementOf(value) == expected)
    return success();
  return op->emitOpError() << what << " has element type " << elementOf(value) << ", expected " << expected;
}

/// Shape and element type of another value.
LogicalResult requireLike(Operation *op, const Twine &what, Value value, Value other) {
  return success(succeeded(requireShape(op, what, value, shapeOf(other))) &&
                 succeeded(requireElement(op, what, value, elementOf(other))));
}

LogicalResult requireStatistics(Operation *op, const Twine &what, Value value, Shape shape, Value of) {
  return success(succeeded(requireShape(op, what, value, shape)) &&
                 succeeded(requireElement(op, what, value, getStatisticsType(elementOf(of)))));
}

LogicalResult requireRank(Operation *op, const Twine &what, Value value, size_t least) {
  if (shapeOf(value).size() >= least)
    return success();
  return op->emitOpError() << what << " has shape " << toString(shapeOf(value)) << ", expected at least " << least
                           << (least == 1 ? " dimension" : " dimensions");
}

LogicalResult requireScalars(Operation *op, Value scalars) {
  return requireShape(op, "scalars", scalars, {kNumScalars});
}

LogicalResult requireRate(Operation *op, APFloat rate) {
  double value = rate.convertToDouble();
  if (value >= 0 && value < 1)
    return success();
  return op->emitOpError() << "rate is " << value << ", expected at least 0 and below 1";
}

/// All operands and results like the first operand.
LogicalResult requireAllAlike(Operation *op) {
  for (auto [i, operand] : llvm::enumerate(op->getOperands()))
    if (failed(requireLike(op, "operand #" + Twine(i), operand, op->getOperand(0))))
      return failure();
  for (auto [i, result] : llvm::enumerate(op->getResults()))
    if (failed(requireLike(op, "result #" + Twine(i), result, op->getOperand(0))))
      return failure();
  return success();
}

LogicalResult requireOperands(Operation *op) {
  if (op->getNumOperands() > 0)
    return success();
  return op->emitOpError() << "has no operand, expected at least one";
}

} // namespace

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

LogicalResult ParameterOp::verify() {
  auto type = cast<RankedTensorType>(getType());
  // C1
  int64_t elements = 1;
  for (int64_t size : getCheckpointShape()) {
    if (size <= 0)
      return emitOpError() << "checkpoint shape " << toString(getCheckpointShape()) << " has an extent below 1";
    if (__builtin_mul_overflow(elements, size, &elements))
      return emitOpError() << "checkpoint shape " << toString(getCheckpointShape()) << " has more than 2^63 elements";
  }
  if (elements != type.getNumElements())
    return emitOpError() << "checkpoint shape " << toString(getCheckpointShape()) << " has " << elements
                         << " elements, expected " << type.getNumElements() << " as in " << toString(type.getShape());
  // C2
  int64_t rows = type.getRank() ? type.getDimSize(0) : 0;
  if (std::optional<int64_t> row = getZeroRow(); row && (*row < 0 || *row >= rows))
    return emitOpError() << "zero_row is " << *row << ", expected one of " << rows << " rows";
  return success();
}

/// The parameter exists and `value` has its shape (C1) and element type (C2; moments are f32, or f64 for f64).
static LogicalResult verifyParameterUse(Operation *op, SymbolTableCollection &symbols, FlatSymbolRefAttr name,
                                        ParameterSlot slot, Value value) {
  auto parameter = symbols.lookupNearestSymbolFrom<ParameterOp>(op, name);
  if (!parameter)
    return op->emitOpError() << "names " << name << ", which is not an nn.parameter";
  auto type = cast<RankedTensorType>(parameter.getType());
  Type element = slot == ParameterSlot::value ? type.getElementType() : getStatisticsType(type.getElementType());
  auto actual = cast<RankedTensorType>(value.getType());
  if (actual.getShape() == type.getShape() && actual.getElementType() == element)
    return success();
  auto diag = op->emitOpError() << "has type " << actual << ", expected shape " << toString(type.getShape()) << " of "
                                << element;
  diag.attachNote(parameter.getLoc()) << "parameter " << name << " is declared here";
  return diag;
}

LogicalResult ReadParameterOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyParameterUse(*this, symbols, getParameterAttr(), getSlot(), getResult());
}

LogicalResult WriteParameterOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyParameterUse(*this, symbols, getParameterAttr(), getSlot(), getValue());
}

LogicalResult GradientOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyParameterUse(*this, symbols, getParameterAttr(), ParameterSlot::value, getValue());
}

//===----------------------------------------------------------------------===//
// Linear algebra and elementwise
//===----------------------------------------------------------------------===//

LogicalResult MatmulOp::verify() {
  StringRef text = getSubscripts();
  // C1
  auto isLetters = [](StringRef part) { return llvm::all_of(part, [](char c) { return llvm::isAlpha(c); }); };
  auto [terms, output] = text.split("->");
  auto [left, right] = terms.split(',');
  if (text.count("->") != 1 || text.count(',') != 1 || !terms.contains(',') || !isLetters(left) || !isLetters(right) ||
      !isLetters(output))
    return emitOpError() << "subscripts \"" << text << "\" do not have the form \"ab,bc->ac\"";
  std::map<char, int64_t> sizes;
  std::map<char, int> uses;
  std::tuple<StringRef, StringRef, Value> tensors[] = {
      {"lhs", left, getLhs()}, {"rhs", right, getRhs()}, {"result", output, getResult()}};
  for (auto [name, letters, value] : tensors) {
    // C2
    if (letters.size() != shapeOf(value).size())
      return emitOpError() << name << " has " << shapeOf(value).size() << " dimensions, but subscripts \"" << text
                           << "\" give it " << letters.size();
    for (auto [dim, letter] : llvm::enumerate(letters)) {
      // C3
      if (letters.count(letter) != 1)
        return emitOpError() << "subscripts \"" << text << "\" have '" << Twine(letter) << "' twice in " << name;
      // C4
      int64_t size = shapeOf(value)[dim];
      auto [it, isNew] = sizes.try_emplace(letter, size);
      if (it->second != size)
        return emitOpError() << name << " dim " << dim << " ('" << Twine(letter) << "') has size " << size
                             << ", expected " << it->second;
      ++uses[letter];
    }
  }
  // C5
  for (auto [letter, count] : uses)
    if (count < 2)
      return emitOpError() << "subscripts \"" << text << "\" have '" << Twine(letter)
                           << "' in one tensor only, expected in two or three";
  // C6
  if (failed(requireElement(*this, "rhs", getRhs(), elementOf(getLhs()))))
    return failure();
  return requireElement(*this, "result", getResult(), elementOf(getLhs()));
}

LogicalResult AddOp::verify() {
  Shape left = shapeOf(getLhs()), right = shapeOf(getRhs());
  // C1
  if (right.size() > left.size() || left.take_back(right.size()) != right)
    return emitOpError() << "rhs has shape " << toString(right) << ", expected " << toString(left)
                         << " or its last dimensions";
  // C2
  if (failed(requireElement(*this, "rhs", getRhs(), elementOf(getLhs()))))
    return failure();
  return requireLike(*this, "result", getResult(), getLhs());
}

LogicalResult MulOp::verify() { return requireAllAlike(*this); } // C1

LogicalResult ReduceSumOp::verify() {
  Shape input = shapeOf(getInput()), result = shapeOf(getResult());
  // C1
  if (result.size() >= input.size() || input.take_back(result.size()) != result)
    return emitOpError() << "result has shape " << toString(result) << ", expected the last dimensions of "
                         << toString(input) << ", without at least the first";
  return requireElement(*this, "result", getResult(), elementOf(getInput())); // C2
}

LogicalResult SumOp::verify() {
  if (failed(requireOperands(*this))) // C1
    return failure();
  return requireAllAlike(*this); // C2
}

LogicalResult ActivationOp::verify() { return requireAllAlike(*this); }     // C1
LogicalResult ActivationGradOp::verify() { return requireAllAlike(*this); } // C1

LogicalResult DropoutOp::verify() {
  if (failed(requireLike(*this, "result", getResult(), getInput()))) // C1
    return failure();
  if (failed(requireScalars(*this, getScalars()))) // C2
    return failure();
  return requireRate(*this, getRate()); // C3
}

static LogicalResult verifyPacking(Operation *op, Value packed, ValueRange members, int64_t dim) {
  Shape shape = shapeOf(packed);
  // C1
  if (dim < 0 || dim >= static_cast<int64_t>(shape.size()))
    return op->emitOpError() << "dim is " << dim << ", expected a dimension of " << toString(shape);
  // C2
  if (static_cast<int64_t>(members.size()) != shape[dim])
    return op->emitOpError() << "has " << members.size() << " members, expected " << shape[dim] << ", the size of dim "
                             << dim;
  // C3
  SmallVector<int64_t> expected(shape);
  expected.erase(expected.begin() + dim);
  for (auto [i, member] : llvm::enumerate(members))
    if (failed(requireShape(op, "member #" + Twine(i), member, expected)) ||
        failed(requireElement(op, "member #" + Twine(i), member, elementOf(packed))))
      return failure();
  return success();
}

LogicalResult UnpackOp::verify() { return verifyPacking(*this, getInput(), getMembers(), getDim()); }
LogicalResult PackOp::verify() { return verifyPacking(*this, getResult(), getMembers(), getDim()); }

//===----------------------------------------------------------------------===//
// Embedding, norm, attention
//===----------------------------------------------------------------------===//

/// Rows `rows` like ids with the table's width, table of two dimensions, one element type, a row of padding in the
/// table.
static LogicalResult verifyEmbedding(Operation *op, Value ids, Value table, Value rows, StringRef tableName,
                                     StringRef rowsName, std::optional<int64_t> paddingRow) {
  // C1
  if (shapeOf(table).size() != 2)
    return op->emitOpError() << tableName << " has shape " << toString(shapeOf(table)) << ", expected two dimensions";
  // C2
  SmallVector<int64_t> expected(shapeOf(ids));
  expected.push_back(shapeOf(table)[1]);
  if (failed(requireShape(op, rowsName, rows, expected)))
    return failure();
  // C3
  if (failed(requireElement(op, "result", op->getResult(0), elementOf(op->getResult(0) == table ? rows : table))))
    return failure();
  // C4
  if (paddingRow && (*paddingRow < 0 || *paddingRow >= shapeOf(table)[0]))
    return op->emitOpError() << "padding_row is " << *paddingRow << ", expected a row of the " << shapeOf(table)[0]
                             << " of the table";
  return success();
}

LogicalResult EmbeddingOp::verify() {
  return verifyEmbedding(*this, getIds(), getTable(), getResult(), "table", "result", getPaddingRow());
}
LogicalResult EmbeddingGradOp::verify() {
  return verifyEmbedding(*this, getIds(), getResult(), getGrad(), "result", "grad", getPaddingRow());
}

/// C1 to C4 of the norms and their gradients.
static LogicalResult verifyNorm(Operation *op, Value input, ArrayRef<std::pair<StringRef, Value>> likeInput,
                                ArrayRef<std::pair<StringRef, Value>> perFeature,
                                ArrayRef<std::pair<StringRef, Value>> statistics) {
  // C1
  if (failed(requireRank(op, "input", input, 1)))
    return failure();
  // C2
  for (auto [name, value] : likeInput)
    if (failed(requireLike(op, name, value, input)))
      return failure();
  // C3
  for (auto [name, value] : perFeature)
    if (failed(requireShape(op, name, value, shapeOf(input).take_back())) ||
        failed(requireElement(op, name, value, elementOf(input))))
      return failure();
  // C4
  for (auto [name, value] : statistics)
    if (failed(requireStatistics(op, name, value, shapeOf(input).drop_back(), input)))
      return failure();
  return success();
}

static LogicalResult requireEpsilon(Operation *op, APFloat epsilon) {
  if (epsilon.convertToDouble() >= 0)
    return success();
  return op->emitOpError() << "epsilon is " << epsilon.convertToDouble() << ", expected at least 0";
}

LogicalResult LayerNormOp::verify() {
  if (failed(verifyNorm(*this, getInput(), {{"result", getResult()}}, {{"weight", getWeight()}, {"bias", getBias()}},
                        {{"mean", getMean()}, {"rstd", getRstd()}})))
    return failure();
  return requireEpsilon(*this, getEpsilon()); // C5
}

LogicalResult LayerNormInputGradOp::verify() {
  return verifyNorm(*this, getInput(), {{"grad", getGrad()}, {"result", getResult()}}, {{"weight", getWeight()}},
                    {{"mean", getMean()}, {"rstd", getRstd()}});
}

LogicalResult LayerNormWeightGradOp::verify() {
  return verifyNorm(*this, getInput(), {{"grad", getGrad()}},
                    {{"weight_grad", getWeightGrad()}, {"bias_grad", getBiasGrad()}},
                    {{"mean", getMean()}, {"rstd", getRstd()}});
}

LogicalResult RmsNormOp::verify() {
  if (failed(
          verifyNorm(*this, getInput(), {{"result", getResult()}}, {{"weight", getWeight()}}, {{"rstd", getRstd()}})))
    return failure();
  return requireEpsilon(*this, getEpsilon()); // C5
}

LogicalResult RmsNormInputGradOp::verify() {
  return verifyNorm(*this, getInput(), {{"grad", getGrad()}, {"result", getResult()}}, {{"weight", getWeight()}},
                    {{"rstd", getRstd()}});
}

LogicalResult RmsNormWeightGradOp::verify() {
  return verifyNorm(*this, getInput(), {{"grad", getGrad()}}, {{"result", getResult()}}, {{"rstd", getRstd()}});
}

LogicalResult RotaryOp::verify() {
  if (failed(requireRank(*this, "input", getInput(), 3))) // C1
    return failure();
  Shape shape = shapeOf(getInput());
  // C2
  if (shape.back() % 2 != 0)
    return emitOpError() << "input has shape " << toString(shape) << ", expected an even last dimension";
  if (failed(requireShape(*this, "positions", getPositions(), {shape[1]}))) // C3
    return failure();
  if (failed(requireLike(*this, "result", getResult(), getInput()))) // C4
    return failure();
  // C5
  if (!(getTheta().convertToDouble() > 0))
    return emitOpError() << "theta is " << getTheta().convertToDouble() << ", expected more than 0";
  // C6
  std::optional<APFloat> factor = getFactor(), low = getLowFreqFactor(), high = getHighFreqFactor();
  std::optional<uint64_t> original = getOriginalMaxPositionEmbeddings();
  int present = factor.has_value() + low.has_value() + high.has_value() + original.has_value();
  if (present == 0)
    return success();
  if (present != 4)
    return emitOpError() << "has " << present << " of factor, low_freq_factor, high_freq_factor and "
                         << "original_max_position_embeddings, expected all or none";
  // C7
  if (!(factor->convertToDouble() >= 1))
    return emitOpError() << "factor is " << factor->convertToDouble() << ", expected at least 1";
  if (!(low->convertToDouble() > 0 && low->convertToDouble() < high->convertToDouble()))
    return emitOpError() << "low_freq_factor is " << low->convertToDouble() << " and high_freq_factor "
                         << high->convertToDouble() << ", expected 0 < low_freq_factor < high_freq_factor";
  if (static_cast<int64_t>(*original) < 1)
    return emitOpError() << "original_max_position_embeddings is " << static_cast<int64_t>(*original)
                         << ", expected at least 1";
  return success();
}

/// C7 of attention and its gradient.
static LogicalResult verifyMask(Operation *op, Value query, Value key, Value mask) {
  if (!mask)
    return success();
  Shape found = shapeOf(mask), q = shapeOf(query);
  int64_t full[] = {q[0], q[1], shapeOf(key)[1]};
  if (found != Shape(full) && found != Shape(full).drop_front())
    return op->emitOpError() << "mask has shape " << toString(found) << ", expected "
                             << toString(Shape(full).drop_front()) << " or " << toString(full);
  return requireElement(op, "mask", mask, getStatisticsType(elementOf(query)));
}

/// C1 to C7 of attention and its gradient.
static LogicalResult verifyAttention(Operation *op, Value query, Value key,
                                     ArrayRef<std::pair<StringRef, Value>> likeQuery,
                                     ArrayRef<std::pair<StringRef, Value>> likeKey, Value lse, Value scalars,
                                     APFloat rate, Value mask) {
  Shape q = shapeOf(query), k = shapeOf(key);
  // C1
  if (q.size() != 4 && q.size() != 5)
    return op->emitOpError() << "query has shape " << toString(q) << ", expected [b, s, g, d] or [b, s, g, r, d]";
  // C2
  if (k.size() != 4 || k[0] != q[0] || k[2] != q[2] || k[3] != q.back())
    return op->emitOpError() << "key has shape " << toString(k) << ", expected [" << q[0] << ", t, " << q[2] << ", "
                             << q.back() << "] as the query " << toString(q) << " has";
  if (failed(requireElement(op, "key", key, elementOf(query))))
    return failure();
  // C3
  for (auto [name, value] : likeQuery)
    if (failed(requireLike(op, name, value, query)))
      return failure();
  for (auto [name, value] : likeKey)
    if (failed(requireLike(op, name, value, key)))
      return failure();
  // C4
  if (failed(requireStatistics(op, "lse", lse, q.drop_back(), query)))
    return failure();
  if (failed(requireScalars(op, scalars))) // C5
    return failure();
  if (failed(requireRate(op, rate))) // C6
    return failure();
  return verifyMask(op, query, key, mask);
}

LogicalResult AttentionOp::verify() {
  return verifyAttention(*this, getQuery(), getKey(), {{"result", getResult()}}, {{"value", getValue()}}, getLse(),
                         getScalars(), getRate(), getMask());
}

LogicalResult AttentionGradOp::verify() {
  if (failed(verifyAttention(*this, getQuery(), getKey(),
                             {{"grad", getGrad()}, {"out", getOut()}, {"query_grad", getQueryGrad()}},
                             {{"value", getValue()}}, getLse(), getScalars(), getRate(), getMask())))
    return failure();
  // C3
  std::pair<StringRef, Value> gradients[] = {{"key_grad", getKeyGrad()}, {"value_grad", getValueGrad()}};
  for (auto [name, value] : gradients) {
    if (failed(requireShape(*this, name, value, shapeOf(getKey()))))
      return failure();
    Type element = elementOf(getKey()), sum = getStatisticsType(element);
    if (elementOf(value) != element && elementOf(value) != sum)
      return emitOpError() << name << " has element type " << elementOf(value) << ", expected " << element << " or "
                           << sum;
  }
  return success();
}

LogicalResult AttentionMergeOp::verify() {
  // C1
  if (failed(requireRank(*this, "out", getOut(), 1)))
    return failure();
  std::pair<StringRef, Value> outs[] = {{"part_out", getPartOut()}, {"result", getResult()}};
  for (auto [name, value] : outs)
    if (failed(requireLike(*this, name, value, getOut())))
      return failure();
  // C2
  std::pair<StringRef, Value> statistics[] = {
      {"lse", getLse()}, {"part_lse", getPartLse()}, {"result_lse", getResultLse()}};
  for (auto [name, value] : statistics)
    if (failed(requireStatistics(*this, name, value, shapeOf(getOut()).drop_back(), getOut())))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// Loss
//===----------------------------------------------------------------------===//

static LogicalResult verifySoftmaxStats(Operation *op, Value logits, Value targets,
                                        ArrayRef<std::pair<StringRef, Value>> perToken) {
  // C1
  if (failed(requireRank(op, "logits", logits, 1)))
    return failure();
  Shape tokens = shapeOf(logits).drop_back();
  if (failed(requireShape(op, "targets", targets, tokens)))
    return failure();
  // C2
  for (auto [name, value] : perToken)
    if (failed(requireStatistics(op, name, value, tokens, logits)))
      return failure();
  return success();
}

LogicalResult SoftmaxStatsOp::verify() {
  return verifySoftmaxStats(*this, getLogits(), getTargets(), {{"lse", getLse()}, {"target_logit", getTargetLogit()}});
}

LogicalResult SoftmaxStatsGradOp::verify() {
  if (failed(verifySoftmaxStats(*this, getLogits(), getTargets(),
                                {{"lse", getLse()}, {"lse_grad", getLseGrad()}, {"target_grad", getTargetGrad()}})))
    return failure();
  return requireLike(*this, "result", getResult(), getLogits()); // C3
}

LogicalResult TokenLossOp::verify() {
  Shape tokens = shapeOf(getTargets());
  // C1
  if (failed(requireShape(*this, "lse", getLse(), tokens)) ||
      failed(requireShape(*this, "target_logit", getTargetLogit(), tokens)) ||
      failed(requireElement(*this, "target_logit", getTargetLogit(), elementOf(getLse()))))
    return failure();
  // C2
  if (failed(requireStatistics(*this, "loss", getLoss(), {}, getLse())))
    return failure();
  return requireScalars(*this, getScalars()); // C3
}

LogicalResult TokenLossGradOp::verify() {
  Shape tokens = shapeOf(getTargets());
  // C1
  if (failed(requireShape(*this, "lse_grad", getLseGrad(), tokens)) ||
      failed(requireShape(*this, "target_grad", getTargetGrad(), tokens)) ||
      failed(requireElement(*this, "target_grad", getTargetGrad(), elementOf(getLseGrad()))))
    return failure();
  return requireScalars(*this, getScalars()); // C2
}

LogicalResult SquaredErrorOp::verify() {
  if (failed(requireLike(*this, "target", getTarget(), getPrediction()))) // C1
    return failure();
  return requireStatistics(*this, "loss", getLoss(), {}, getPrediction()); // C2
}

LogicalResult SquaredErrorGradOp::verify() { return requireAllAlike(*this); } // C1

//===----------------------------------------------------------------------===//
// Update
//===----------------------------------------------------------------------===//

LogicalResult SumSquaresOp::verify() {
  if (failed(requireOperands(*this))) // C1
    return failure();
  return requireStatistics(*this, "result", getResult(), {}, getInputs()[0]); // C2
}

LogicalResult ClipScaleOp::verify() {
  // C1
  if (failed(requireShape(*this, "sum_squares", getSumSquares(), {})) ||
      failed(requireLike(*this, "norm", getNorm(), getSumSquares())) ||
      failed(requireLike(*this, "scale", getScale(), getSumSquares())))
    return failure();
  return requireScalars(*this, getScalars()); // C2
}

/// The common constraints of optimizer ops.
static LogicalResult verifyUpdate(Operation *op, Value parameter, Value grad, Value newParameter, Value scale,
                                  Value scalars) {
  // C1
  if (failed(requireLike(op, "grad", grad, parameter)) ||
      failed(requireLike(op, "new_parameter", newParameter, parameter)))
    return failure();
  if (failed(requireStatistics(op, "scale", scale, {}, parameter))) // C2
    return failure();
  return requireScalars(op, scalars); // C3
}

LogicalResult AdamWOp::verify() {
  if (failed(verifyUpdate(*this, getParameter(), getGrad(), getNewParameter(), getScale(), getScalars())))
    return failure();
  // C4
  std::pair<StringRef, Value> moments[] = {{"exp_avg", getExpAvg()},
                                           {"exp_avg_sq", getExpAvgSq()},
                                           {"new_exp_avg", getNewExpAvg()},
                                           {"new_exp_avg_sq", getNewExpAvgSq()}};
  for (auto [name, value] : moments)
    if (failed(requireStatistics(*this, name, value, shapeOf(getParameter()), getParameter())))
      return failure();
  return success();
}

LogicalResult SgdOp::verify() {
  return verifyUpdate(*this, getParameter(), getGrad(), getNewParameter(), getScale(), getScalars());
}
