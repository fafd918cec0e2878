"""rename_tensors.py IN OUT FROM=TO...: a safetensors file with the first FROM that a name starts with replaced.
--copy=NAME=COPY adds a copy of a tensor with other contents."""
import json
import struct
import sys

with open(sys.argv[1], "rb") as file:
    data = file.read()
size = struct.unpack("<Q", data[:8])[0]
header, data = json.loads(data[8:8 + size]), data[8 + size:]
renamed = {}
for name, tensor in header.items():
    for rule in sys.argv[3:]:
        old, new = rule.split("=", 1)
        if name.startswith(old):
            name = new + name[len(old):]
            break
    renamed[name] = tensor
for rule in sys.argv[3:]:
    if rule.startswith("--copy="):
        name, copy = rule[len("--copy="):].split("=")
        begin, end = renamed[name]["data_offsets"]
        renamed[copy] = dict(renamed[name], data_offsets=[len(data), len(data) + end - begin])
        data += bytes(end - begin)
text = json.dumps(renamed).encode()
with open(sys.argv[2], "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text + data)
