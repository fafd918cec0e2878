#!/usr/bin/env python3
"""Exits 0 when the plan files are equal but for the command, the hash, and the source places of instructions (a printed module has none)."""
import json
import sys


def without_origin(fields):
    fields.pop("origin", None)
    return fields


def content(path):
    with open(path, encoding="utf-8") as file:
        plan = json.load(file, object_hook=without_origin)
    for field in ("command", "content_bytes", "sha256"):
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
