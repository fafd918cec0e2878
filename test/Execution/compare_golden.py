#!/usr/bin/env python3
#===- compare_golden.py - a run against what transformers computed ------------===#
#
# Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===----------------------------------------------------------------------===#
"""Compares a run of modelpar-run with a fixture of scripts/goldens, or makes that run.

    compare_golden.py compare FIXTURE METRICS.jsonl GRADIENTS_DIR OUTPUTS_DIR
    compare_golden.py run FIXTURE BIN WORKDIR [option of modelpar-opt ...] [-- option of modelpar-run ...]

`run` makes the weights (and checks that they are those of the fixture bit for bit), compiles, trains and compares. Standard library only.
"""
import glob
import json
import math
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts", "goldens"))
import hashed  # noqa: E402

# Two orders of float32 sums differ by less; a reduction left out or doubled differs by more (DESIGN: Equivalence). The loss of the first step is
# of the given weights alone: it has a relative bound beside the absolute one of all steps.
LOGITS_BOUND, FIRST_LOSS_BOUND, LOSS_BOUND, GRAD_NORM_BOUND = 1e-5, 1e-5, 2e-5, 1e-4
GRADIENT_RELATIVE, GRADIENT_ABSOLUTE = 1e-4, 1e-6
# A sketch's norm is an estimate: three deviations of the squared norm above it.
def sketch_slack(buckets):
    return math.sqrt(1 + 3 * math.sqrt(2 / buckets))


def load(fixture):
    with open(os.path.join(fixture, "golden.json")) as file:
        return json.load(file)


def compare_steps(golden, metrics):
    problems, worst_loss, worst_norm = [], 0.0, 0.0
    if len(metrics) != len(golden["losses"]):
        problems.append(f"{len(metrics)} steps, expected {len(golden['losses'])}")
    for step, (line, loss, norm) in enumerate(zip(metrics, golden["losses"], golden["grad_norms"]), 1):
        # Written so that NaN is a problem.
        d_loss, d_norm = abs(line["loss"] - loss), abs(line["grad_norm"] - norm) / norm
        loss_bound = min(FIRST_LOSS_BOUND * loss, LOSS_BOUND) if step == 1 else LOSS_BOUND
        worst_loss, worst_norm = max(worst_loss, d_loss), max(worst_norm, d_norm)
        if line["step"] != step:
            problems.append(f"line {step} of the metrics is of step {line['step']}")
        if not d_loss <= loss_bound:
            problems.append(f"step {step}: loss {line['loss']}, expected {loss} within {loss_bound:.3g}")
        if not d_norm <= GRAD_NORM_BOUND:
            problems.append(f"step {step}: grad_norm {line['grad_norm']}, expected {norm} within {GRAD_NORM_BOUND} of it")
    print(f"{len(metrics)} steps: loss differs by at most {worst_loss:.3g}, grad_norm by {worst_norm:.3g} of it")
    return problems


def gradient_error(name, values, stored, buckets):
    """Norm of the difference from the fixture (an estimate where it has a sketch), the factor allowed for the estimate, and the element that
    differs most."""
    def furthest(indices, expected):
        return max((abs(values[i] - e), i, values[i], e) for i, e in zip(indices, expected))
    if name in stored:
        whole = stored[name][1]
        if len(whole) != len(values):
            return math.inf, 1.0, (math.inf, 0, len(values), len(whole))
        return math.dist(values, whole), 1.0, furthest(range(len(whole)), whole)
    elements = stored[name + "#elements"][1]
    at = range(0, len(values), max(1, len(values) // len(elements)))
    return (math.dist(hashed.sketch(name, values, buckets), stored[name + "#sketch"][1]), sketch_slack(buckets),
            furthest(at, elements))


def compare_gradients(fixture, golden, folder):
    found = {}
    for path in sorted(glob.glob(os.path.join(folder, "*.safetensors"))):
        found.update(hashed.read_safetensors(path))
    stored = hashed.read_safetensors(os.path.join(fixture, "gradients.safetensors"))
    norms = golden["gradient_norms"]
    problems = [f"gradient '{name}' is not in the dump" for name in sorted(set(norms) - set(found))]
    problems += [f"gradient '{name}' is not in the fixture" for name in sorted(set(found) - set(norms))]
    total, worst = math.sqrt(sum(n * n for n in norms.values())), (0.0, "")
    for name in sorted(set(norms) & set(found)):
        values = found[name][1]
        error, slack, (_, index, ours, theirs) = gradient_error(name, values, stored, golden["sketch_buckets"])
        bound = GRADIENT_RELATIVE * norms[name] + GRADIENT_ABSOLUTE * total / math.sqrt(len(norms))
        worst = max(worst, (error / bound, name))
        if not error <= bound * slack:
            problems.append(f"gradient '{name}': differs by {error:.3g} in norm, expected at most {bound * slack:.3g}; norm "
                            f"{math.sqrt(sum(v * v for v in values)):.6g}, expected {norms[name]:.6g}; element {index} is {ours}, expected {theirs}")
    print(f"{len(found)} gradients: the worst is at {worst[0]:.3g} of its bound ({worst[1]})")
    return problems


def compare_logits(fixture, golden, folder):
    """Every row's norm, whole rows at some positions, and a sketch of all."""
    found = hashed.read_safetensors(os.path.join(folder, "outputs.safetensors")).get("logits")
    if not found:
        return ["the outputs have no logits"]
    shape, values = found
    stored = hashed.read_safetensors(os.path.join(fixture, "logits.safetensors"))
    (count, width), (norms_shape, norms) = stored["rows"][0], stored["norms"]
    if shape != [*norms_shape, width]:
        return [f"logits have shape {shape}, expected {[*norms_shape, width]}"]
    row_of = lambda b, s: values[(b * shape[1] + s) * width:][:width]
    problems, worst = [], 0.0
    for n, (b, s) in enumerate(golden["logit_positions"]):
        expected = stored["rows"][1][n * width:(n + 1) * width]
        error = math.dist(row_of(b, s), expected) / math.hypot(*expected)
        worst = max(worst, error)
        if not error <= LOGITS_BOUND:
            problems.append(f"logits of sample {b}, position {s}: differ by {error:.3g} of their norm, expected at most {LOGITS_BOUND}")
    for n, norm in enumerate(norms):
        b, s = divmod(n, shape[1])
        if not abs(math.hypot(*row_of(b, s)) - norm) <= LOGITS_BOUND * norm:
            problems.append(f"logits of sample {b}, position {s}: norm {math.hypot(*row_of(b, s)):.8g}, expected {norm:.8g}")
    error = math.dist(hashed.sketch("logits", values, golden["sketch_buckets"]), stored["sketch"][1]) / math.hypot(*norms)
    bound = LOGITS_BOUND * sketch_slack(golden["sketch_buckets"])
    if not error <= bound:
        problems.append(f"all logits: differ by {error:.3g} of their norm, expected at most {bound:.3g}")
    print(f"logits: {count} rows differ by at most {worst:.3g} of their norm, all of them by about {error:.3g}")
    return problems


def compare(fixture, metrics, gradients, outputs):
    golden = load(fixture)
    with open(metrics) as file:
        lines = [json.loads(line) for line in file if line.strip()]
    problems = compare_steps(golden, lines) + compare_gradients(fixture, golden, gradients)
    problems += compare_logits(fixture, golden, outputs)
    for problem in problems[:20]:
        print("error: " + problem, file=sys.stderr)
    if len(problems) > 20:
        print(f"error: and {len(problems) - 20} more", file=sys.stderr)
    return 1 if problems else 0


def run(fixture, binaries, work, options):
    golden = load(fixture)
    split = options.index("--") if "--" in options else len(options)
    compile_options, run_options = options[:split], options[split + 1:]
    os.makedirs(work, exist_ok=True)
    plan, metrics, gradients, outputs = (os.path.join(work, name) for name in ("model.plan", "metrics.jsonl", "gradients", "outputs"))
    model, data = os.path.join(ROOT, golden["model"]), os.path.join(fixture, "data.safetensors")
    weights = os.path.join(work, "model.safetensors")
    with open(model) as file:
        hashed.write_safetensors(weights, hashed.weights(json.load(file)), {"format": "pt"})
    for path, expected in ((weights, golden["weights_sha256"]), (data, golden["data_sha256"])):
        if hashed.sha256(path) != expected:
            sys.exit(f"error: {path} is not the file that the fixture was made with")
    for stale in glob.glob(os.path.join(work, "*", "*.safetensors")) + glob.glob(metrics):
        os.remove(stale)
    subprocess.run([os.path.join(binaries, "modelpar-opt"), model, f"--global-batch={golden['global_batch']}",
                    f"--seq={golden['sequence']}", f"--optimizer={golden['optimizer']}", "-o", plan, *compile_options], check=True)
    subprocess.run([os.path.join(binaries, "modelpar-run"), plan, f"--init={work}", f"--data={data}", f"--steps={golden['steps']}",
                    f"--lr={golden['lr']}", f"--betas={golden['betas'][0]},{golden['betas'][1]}", f"--eps={golden['eps']}",
                    f"--weight-decay={golden['weight_decay']}", f"--clip={golden['clip']}", f"--metrics={metrics}",
                    f"--dump-grads={gradients}", f"--dump-outputs={outputs}", *run_options], check=True)
    return compare(fixture, metrics, gradients, outputs)


def main():
    arguments = sys.argv[1:]
    if len(arguments) == 5 and arguments[0] == "compare":
        return compare(*arguments[1:])
    if len(arguments) >= 4 and arguments[0] == "run":
        return run(arguments[1], arguments[2], arguments[3], arguments[4:])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
