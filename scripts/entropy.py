#!/usr/bin/env python3
#===- entropy.py - a loss curve beside the entropy of its text ----------------===#
#
# Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===----------------------------------------------------------------------===#
"""Prints the unigram and bigram entropy of a text, in nats a byte, beside the loss of a byte-level model trained on it.

    entropy.py TEXT [METRICS.jsonl] [--below=NATS]

The unigram entropy is what a model reaches that knows how often each byte occurs; the bigram entropy (of a byte, given the one before) what one
reaches that looks one byte back. A loss below the first means that context is used. With --below the exit code is 1 unless the mean of
the last ten losses is at least NATS below the unigram entropy.
"""
import argparse
import collections
import json
import math
import sys

WIDTH, HEIGHT, LAST = 72, 16, 10


def entropy(counts):
    total = sum(counts.values())
    return -sum(n / total * math.log(n / total) for n in counts.values())


def entropies(data):
    """Unigram entropy H(X), bigram entropy H(X, previous) - H(previous)."""
    pairs = entropy(collections.Counter(zip(data, data[1:])))
    return entropy(collections.Counter(data)), pairs - entropy(collections.Counter(data[:-1]))


def read_losses(path):
    """[(step, loss)]; a loss that is not a number reads as None."""
    result = []
    with open(path) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                entry = json.loads(line)
                step, loss = entry["step"], entry["loss"]
            except (ValueError, KeyError, TypeError):
                sys.exit(f"error: {path}:{number}: expected an object with step and loss")
            result.append((step, loss if isinstance(loss, (int, float)) and math.isfinite(loss) else None))
    if not result:
        sys.exit(f"error: {path}: no steps")
    return result


def plot(losses, lines):
    """The losses as columns of '*', with named horizontal lines."""
    known = [loss for _, loss in losses if loss is not None]
    if not known:
        return "(no finite loss)"
    low, high = min(known + list(lines.values())), max(known + list(lines.values()))
    low, high = low - 0.05 * (high - low or 1), high + 0.05 * (high - low or 1)

    def row(value):
        return min(HEIGHT - 1, int((high - value) / (high - low) * HEIGHT))
    grid = [[" "] * WIDTH for _ in range(HEIGHT)]
    names = [""] * HEIGHT
    for name, value in lines.items():
        grid[row(value)] = ["-"] * WIDTH
        names[row(value)] += (", " if names[row(value)] else " ") + f"{name} {value:.3f}"
    for column in range(WIDTH):
        # The mean of the steps that fall into the column, or the one step that lies under it.
        begin, end = column * len(losses) // WIDTH, (column + 1) * len(losses) // WIDTH
        part = [loss for _, loss in losses[begin:max(end, begin + 1)] if loss is not None]
        if part:
            grid[row(sum(part) / len(part))][column] = "*"
    out = []
    for index, cells in enumerate(grid):
        value = high - (index + 0.5) * (high - low) / HEIGHT
        out.append(f"{value:7.3f} |{''.join(cells)}{names[index]}")
    first, last = str(losses[0][0]), str(losses[-1][0])
    out.append(" " * 8 + "+" + "-" * WIDTH)
    out.append(" " * 9 + first + last.rjust(WIDTH - len(first)) + "  step")
    return "\n".join(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text")
    parser.add_argument("metrics", nargs="?")
    parser.add_argument("--below", type=float)
    arguments = parser.parse_args()
    try:
        with open(arguments.text, "rb") as file:
            data = file.read()
        losses = read_losses(arguments.metrics) if arguments.metrics else None
    except OSError as error:
        sys.exit(f"error: {error.filename}: {error.strerror}")
    if len(data) < 2:
        sys.exit(f"error: {arguments.text}: {len(data)} bytes, expected at least 2")
    unigram, bigram = entropies(data)
    print(f"text: {len(data)} bytes, unigram entropy {unigram:.4f}, bigram entropy {bigram:.4f} nats/byte")
    if losses is None:
        return 0
    print(plot(losses, {"unigram": unigram, "bigram": bigram}))
    last = [loss for _, loss in losses[-LAST:]]
    if None in last:
        print(f"the last {len(last)} losses are not all finite")
        return 1 if arguments.below is not None else 0
    mean = sum(last) / len(last)
    side, first = "below" if mean <= unigram else "above", losses[0][1]
    print(f"loss: first {'nan' if first is None else format(first, '.4f')}, mean of the last {len(last)} steps {mean:.4f}: {abs(unigram - mean):.4f} {side} unigram, "
          f"{abs(bigram - mean):.4f} {'below' if mean <= bigram else 'above'} bigram")
    return 1 if arguments.below is not None and not mean <= unigram - arguments.below else 0


if __name__ == "__main__":
    sys.exit(main())
