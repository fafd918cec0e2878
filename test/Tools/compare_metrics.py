#!/usr/bin/env python3
"""Compares files of --metrics.

Usage: compare_metrics.py same A B     losses, gradient norms and learning rates are equal
       compare_metrics.py near A B     losses within 2e-5, gradient norms within 1e-4 (relative)
       compare_metrics.py falls A X    the mean of the last five losses is at least X below the first loss
"""
import json
import pathlib
import sys

FIELDS = ["step", "loss", "grad_norm", "lr", "tokens_per_second", "step_seconds", "peak_memory_bytes"]


def read(path):
    rows = [json.loads(line) for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines()]
    if not rows:
        sys.exit(f"{path} is empty")
    for index, row in enumerate(rows):
        if list(row) != FIELDS or row["step"] != index + 1:
            sys.exit(f"{path}:{index + 1}: expected the fields {FIELDS} of step {index + 1}, found {row}")
    return rows


how, first = sys.argv[1], read(sys.argv[2])
if how == "falls":
    last = [row["loss"] for row in first[-5:]]
    fall = first[0]["loss"] - sum(last) / len(last)
    if fall < float(sys.argv[3]):
        sys.exit(f"the loss fell by {fall}, expected at least {sys.argv[3]}")
else:
    second = read(sys.argv[3])
    if len(first) != len(second):
        sys.exit(f"{len(first)} and {len(second)} steps")
    for a, b in zip(first, second):
        for field, tolerance in (("loss", 2e-5), ("grad_norm", 1e-4), ("lr", 0)):
            bound = 0 if how == "same" else tolerance * abs(a[field])
            if not abs(a[field] - b[field]) <= bound:
                sys.exit(f"step {a['step']}: {field} is {a[field]} and {b[field]}")
