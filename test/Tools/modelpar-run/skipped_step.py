"""Files of a run whose first step has a NaN in its batch, and the check of what AdamW made of the second.

make DIR: DIR/model.json (two linear layers), DIR/init.safetensors, DIR/data.safetensors (two batches of 4 samples)
check LR INIT FILE: every weight of FILE is LR away from INIT's: without weight decay the first step of AdamW is
lr·g/(|g| + ε), whatever the gradient, if it counts as the first.
"""
import json
import math
import random
import struct
import sys


def write(path, tensors):
    header, data = {}, b""
    for name, (shape, values) in tensors.items():
        packed = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(packed)]}
        data += packed
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def read(path):
    with open(path, "rb") as file:
        content = file.read()
    size = struct.unpack("<Q", content[:8])[0]
    tensors = {}
    for name, entry in json.loads(content[8:8 + size]).items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            tensors[name] = struct.unpack(f"<{(end - begin) // 4}f", content[8 + size + begin:8 + size + end])
    return tensors


def make(directory):
    rng = random.Random(7)
    uniform = lambda count: [rng.uniform(-1, 1) for _ in range(count)]
    data = {"role": "data", "type": "float", "range": [-1, 1]}
    weight = {"init": {"normal": {"std": 0.1}}}
    model = {
        "modelpar": 1, "name": "two-layers",
        "dims": {"batch": {"role": "batch"}, "f": 4, "h": 6, "o": 2},
        "inputs": {"x": {"dims": ["batch", "f"], **data}, "y": {"dims": ["batch", "o"], **data}},
        "parameters": {"A": {"dims": ["f", "h"], **weight}, "B": {"dims": ["h", "o"], **weight}},
        "ops": [{"op": "matmul", "inputs": ["x", "A"], "outputs": ["z"]},
                {"op": "matmul", "inputs": ["z", "B"], "outputs": ["p"]},
                {"op": "squared_error", "inputs": ["p", "y"], "outputs": ["loss"]}],
        "loss": "loss"}
    with open(f"{directory}/model.json", "w", encoding="utf-8") as file:
        json.dump(model, file)
    write(f"{directory}/init.safetensors", {"A": ([4, 6], uniform(24)), "B": ([6, 2], uniform(12))})
    x = uniform(32)
    x[5] = math.nan
    write(f"{directory}/data.safetensors", {"x": ([8, 4], x), "y": ([8, 2], uniform(16))})


def check(rate, init, path):
    before, after = read(init), read(path)
    for name, values in before.items():
        for index, value in enumerate(values):
            moved = abs(after[name][index] - value)
            # f32 weights of about 1, and gradients far above ε.
            if not abs(moved - rate) <= 1e-5 * rate + 2e-7:
                sys.exit(f"{path}: {name}[{index}] moved by {moved}, expected {rate}")


if sys.argv[1] == "make":
    make(sys.argv[2])
else:
    check(float(sys.argv[2]), sys.argv[3], sys.argv[4])
