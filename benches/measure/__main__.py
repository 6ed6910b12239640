"""Measures everything and writes docs/performance.md and its plots. Started by benches/run."""

import os
import pickle
import sys
import time
from pathlib import Path

import machine
from rows import Rows
from timing import Timer


def main():
    work, build = map(Path, sys.argv[1:3])
    scale = float(os.environ.get("BENCH_SCALE", "1"))
    disk, memory = work / "files", Path("/run/bench")
    places = {"disk": (disk, "/var/lib/mfa-chain"), "tmpfs": (memory, memory / "store")}
    timer = Timer(build / "pamtimer")
    rows = Rows(timer, build, scale, places)
    machine.listen_to_the_log()
    machine.add_accounts(disk / "home")
    machine.write_policies()
    for files, store in places.values():
        machine.write_peers(files)
        timer.call("fill", store, "b", 1000, *machine.SECRETS)
    rows.write_services()
    figures = {}
    for place in places:
        for row in ("chains", "loading", "denied", "denied_as_shipped", "factors", "parallel"):
            figures[row, place] = timed(f"{row}, {place}", lambda: getattr(rows, row)(place))
        figures["floor", place] = rows.floor(places[place][0])
    figures["dlopen"] = timed("loading", rows.dlopen)
    figures["rules"] = timed("rules", rows.rules)
    figures["users_of_oath"] = timed("users of oath", lambda: rows.users_of_oath(disk))
    figures["calls"] = timed("system calls", lambda: rows.calls("disk"))
    figures["calls_remote"] = timed("system calls", lambda: rows.calls("disk", True))
    figures["instructions"] = timed("instructions", lambda: rows.instructions("tmpfs"))
    figures["growth"] = timed("growth", lambda: rows.growth("tmpfs"))
    figures["users"] = timed("users", lambda: rows.users(disk))
    with open(os.environ.get("FIGURES", "/run/figures"), "wb") as file:
        pickle.dump(figures, file)


def timed(name, run):
    began = time.monotonic()
    result = run()
    print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return result


main()
