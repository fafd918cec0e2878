#!/usr/bin/env python3
"""Training throughput (tokens per second, median over steps after the first) of modelpar-run, with PyTorch eager on the same model, batch and
number of threads in the same run where --python names an interpreter that has torch and transformers.

Usage: benchmarks/train_throughput.py [--model gpt2-tiny.json] [--batch 8] [--seq 128] [--steps 12] [--threads 2] [--cp N] [--pp N] [--python PYTHON]

--cp and --pp add a run whose sequence is split over N ranks (ring attention) or whose layers are (pipeline stages).
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent

PEER = r"""
import json, sys, time, torch
from transformers import GPT2Config, GPT2LMHeadModel
config, batch, seq, steps, threads = sys.argv[1], *map(int, sys.argv[2:6])
torch.set_num_threads(threads)
model = GPT2LMHeadModel(GPT2Config(**json.load(open(config)))).train()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1)
tokens = torch.randint(0, model.config.vocab_size, (batch, seq))
for step in range(steps):
    start = time.perf_counter()
    loss = model(tokens, labels=tokens).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step(); optimizer.zero_grad()
    if step: print(batch * seq / (time.perf_counter() - start), flush=True)
"""


def modelpar(args, folder, ranks, flags):
    plan, metrics = folder / "p.plan", folder / "m.jsonl"
    subprocess.run([args.bin / "modelpar-opt", ROOT / "models" / args.model, f"--cluster=local:{ranks}", f"--global-batch={args.batch}",
                    f"--seq={args.seq}", "--dropout=off", *flags, "-o", plan], check=True)
    subprocess.run([args.bin / "modelpar-run", plan, f"--steps={args.steps}", f"--threads-per-rank={max(1, args.threads // ranks)}",
                    f"--metrics={metrics}"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return [json.loads(line)["tokens_per_second"] for line in metrics.read_text().splitlines()][1:]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="gpt2-tiny.json")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--seq", type=int, default=128)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cp", type=int, default=1, help="a run with the sequence split over so many ranks")
    parser.add_argument("--pp", type=int, default=1, help="a run with so many pipeline stages")
    parser.add_argument("--python", help="interpreter with torch and transformers")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build" / "bin")
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        plans = [(1, []), (2, ["--dp=2"]), (2, ["--tp=2"])]
        plans += [(ranks, [f"--{axis}={ranks}"]) for axis, ranks in (("cp", args.cp), ("pp", args.pp)) if ranks > 1]
        for ranks, flags in plans:
            rows.append((f"modelpar, {ranks} rank(s) {' '.join(flags)}", modelpar(args, folder, ranks, flags)))
        if args.python:
            config = json.loads((ROOT / "models" / args.model).read_text())
            config.update(resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
            (folder / "config.json").write_text(json.dumps(config))
            out = subprocess.run([args.python, "-c", PEER, folder / "config.json", *map(str, (args.batch, args.seq, args.steps, args.threads))],
                                 check=True, capture_output=True, text=True).stdout
            rows.append(("PyTorch eager", [float(line) for line in out.split()]))
    print(f"{args.model}, batch {args.batch}, sequence {args.seq}, {args.threads} threads in all")
    for label, values in rows:
        print(f"  {label:28} {statistics.median(values):10.0f} tokens/s   (range {min(values):.0f} to {max(values):.0f})")


if __name__ == "__main__":
    main()
