#!/usr/bin/env python3
"""Checks who includes whom: each folder may include only what the house plan allows (CONTRIBUTING.md draws it).

Usage: include_direction.py SOURCE_DIR [--self-test]
"""
import pathlib
import re
import sys

# Folder (longest prefix wins) -> prefixes of project headers it may include, beside its own.
PLAIN = ["modelpar/Sharding", "modelpar/Json"]
ALLOWED = {
    "Json": [],
    "Files": [],
    "Sharding": [],
    "Memory": ["modelpar/Sharding"],
    "Schedule": ["modelpar/Sharding"],
    "Overlap": ["modelpar/Sharding"],
    "PlanFormat": PLAIN + ["modelpar/Schedule"],
    "Trace": PLAIN + ["modelpar/PlanFormat"],
    "CostModel": PLAIN + ["modelpar/Schedule", "modelpar/Memory", "modelpar/Overlap", "modelpar/PlanFormat"],
    "Interfaces": ["modelpar/Sharding"],
    "Dialect/NN": ["modelpar/Sharding", "modelpar/Interfaces"],
    "Dialect/Dist": ["modelpar/Sharding", "modelpar/Interfaces", "modelpar/Overlap", "modelpar/CostModel"],
    "Dialect/Plan": ["modelpar/Sharding", "modelpar/Interfaces", "modelpar/Schedule", "modelpar/Memory", "modelpar/Overlap",
                     "modelpar/Dialect/Dist/IR", "modelpar/PlanFormat"],
    "Conversion/DistToPlan": ["modelpar/Sharding", "modelpar/Interfaces", "modelpar/Memory", "modelpar/Schedule", "modelpar/Overlap",
                              "modelpar/Dialect", "modelpar/PlanFormat"],
    "Target": PLAIN + ["modelpar/Dialect/NN"],
    "Target/PlanJSON": PLAIN + ["modelpar/Dialect", "modelpar/PlanFormat"],
    "Pipelines": ["modelpar/"],
    "runtime/base": ["modelpar/Files"],
    "runtime/profile": ["modelpar/Files", "modelpar/Sharding", "modelpar/Trace", "runtime/base"],
    "runtime/device": ["runtime/base"],
    "runtime/comm": ["modelpar/Sharding", "modelpar/PlanFormat", "runtime/base", "runtime/device"],
    "runtime/kernels": ["modelpar/Sharding", "modelpar/PlanFormat", "runtime/base", "runtime/device", "runtime/comm"],
    "runtime/executor": ["modelpar/Sharding", "modelpar/PlanFormat", "modelpar/Trace", "runtime/base", "runtime/device", "runtime/comm", "runtime/kernels",
                         "runtime/profile"],
    "runtime/checkpoint": PLAIN + ["modelpar/PlanFormat", "runtime/base", "runtime/executor", "runtime/kernels"],
    "runtime/data": PLAIN + ["modelpar/PlanFormat", "runtime/base", "runtime/executor", "runtime/checkpoint", "runtime/kernels"],
    "runtime/training": PLAIN + ["modelpar/Files", "modelpar/PlanFormat", "runtime/"],
}
RUNTIME_FORBIDDEN = re.compile(r"^(mlir|llvm)/")
INCLUDE = re.compile(r'^\s*#\s*include\s+[<"]([^">]+)[">]', re.M)
SUFFIXES = {".h", ".cpp", ".cu", ".cuh"}


def room(path):
    """The folder of ALLOWED that a source path belongs to, and the header prefixes that are its own."""
    text = path.as_posix()
    for prefix in ("include/modelpar/", "lib/"):
        if text.startswith(prefix):
            inner = text[len(prefix):]
            names = [name for name in ALLOWED if not name.startswith("runtime") and (inner + "/").startswith(name + "/")]
            if names:
                name = max(names, key=len)
                return name, ["modelpar/" + name]
    names = [name for name in ALLOWED if name.startswith("runtime") and text.startswith(name + "/")]
    if names:
        name = max(names, key=len)
        return name, [name]
    return None, []


def breaches(path, text):
    name, own = room(path)
    if name is None:
        return
    for header in INCLUDE.findall(text):
        if name.startswith("runtime") and RUNTIME_FORBIDDEN.match(header):
            yield f"{path}: includes {header}, but nothing below runtime/ may use LLVM"
        if header.startswith(("modelpar/", "runtime/")) and not header.startswith(tuple(own + ALLOWED[name])):
            yield f"{path}: includes {header}, which {name} may not (allowed: {', '.join(own + ALLOWED[name])})"


def self_test():
    bad = list(breaches(pathlib.Path("runtime/base/X.h"), '#include "mlir/IR/Value.h"\n#include "runtime/comm/Y.h"\n'))
    bad += list(breaches(pathlib.Path("lib/Dialect/NN/IR/X.cpp"), '#include "modelpar/Dialect/Dist/IR/Dist.h"\n'))
    good = list(breaches(pathlib.Path("lib/Sharding/Mesh.cpp"), '#include "modelpar/Sharding/Mesh.h"\n#include <vector>\n'))
    if len(bad) != 3 or good:
        sys.exit(f"include_direction.py: the self-test expected 3 and 0 breaches, found {len(bad)} and {len(good)}")


def main():
    self_test()
    root = pathlib.Path(sys.argv[1])
    found, files = [], 0
    for top in ("include/modelpar", "lib", "runtime"):
        for path in sorted((root / top).rglob("*")):
            if path.suffix in SUFFIXES:
                files += 1
                found += breaches(path.relative_to(root), path.read_text(encoding="utf-8"))
    if files == 0:
        sys.exit(f"no source files below {root}")
    print("\n".join(found) if found else f"{files} files keep to the house plan")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
