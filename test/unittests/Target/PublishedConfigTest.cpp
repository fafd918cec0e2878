//===- PublishedConfigTest.cpp --------------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Configs with the keys that published files of many hands have: each gives the model
// that is known by its parameter count, without a warning.
//
//===----------------------------------------------------------------------===//

#include "ImportTesting.h"

#include <gtest/gtest.h>

using namespace modelpar::target;

namespace {

struct Published {
  const char *name;
  int64_t parameters;
  const char *fields;
};

class PublishedConfigs : public testing::TestWithParam<Published> {};

TEST_P(PublishedConfigs, AreTakenUnchanged) {
  Imported model("{" + std::string(GetParam().fields) + "}");
  ASSERT_TRUE(model.module) << model.errors();
  EXPECT_TRUE(model.diagnostics.warnings.empty()) << model.diagnostics.warnings[0];
  EXPECT_EQ(model.parameterElements(), GetParam().parameters);
}

// Parameters by hand. gpt2: (V + P)·h + L·(12·h² + 13·h) + 2·h.
// llama: V·h·(tied ? 1 : 2) + L·(2·h² + 2·h·d·k + 3·h·i + 2·h) + h with k key-value heads of width d.
const Published kConfigs[] = {
    // A dialogue model: old keys of generation.
    {"gpt2_dialogue", (50257 + 1024) * 1024 + 24 * (12 * 1024 * 1024 + 13 * 1024) + 2 * 1024, R"(
      "activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1,
      "bos_token_id": 50256, "embd_pdrop": 0.1, "eos_token_id": 50256, "initializer_range": 0.02,
      "layer_norm_epsilon": 1e-05, "model_type": "gpt2", "n_ctx": 1024, "n_embd": 1024, "n_head": 16, "n_layer": 24,
      "n_positions": 1024, "n_special": 0, "predict_special_tokens": true, "resid_pdrop": 0.1,
      "summary_activation": null, "summary_first_dropout": 0.1, "summary_proj_to_labels": true,
      "summary_type": "cls_index", "summary_use_proj": true, "vocab_size": 50257,
      "task_specific_params": {"conversational": {"max_length": 1000}})"},
    // A distilled one: labels of a head that is not there.
    {"gpt2_distilled", (50257 + 1024) * 768 + 6 * (12 * 768 * 768 + 13 * 768) + 2 * 768, R"(
      "_num_labels": 1, "activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1,
      "bos_token_id": 50256, "embd_pdrop": 0.1, "eos_token_id": 50256, "id2label": {"0": "LABEL_0"},
      "initializer_range": 0.02, "label2id": {"LABEL_0": 0}, "layer_norm_epsilon": 1e-05, "model_type": "gpt2",
      "n_ctx": 1024, "n_embd": 768, "n_head": 12, "n_layer": 6, "n_positions": 1024, "resid_pdrop": 0.1,
      "summary_activation": null, "summary_first_dropout": 0.1, "summary_proj_to_labels": true,
      "summary_type": "cls_index", "summary_use_proj": true, "vocab_size": 50257, "output_past": true,
      "task_specific_params": {"text-generation": {"do_sample": true, "max_length": 50}})"},
    // A model of source code: scores scaled by layer.
    {"gpt2_code", (32768 + 1024) * 1600 + 48 * (12 * 1600 * 1600 + 13 * 1600) + 2 * 1600, R"(
      "_name_or_path": "somewhere", "activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"],
      "attn_pdrop": 0.1, "bos_token_id": 0, "embd_pdrop": 0.1, "eos_token_id": 0, "gradient_checkpointing": false,
      "initializer_range": 0.02, "layer_norm_epsilon": 1e-05, "model_type": "gpt2", "n_ctx": 1024, "n_embd": 1600,
      "n_head": 25, "n_inner": null, "n_layer": 48, "n_positions": 1024, "reorder_and_upcast_attn": true,
      "resid_pdrop": 0.1, "scale_attn_by_inverse_layer_idx": true, "scale_attn_weights": true,
      "summary_activation": null, "summary_first_dropout": 0.1, "summary_proj_to_labels": true,
      "summary_type": "cls_index", "summary_use_proj": true, "torch_dtype": "float32",
      "transformers_version": "4.16.2", "use_cache": true, "vocab_size": 32768)"},
    // An early llama: the last token as padding, a length for the tokenizer.
    {"llama_early", 6738415616, R"(
      "architectures": ["LlamaForCausalLM"], "bos_token_id": 0, "eos_token_id": 1, "hidden_act": "silu",
      "hidden_size": 4096, "intermediate_size": 11008, "initializer_range": 0.02, "max_sequence_length": 2048,
      "model_type": "llama", "num_attention_heads": 32, "num_hidden_layers": 32, "pad_token_id": -1,
      "rms_norm_eps": 1e-06, "torch_dtype": "float16", "transformers_version": "4.27.0.dev0", "use_cache": true,
      "vocab_size": 32000)"},
    // A chat model on top of Llama 2: keys of generation.
    {"llama_chat", 6738415616, R"(
      "_name_or_path": "x", "architectures": ["LlamaForCausalLM"], "bos_token_id": 1, "eos_token_id": 2,
      "hidden_act": "silu", "hidden_size": 4096, "initializer_range": 0.02, "intermediate_size": 11008,
      "max_position_embeddings": 4096, "model_type": "llama", "num_attention_heads": 32, "num_hidden_layers": 32,
      "num_key_value_heads": 32, "pad_token_id": 0, "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_scaling": null,
      "temperature": 0.9, "top_p": 0.6, "max_length": 4096, "do_sample": true, "tie_word_embeddings": false,
      "torch_dtype": "float16", "transformers_version": "4.31.0", "use_cache": true, "vocab_size": 32000)"},
    // A small one: few key-value heads.
    {"llama_small", 1100048384, R"(
      "architectures": ["LlamaForCausalLM"], "attention_bias": false, "bos_token_id": 1, "eos_token_id": 2,
      "hidden_act": "silu", "hidden_size": 2048, "initializer_range": 0.02, "intermediate_size": 5632,
      "max_position_embeddings": 2048, "model_type": "llama", "num_attention_heads": 32, "num_hidden_layers": 22,
      "num_key_value_heads": 4, "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_scaling": null,
      "rope_theta": 10000.0, "tie_word_embeddings": false, "torch_dtype": "bfloat16",
      "transformers_version": "4.35.0", "use_cache": true, "vocab_size": 32000)"},
    // Llama 3.2's smallest: tied, scaled, ids of several ends.
    {"llama_3_2", 1235814400, R"(
      "architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
      "bos_token_id": 128000, "eos_token_id": [128001, 128008, 128009], "head_dim": 64, "hidden_act": "silu",
      "hidden_size": 2048, "initializer_range": 0.02, "intermediate_size": 8192, "max_position_embeddings": 131072,
      "mlp_bias": false, "model_type": "llama", "num_attention_heads": 32, "num_hidden_layers": 16,
      "num_key_value_heads": 8, "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_scaling": {"factor": 32.0,
      "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 8192,
      "rope_type": "llama3"}, "rope_theta": 500000.0, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
      "transformers_version": "4.45.0.dev0", "use_cache": true, "vocab_size": 128256)"},
    // The same as transformers 5 writes it, by way of a tool for training.
    {"llama_3_2_version_5", 1235814400, R"(
      "architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
      "bos_token_id": 128000, "dtype": "bfloat16", "eos_token_id": 128001, "head_dim": 64, "hidden_act": "silu",
      "hidden_size": 2048, "initializer_range": 0.02, "intermediate_size": 8192, "max_position_embeddings": 131072,
      "mlp_bias": false, "model_type": "llama", "num_attention_heads": 32, "num_hidden_layers": 16,
      "num_key_value_heads": 8, "pad_token_id": 128004, "pretraining_tp": 1, "rms_norm_eps": 1e-05,
      "rope_parameters": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
      "original_max_position_embeddings": 8192, "rope_theta": 500000.0, "rope_type": "llama3"},
      "tie_word_embeddings": true, "transformers_version": "5.0.0", "unsloth_fixed": true,
      "unsloth_version": "2025.1.1", "use_cache": true, "vocab_size": 128256)"},
    // One with notes for a browser's library and for the tool that trained it.
    {"llama_browser", 134515008, R"(
      "architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 1,
      "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 576, "initializer_range": 0.041666666666666664,
      "intermediate_size": 1536, "is_llama_config": true, "max_position_embeddings": 8192, "mlp_bias": false,
      "model_type": "llama", "num_attention_heads": 9, "num_hidden_layers": 30, "num_key_value_heads": 3,
      "pad_token_id": 2, "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_interleaved": false, "rope_scaling": null,
      "rope_theta": 100000, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
      "transformers_version": "4.42.3", "transformers.js_config": {"kv_cache_dtype": {"q4f16": "float16"}},
      "use_cache": true, "vocab_size": 49152)"},
    // Everything that the base class of version 4 wrote.
    {"llama_all_keys", 32000 * 64 * 2 + (2 * 64 * 64 + 2 * 64 * 64 + 3 * 64 * 96 + 2 * 64) + 64, R"(
      "model_type": "llama", "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 1,
      "num_attention_heads": 4, "return_dict": true, "output_hidden_states": false, "output_attentions": false,
      "torchscript": false, "torch_dtype": null, "use_bfloat16": false, "tf_legacy_loss": false, "pruned_heads": {},
      "chunk_size_feed_forward": 0, "is_encoder_decoder": false, "is_decoder": false,
      "cross_attention_hidden_size": null, "add_cross_attention": false, "tie_encoder_decoder": false,
      "max_length": 20, "min_length": 0, "do_sample": false, "early_stopping": false, "num_beams": 1,
      "num_beam_groups": 1, "diversity_penalty": 0.0, "temperature": 1.0, "top_k": 50, "top_p": 1.0,
      "typical_p": 1.0, "repetition_penalty": 1.0, "length_penalty": 1.0, "no_repeat_ngram_size": 0,
      "encoder_no_repeat_ngram_size": 0, "bad_words_ids": null, "num_return_sequences": 1, "output_scores": false,
      "return_dict_in_generate": false, "forced_bos_token_id": null, "forced_eos_token_id": null,
      "remove_invalid_values": false, "exponential_decay_length_penalty": null, "suppress_tokens": null,
      "begin_suppress_tokens": null, "finetuning_task": null, "id2label": {"0": "LABEL_0", "1": "LABEL_1"},
      "label2id": {"LABEL_0": 0, "LABEL_1": 1}, "tokenizer_class": null, "prefix": null, "bos_token_id": 1,
      "pad_token_id": null, "eos_token_id": 2, "sep_token_id": null, "decoder_start_token_id": null,
      "task_specific_params": null, "problem_type": null, "_attn_implementation_autoset": true)"}};

INSTANTIATE_TEST_SUITE_P(HuggingFace, PublishedConfigs, testing::ValuesIn(kConfigs),
                         [](const auto &info) { return std::string(info.param.name); });

} // namespace
