#!/usr/bin/env python3
"""Time of the whole modelpar-opt process, start to plan file: median and range over repeated runs.

Usage: benchmarks/compile_time.py [--repeat 11] [--bin build/bin]
       benchmarks/compile_time.py --layers [--repeat 3]

With --layers: llama-3-8b with ever more layers, over stages, on 256 ranks with 512 micro-batches on 16 stages. Prints CPU seconds and the size of the plan,
and whether they grow with the layers and no faster.
"""
import argparse
import json
import pathlib
import resource
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

LAYERS = [32, 64, 128, 256, 512]
STAGES = [1, 4, 16]
# A layer of the second half of the series costs no more than this many times one of the first half. Caches and page faults take their share.
LINEAR = 1.5


def cpu_seconds(command):
    """User and system time of one run: the other work of the machine is not in it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)  # The largest models do not fit their devices: a warning.
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def growth(values):
    """How much more one more layer costs at the end of the series than in its first half."""
    middle = len(LAYERS) // 2
    first = (values[middle] - values[0]) / (LAYERS[middle] - LAYERS[0])
    last = (values[-1] - values[middle]) / (LAYERS[-1] - LAYERS[middle])
    return last / first


def layer_series(args, folder):
    config = json.loads((ROOT / "models" / "llama-3-8b.json").read_text())
    out = folder / "p.plan"
    print(f"{'pp':>3} {'layers':>7} {'CPU s':>8} {'plan KiB':>9}")
    for pp in STAGES:
        seconds, kib = [], []
        for layers in LAYERS:
            model = folder / f"llama-{layers}.json"
            model.write_text(json.dumps({**config, "num_hidden_layers": layers}))
            command = [args.bin / "modelpar-opt", model, f"--cluster={ROOT / 'clusters' / 'h100-nodes-32.json'}", "--tp=8", f"--pp={pp}", f"--dp={32 // pp}",
                       "--global-batch=1024", "--micro-batch=1", "--seq=8192", "-o", out]
            seconds.append(min(cpu_seconds(command) for _ in range(args.repeat)))
            kib.append(out.stat().st_size / 1024)
            print(f"{pp:3} {layers:7} {seconds[-1]:8.3f} {kib[-1]:9.0f}")
        for what, values in [("time", seconds), ("plan", kib)]:
            ratio = growth(values)
            print(f"    {what}: a further layer costs {ratio:.2f} times one of the first {LAYERS[len(LAYERS) // 2]}: "
                  f"{'linear' if ratio <= LINEAR else 'NOT LINEAR'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int)
    parser.add_argument("--layers", action="store_true")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build" / "bin")
    args = parser.parse_args()
    args.repeat = args.repeat or (3 if args.layers else 11)
    if args.layers:
        with tempfile.TemporaryDirectory() as folder:
            layer_series(args, pathlib.Path(folder))
        return
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
