#!/usr/bin/env python3
"""Runs a command that must fail as a user's error does: exit code 1 and exactly one message. Prints what it wrote.

Usage: expect_error.py COMMAND...
"""
import pathlib
import subprocess
import sys

done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, check=False)
text = done.stdout.decode(errors="replace")
print(text, end="")
name = pathlib.Path(sys.argv[1]).name
if done.returncode != 1:
    sys.exit(f"expect_error.py: exit code {done.returncode}, expected 1")
if text.count(f"{name}: error:") != 1:
    sys.exit(f"expect_error.py: {text.count(f'{name}: error:')} messages, expected 1")
