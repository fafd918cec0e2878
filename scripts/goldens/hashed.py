#!/usr/bin/env python3
#===- hashed.py - weights that are a function of name and index ---------------===#
#
# Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===----------------------------------------------------------------------===#
"""Weights for golden tests that need no file of their own, and a safetensors reader and writer. Standard library only.

Element `i` (row-major) of tensor `name` is

    x = splitmix64(fnv1a64(name) + i)              64-bit unsigned, wrapping
    u = ((x >> 48) - 32768) / 32768                16 bits, in [-1, 1)
    value = centre + scale * u                     centre 0 or 1, scale a power of two

which single precision holds exactly, so that every language makes the same bits.

    hashed.py CONFIG.json OUTDIR                   writes OUTDIR/model.safetensors and prints its SHA-256
"""
import array
import hashlib
import json
import math
import os
import struct
import sys

MASK = (1 << 64) - 1
TYPES = {"F32": "f", "F64": "d", "U8": "B", "I16": "h", "I32": "i"}


def fnv1a64(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value


def splitmix64(x):
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def hashed_tensor(name, count, centre, scale):
    base = fnv1a64(name)
    step = scale / 32768
    return array.array("f", [centre + step * ((splitmix64(base + i) >> 48) - 32768) for i in range(count)])


def gpt2_parameters(config):
    """(checkpoint name, shape, centre, scale) of a tied GPT2LMHeadModel, in checkpoint order. Biases and norms are not at their neutral
    values, so that no gradient and no mistake vanishes in them."""
    width, inner = config["n_embd"], config.get("n_inner") or 4 * config["n_embd"]

    def norm(prefix):
        return [(prefix + ".weight", [width], 1, 1 / 8), (prefix + ".bias", [width], 0, 1 / 16)]

    def linear(prefix, rows, columns, scale):
        return [(prefix + ".weight", [rows, columns], 0, scale), (prefix + ".bias", [columns], 0, 1 / 64)]

    result = [("transformer.wte.weight", [config["vocab_size"], width], 0, 1 / 16),
              ("transformer.wpe.weight", [config["n_positions"], width], 0, 1 / 32)]
    for layer in range(config["n_layer"]):
        h = f"transformer.h.{layer}."
        result += norm(h + "ln_1") + linear(h + "attn.c_attn", width, 3 * width, 1 / 8)
        result += linear(h + "attn.c_proj", width, width, 1 / 16)
        result += norm(h + "ln_2") + linear(h + "mlp.c_fc", width, inner, 1 / 16) + linear(h + "mlp.c_proj", inner, width, 1 / 32)
    return result + norm("transformer.ln_f")


def llama_parameters(config):
    """The same of a LlamaForCausalLM with an untied head and no biases."""
    width, inner, heads = config["hidden_size"], config["intermediate_size"], config["num_attention_heads"]
    head = width // heads
    result = [("model.embed_tokens.weight", [config["vocab_size"], width], 0, 1 / 16)]
    for layer in range(config["num_hidden_layers"]):
        h = f"model.layers.{layer}."
        result += [(h + "input_layernorm.weight", [width], 1, 1 / 8)]
        result += [(h + f"self_attn.{name}_proj.weight", [count * head, width], 0, 1 / 8)
                   for name, count in (("q", heads), ("k", config["num_key_value_heads"]), ("v", config["num_key_value_heads"]))]
        result += [(h + "self_attn.o_proj.weight", [width, heads * head], 0, 1 / 16),
                   (h + "post_attention_layernorm.weight", [width], 1, 1 / 8),
                   (h + "mlp.gate_proj.weight", [inner, width], 0, 1 / 8), (h + "mlp.up_proj.weight", [inner, width], 0, 1 / 16),
                   (h + "mlp.down_proj.weight", [width, inner], 0, 1 / 32)]
    return result + [("model.norm.weight", [width], 1, 1 / 8), ("lm_head.weight", [config["vocab_size"], width], 0, 1 / 16)]


def weights(config):
    """{name: (shape, array of floats)} of a config.json's model."""
    parameters = {"gpt2": gpt2_parameters, "llama": llama_parameters}[config["model_type"]]
    return {name: (shape, hashed_tensor(name, math.prod(shape), centre, scale))
            for name, shape, centre, scale in parameters(config)}


def write_safetensors(path, tensors, metadata=None):
    """`tensors`: {name: (shape, array)}, written in this order."""
    names = {code: name for name, code in TYPES.items()}
    header, offset = {"__metadata__": metadata} if metadata else {}, 0
    for name, (shape, values) in tensors.items():
        end = offset + len(values) * values.itemsize
        header[name] = {"dtype": names[values.typecode], "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, values in tensors.values():
            if sys.byteorder == "big":
                values = values[:]
                values.byteswap()
            file.write(values.tobytes())


def read_safetensors(path):
    """{name: (shape, array)}"""
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    header, result = json.loads(data[8:8 + length]), {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        values = array.array(TYPES[entry["dtype"]])
        values.frombytes(data[begin:end])
        if sys.byteorder == "big":
            values.byteswap()
        if len(values) != math.prod(entry["shape"]):
            raise ValueError(f"{path}: tensor '{name}' has {len(values)} elements, shape {entry['shape']}")
        result[name] = (entry["shape"], values)
    return result


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def sketch(name, values, buckets):
    """A count sketch: element i is added to one bucket with one sign, both hashed from the name and i. The squared norm of the difference of
    two sketches is an unbiased estimate of that of the tensors, with a relative deviation of sqrt(2 / buckets)."""
    base, result = fnv1a64("sketch " + name), [0.0] * buckets
    for i, value in enumerate(values):
        x = splitmix64(base + i)
        if x & 1:
            result[(x >> 1) % buckets] += value
        else:
            result[(x >> 1) % buckets] -= value
    return result


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1]) as file:
        config = json.load(file)
    os.makedirs(sys.argv[2], exist_ok=True)
    path = os.path.join(sys.argv[2], "model.safetensors")
    write_safetensors(path, weights(config), {"format": "pt"})
    print(sha256(path))


if __name__ == "__main__":
    main()
