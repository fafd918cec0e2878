#!/usr/bin/env python3
"""Spoils a plan file in one way.

Usage: change_plan.py version|flip|cut PLAN OUTPUT
"""
import pathlib
import re
import sys

how, source, target = sys.argv[1:]
data = pathlib.Path(source).read_bytes()
if how == "version":
    changed = re.sub(rb'("(?:format_)?version":\s*)1\b', rb"\g<1>999", data, count=1)
elif how == "flip":
    # The last digit in the file's first half: still JSON, but not what was hashed.
    at = max(m.start() for m in re.finditer(rb"[0-8]", data[: len(data) // 2]))
    changed = data[:at] + bytes([data[at] + 1]) + data[at + 1 :]
else:
    changed = data[: len(data) * 2 // 3]
if changed == data:
    sys.exit(f"change_plan.py: found nothing to change in {source}")
pathlib.Path(target).write_bytes(changed)
