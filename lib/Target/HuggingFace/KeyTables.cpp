//===- KeyTables.cpp - what becomes of each key of a config ---------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// See KeyTables.h.
//
//===----------------------------------------------------------------------===//

#include "KeyTables.h"

#include "llvm/ADT/STLExtras.h"

using namespace modelpar;
using namespace modelpar::target;

namespace {
/// Keys of one use.
struct Group {
  KeyUse use;
  std::string_view value;
  std::vector<std::string_view> names;
};
} // namespace

static std::vector<ConfigKey> table(const std::vector<Group> &groups) {
  std::vector<ConfigKey> keys;
  for (const Group &group : groups)
    for (std::string_view name : group.names)
      keys.push_back({name, group.use, group.value});
  return keys;
}

const std::vector<ConfigKey> &target::commonKeys() {
  static const std::vector<ConfigKey> keys = table({
      // The file itself.
      {KeyUse::Honoured, "", {"model_type"}},
      {KeyUse::Nullable, "", {"architectures", "dtype", "torch_dtype"}},
      {KeyUse::Harmless,
       "",
       {"name_or_path", "transformers_version", "transformers.js_config", "transformers_weights", "unsloth_version",
        "unsloth_fixed", "is_llama_config", "author", "created_date", "license"}},
      // Code or weights of another kind, and layers that are not alike: never what we would build.
      {KeyUse::Only,
       "null",
       {"auto_map", "quantization_config", "configuration_files", "fusion_config", "text_config", "sliding_window",
        "attention_chunk_size"}},
      {KeyUse::Only, "{}", {"pruned_heads", "per_layer_config"}},
      {KeyUse::Only, "false", {"is_encoder_decoder", "add_cross_attention"}},
      {KeyUse::Only, "\"ForCausalLM\"", {"loss_type"}},
      {KeyUse::Each, "\"full_attention\"", {"layer_types"}},
      {KeyUse::Each, "\"dense\"", {"mlp_layer_types"}},
      // What a model returns beside the loss.
      {KeyUse::Harmless,
       "",
       {"return_dict", "use_return_dict", "output_hidden_states", "output_attentions", "output_past",
        "tie_last_hidden_states", "use_cache"}},
      // How it is computed or kept, not what.
      {KeyUse::Harmless,
       "",
       {"attn_implementation", "experts_implementation", "chunk_size_feed_forward", "gradient_checkpointing",
        "pretraining_tp", "base_model_tp_plan", "base_model_pp_plan", "base_model_ep_plan", "base_model_fsdp_plan",
        "torchscript", "use_bfloat16", "tf_legacy_loss", "xla_device"}},
      // Roles that only models of two halves have.
      {KeyUse::Harmless,
       "",
       {"is_decoder", "cross_attention_hidden_size", "tie_encoder_decoder", "decoder_start_token_id"}},
      // The tokenizer.
      {KeyUse::Harmless,
       "",
       {"bos_token_id", "eos_token_id", "sep_token_id", "cls_token_id", "mask_token_id", "unk_token_id", "bos_token",
        "eos_token", "pad_token", "unk_token", "tokenizer_class", "prefix", "vocab_file", "predict_special_tokens",
        "n_special", "max_sequence_length", "model_max_length", "tokenizer_model_max_length",
        "tokenizer_padding_side"}},
      // Heads of other tasks.
      {KeyUse::Harmless,
       "",
       {"id2label", "label2id", "num_labels", "problem_type", "finetuning_task", "classifier_dropout",
        "task_specific_params"}},
      // Generation.
      {KeyUse::Harmless,
       "",
       {"max_length",
        "max_new_tokens",
        "min_length",
        "min_new_tokens",
        "do_sample",
        "early_stopping",
        "num_beams",
        "num_beam_groups",
        "diversity_penalty",
        "temperature",
        "top_k",
        "top_p",
        "min_p",
        "typical_p",
        "epsilon_cutoff",
        "eta_cutoff",
        "repetition_penalty",
        "encoder_repetition_penalty",
        "length_penalty",
        "no_repeat_ngram_size",
        "encoder_no_repeat_ngram_size",
        "bad_words_ids",
        "num_return_sequences",
        "output_scores",
        "output_logits",
        "return_dict_in_generate",
        "forced_bos_token_id",
        "forced_eos_token_id",
        "remove_invalid_values",
        "exponential_decay_length_penalty",
        "suppress_tokens",
        "begin_suppress_tokens",
        "num_assistant_tokens",
        "num_assistant_tokens_schedule",
        "assistant_confidence_threshold",
        "assistant_lookbehind",
        "target_lookbehind"}},
  });
  return keys;
}

const std::vector<ConfigKey> &target::gpt2Keys() {
  static const std::vector<ConfigKey> keys = table({
      {KeyUse::Honoured,
       "",
       {"vocab_size", "n_positions", "max_position_embeddings", "n_embd", "hidden_size", "n_layer", "num_hidden_layers",
        "n_head", "num_attention_heads"}},
      {KeyUse::Nullable, "", {"n_inner", "n_ctx"}},
      {KeyUse::Honoured,
       "",
       {"activation_function", "layer_norm_epsilon", "initializer_range", "embd_pdrop", "attn_pdrop", "resid_pdrop",
        "scale_attn_weights", "scale_attn_by_inverse_layer_idx", "tie_word_embeddings", "is_causal"}},
      // The order of a scaling and a wider type for scores: no other maths in the types we compute in.
      {KeyUse::Harmless, "", {"reorder_and_upcast_attn"}},
      // No embedding of this type has a row of padding.
      {KeyUse::Harmless, "", {"pad_token_id"}},
      // Heads of other tasks.
      {KeyUse::Harmless,
       "",
       {"summary_type", "summary_use_proj", "summary_activation", "summary_proj_to_labels", "summary_first_dropout",
        "summary_last_dropout"}},
  });
  return keys;
}

const std::vector<ConfigKey> &target::llamaKeys() {
  static const std::vector<ConfigKey> keys = table({
      {KeyUse::Honoured,
       "",
       {"vocab_size", "max_position_embeddings", "hidden_size", "intermediate_size", "num_hidden_layers",
        "num_attention_heads"}},
      {KeyUse::Nullable, "", {"num_key_value_heads", "head_dim"}},
      {KeyUse::Honoured,
       "",
       {"hidden_act", "rms_norm_eps", "initializer_range", "attention_dropout", "attention_bias", "mlp_bias",
        "tie_word_embeddings", "is_causal", "rope_theta"}},
      {KeyUse::Nullable, "", {"rope_scaling", "rope_parameters", "original_max_position_embeddings", "pad_token_id"}},
      // Turning a part of each head, or neighbours instead of halves.
      {KeyUse::Only, "1", {"partial_rotary_factor"}},
      {KeyUse::Only, "false", {"rope_interleaved"}},
  });
  return keys;
}

static std::string text(const json::Value &value) { return json::dump(value).substr(0, 64); }

static void checkValue(const ConfigKey &key, const json::Value &value, const std::string &pointer,
                       json::Errors &errors) {
  if (key.use == KeyUse::Honoured && value.is_null())
    errors.add(pointer, "found null, expected a value, or no key for the default");
  if ((key.use != KeyUse::Only && key.use != KeyUse::Each) || value.is_null())
    return;
  json::Value expected;
  std::string ignored;
  json::parse(key.value, expected, ignored);
  if (expected.is_null())
    errors.add(pointer, "is not supported");
  else if (key.use == KeyUse::Only && value != expected)
    errors.add(pointer, text(value) + " is not supported, expected " + std::string(key.value));
  else if (key.use == KeyUse::Each && !value.is_array())
    errors.add(pointer, "expected an array, found " + json::describe(value));
  else if (key.use == KeyUse::Each)
    for (size_t i = 0; i < value.size(); ++i)
      if (value[i] != expected)
        return errors.add(json::join(pointer, i),
                          text(value[i]) + " is not supported, expected " + std::string(key.value));
}

void target::checkKeys(const json::Value &config, std::string_view modelType, const std::vector<ConfigKey> &typeKeys,
                       json::Errors &errors) {
  for (auto it = config.begin(); it != config.end(); ++it) {
    const std::string pointer = json::join("", it.key().substr(0, 64));
    if (it.key().starts_with("_"))
      continue;
    const ConfigKey *known = nullptr;
    for (const std::vector<ConfigKey> *keys : {&typeKeys, &commonKeys()})
      for (const ConfigKey &key : *keys)
        known = !known && key.name == it.key() ? &key : known;
    if (known)
      checkValue(*known, it.value(), pointer, errors);
    else if (!it.value().is_null())
      errors.add(pointer, "key is not known for model type '" + std::string(modelType) +
                              "', so it may change the maths; take it out if it does not");
  }
}
