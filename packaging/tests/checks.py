"""Counting checks: each is said, each can fail, and the last line of the run is their number."""

import sys
import traceback

counts = {"passed": 0, "failed": 0}
# Called when a check fails: what was seen last, to look into.
witnesses = []


def check(holds, what):
    counts["passed" if holds else "failed"] += 1
    print(f"  {'ok    ' if holds else 'FAILED'} {what}", flush=True)
    if not holds:
        for witness in witnesses:
            print(witness(), flush=True)


def stage(name, steps):
    """Runs `steps`; one that breaks off is a failure, and ends the stage, for the next ones build on it."""
    print(name, flush=True)
    for step in steps:
        print(f" {step.__name__.replace('_', ' ')}", flush=True)
        try:
            step()
        except Exception:
            traceback.print_exc(file=sys.stdout)
            check(False, f"{step.__name__} ran to its end")
            return


def report():
    print(f"{counts['passed']} passed, {counts['failed']} failed")
    return 1 if counts["failed"] else 0
