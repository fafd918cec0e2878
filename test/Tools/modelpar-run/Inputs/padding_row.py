"""Files for padding-row.test, and the table's gradient by hand."""
import json
import struct
import sys

IDS = [3, 0, 4, 0]
TARGETS = [[1, -0.25], [0.5, -1], [0, 0.25], [-1, 1]]
TABLE = [[1, -1], [2, 2], [0.5, 0], [4, -3], [0.25, 1]]
PADDING = 3


def write(path, tensors):
    header, data = {}, b""
    for name, (dtype, shape, values) in tensors.items():
        raw = struct.pack("<%d%s" % (len(values), {"I32": "i", "F32": "f"}[dtype]), *values)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def table_of(path):
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    begin, end = header["inner.table"]["data_offsets"]
    values = struct.unpack("<10f", data[8 + size + begin:8 + size + end])
    return [list(values[i:i + 2]) for i in range(0, 10, 2)]


def gradient():
    rows = [[0.0, 0.0] for _ in TABLE]
    for row, target in zip(IDS, TARGETS):
        for column in range(2):
            if row != PADDING:
                rows[row][column] += 2 * (TABLE[row][column] - target[column]) / (len(IDS) * 2)
    return rows


def expect(found, expected):
    # Every number here and each of its sums is a short binary fraction.
    if found != expected:
        sys.exit("found %s, expected %s" % (found, expected))


if sys.argv[1] == "write":
    flat = lambda rows: [x for row in rows for x in row]
    write(sys.argv[2] + "/data.safetensors", {"ids": ("I32", [4], IDS), "target": ("F32", [4, 2], flat(TARGETS))})
    # Under the second name that the model knows for it, wrapped.
    write(sys.argv[2] + "/init.safetensors", {"module.head": ("F32", [5, 2], flat(TABLE))})
elif sys.argv[1] == "check":
    expect(table_of(sys.argv[2]), gradient())
    expect(table_of(sys.argv[3]), [[w - g for w, g in zip(*rows)] for rows in zip(TABLE, gradient())])
else:
    expect(table_of(sys.argv[2]), [[0.0 if row == PADDING else 0.5] * 2 for row in range(5)])
