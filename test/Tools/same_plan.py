#!/usr/bin/env python3
"""Exits 0 when the plan files are equal but for the texts they came from and the hash."""
import json
import sys


def content(path):
    plan = json.load(open(path, encoding="utf-8"))
    for field in ("command", "model_text", "cluster_text", "content_hash", "hash", "summary"):
        plan.pop(field, None)
    return plan


first = content(sys.argv[1])
for path in sys.argv[2:]:
    other = content(path)
    for key in first:
        if first[key] != other.get(key):
            sys.exit(f"{path}: field {key} differs from {sys.argv[1]}")
if len(first) < 10:
    sys.exit(f"{sys.argv[1]}: only {len(first)} fields were compared")
