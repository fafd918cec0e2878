//===- HuggingFace.cpp - graphs from Hugging Face configs -----------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Finds the model type and judges the keys that all types share.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Target/HuggingFace/HuggingFace.h"
#include "modelpar/Target/ModelJSON/Ops.h"

#include "llvm/ADT/STLExtras.h"

#include <set>

using namespace modelpar;
using namespace modelpar::target;

namespace {
/// A supported type: its names in a config and its reader.
struct ModelType {
  std::string_view type;
  std::vector<std::string_view> architectures; ///< The first is the one we build; the others are its trunk.
  std::vector<std::string_view> keys;          ///< Those the reader looks at.
  Graph (*read)(json::Object &config, const ModelOptions &options);
};
} // namespace

static const std::vector<ModelType> &modelTypes() {
  static const std::vector<ModelType> types = {
      {"gpt2",
       {"GPT2LMHeadModel", "GPT2Model"},
       {"vocab_size",
        "n_positions",
        "max_position_embeddings",
        "n_embd",
        "hidden_size",
        "n_layer",
        "num_hidden_layers",
        "n_head",
        "num_attention_heads",
        "n_inner",
        "activation_function",
        "layer_norm_epsilon",
        "initializer_range",
        "embd_pdrop",
        "attn_pdrop",
        "resid_pdrop",
        "scale_attn_weights",
        "tie_word_embeddings",
        "scale_attn_by_inverse_layer_idx",
        "reorder_and_upcast_attn",
        "add_cross_attention",
        "n_ctx"},
       readGPT2},
      {"llama",
       {"LlamaForCausalLM", "LlamaModel"},
       {"vocab_size", "max_position_embeddings", "hidden_size", "intermediate_size", "num_hidden_layers",
        "num_attention_heads", "num_key_value_heads", "head_dim", "hidden_act", "rms_norm_eps", "initializer_range",
        "attention_dropout", "attention_bias", "mlp_bias", "tie_word_embeddings", "rope_theta", "rope_scaling",
        "rope_parameters", "pretraining_tp"},
       readLlama}};
  return types;
}

bool target::isHuggingFaceConfig(const json::Value &value) {
  return value.is_object() && (value.contains("model_type") || value.contains("architectures"));
}

static const ModelType *findType(json::Object &config) {
  std::vector<std::string_view> names;
  for (const ModelType &type : modelTypes())
    names.push_back(type.type);
  auto architectures = config.optionalStrings("architectures");
  std::string architecture = architectures && !architectures->empty() ? architectures->front() : "";
  auto name = config.optionalString("model_type");
  for (const ModelType &type : modelTypes()) {
    if (name ? *name != type.type : !llvm::is_contained(type.architectures, architecture))
      continue;
    if (!architecture.empty() && !llvm::is_contained(type.architectures, architecture))
      config.error("architectures", "'" + architecture.substr(0, 64) + "' is not supported, expected " +
                                        std::string(type.architectures[0]));
    return &type;
  }
  if (name)
    config.error("model_type", "unknown model type '" + name->substr(0, 64) + "'; " + supportedList(*name, names));
  else
    config.error("architectures",
                 "'" + architecture.substr(0, 64) + "' is of no known model type; " + supportedList("", names));
  return nullptr;
}

/// Keys of any config that say nothing about the maths of training here: generation, tokenizer, pooling heads, storage
/// types
/// (--dtype decides), who wrote the file.
static bool saysNothing(std::string_view key) {
  static const std::set<std::string_view> keys = {"model_type",
                                                  "architectures",
                                                  "_name_or_path",
                                                  "transformers_version",
                                                  "torch_dtype",
                                                  "dtype",
                                                  "use_cache",
                                                  "bos_token_id",
                                                  "eos_token_id",
                                                  "pad_token_id",
                                                  "sep_token_id",
                                                  "decoder_start_token_id",
                                                  "task_specific_params",
                                                  "output_past",
                                                  "summary_type",
                                                  "summary_use_proj",
                                                  "summary_activation",
                                                  "summary_proj_to_labels",
                                                  "summary_first_dropout",
                                                  "return_dict",
                                                  "output_hidden_states",
                                                  "output_attentions",
                                                  "torchscript",
                                                  "problem_type",
                                                  "id2label",
                                                  "label2id",
                                                  "num_labels",
                                                  "finetuning_task",
                                                  "tokenizer_class",
                                                  "prefix",
                                                  "n_special",
                                                  "gradient_checkpointing",
                                                  "chunk_size_feed_forward",
                                                  "is_encoder_decoder",
                                                  "is_decoder",
                                                  "predict_special_tokens",
                                                  "use_bfloat16",
                                                  "tf_legacy_loss",
                                                  "_attn_implementation_autoset",
                                                  "_commit_hash",
                                                  "_num_labels"};
  return keys.count(key) != 0;
}

Graph target::readHuggingFaceConfig(const json::Value &value, const ModelOptions &options, json::Errors &errors,
                                    std::vector<std::string> &warnings) {
  json::Object config(value, "", errors);
  const ModelType *type = findType(config);
  // Code of their own, or weights of another kind: never what we would build.
  for (const char *key : {"auto_map", "quantization_config"})
    if (config.has(key))
      config.error(key, "is not supported");
  if (const json::Value *pruned = config.optionalAny("pruned_heads"); pruned && !pruned->empty())
    config.error("pruned_heads", "is not supported");
  if (!type)
    return {};
  Graph graph = type->read(config, options);
  graph.name = type->type;
  for (auto it = value.begin(); it != value.end(); ++it)
    if (!llvm::is_contained(type->keys, it.key()) && !saysNothing(it.key()) && it.key() != "pruned_heads" &&
        it.key() != "auto_map" && it.key() != "quantization_config")
      warnings.push_back("/" + it.key().substr(0, 64) + ": key is not known for model type '" +
                         std::string(type->type) + "' and is ignored");
  return graph;
}
