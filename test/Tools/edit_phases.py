#!/usr/bin/env python3
"""Edits printed phases and resumes them, by the lines `EDIT: PHASE | OLD | NEW | WHAT HAPPENS` of a table.

Usage: edit_phases.py TABLE FOLDER
FOLDER has the phases and direct.plan. OLD is replaced by NEW at its first place in the phase; NEW may be empty. What happens is `plan: FIELD`, a plan
that differs in that field (among others) from the direct one, or one error that contains the text.
"""
import json
import pathlib
import subprocess
import sys

PHASES = ("import", "differentiated", "sharded", "partitioned", "staged", "scheduled")
table, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
direct = json.loads((folder / "direct.plan").read_text(encoding="utf-8"))
edited, plan = folder / "edited.mlir", folder / "edited.plan"
rows = [line[5:].split("|") for line in table.read_text(encoding="utf-8").splitlines() if line.startswith("EDIT:")]
wrong = []
for phase, old, new, expected in ([cell.strip() for cell in row] for row in rows):
    text = (folder / f"{PHASES.index(phase)}.{phase}.mlir").read_text(encoding="utf-8")
    row = f"{phase} | {old} | {new}"
    if old not in text:
        wrong.append(f"{row}: the phase has no such text")
        continue
    edited.write_text(text.replace(old, new, 1), encoding="utf-8")
    plan.unlink(missing_ok=True)
    command = ["modelpar-opt", edited, f"--compile-from={phase}", "-o", plan]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if expected.startswith("plan: "):
        field = expected.removeprefix("plan: ")
        if done.returncode or json.loads(plan.read_text(encoding="utf-8"))[field] == direct[field]:
            wrong.append(f"{row}: exit code {done.returncode}, expected a plan with another {field}\n{done.stderr}")
    elif done.returncode != 1 or done.stderr.count("modelpar-opt: error:") != 1 or expected not in done.stderr:
        wrong.append(f"{row}: exit code {done.returncode}, expected one error with: {expected}\n{done.stderr}")
if wrong or not rows:
    sys.exit("\n".join(wrong) or f"{table}: no rows")
print(f"{len(rows)} edits")
