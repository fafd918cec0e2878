#!/usr/bin/env python3
"""Compiles a model, resumes every printed phase with no option, and exits 0 when each time the plan is that of the direct compile but for the
command and the hash (origins of instructions included), and the phase printed again is the text it was read from.

Usage: resume_phases.py FOLDER MODEL OPTION...
"""
import json
import pathlib
import subprocess
import sys

PHASES = ("import", "differentiated", "sharded", "partitioned", "staged", "scheduled")


def compiled(*arguments):
    done = subprocess.run(["modelpar-opt", *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        sys.exit(f"modelpar-opt {' '.join(map(str, arguments))}: exit code {done.returncode}\n{done.stderr}")
    return done.stdout


def content(path):
    plan = json.loads(path.read_text(encoding="utf-8"))
    for field in ("command", "content_bytes", "sha256"):
        del plan[field]
    return plan


folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
compiled(*sys.argv[2:], f"--dump-phases-to={folder}", "-o", folder / "direct.plan")
direct = content(folder / "direct.plan")
if '"origin"' not in json.dumps(direct):
    sys.exit("the plan has no origins to compare")
for number, phase in enumerate(PHASES):
    printed = folder / f"{number}.{phase}.mlir"
    again = compiled(printed, f"--compile-from={phase}", f"--compile-to={phase}")
    if again != printed.read_text(encoding="utf-8"):
        sys.exit(f"phase {phase}: printed again it differs from {printed}")
    compiled(printed, f"--compile-from={phase}", "-o", folder / "resumed.plan")
    resumed = content(folder / "resumed.plan")
    differing = [key for key in direct if direct[key] != resumed.get(key)]
    if differing or direct.keys() != resumed.keys():
        sys.exit(f"resumed from {phase}: the plan differs in {', '.join(differing)}")
