#!/usr/bin/env python3
#===- llama_tiny.py - what transformers computes for models/llama-tiny.json ---===#
#
# Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===----------------------------------------------------------------------===#
"""Makes test/Execution/goldens/llama-tiny from transformers' LlamaForCausalLM; see golden.py.

    python scripts/goldens/llama_tiny.py
"""
import sys

import transformers

import golden

if __name__ == "__main__":
    sys.exit(golden.make("llama_tiny.py", "llama-tiny", transformers.LlamaConfig, transformers.LlamaForCausalLM))
