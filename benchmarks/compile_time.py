#!/usr/bin/env python3
"""Time of the whole modelpar-opt process, start to plan file: median and range over repeated runs.

Usage: benchmarks/compile_time.py [--repeat 11] [--bin build/bin]
"""
import argparse
import pathlib
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
# model, cluster, pins, the bound that the project sets itself (seconds)
CASES = [
    ("gpt2.json", "local:8", ["--tp=2"], 0.3),
    ("gpt2.json", "local:8", ["--tp=8"], 0.3),
    ("gpt2-medium.json", "local:8", ["--tp=2"], None),
    ("gpt2-large.json", "local:8", ["--tp=2"], None),
    ("gpt2-xl.json", "local:8", ["--tp=4"], 0.5),
    ("llama-3-8b.json", "local:64", ["--tp=8"], 0.5),
    ("llama-3-8b.json", "local:64", ["--tp=16"], 0.5),
    ("llama-3-8b.json", "local:64", ["--pp=4", "--tp=8"], 0.5),
    ("llama-3-8b.json", "local:64", ["--pp=4", "--cp=2", "--tp=8"], 0.5),
    ("llama-3-70b.json", "local:1024", ["--tp=8"], 1.0),
    ("llama-3-70b.json", "local:1024", ["--pp=16", "--tp=8"], 1.0),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=11)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build" / "bin")
    args = parser.parse_args()
    print(f"{'model':18} {'cluster':11} {'pins':22} {'median s':>9} {'min':>7} {'max':>7} {'plan KiB':>9}  bound")
    with tempfile.TemporaryDirectory() as folder:
        for model, cluster, pins, bound in CASES:
            out = pathlib.Path(folder) / "p.plan"
            command = [args.bin / "modelpar-opt", ROOT / "models" / model, f"--cluster={cluster}", "--global-batch=64", *pins, "-o", out]
            seconds = []
            for _ in range(args.repeat):
                start = time.perf_counter()
                subprocess.run(command, check=True)
                seconds.append(time.perf_counter() - start)
            print(f"{model:18} {cluster:11} {' '.join(pins):22} {statistics.median(seconds):9.3f} {min(seconds):7.3f} {max(seconds):7.3f} "
                  f"{out.stat().st_size / 1024:9.0f}  {bound or ''}")


if __name__ == "__main__":
    main()
