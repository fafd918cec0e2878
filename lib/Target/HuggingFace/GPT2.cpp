//===- GPT2.cpp - model_type gpt2 ------------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// GPT2LMHeadModel of transformers: learned positions, pre-norm blocks, the q, k and v
// projections packed in one matrix (kept as a dimension of its own), weights as
// [in, out] (Conv1D), head tied to the embedding unless the config says otherwise.
//
//===----------------------------------------------------------------------===//

#include "ConfigKeys.h"
#include "modelpar/Target/HuggingFace/HuggingFace.h"

#include <cmath>

using namespace modelpar;
using namespace modelpar::target;

namespace {
struct GPT2Config {
  int64_t vocab, positions, width, layers, heads, inner;
  std::string activation;
  double epsilon, initRange;
  double embedDropout, attentionDropout, residualDropout;
  bool scaleAttention, scaleByLayer, causal, tied;
};
} // namespace

static GPT2Config readConfig(json::Object &config) {
  KeyReader keys(config);
  GPT2Config c;
  c.vocab = config.optionalInteger("vocab_size", 1, int64_t(1) << 31).value_or(50257);
  c.positions = keys.size("n_positions", "max_position_embeddings", 1024);
  c.width = keys.size("n_embd", "hidden_size", 768);
  c.layers = keys.size("n_layer", "num_hidden_layers", 12);
  c.heads = keys.size("n_head", "num_attention_heads", 12);
  c.inner = config.optionalInteger("n_inner", 1, kMaxDimSize).value_or(std::min(c.width, kMaxDimSize / 4) * 4);
  c.activation = keys.activation("activation_function", "gelu_new");
  c.epsilon = config.optionalNumber("layer_norm_epsilon", 0).value_or(1e-5);
  c.initRange = config.optionalNumber("initializer_range", 0).value_or(kInitializerRange);
  c.embedDropout = keys.rate("embd_pdrop", 0.1);
  c.attentionDropout = keys.rate("attn_pdrop", 0.1);
  c.residualDropout = keys.rate("resid_pdrop", 0.1);
  c.scaleAttention = keys.flag("scale_attn_weights", true);
  c.scaleByLayer = keys.flag("scale_attn_by_inverse_layer_idx", false);
  c.causal = keys.flag("is_causal", true);
  c.tied = keys.flag("tie_word_embeddings", true);
  if (c.width % c.heads != 0)
    config.error("n_embd", std::to_string(c.width) + " is not divisible by n_head = " + std::to_string(c.heads));
  keys.layers("n_layer", c.layers);
  keys.weight("vocab_size", c.vocab, "n_embd", c.width);
  keys.weight("n_positions", c.positions, "n_embd", c.width);
  keys.weight("n_embd", c.width, "3 · n_embd", 3 * c.width);
  keys.weight("n_inner", c.inner, "n_embd", c.width);
  // n_ctx is an old name of n_positions that files still have.
  if (auto context = config.optionalInteger("n_ctx", 1, kMaxDimSize); context && *context != c.positions)
    config.error("n_ctx", std::to_string(*context) + " contradicts n_positions = " + std::to_string(c.positions));
  return c;
}

namespace {
/// Builds the blocks of one config.
class GPT2 {
public:
  explicit GPT2(const GPT2Config &config) : c(config) {}
  GraphBlock embed();
  /// All layers as one block, or one block for each when they are not alike.
  std::vector<GraphBlock> layers();
  GraphBlock head();

private:
  /// `count` layers from `first` on, whose scores are divided by `divisor`.
  GraphBlock layer(int64_t first, int64_t count, double divisor);
  Initializer normal(double scale = 1) const { return {"normal", 0, c.initRange * scale}; }
  Initializer normalEmbedding() const { return {"normal", 0, orDefaultRange(c.initRange)}; }
  void parameter(GraphBlock &block, std::string name, std::vector<std::string> dims, Initializer init,
                 std::optional<std::vector<int64_t>> fileShape = std::nullopt) const {
    GraphParameter p;
    p.name = name;
    p.dims = std::move(dims);
    p.init = std::move(init);
    nameInCheckpoint(p, "transformer.", c.tied && name == "wte.weight");
    p.checkpointShape = std::move(fileShape);
    block.parameters.push_back(std::move(p));
  }
  void layerNorm(GraphBlock &block, const std::string &prefix, const std::string &name,
                 const std::string &input) const {
    parameter(block, prefix + name + ".weight", {"hidden"}, {"ones"});
    parameter(block, prefix + name + ".bias", {"hidden"}, {"zeros"});
    OpAttributes attributes;
    attributes.epsilon = c.epsilon;
    block.ops.push_back(
        makeOp("layer_norm", name, {input, prefix + name + ".weight", prefix + name + ".bias"}, {name}, attributes));
  }
  /// x·w + b, with the result's dims being `out`; `fileShapes` as in the checkpoint.
  void linear(GraphBlock &block, const std::string &name, const std::string &input, std::vector<std::string> in,
              std::vector<std::string> out, Initializer init, std::vector<int64_t> fileShape) const {
    std::string w = "h.{i}." + name + ".weight", b = "h.{i}." + name + ".bias";
    std::vector<std::string> dims = in;
    dims.insert(dims.end(), out.begin(), out.end());
    parameter(block, w, dims, std::move(init), fileShape);
    parameter(block, b, out, {"zeros"}, std::vector<int64_t>{fileShape[1]});
    block.ops.push_back(makeOp("matmul", name, {input, w}, {name + ".product"}));
    block.ops.push_back(makeOp("add", name + ".bias", {name + ".product", b}, {name}));
  }
  void dropout(GraphBlock &block, const std::string &name, const std::string &input, double rate) const {
    OpAttributes attributes;
    attributes.rate = rate;
    block.ops.push_back(makeOp("dropout", name, {input}, {name}, attributes));
  }

  const GPT2Config &c;
};
} // namespace

GraphBlock GPT2::embed() {
  GraphBlock block;
  block.name = "embed";
  parameter(block, "wte.weight", {"vocab", "hidden"}, normalEmbedding());
  parameter(block, "wpe.weight", {"positions", "hidden"}, normalEmbedding());
  block.ops.push_back(makeOp("embedding", "wte", {"tokens", "wte.weight"}, {"wte"}));
  block.ops.push_back(makeOp("embedding", "wpe", {"positions", "wpe.weight"}, {"wpe"}));
  block.ops.push_back(makeOp("add", "embedding", {"wte", "wpe"}, {"embedding"}));
  dropout(block, "drop", "embedding", c.embedDropout);
  return block;
}

std::vector<GraphBlock> GPT2::layers() {
  if (!c.scaleByLayer)
    return {layer(0, c.layers, 1)};
  std::vector<GraphBlock> blocks;
  for (int64_t i = 0; i < c.layers; ++i)
    blocks.push_back(layer(i, 1, static_cast<double>(i + 1)));
  return blocks;
}

GraphBlock GPT2::layer(int64_t first, int64_t count, double divisor) {
  GraphBlock block;
  auto result = [&](int64_t layer) { return layer == c.layers ? "hidden" : "hidden." + std::to_string(layer); };
  block.name = count == c.layers ? "h" : "h" + std::to_string(first);
  block.repeated = true;
  block.repeat = count;
  block.firstLayer = first;
  block.carries.push_back({"x", first ? result(first) : "drop", "mlp", result(first + count), ""});
  // "Scale the weights of residual layers at initialisation by 1/√N", N = 2 · layers (GPT-2 paper).
  double residual = 1 / std::sqrt(2.0 * static_cast<double>(c.layers));

  layerNorm(block, "h.{i}.", "ln_1", "x");
  linear(block, "attn.c_attn", "ln_1", {"hidden"}, {"qkv", "heads", "dim"}, normal(), {c.width, 3 * c.width});
  OpAttributes unpack;
  unpack.dim = "qkv";
  block.ops.push_back(makeOp("unpack", "attn.qkv", {"attn.c_attn"}, {"attn.q", "attn.k", "attn.v"}, unpack));
  OpAttributes attention;
  attention.causal = c.causal;
  attention.rate = c.attentionDropout;
  attention.scale = (c.scaleAttention ? 1 / std::sqrt(static_cast<double>(c.width / c.heads)) : 1.0) / divisor;
  block.ops.push_back(makeOp("attention", "attn.core", {"attn.q", "attn.k", "attn.v"}, {"attn.core"}, attention));
  linear(block, "attn.c_proj", "attn.core", {"heads", "dim"}, {"hidden"}, normal(residual), {c.width, c.width});
  dropout(block, "attn.resid_dropout", "attn.c_proj", c.residualDropout);
  block.ops.push_back(makeOp("add", "attn.residual", {"attn.resid_dropout", "x"}, {"attn"}));

  layerNorm(block, "h.{i}.", "ln_2", "attn");
  linear(block, "mlp.c_fc", "ln_2", {"hidden"}, {"inner"}, normal(), {c.width, c.inner});
  OpAttributes act;
  act.kind = c.activation;
  block.ops.push_back(makeOp("activation", "mlp.act", {"mlp.c_fc"}, {"mlp.act"}, act));
  linear(block, "mlp.c_proj", "mlp.act", {"inner"}, {"hidden"}, normal(residual), {c.inner, c.width});
  dropout(block, "mlp.dropout", "mlp.c_proj", c.residualDropout);
  block.ops.push_back(makeOp("add", "mlp.residual", {"mlp.dropout", "attn"}, {"mlp"}));
  return block;
}

GraphBlock GPT2::head() {
  GraphBlock block;
  block.name = "head";
  layerNorm(block, "", "ln_f", "hidden");
  if (!c.tied)
    parameter(block, "lm_head.weight", {"vocab", "hidden"}, normalEmbedding());
  block.ops.push_back(makeOp("matmul", "lm_head", {"ln_f", c.tied ? "wte.weight" : "lm_head.weight"}, {"logits"}));
  block.ops.push_back(makeOp("cross_entropy", "loss", {"logits", "targets"}, {"loss"}));
  return block;
}

Graph target::readGPT2(json::Object &config, const ModelOptions &options) {
  size_t before = config.errors().messages().size();
  GPT2Config c = readConfig(config);
  int64_t sequence = options.sequence.value_or(c.positions);
  if (sequence > c.positions)
    config.error("n_positions", "--seq=" + std::to_string(sequence) + " is longer than the " +
                                    std::to_string(c.positions) + " positions of the model");
  Graph graph;
  if (config.errors().messages().size() != before)
    return graph; // What follows would only repeat it.
  using Role = Dimension::Role;
  graph.dims = {{"batch", options.globalBatch, Role::Batch},
                {"seq", sequence, Role::Sequence},
                {"hidden", c.width},
                {"vocab", c.vocab},
                {"positions", c.positions},
                {"qkv", 3},
                {"heads", c.heads},
                {"dim", c.width / c.heads},
                {"inner", c.inner}};
  auto input = [&](const char *name, std::vector<std::string> dims, int64_t high) {
    graph.inputs.push_back({name, std::move(dims), ElementType::Integer, name, 0, static_cast<double>(high), ""});
  };
  input("tokens", {"batch", "seq"}, c.vocab);
  input("positions", {"seq"}, c.positions);
  input("targets", {"batch", "seq"}, c.vocab);
  GPT2 model(c);
  graph.blocks = model.layers();
  graph.blocks.insert(graph.blocks.begin(), model.embed());
  graph.blocks.push_back(model.head());
  graph.loss = "loss";
  return graph;
}
