#!/usr/bin/env python3
"""Writes a safetensors file of arrays whose elements are an expression of their index i.

Usage: write_arrays.py FILE [NAME TYPE SHAPE EXPRESSION]...
For example: write_arrays.py d.safetensors tokens I32 40,8 'i % 53' positions I32 8 i
"""
import json
import math
import struct
import sys

CODES = {"U8": "B", "I8": "b", "U16": "H", "I16": "h", "I32": "i", "I64": "q", "F16": "e", "F32": "f", "F64": "d"}

header, data = {}, b""
for at in range(2, len(sys.argv), 4):
    name, kind, extents, expression = sys.argv[at : at + 4]
    shape = [int(extent) for extent in extents.split(",")]
    code = compile(expression, name, "eval")
    values = [eval(code, {"math": math, "i": i}) for i in range(math.prod(shape))]
    part = struct.pack(f"<{len(values)}{CODES[kind]}", *values)
    header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + len(part)]}
    data += part
text = json.dumps(header).encode()
with open(sys.argv[1], "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text + data)
