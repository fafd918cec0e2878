#!/usr/bin/env python3
"""Checks the file of --trace against the plan that ran, which is expanded here by its documentation (docs/PlanFormat.md) alone.

Usage: check_trace.py run TRACE PLAN STEPS [PREDICTED]   a run that came to its end, STEPS of it traced
       check_trace.py ended TRACE PLAN                   a run that an error ended: what is there is the beginning of each step
       check_trace.py predicted TRACE PLAN SUMMARY       of modelpar-opt

Per stream: exactly the instructions of the schedule, calls expanded, in the order of issue; no two at the same time. Collectives: as many on every rank of
their group, and nobody leaves one before the last has come. Sizes: with PREDICTED, its largest shards are the largest of all ranks.
"""
import collections
import json
import re
import sys


def fail(text):
    sys.exit(f"check_trace.py: {text}")


def expand(plan, body, micro_batch, instance=0):
    for index, each in enumerate(body["instructions"]):
        kind = each["kind"]
        if kind == "call":
            yield from expand(plan, plan["blocks"][each["block"]], micro_batch, each.get("instance", 0))
        elif kind != "wait":
            yield (each.get("stream", 0), kind, each.get("op") or kind, body["name"], index, instance, micro_batch, each.get("origin", ""))


def expected(plan, stage):
    """Per stream what a step runs, in order."""
    streams = collections.defaultdict(list)
    for index, entry in enumerate(stage["schedule"]):
        if isinstance(entry, dict):
            ends = sorted({stage["channels"][channel]["peer"] for channel, _ in entry["exchange"]})
            origin = "exchange with stage " + " and ".join(map(str, ends))
            streams[1].append(("exchange", "exchange", "schedule", index, 0, entry["exchange"][0][1], origin))
        else:
            for stream, *rest in expand(plan, stage["programs"][entry[0]], entry[1]):
                streams[stream].append(tuple(rest))
    return streams


def key(event):
    a = event["args"]
    return (event["cat"], event["name"], a["block"], a["instruction"], a["instance"], a["micro_batch"], a["origin"])


def coordinates(axes, rank):
    found = {}
    for axis in reversed(axes):
        found[axis["name"]] = rank % axis["size"]
        rank //= axis["size"]
    return found


def group(axes, text, rank, ranks):
    """The ranks that differ from `rank` along these axes only; of "pp{0,-1}" those with such a coordinate."""
    places = [coordinates(axes, r) for r in range(ranks)]
    free = {}
    for name, subset in re.findall(r"(\w+)(?:\{([-\d,]+)\})?(?:,|$)", text):
        size = next(axis["size"] for axis in axes if axis["name"] == name)
        free[name] = {int(c) % size for c in subset.split(",")} if subset else set(range(size))
    return [r for r in range(ranks) if all(place in free[name] if name in free else place == places[rank][name] for name, place in places[r].items())]


def main():
    mode, trace_path, plan_path, *rest = sys.argv[1:]
    with open(trace_path, encoding="utf-8") as file:
        trace = json.load(file)
    with open(plan_path, encoding="utf-8") as file:
        plan = json.load(file)
    axes = [axis for axis in plan["mesh"] if axis["name"] != "mb"]
    if trace["displayTimeUnit"] != "ms":
        fail("displayTimeUnit is not ms")
    names, tracks = {}, {}
    events = collections.defaultdict(list)
    for event in trace["traceEvents"]:
        if event["ph"] == "M":
            (names if event["name"] == "process_name" else tracks)[event["pid"], event["tid"]] = event["args"]["name"]
        elif event["ph"] == "X":
            events[event["pid"], event["tid"], event["args"]["step"]].append(event)
        else:
            fail(f"an event of kind {event['ph']}")
    ranks = 1
    for axis in axes:
        ranks *= axis["size"]
    processes = len(plan["stages"]) if mode == "predicted" else ranks
    steps = {"run": lambda: int(rest[0]), "ended": lambda: max(step for _, _, step in events), "predicted": lambda: 1}[mode]()

    wanted = [expected(plan, stage) for stage in plan["stages"]]
    for process in range(processes):
        place = coordinates(axes, process)
        stage = process if mode == "predicted" else place.get("pp", 0)
        name = f"stage {process}, predicted" if mode == "predicted" else f"rank {process} (" + " ".join(f"{k}={place[k]}" for k in (a["name"] for a in axes)) + ")"
        if names.get((process, 0)) != name:
            fail(f"process {process} is called {names.get((process, 0))}, expected {name}")
        for stream, text in enumerate(["compute", "communication"]):
            if stream in wanted[stage] and tracks.get((process, stream)) != text:
                fail(f"stream {stream} of process {process} is called {tracks.get((process, stream))}")
        for step in range(1, steps + 1):
            for stream, order in wanted[stage].items():
                found = [key(event) for event in events[process, stream, step]]
                if found != (order[: len(found)] if mode == "ended" else order):
                    at = next((i for i, (a, b) in enumerate(zip(found, order)) if a != b), min(len(found), len(order)))
                    fail(f"process {process}, stream {stream}, step {step}: {len(found)} events, expected {len(order)}; they differ from number {at} on: {found[at:at+1]}, expected {order[at:at+1]}")
    if extra := [where for where in events if where[0] >= processes or not 1 <= where[2] <= steps]:
        fail(f"events of {extra}")

    # Doubles of microseconds: their sums round.
    last = max(event["ts"] + event["dur"] for each in events.values() for event in each)
    rounding = last * 1e-12
    timelines = collections.defaultdict(list)
    for process, stream, step in sorted(events):
        timelines[process, stream] += events[process, stream, step]
    for where, each in timelines.items():
        end = 0
        for event in each:
            if event["ts"] < end - rounding or event["dur"] < 0 or event["args"]["bytes"] < 0:
                fail(f"{where}: {event} begins before {end}, where the one before it ends, or has a negative size")
            end = event["ts"] + event["dur"]

    if mode == "run":
        meetings = collections.defaultdict(list)
        for where, each in timelines.items():
            for event in each:
                if event["cat"] == "collective":
                    meetings[where[0], where[1], event["args"]["axes"]].append(event)
        if not meetings and ranks > 1:
            fail("no collectives")
        for (rank, stream, text), mine in meetings.items():
            for other in group(axes, text, rank, ranks):
                theirs = meetings.get((other, stream, text), [])
                if [event["name"] for event in mine] != [event["name"] for event in theirs]:
                    fail(f"rank {rank} has {len(mine)} collectives over {text}, rank {other} has {len(theirs)}")
                for a, b in zip(mine, theirs):
                    if a["ts"] > b["ts"] + b["dur"] + rounding:
                        fail(f"rank {other} left {b} before rank {rank} came to {a}")
        if len(rest) > 1:
            check_sizes(plan, axes, timelines, rest[1])
    if mode == "predicted":
        with open(rest[0], encoding="utf-8") as file:
            seconds = json.load(file)["predicted"]["step_seconds"]
        if abs(last / 1e6 - seconds) > 1e-6 * seconds:
            fail(f"the last event ends at {last / 1e6} s, predicted are {seconds} s")


def check_sizes(plan, axes, timelines, path):
    largest = collections.defaultdict(int)
    for (rank, stream), each in timelines.items():
        for event in each:
            place = (coordinates(axes, rank).get("pp", 0), stream, key(event))
            largest[place] = max(largest[place], event["args"]["bytes"])
    with open(path, encoding="utf-8") as file:
        predicted = [event for event in json.load(file)["traceEvents"] if event["ph"] == "X"]
    for event in predicted:
        found = largest[event["pid"], event["tid"], key(event)]
        if found != event["args"]["bytes"]:
            fail(f"{event}: the largest rank has {found} bytes")


main()
