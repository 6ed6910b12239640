"""Measures everything and writes docs/performance.md and its plots. Started by benches/run."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import machine
import page
from rows import Rows, bytes_of_backtraces, find_module, functions_by_size, profile_of
from targets import all_targets
from timing import Timer


def main():
    work, build = map(Path, sys.argv[1:3])
    scale = float(os.environ.get("BENCH_SCALE", "1"))
    disk, memory = work / "files", Path("/run/bench")
    places = {"disk": (disk, "/var/lib/mfa-chain"), "tmpfs": (memory, memory / "store")}
    # The number of factors of its users is behind the name of a store.
    timer = Timer(build / "pamtimer")
    rows = Rows(timer, build, scale, places)
    machine.listen_to_the_log()
    machine.add_accounts(disk / "home")
    machine.write_policies()
    for files, store in places.values():
        machine.write_peers(files)
        for factors in range(1, 9):
            timer.call("fill", f"{store}{factors}", "b", 1000, *machine.SECRETS[:factors])
        subprocess.run(["sync", "-f", str(files)], check=True)
    rows.write_services()
    unstripped = build / "pam_mfa_chain.unstripped.so"
    if "profile" in sys.argv:
        for share, name in profile_of(timer, unstripped, memory / "store1"):
            print(f"{share:>8}  {name}")
        return
    figures = measure(rows, places, disk)
    figures["profile"] = profile_of(timer, unstripped, memory / "store1")
    figures["profile_of_rules"] = profile_of(timer, unstripped, memory / "store1", "rules500")
    functions = functions_by_size(unstripped)
    figures["largest"] = [(size, name[:90]) for size, name in functions[:16]]
    figures["backtraces"] = bytes_of_backtraces(functions)
    peers = [Path(find_module(name)) for name in ("google_authenticator", "oath", "permit")]
    sizes = {path.name: path.stat().st_size for path in (rows.module, *peers)}
    targets = all_targets(figures, sizes["pam_mfa_chain.so"], other_libraries(rows.module))
    page.write(Path("docs"), figures, targets, sizes, scale)
    print(page.target_table(targets))


def measure(rows, places, disk):
    figures = {}
    for place in places:
        for row in ("chains", "loading", "denied", "denied_as_shipped", "factors", "parallel"):
            figures[row, place] = timed(f"{row}, {place}", lambda: getattr(rows, row)(place))
    figures["dlopen"] = timed("loading", rows.dlopen)
    figures["rules"] = timed("rules", rows.rules)
    figures["users_of_oath"] = timed("users of pam_oath", lambda: rows.users_of_oath(disk))
    figures["calls"] = timed("system calls", lambda: rows.calls("disk"))
    figures["calls_remote"] = rows.calls("disk", True)
    figures["instructions"] = timed("instructions", lambda: rows.instructions("tmpfs"))
    figures["growth"] = timed("growth", lambda: rows.growth("tmpfs"))
    figures["users"] = timed("users", lambda: rows.users(disk))
    return figures


def other_libraries(module):
    dynamic = subprocess.run(["readelf", "-d", module], capture_output=True, text=True, check=True).stdout
    needed = re.findall(r"NEEDED.*\[(.*)\]", dynamic)
    # The dynamic linker is part of libc.
    return [name for name in needed if not re.match(r"lib(pam|c|gcc_s)\.so|ld-linux", name)]


def timed(name, run):
    began = time.monotonic()
    result = run()
    print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return result


main()
