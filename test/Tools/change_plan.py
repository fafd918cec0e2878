#!/usr/bin/env python3
"""Spoils a plan file in one way.

Usage: change_plan.py version|flip|cut|swap|output PLAN OUTPUT

swap: a send and the receive after it, both alone, of the first stage that has such a pair; the header fits the new content.
output: the norm of the gradients has another name; the header fits.
"""
import hashlib
import json
import pathlib
import re
import sys

how, source, target = sys.argv[1:]
data = pathlib.Path(source).read_bytes()
if how == "version":
    changed = re.sub(rb'("(?:format_)?version":\s*)\d+\b', rb"\g<1>999", data, count=1)
elif how == "flip":
    # The last digit in the file's first half: still JSON, but not what was hashed.
    at = max(m.start() for m in re.finditer(rb"[0-8]", data[: len(data) // 2]))
    changed = data[:at] + bytes([data[at] + 1]) + data[at + 1 :]
elif how in ("swap", "output"):
    header, content = data.split(b"\n", 1)
    alone = rb'(\{"exchange":\[\[\d+,\d+\]\]\})'
    if how == "swap":
        content = re.sub(alone + b"," + alone, rb"\2,\1", content, count=1)
    else:
        content = content.replace(b'"grad_norm"', b'"norm"')
    fields = json.loads(header.rstrip(b",") + b"}")
    fields["content_bytes"], fields["sha256"] = len(content), hashlib.sha256(content).hexdigest()
    changed = json.dumps(fields, separators=(",", ":")).encode()[:-1] + b",\n" + content
else:
    changed = data[: len(data) * 2 // 3]
if changed == data:
    sys.exit(f"change_plan.py: found nothing to change in {source}")
pathlib.Path(target).write_bytes(changed)
