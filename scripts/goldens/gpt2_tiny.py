#!/usr/bin/env python3
#===- gpt2_tiny.py - what transformers computes for models/gpt2-tiny.json -----===#
#
# Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===----------------------------------------------------------------------===#
"""Makes test/Execution/goldens/gpt2-tiny from transformers' GPT2LMHeadModel; see golden.py.

    python scripts/goldens/gpt2_tiny.py
"""
import sys

import transformers

import golden

if __name__ == "__main__":
    sys.exit(golden.make("gpt2_tiny.py", "gpt2-tiny", transformers.GPT2Config, transformers.GPT2LMHeadModel))
