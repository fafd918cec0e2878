#!/usr/bin/env python3
"""Exits 0 when the plan files are equal but for the command and the hash.

Usage: same_plan.py [--without-origins] PLAN...
With --without-origins also but for the origins of instructions: passes that are run by name print none.
"""
import json
import sys

arguments = sys.argv[1:]
without_origins = arguments[0] == "--without-origins"
if without_origins:
    arguments.pop(0)


def fields(found):
    if without_origins:
        found.pop("origin", None)
    return found


def content(path):
    with open(path, encoding="utf-8") as file:
        plan = json.load(file, object_hook=fields)
    for field in ("command", "content_bytes", "sha256"):
        plan.pop(field, None)
    return plan


first = content(arguments[0])
for path in arguments[1:]:
    other = content(path)
    for key in first:
        if first[key] != other.get(key):
            sys.exit(f"{path}: field {key} differs from {arguments[0]}")
if len(first) < 10:
    sys.exit(f"{arguments[0]}: only {len(first)} fields were compared")
