//===- HuggingFaceTest.cpp ------------------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Published configs give the published models; every unsupported key is refused.
//
//===----------------------------------------------------------------------===//

#include "ImportTesting.h"
#include "lib/Target/HuggingFace/KeyTables.h"

#include <cmath>
#include <gmock/gmock.h>
#include <set>

using namespace modelpar;
using namespace modelpar::target;
using testing::HasSubstr;

/// The parameter counts that the models are known by.
TEST(HuggingFace, PublishedModelsHaveTheirParameterCounts) {
  for (auto [name, count] : std::initializer_list<std::pair<const char *, int64_t>>{{"gpt2", 124439808},
                                                                                    {"gpt2-medium", 354823168},
                                                                                    {"gpt2-large", 774030080},
                                                                                    {"gpt2-xl", 1557611200},
                                                                                    {"llama-2-7b", 6738415616},
                                                                                    {"llama-3-8b", 8030261248},
                                                                                    {"llama-3-70b", 70553706496}}) {
    Imported model(Imported::fileText("models/" + std::string(name) + ".json"));
    ASSERT_TRUE(model.module) << model.errors();
    EXPECT_EQ(model.parameterElements(), count) << name;
    EXPECT_TRUE(model.diagnostics.warnings.empty()) << model.diagnostics.warnings[0];
  }
}

/// An empty config of the type is gpt2 itself.
TEST(HuggingFace, AbsentKeysHaveTheTypesDefaults) {
  Imported model(R"({"model_type": "gpt2"})");
  ASSERT_TRUE(model.module) << model.errors();
  EXPECT_EQ(model.parameterElements(), 124439808);
  EXPECT_EQ(model.ops<nn::DropoutOp>().size(), 3u); // embedding, attention's and MLP's residual
  EXPECT_EQ(model.ops<nn::AttentionOp>()[0].getRate().convertToDouble(), 0.1);
}

/// An empty config of the type is Llama 2's first size.
TEST(HuggingFace, LlamaDefaults) {
  Imported model(R"({"model_type": "llama"})");
  ASSERT_TRUE(model.module) << model.errors();
  EXPECT_EQ(model.parameterElements(), 6738415616);
  EXPECT_EQ(model.ops<nn::RmsNormOp>()[0].getEpsilon().convertToDouble(), 1e-6);
  nn::RotaryOp rotary = model.ops<nn::RotaryOp>()[0];
  EXPECT_EQ(rotary.getTheta().convertToDouble(), 10000);
  EXPECT_FALSE(rotary.getFactor());
}

/// The old spelling of the rotary embedding, the new one, and both give the same.
TEST(HuggingFace, RopeSpellings) {
  const std::string scaling = R"("factor": 8, "low_freq_factor": 1, "high_freq_factor": 4,
                                 "original_max_position_embeddings": 8192})";
  const std::string old = R"("rope_theta": 5e5, "rope_scaling": {"type": "llama3", )" + scaling,
                    recent = R"("rope_parameters": {"rope_theta": 5e5, "rope_type": "llama3", )" + scaling;
  for (const std::string &rope : {old, recent, old + ", " + recent}) {
    Imported model(R"({"model_type": "llama", "num_hidden_layers": 1, )" + rope + "}");
    ASSERT_TRUE(model.module) << model.errors();
    EXPECT_TRUE(model.diagnostics.warnings.empty());
    for (nn::RotaryOp rotary : model.ops<nn::RotaryOp>()) {
      EXPECT_EQ(rotary.getTheta().convertToDouble(), 5e5);
      EXPECT_EQ(rotary.getFactor()->convertToDouble(), 8);
      EXPECT_EQ(rotary.getLowFreqFactor()->convertToDouble(), 1);
      EXPECT_EQ(rotary.getHighFreqFactor()->convertToDouble(), 4);
      EXPECT_EQ(*rotary.getOriginalMaxPositionEmbeddings(), 8192u);
    }
  }
}

/// head_dim need not be hidden_size / num_attention_heads; biases and ties are the config's.
TEST(HuggingFace, LlamaVariants) {
  Imported model(R"({"model_type": "llama", "num_hidden_layers": 1, "hidden_size": 48, "num_attention_heads": 6,
                     "num_key_value_heads": 2, "head_dim": 10, "intermediate_size": 20, "mlp_bias": true,
                     "attention_bias": true, "attention_dropout": 0.25, "tie_word_embeddings": true})");
  ASSERT_TRUE(model.module) << model.errors();
  auto shape = [&](const char *name) {
    return llvm::cast<mlir::RankedTensorType>(model.parameter(name).getType()).getShape().vec();
  };
  EXPECT_THAT(shape("layers.0.self_attn.q_proj.weight"), testing::ElementsAre(2, 3, 10, 48));
  EXPECT_THAT(shape("layers.0.self_attn.q_proj.bias"), testing::ElementsAre(2, 3, 10));
  EXPECT_THAT(shape("layers.0.self_attn.o_proj.weight"), testing::ElementsAre(48, 2, 3, 10));
  EXPECT_THAT(shape("layers.0.self_attn.o_proj.bias"), testing::ElementsAre(48));
  EXPECT_THAT(shape("layers.0.mlp.down_proj.bias"), testing::ElementsAre(48));
  EXPECT_FALSE(model.parameter("lm_head.weight"));
  EXPECT_EQ(model.ops<nn::AttentionOp>()[0].getRate().convertToDouble(), 0.25);
}

/// Without model_type the architecture decides.
TEST(HuggingFace, ArchitectureNamesTheType) {
  EXPECT_TRUE(Imported(R"({"architectures": ["GPT2LMHeadModel"], "n_layer": 1})").module);
  Imported other(R"({"architectures": ["BertModel"]})");
  EXPECT_THAT(other.errors(),
              HasSubstr("/architectures: 'BertModel' is of no known model type; supported: gpt2, llama"));
}

/// Names, shapes and decay are those of the checkpoint, not of our packed dimensions.
TEST(HuggingFace, ParametersAreThoseOfTheCheckpoint) {
  Imported model(Imported::fileText("models/gpt2-tiny.json"));
  ASSERT_TRUE(model.module) << model.errors();
  nn::ParameterOp weight = model.parameter("h.3.attn.c_attn.weight"), bias = model.parameter("h.3.attn.c_attn.bias");
  ASSERT_TRUE(weight && bias);
  EXPECT_EQ(weight.getCheckpointName(), "transformer.h.3.attn.c_attn.weight");
  EXPECT_THAT(llvm::to_vector(weight.getCheckpointShape()), testing::ElementsAre(128, 384));
  EXPECT_THAT(llvm::to_vector(llvm::cast<mlir::RankedTensorType>(weight.getType()).getShape()),
              testing::ElementsAre(128, 3, 4, 32));
  EXPECT_THAT(llvm::to_vector(bias.getCheckpointShape()), testing::ElementsAre(384));
  EXPECT_TRUE(weight.getWeightDecay());
  EXPECT_FALSE(bias.getWeightDecay());
  nn::ParameterOp projection = model.parameter("h.0.mlp.c_proj.weight");
  EXPECT_DOUBLE_EQ(projection.getInit().getB(), 0.02 / std::sqrt(8.0));
  EXPECT_FALSE(model.parameter("lm_head.weight"));
}

/// An untied head is a parameter of its own, without the trunk's prefix.
TEST(HuggingFace, UntiedHead) {
  Imported model(R"({"model_type": "gpt2", "n_layer": 1, "tie_word_embeddings": false})");
  ASSERT_TRUE(model.module) << model.errors();
  EXPECT_EQ(model.parameter("lm_head.weight").getCheckpointName(), "lm_head.weight");
}

/// Keys of dropout are unique in the module, and switching dropout off does not move them.
TEST(HuggingFace, DropoutKeys) {
  Imported on(R"({"model_type": "gpt2", "n_layer": 2})");
  std::set<int64_t> keys;
  for (nn::DropoutOp op : on.ops<nn::DropoutOp>())
    keys.insert(op.getKey());
  int64_t attentionKey = on.ops<nn::AttentionOp>()[0].getDropoutKey();
  keys.insert(attentionKey);
  EXPECT_EQ(keys.size(), 4u);
  ModelOptions options;
  options.dropout = false;
  Imported off(R"({"model_type": "gpt2", "n_layer": 2})", options);
  EXPECT_TRUE(off.ops<nn::DropoutOp>().empty());
  EXPECT_EQ(off.ops<nn::AttentionOp>()[0].getRate().convertToDouble(), 0.0);
  EXPECT_EQ(off.ops<nn::AttentionOp>()[0].getDropoutKey(), static_cast<uint64_t>(attentionKey));
}

/// transformers accepts a second name for some keys; both at once must agree.
TEST(HuggingFace, SecondNames) {
  Imported model(R"({"model_type": "gpt2", "hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2})");
  ASSERT_TRUE(model.module) << model.errors();
  EXPECT_TRUE(model.parameter("h.0.ln_1.weight"));
  EXPECT_FALSE(model.parameter("h.1.ln_1.weight"));
  EXPECT_THAT(Imported(R"({"model_type": "gpt2", "n_embd": 768, "hidden_size": 64})").errors(),
              HasSubstr("/hidden_size: 64 contradicts n_embd = 768"));
}

/// Keys that change nothing are silent, and so are null, which is no value, and notes of transformers to itself.
TEST(HuggingFace, HarmlessKeys) {
  Imported model(R"({"model_type": "gpt2", "n_layer": 1, "use_cache": true, "rotary_dim": null, "_note": {"a": 1},
                     "reorder_and_upcast_attn": true, "pad_token_id": 99999999})");
  ASSERT_TRUE(model.module) << model.errors();
  EXPECT_TRUE(model.diagnostics.warnings.empty()) << model.diagnostics.warnings[0];
}

/// Every key of the tables stands on the page about configs.
TEST(HuggingFace, TheTablesAreDocumented) {
  const std::string page = Imported::fileText("docs/ModelFormat.md");
  for (const auto *keys : {&commonKeys(), &gpt2Keys(), &llamaKeys()})
    for (const ConfigKey &key : *keys)
      EXPECT_THAT(page, HasSubstr("`" + std::string(key.name) + "`"));
}

/// What is said to be honoured is looked at: a value that no key can have is an error that names it.
TEST(HuggingFace, EveryHonouredKeyIsJudged) {
  for (auto [type, keys] : {std::pair{"gpt2", &gpt2Keys()}, std::pair{"llama", &llamaKeys()}})
    for (const auto *table : {keys, &commonKeys()})
      for (const ConfigKey &key : *table) {
        if ((key.use != KeyUse::Honoured && key.use != KeyUse::Nullable) || key.name == "model_type")
          continue;
        std::string text =
            R"({"model_type": ")" + std::string(type) + R"(", ")" + std::string(key.name) + R"(": [[]]})";
        EXPECT_THAT(Imported(text).errors(), HasSubstr("/" + std::string(key.name))) << type;
      }
}

/// What can be said of a key is said once; a type may say more than all do (pad_token_id).
TEST(HuggingFace, TheTablesHaveAKeyOnce) {
  for (const auto *keys : {&gpt2Keys(), &llamaKeys()}) {
    std::set<std::string_view> names;
    for (const auto *table : {keys, &commonKeys()})
      for (const ConfigKey &key : *table)
        EXPECT_TRUE(names.insert(key.name).second) << key.name;
  }
}

/// Files have a parameter with and without the trunk's prefix, and a tied one perhaps as the head's.
TEST(HuggingFace, OtherNamesInCheckpoints) {
  using testing::ElementsAre;
  auto aliases = [](Imported &model, const char *name) {
    std::vector<std::string> names;
    if (auto attribute = model.parameter(name).getCheckpointAliases())
      for (auto alias : attribute->getAsRange<mlir::StringAttr>())
        names.push_back(alias.str());
    return names;
  };
  Imported gpt2(R"({"model_type": "gpt2", "n_layer": 2})");
  EXPECT_THAT(aliases(gpt2, "wte.weight"), ElementsAre("wte.weight", "lm_head.weight"));
  EXPECT_THAT(aliases(gpt2, "wpe.weight"), ElementsAre("wpe.weight"));
  EXPECT_THAT(aliases(gpt2, "h.1.ln_1.bias"), ElementsAre("h.1.ln_1.bias"));
  Imported llama(R"({"model_type": "llama", "num_hidden_layers": 1})");
  EXPECT_THAT(aliases(llama, "embed_tokens.weight"), ElementsAre("embed_tokens.weight"));
  EXPECT_THAT(aliases(llama, "lm_head.weight"), ElementsAre());
}

/// transformers takes a range of 0 as not given, but for gpt2's projections.
TEST(HuggingFace, InitializerRangeOfZero) {
  Imported gpt2(R"({"model_type": "gpt2", "n_layer": 1, "initializer_range": 0})");
  EXPECT_EQ(gpt2.parameter("wte.weight").getInit().getB(), 0.02);
  EXPECT_EQ(gpt2.parameter("h.0.mlp.c_fc.weight").getInit().getB(), 0);
  Imported llama(R"({"model_type": "llama", "num_hidden_layers": 1, "initializer_range": 0})");
  EXPECT_EQ(llama.parameter("layers.0.mlp.up_proj.weight").getInit().getB(), 0.02);
}

struct Refusal {
  const char *fields, *message;
};
class Refusals : public testing::TestWithParam<Refusal> {};

TEST_P(Refusals, AreErrorsThatNameTheKey) {
  Imported model("{" + std::string(GetParam().fields) + "}");
  EXPECT_FALSE(model.module);
  EXPECT_THAT(model.errors(), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    HuggingFace, Refusals,
    testing::Values(
        Refusal{R"("model_type": "gpt-2")",
                "/model_type: unknown model type 'gpt-2'; did you mean 'gpt2'? supported: gpt2, llama"},
        Refusal{R"("model_type": "bert")", "/model_type: unknown model type 'bert'; supported: gpt2, llama"},
        Refusal{R"("model_type": "gpt2", "architectures": ["GPT2DoubleHeadsModel"])",
                "/architectures: 'GPT2DoubleHeadsModel' is not supported, expected GPT2LMHeadModel"},
        Refusal{R"("model_type": "gpt2", "activation_function": "gelu_neu")",
                "/activation_function: unknown activation 'gelu_neu'; did you mean 'gelu_new'?"},
        Refusal{R"("model_type": "gpt2", "scale_attn_by_inverse_layer_idx": 1)",
                "/scale_attn_by_inverse_layer_idx: expected true or false, found the integer 1"},
        Refusal{R"("model_type": "gpt2", "rotary_dim": 64)", "/rotary_dim: key is not known for model type 'gpt2'"},
        Refusal{R"("model_type": "gpt2", "rotary_dim": false)", "/rotary_dim: key is not known for model type 'gpt2'"},
        Refusal{R"("model_type": "gpt2", "rope_theta": 1e4)", "/rope_theta: key is not known for model type 'gpt2'"},
        Refusal{R"("model_type": "llama", "n_embd": 64)", "/n_embd: key is not known for model type 'llama'"},
        Refusal{R"("model_type": "llama", "hidden_size": null)", "/hidden_size: found null, expected a value"},
        Refusal{R"("model_type": "llama", "per_layer_config": {"0": {"mlp_bias": true}})",
                R"(/per_layer_config: {"0":{"mlp_bias":true}} is not supported, expected {})"},
        Refusal{R"("model_type": "llama", "layer_types": ["full_attention", "sliding_attention"])",
                R"(/layer_types/1: "sliding_attention" is not supported, expected "full_attention")"},
        Refusal{R"("model_type": "llama", "layer_types": "full_attention")", "/layer_types: expected an array"},
        Refusal{R"("model_type": "llama", "sliding_window": 4096)", "/sliding_window: is not supported"},
        Refusal{R"("model_type": "llama", "loss_type": "ForSequenceClassification")", "/loss_type: "},
        Refusal{R"("model_type": "llama", "torch_dtype": "float16", "dtype": "bfloat16")",
                "/torch_dtype: 'float16' contradicts dtype = 'bfloat16'"},
        Refusal{R"("model_type": "llama", "dtype": 16)", "/dtype: expected a string, found the integer 16"},
        Refusal{R"("model_type": "gpt2", "add_cross_attention": true)", "/add_cross_attention: true is not supported"},
        Refusal{R"("model_type": "gpt2", "quantization_config": {})", "/quantization_config: is not supported"},
        Refusal{R"("model_type": "gpt2", "auto_map": {"a": "b"})", "/auto_map: is not supported"},
        Refusal{R"("model_type": "gpt2", "pruned_heads": {"0": [1]})",
                R"(/pruned_heads: {"0":[1]} is not supported, expected {})"},
        Refusal{R"("model_type": "gpt2", "n_head": 7)", "/n_embd: 768 is not divisible by n_head = 7"},
        Refusal{R"("model_type": "gpt2", "n_layer": 1000000000)",
                "/n_layer: 1000000000 layers, expected at most 10000"},
        Refusal{R"("model_type": "gpt2", "n_embd": 0)", "/n_embd"},
        Refusal{R"("model_type": "gpt2", "n_embd": "768")", "/n_embd"},
        Refusal{R"("model_type": "gpt2", "resid_pdrop": 1)", "/resid_pdrop: a rate of 1 drops everything"},
        Refusal{R"("model_type": "gpt2", "n_ctx": 512)", "/n_ctx: 512 contradicts n_positions = 1024"},
        Refusal{R"("model_type": "llama", "num_key_value_heads": 5)",
                "/num_attention_heads: 32 is not divisible by num_key_value_heads = 5"},
        Refusal{R"("model_type": "llama", "num_attention_heads": 31)",
                "/hidden_size: 4096 is not divisible by num_attention_heads = 31, and there is no head_dim"},
        Refusal{R"("model_type": "llama", "hidden_size": 3, "num_attention_heads": 4)",
                "/hidden_size: 3 is not divisible by num_attention_heads = 4, and there is no head_dim"},
        Refusal{R"("model_type": "gpt2", "n_embd": 3, "n_head": 4)", "/n_embd: 3 is not divisible by n_head = 4"},
        Refusal{R"("model_type": "llama", "hidden_size": 8, "num_attention_heads": 8)",
                "/hidden_size: heads are 1 wide, expected an even width to rotate"},
        Refusal{R"("model_type": "llama", "head_dim": 0)", "/head_dim: expected"},
        Refusal{R"("model_type": "llama", "head_dim": 0, "hidden_size": 3, "num_attention_heads": 4)",
                "/head_dim: expected"},
        Refusal{R"("model_type": "llama", "num_attention_heads": 0)", "/num_attention_heads: expected"},
        Refusal{R"("model_type": "llama", "num_key_value_heads": 0)", "/num_key_value_heads: expected"},
        Refusal{R"("model_type": "llama", "num_key_value_heads": 64)",
                "/num_attention_heads: 32 is not divisible by num_key_value_heads = 64"},
        Refusal{R"("model_type": "llama", "num_attention_heads": -4)", "/num_attention_heads: expected"},
        Refusal{R"("model_type": "llama", "head_dim": 1099511627776)",
                "/head_dim: num_attention_heads · head_dim is more than 2^40"},
        Refusal{R"("model_type": "llama", "vocab_size": 9223372036854775807)", "/vocab_size: expected"},
        Refusal{R"("model_type": "llama", "intermediate_size": 1099511627776)",
                "/intermediate_size: 1099511627776 · hidden_size = 4096 is more than 2^48 elements"},
        Refusal{R"("model_type": "llama", "hidden_size": 17179869184)",
                "/hidden_size: 17179869184 · num_attention_heads · head_dim = 17179869184 is more than 2^48 elements"},
        Refusal{R"("model_type": "gpt2", "n_embd": 1099511627776)",
                "/n_embd: 1099511627776 · 3 · n_embd = 3298534883328 is more than 2^48 elements"},
        Refusal{R"("model_type": "gpt2", "n_positions": 1099511627776)",
                "/n_positions: 1099511627776 · n_embd = 768 is more than 2^48 elements"},
        Refusal{R"("model_type": "llama", "initializer_range": 1.5)", "/initializer_range: expected"},
        Refusal{R"("model_type": "llama", "pad_token_id": 32000)",
                "/pad_token_id: expected an integer from -32000 to 31999, found the integer 32000"},
        Refusal{R"("model_type": "llama", "pad_token_id": "<pad>")", "/pad_token_id: expected"},
        Refusal{R"("model_type": "llama", "partial_rotary_factor": 0.5)",
                "/partial_rotary_factor: 0.5 is not supported, expected 1"},
        Refusal{R"("model_type": "llama", "rope_interleaved": true)",
                "/rope_interleaved: true is not supported, expected false"},
        Refusal{R"("model_type": "llama", "rope_scaling": {"type": "default", "rope_theta": 2e4},
                   "rope_parameters": {"rope_type": "default", "rope_theta": 1e4})",
                "/rope_scaling: contradicts rope_parameters"},
        Refusal{R"("model_type": "llama", "rope_scaling": {"factor": 8})",
                "/rope_scaling: rope_type (or type) is missing, which 'factor' depends on"},
        Refusal{R"("model_type": "llama", "rope_scaling": {"rope_type": 3})", "/rope_scaling/rope_type: expected"},
        Refusal{R"("model_type": "llama", "rope_scaling": [1])", "/rope_scaling: expected an object"},
        Refusal{R"("model_type": "llama", "head_dim": 127)", "/head_dim: heads are 127 wide, expected an even width"},
        Refusal{R"("model_type": "llama", "rms_norm_eps": -1)", "/rms_norm_eps"},
        Refusal{R"("model_type": "llama", "rope_theta": 0)", "/rope_theta: expected more than 0"},
        Refusal{R"("model_type": "llama", "rope_scaling": {"type": "linear", "factor": 2})",
                "/rope_scaling/type: 'linear' is not supported; supported: default, llama3"},
        Refusal{R"("model_type": "llama", "rope_scaling": {"rope_type": "llama3", "factor": 8})",
                "/rope_scaling/low_freq_factor: required field is missing"},
        Refusal{R"("model_type": "llama", "rope_scaling": {"rope_type": "llama3", "type": "yarn"})",
                "/rope_scaling/type: 'yarn' contradicts rope_type = 'llama3'"},
        Refusal{R"("model_type": "llama", "rope_scaling": {"rope_type": "default", "factor": 8})",
                "/rope_scaling/factor: unknown field"},
        Refusal{R"("model_type": "llama", "rope_parameters": {"partial_rotary_factor": 0.5})",
                "/rope_parameters/partial_rotary_factor: is not supported, expected 1"},
        Refusal{R"("model_type": "llama", "rope_theta": 1e4, "rope_parameters": {"rope_theta": 2e4})",
                "/rope_parameters/rope_theta: contradicts the config's rope_theta"},
        Refusal{R"("model_type": "llama", "architectures": ["LlamaForSequenceClassification"])",
                "/architectures: 'LlamaForSequenceClassification' is not supported, expected LlamaForCausalLM"},
        Refusal{R"("model_type": "llama", "num_hidden_layers": 20000)", "expected at most 10000"}));

/// A sequence that the model has no positions for.
TEST(HuggingFace, SequenceBeyondPositions) {
  ModelOptions options;
  options.sequence = 2048;
  EXPECT_THAT(Imported(R"({"model_type": "gpt2"})", options).errors(),
              HasSubstr("--seq=2048 is longer than the 1024 positions"));
}

/// All errors of a file come at once.
TEST(HuggingFace, AllErrorsAtOnce) {
  Imported model(R"({"model_type": "gpt2", "n_head": 7, "add_cross_attention": true, "auto_map": {"a": "b"}})");
  EXPECT_EQ(model.diagnostics.errors.size(), 3u) << model.errors();
}
