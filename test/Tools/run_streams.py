#!/usr/bin/env python3
"""Runs a command with standard streams that cannot be written, and checks its exit code. Prints what it wrote elsewhere.

Usage: run_streams.py [--close=0,1,2] [--full=1,2] [--broken=1,2] [--limit=BYTES] [--expect=CODE] COMMAND...

--close: these descriptors are closed; --full: they are a device without space; --broken: a pipe without a reader;
--limit: no file may grow beyond this size; --expect: the exit code (default 0).
"""
import os
import resource
import subprocess
import sys

options = {"close": "", "full": "", "broken": "", "limit": "", "expect": "0"}
command = sys.argv[1:]
while command and command[0].startswith("--"):
    name, _, value = command.pop(0)[2:].partition("=")
    if name not in options:
        sys.exit(f"run_streams.py: unknown option --{name}")
    options[name] = value


def descriptors(name):
    return [int(number) for number in options[name].split(",") if number]


def prepare():
    for number in descriptors("full"):
        os.dup2(os.open("/dev/full", os.O_WRONLY), number)
    for number in descriptors("broken"):
        reader, writer = os.pipe()
        os.close(reader)
        os.dup2(writer, number)
    for number in descriptors("close"):
        os.close(number)
    if options["limit"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(options["limit"]), resource.RLIM_INFINITY))


# Pipes: what the command prints is not bound by the limit.
done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120,
                      check=False, preexec_fn=prepare, restore_signals=True)
print(done.stdout.decode(errors="replace"), end="")
if done.returncode != int(options["expect"]):
    sys.exit(f"run_streams.py: exit code {done.returncode}, expected {options['expect']}")
