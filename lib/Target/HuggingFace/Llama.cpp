//===- Llama.cpp - model_type llama ----------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// LlamaForCausalLM of transformers: rotary positions in the layout of two halves,
// rms norms, a gated MLP, query heads in groups that share a key-value head, weights
// as [out, in], head not tied to the embedding unless the config says so. Query
// weights have the dimensions [groups, heads of a group, width, hidden]: row-major
// they are the checkpoint's.
//
//===----------------------------------------------------------------------===//

#include "ConfigKeys.h"
#include "modelpar/Target/HuggingFace/HuggingFace.h"
#include "modelpar/Target/ModelJSON/Ops.h"

#include <cmath>

using namespace modelpar;
using namespace modelpar::target;

namespace {
struct Rope {
  double theta = 10000;
  std::optional<RotaryScaling> scaling;
  bool operator==(const Rope &) const = default;
};

struct LlamaConfig {
  int64_t vocab, positions, width, layers, heads, groups, headWidth, inner;
  std::string activation;
  double epsilon, initRange, attentionDropout;
  Rope rope;
  std::optional<int64_t> padding;
  bool attentionBias, mlpBias, causal, tied;
};
} // namespace

/// `rope_scaling` or `rope_parameters`. Types other than llama3 are errors: they would change the angles.
static std::optional<Rope> readRope(json::Object &rope, const json::Value &fields, std::optional<double> theta,
                                    int64_t positions) {
  Rope result;
  result.theta = theta.value_or(result.theta);
  auto type = rope.optionalString("rope_type"), oldType = rope.optionalString("type");
  if (type && oldType && *type != *oldType)
    rope.error("type", "'" + oldType->substr(0, 64) + "' contradicts rope_type = '" + type->substr(0, 64) + "'");
  if (auto own = readTheta(rope, "rope_theta")) {
    if (theta && *theta != *own)
      rope.error("rope_theta", "contradicts the config's rope_theta");
    result.theta = *own;
  }
  if (rope.optionalNumber("partial_rotary_factor").value_or(1) != 1)
    rope.error("partial_rotary_factor", "is not supported, expected 1");
  const char *typeKey = rope.has("rope_type") ? "rope_type" : "type";
  static constexpr const char *kSupported = "supported: default, llama3";
  if (!rope.has(typeKey)) {
    for (auto it = fields.begin(); it != fields.end(); ++it)
      if (it.key() != "rope_theta" && it.key() != "partial_rotary_factor" && !it.value().is_null()) {
        rope.errors().add(rope.pointer(), "rope_type (or type) is missing, which '" + it.key().substr(0, 64) +
                                              "' depends on; " + kSupported);
        break;
      }
    return result;
  }
  std::string name = type ? *type : oldType.value_or("");
  if (name == "llama3")
    result.scaling = readRotaryScaling(rope, positions);
  else if (name != "default" && (type || oldType)) // Else it is no string, and reported.
    rope.error(typeKey, "'" + name.substr(0, 64) + "' is not supported; " + kSupported);
  if (name != "llama3" && name != "default")
    return std::nullopt; // Its other keys are its own.
  rope.finish();
  return result;
}

/// The angles. transformers takes all of them from `rope_scaling`, the older name, where that is not empty; we want
/// both to say the same.
static Rope readRope(json::Object &config, int64_t positions) {
  auto theta = readTheta(config, "rope_theta");
  auto original = config.optionalInteger("original_max_position_embeddings", 1, kMaxDimSize);
  std::optional<Rope> found;
  for (const char *key : {"rope_parameters", "rope_scaling"}) {
    auto rope = config.optionalObject(key);
    if (!rope || !rope->valid() || config.optionalAny(key)->empty())
      continue;
    const size_t before = config.errors().messages().size();
    auto each = readRope(*rope, *config.optionalAny(key), theta, original.value_or(positions));
    if (!each || config.errors().messages().size() != before)
      continue;
    if (original && each->scaling && each->scaling->originalPositions != *original)
      rope->error("original_max_position_embeddings", "contradicts the config's original_max_position_embeddings");
    if (found && *found != *each)
      config.error(key, "contradicts rope_parameters");
    found = each;
  }
  return found.value_or(Rope{theta.value_or(Rope().theta), std::nullopt});
}

/// The row that gets no gradient, counted from the end where it is negative.
static std::optional<int64_t> readPadding(json::Object &config, int64_t vocab) {
  auto row = config.optionalInteger("pad_token_id", -vocab, vocab - 1);
  return row && *row < 0 ? *row + vocab : row;
}

static void checkHeads(const json::Object &config, const LlamaConfig &c, bool ownWidth) {
  const char *widthKey = ownWidth ? "head_dim" : "hidden_size";
  if (!ownWidth && c.width % c.heads != 0)
    config.error(widthKey, std::to_string(c.width) + " is not divisible by num_attention_heads = " +
                               std::to_string(c.heads) + ", and there is no head_dim");
  else if (c.headWidth % 2 != 0)
    config.error(widthKey, "heads are " + std::to_string(c.headWidth) + " wide, expected an even width to rotate");
  else if (c.heads > kMaxDimSize / c.headWidth)
    config.error("head_dim", "num_attention_heads · head_dim is more than 2^40");
  if (c.heads % c.groups != 0)
    config.error("num_attention_heads",
                 std::to_string(c.heads) + " is not divisible by num_key_value_heads = " + std::to_string(c.groups));
}

static LlamaConfig readConfig(json::Object &config) {
  KeyReader keys(config);
  LlamaConfig c;
  c.vocab = config.optionalInteger("vocab_size", 1, int64_t(1) << 31).value_or(32000);
  c.positions = keys.size("max_position_embeddings", 2048);
  c.width = keys.size("hidden_size", 4096);
  c.inner = keys.size("intermediate_size", 11008);
  c.layers = keys.layers("num_hidden_layers", keys.size("num_hidden_layers", 32));
  c.heads = keys.size("num_attention_heads", 32);
  c.groups = keys.size("num_key_value_heads", c.heads);
  auto headWidth = config.optionalInteger("head_dim", 1, kMaxDimSize);
  c.headWidth = headWidth.value_or(c.width / c.heads);
  c.activation = keys.activation("hidden_act", "silu");
  c.epsilon = config.optionalNumber("rms_norm_eps", 0).value_or(1e-6);
  c.initRange = orDefaultRange(config.optionalNumber("initializer_range", 0, 1).value_or(kInitializerRange));
  c.attentionDropout = keys.rate("attention_dropout", 0);
  c.attentionBias = keys.flag("attention_bias", false);
  c.mlpBias = keys.flag("mlp_bias", false);
  c.causal = keys.flag("is_causal", true);
  c.tied = keys.flag("tie_word_embeddings", false);
  c.padding = readPadding(config, c.vocab);
  c.rope = readRope(config, c.positions);
  checkHeads(config, c, headWidth.has_value());
  keys.weight("vocab_size", c.vocab, "hidden_size", c.width);
  keys.weight("intermediate_size", c.inner, "hidden_size", c.width);
  if (c.headWidth > 0 && c.heads <= kMaxDimSize / c.headWidth)
    keys.weight("hidden_size", c.width, "num_attention_heads · head_dim", c.heads * c.headWidth);
  return c;
}

namespace {
/// Builds the blocks of one config.
class Llama {
public:
  explicit Llama(const LlamaConfig &config) : c(config) {
    queryDims = c.heads == c.groups ? std::vector<std::string>{"groups", "dim"}
                                    : std::vector<std::string>{"groups", "heads", "dim"};
  }
  GraphBlock embed() const;
  GraphBlock layer() const;
  GraphBlock head() const;

private:
  using Names = std::vector<std::string>;
  using Shape = std::vector<int64_t>;

  void parameter(GraphBlock &block, std::string name, Names dims, Initializer init,
                 std::optional<Shape> fileShape = std::nullopt) const {
    GraphParameter p;
    p.name = name;
    p.dims = std::move(dims);
    p.init = std::move(init);
    nameInCheckpoint(p, "model.", c.tied && name == "embed_tokens.weight");
    p.checkpointShape = std::move(fileShape);
    block.parameters.push_back(std::move(p));
  }
  Initializer normal() const { return {"normal", 0, c.initRange}; }
  void rmsNorm(GraphBlock &block, const std::string &prefix, const std::string &name, const std::string &input) const {
    parameter(block, prefix + name + ".weight", {"hidden"}, {"ones"});
    OpAttributes attributes;
    attributes.epsilon = c.epsilon;
    block.ops.push_back(makeOp("rms_norm", name, {input, prefix + name + ".weight"}, {name}, attributes));
  }
  /// x·wᵀ (+ b) with a weight of dims [out, in], [outWidth, inWidth] in the checkpoint.
  void linear(GraphBlock &block, const std::string &name, const std::string &input, const Names &in, const Names &out,
              int64_t inWidth, int64_t outWidth, bool bias) const {
    std::string weight = "layers.{i}." + name + ".weight", product = bias ? name + ".product" : name;
    Names dims = out;
    dims.insert(dims.end(), in.begin(), in.end());
    parameter(block, weight, dims, normal(), Shape{outWidth, inWidth});
    block.ops.push_back(makeOp("matmul", name, {input, weight}, {product}));
    if (!bias)
      return;
    parameter(block, "layers.{i}." + name + ".bias", out, {"zeros"}, Shape{outWidth});
    block.ops.push_back(makeOp("add", name + ".bias", {product, "layers.{i}." + name + ".bias"}, {name}));
  }
  void rotary(GraphBlock &block, const std::string &name, const std::string &input) const {
    OpAttributes attributes;
    attributes.theta = c.rope.theta;
    attributes.scaling = c.rope.scaling;
    block.ops.push_back(makeOp("rotary", name, {input, "positions"}, {name}, attributes));
  }

  const LlamaConfig &c;
  Names queryDims;
};
} // namespace

GraphBlock Llama::embed() const {
  GraphBlock block;
  block.name = "embed";
  parameter(block, "embed_tokens.weight", {"vocab", "hidden"}, normal());
  block.parameters.back().zeroRow = c.padding;
  OpAttributes attributes;
  attributes.paddingRow = c.padding;
  block.ops.push_back(
      makeOp("embedding", "embed_tokens", {"tokens", "embed_tokens.weight"}, {"embedding"}, attributes));
  return block;
}

GraphBlock Llama::layer() const {
  GraphBlock block;
  block.name = "layer";
  block.repeated = true;
  block.repeat = c.layers;
  block.carries.push_back({"x", "embedding", "mlp", "hidden", ""});
  const int64_t queryWidth = c.heads * c.headWidth, keyWidth = c.groups * c.headWidth;

  rmsNorm(block, "layers.{i}.", "input_layernorm", "x");
  linear(block, "self_attn.q_proj", "input_layernorm", {"hidden"}, queryDims, c.width, queryWidth, c.attentionBias);
  for (const char *name : {"self_attn.k_proj", "self_attn.v_proj"})
    linear(block, name, "input_layernorm", {"hidden"}, {"groups", "dim"}, c.width, keyWidth, c.attentionBias);
  rotary(block, "self_attn.q", "self_attn.q_proj");
  rotary(block, "self_attn.k", "self_attn.k_proj");
  OpAttributes attention;
  attention.causal = c.causal;
  attention.rate = c.attentionDropout;
  attention.scale = 1 / std::sqrt(static_cast<double>(c.headWidth));
  block.ops.push_back(makeOp("attention", "self_attn.core", {"self_attn.q", "self_attn.k", "self_attn.v_proj"},
                             {"self_attn.core"}, attention));
  linear(block, "self_attn.o_proj", "self_attn.core", queryDims, {"hidden"}, queryWidth, c.width, c.attentionBias);
  block.ops.push_back(makeOp("add", "self_attn.residual", {"self_attn.o_proj", "x"}, {"self_attn"}));

  rmsNorm(block, "layers.{i}.", "post_attention_layernorm", "self_attn");
  for (const char *name : {"mlp.gate_proj", "mlp.up_proj"})
    linear(block, name, "post_attention_layernorm", {"hidden"}, {"inner"}, c.width, c.inner, c.mlpBias);
  OpAttributes act;
  act.kind = c.activation;
  block.ops.push_back(makeOp("activation", "mlp.act", {"mlp.gate_proj"}, {"mlp.act"}, act));
  block.ops.push_back(makeOp("mul", "mlp.gated", {"mlp.act", "mlp.up_proj"}, {"mlp.gated"}));
  linear(block, "mlp.down_proj", "mlp.gated", {"inner"}, {"hidden"}, c.inner, c.width, c.mlpBias);
  block.ops.push_back(makeOp("add", "mlp.residual", {"mlp.down_proj", "self_attn"}, {"mlp"}));
  return block;
}

GraphBlock Llama::head() const {
  GraphBlock block;
  block.name = "head";
  rmsNorm(block, "", "norm", "hidden");
  if (!c.tied)
    parameter(block, "lm_head.weight", {"vocab", "hidden"}, normal());
  block.ops.push_back(
      makeOp("matmul", "lm_head", {"norm", c.tied ? "embed_tokens.weight" : "lm_head.weight"}, {"logits"}));
  block.ops.push_back(makeOp("cross_entropy", "loss", {"logits", "targets"}, {"loss"}));
  return block;
}

Graph target::readLlama(json::Object &config, const ModelOptions &options) {
  size_t before = config.errors().messages().size();
  LlamaConfig c = readConfig(config);
  int64_t sequence = options.sequence.value_or(c.positions);
  if (sequence > c.positions)
    config.error("max_position_embeddings", "--seq=" + std::to_string(sequence) + " is longer than the " +
                                                std::to_string(c.positions) + " positions of the model");
  Graph graph;
  if (config.errors().messages().size() != before)
    return graph; // What follows would only repeat it.
  using Role = Dimension::Role;
  graph.dims = {{"batch", options.globalBatch, Role::Batch},
                {"seq", sequence, Role::Sequence},
                {"hidden", c.width},
                {"vocab", c.vocab},
                {"groups", c.groups},
                {"dim", c.headWidth},
                {"inner", c.inner}};
  if (c.heads != c.groups)
    graph.dims.push_back({"heads", c.heads / c.groups});
  auto input = [&](const char *name, std::vector<std::string> dims, int64_t high) {
    graph.inputs.push_back({name, std::move(dims), ElementType::Integer, name, 0, static_cast<double>(high), ""});
  };
  input("tokens", {"batch", "seq"}, c.vocab);
  input("positions", {"seq"}, c.positions);
  input("targets", {"batch", "seq"}, c.vocab);
  Llama model(c);
  graph.blocks = {model.embed(), model.layer(), model.head()};
  graph.loss = "loss";
  return graph;
}
