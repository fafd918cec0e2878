#!/usr/bin/env python3
"""Checks that a safetensors file is whole: a header of JSON, tensors that fill the rest, and nothing beside them.

Usage: check_safetensors.py FILE
"""
import json
import pathlib
import struct
import sys

data = pathlib.Path(sys.argv[1]).read_bytes()
(length,) = struct.unpack("<Q", data[:8])
header = json.loads(data[8:8 + length])
ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
if not ends or len(data) != 8 + length + max(ends):
    sys.exit(f"check_safetensors.py: {len(data)} bytes, expected {8 + length + max(ends, default=0)}")
