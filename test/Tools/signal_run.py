#!/usr/bin/env python3
"""Starts a run, sends it a signal once its metrics show that it trains, and expects it to end as a command does that a signal ended. Prints its
standard error.

Usage: signal_run.py SIGNAL METRICS COMMAND...
"""
import json
import pathlib
import signal
import subprocess
import sys
import time

which, metrics = signal.Signals[sys.argv[1]], pathlib.Path(sys.argv[2])
metrics.unlink(missing_ok=True)
process = subprocess.Popen(sys.argv[3:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
deadline = time.monotonic() + 120
while process.poll() is None and time.monotonic() < deadline and not (metrics.exists() and metrics.stat().st_size):
    time.sleep(0.02)
process.send_signal(which)
try:
    text = process.communicate(timeout=60)[1].decode()
except subprocess.TimeoutExpired:
    process.kill()
    sys.exit("signal_run.py: the run goes on")
print(text, end="")
if process.returncode != 128 + which:
    sys.exit(f"signal_run.py: exit code {process.returncode}, expected {128 + which}")
if text.count("error:") != 1:
    sys.exit(f"signal_run.py: {text.count('error:')} messages, expected 1")
for line in metrics.read_text().splitlines():
    json.loads(line)
