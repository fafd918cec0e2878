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

#include <cmath>
#include <gmock/gmock.h>

using namespace modelpar;
using namespace modelpar::target;
using testing::HasSubstr;

/// The parameter counts that the models are known by.
TEST(HuggingFace, PublishedModelsHaveTheirParameterCounts) {
  for (auto [name, count] :
       {std::pair("gpt2", 124439808), {"gpt2-medium", 354823168}, {"gpt2-large", 774030080}, {"gpt2-xl", 1557611200}}) {
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

/// Without model_type the architecture decides.
TEST(HuggingFace, ArchitectureNamesTheType) {
  EXPECT_TRUE(Imported(R"({"architectures": ["GPT2LMHeadModel"], "n_layer": 1})").module);
  Imported other(R"({"architectures": ["BertModel"]})");
  EXPECT_THAT(other.errors(), HasSubstr("/architectures: 'BertModel' is of no known model type; supported: gpt2"));
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

/// Keys that change nothing are silent, unknown ones are named.
TEST(HuggingFace, UnknownKeysAreWarnedOf) {
  Imported model(R"({"model_type": "gpt2", "n_layer": 1, "use_cache": true, "rotary_dim": 64})");
  ASSERT_TRUE(model.module) << model.errors();
  ASSERT_EQ(model.diagnostics.warnings.size(), 1u);
  EXPECT_THAT(model.diagnostics.warnings[0],
              HasSubstr("/rotary_dim: key is not known for model type 'gpt2' and is ignored"));
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
                "/model_type: unknown model type 'gpt-2'; did you mean 'gpt2'? supported: gpt2"},
        Refusal{R"("model_type": "llama")", "/model_type: unknown model type 'llama'; supported: gpt2"},
        Refusal{R"("model_type": "gpt2", "architectures": ["GPT2DoubleHeadsModel"])",
                "/architectures: 'GPT2DoubleHeadsModel' is not supported, expected GPT2LMHeadModel"},
        Refusal{R"("model_type": "gpt2", "activation_function": "gelu_neu")",
                "/activation_function: unknown activation 'gelu_neu'; did you mean 'gelu_new'?"},
        Refusal{R"("model_type": "gpt2", "scale_attn_by_inverse_layer_idx": true)",
                "/scale_attn_by_inverse_layer_idx: true is not supported, expected false"},
        Refusal{R"("model_type": "gpt2", "reorder_and_upcast_attn": true)",
                "/reorder_and_upcast_attn: true is not supported"},
        Refusal{R"("model_type": "gpt2", "add_cross_attention": true)", "/add_cross_attention: true is not supported"},
        Refusal{R"("model_type": "gpt2", "quantization_config": {})", "/quantization_config: is not supported"},
        Refusal{R"("model_type": "gpt2", "auto_map": {"a": "b"})", "/auto_map: is not supported"},
        Refusal{R"("model_type": "gpt2", "pruned_heads": {"0": [1]})", "/pruned_heads: is not supported"},
        Refusal{R"("model_type": "gpt2", "n_head": 7)", "/n_embd: 768 is not divisible by n_head = 7"},
        Refusal{R"("model_type": "gpt2", "n_layer": 1000000000)",
                "/n_layer: 1000000000 layers, expected at most 10000"},
        Refusal{R"("model_type": "gpt2", "n_embd": 0)", "/n_embd"},
        Refusal{R"("model_type": "gpt2", "n_embd": "768")", "/n_embd"},
        Refusal{R"("model_type": "gpt2", "resid_pdrop": 1)", "/resid_pdrop: a rate of 1 drops everything"},
        Refusal{R"("model_type": "gpt2", "n_ctx": 512)", "/n_ctx: 512 contradicts n_positions = 1024"}));

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
