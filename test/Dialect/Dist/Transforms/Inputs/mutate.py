"""Mutates each reduction of a partitioned module in turn and counts what verify-partitioned rejects. Usage: mutate.py MODULE"""
import subprocess
import sys


def run(*arguments):
    return subprocess.run(["modelpar-opt", *arguments], capture_output=True, text=True)


def main():
    for raw in (True, False):
        for mode in ("double", "drop", "misplace"):
            count = rejected = 0
            while True:
                mutation = f"-test-mutate-reductions=index={count} mode={mode} raw={str(raw).lower()}"
                # Types that are left wrong are for verify-partitioned to find, not for the ops' own verifiers.
                result = run(sys.argv[1], mutation, "-verify-partitioned", "--verify-each=" + str(not raw).lower(), "-o", "-")
                if "no reduction" in result.stderr:
                    break
                if result.returncode == 1 and "error:" in result.stderr:
                    rejected += 1
                else:
                    print(f"accepted: {mode} of reduction {count} ({result.returncode}) {result.stderr}")
                count += 1
            print(f"{mode}{' raw' if raw else ''}: {rejected} of {count} rejected")


main()
