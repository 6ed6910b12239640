"""docs/performance.md: the figures as they came, nothing written by hand."""

import platform
import subprocess
from collections import Counter
from pathlib import Path
from statistics import median

from plot import line_plot
from reasons import reasons
from targets import number

PEERS = {"ga": "pam_google_authenticator", "oath": "pam_oath"}
NAMES = {"permit": "pam_permit", "reset": "mfa-chain", "conceal": "mfa-chain, `conceal`", **PEERS}


def write(docs, figures, targets, sizes, scale):
    parts = [
        "# Performance",
        "Written by `make bench`; every figure on this page is its output. Nothing here is a promise for another machine: "
        "the ratios are what to compare, and the command prints them again.",
        machine_lines(scale),
        section("Targets", target_table(targets)),
        section("What stands in the way", reasons(figures, targets)),
        section("One login", "\n\n".join(one_login(figures, place) for place in ("disk", "tmpfs"))),
        section("Denied", denied(figures)),
        section("Many steps, users, rules, processes", many(docs, figures)),
        section("System calls, instructions, memory, size", costs(figures, sizes)),
        section("Where the time of one login goes", where(figures)),
        METHOD,
    ]
    (docs / "performance.md").write_text("\n\n".join(parts) + "\n")


def section(title, text):
    return f"## {title}\n\n{text}"


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def machine_lines(scale):
    packages = ["libpam0g", "libpam-google-authenticator", "libpam-oath", "libc6"]
    versions = [f"{name} {output('dpkg-query', '-W', '-f', '${Version}', name)}" for name in packages]
    cpu = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "")
    lines = [
        f"- command: `make bench`, `BENCH_SCALE={scale:g}`",
        f"- machine: {cpu or platform.machine()}, {len(__import__('os').sched_getaffinity(0))} processors, Linux {platform.release()}",
        f"- {output('rustc', '--version')}; {'; '.join(versions)}",
        f"- disk: {output('findmnt', '-n', '-o', 'FSTYPE', '-T', '/var/lib/mfa-chain1')}; the load of the machine at the end was {Path('/proc/loadavg').read_text().split()[0]}",
    ]
    return "\n".join(lines)


def output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()
    except FileNotFoundError:
        return ""


def target_table(targets):
    return table(["what", "target", "measured", "rounds", ""], [target.cells() for target in targets])


def display(name):
    steps = name[-1] if name[-1].isdigit() else ""
    words = NAMES[name.rstrip("0123456789")]
    return words if steps in ("", "1") else f"{words}, {steps} steps" if "mfa" in words else f"{words}, {steps} stacked"


def us(values):
    return f"{median(values) / 1000:,.0f}"


def wrong(sample, expected):
    others = sum(count for code, count in sample.codes.items() if code != expected)
    return f"wrong result in {others} of {sum(sample.codes.values())}" if others else ""


def one_login(figures, place):
    chains, loading = figures["chains", place], figures["loading", place]
    rows = []
    for name, sample in chains.items():
        if name == "floor":
            continue
        peer = chains.get(f"ga{name[-1]}")
        of_peer = number(median(sample.authenticate) / median(peer.authenticate)) if peer else ""
        fresh = us(loading[name].whole) if name in loading else ""
        spread = f"{min(sample.rounds('authenticate')) / 1000:,.0f} to {max(sample.rounds('authenticate')) / 1000:,.0f}"
        rows.append([display(name), us(sample.authenticate), spread, us(sample.whole), fresh, of_peer, wrong(sample, 0)])
    head = [f"granted, on {place}", "`pam_authenticate`, µs", "rounds", "start to end, µs", "in a process each, µs", "of pam_google_authenticator, as many", ""]
    return table(head, rows)


def denied(figures):
    rows = []
    for place in ("disk", "tmpfs"):
        for name in ("reset1", "ga1", "oath1"):
            sample, shipped = figures["denied", place][name], figures["denied_as_shipped", place][name]
            rows.append([display(name), place, us(sample.authenticate), us(shipped.authenticate), wrong(sample, 7)])
    text = table(["denied", "on", "without the delay, µs", "with the delay that it asks for, µs", ""], rows)
    return text + "\n\nThe delay is what a module asks of libpam by `pam_fail_delay(3)`; `fail_delay_seconds` sets ours."


def many(docs, figures):
    factors = figures["factors", "disk"], figures["factors", "tmpfs"]
    line_plot(
        docs / "performance-factors.svg", "Steps of a chain, on tmpfs", "steps", "µs",
        {"reset": [(n, median(factors[1][f"reset{n}"].authenticate) / 1e3) for n in range(1, 9)],
         "conceal": [(n, median(factors[1][f"conceal{n}"].authenticate) / 1e3) for n in range(1, 9)],
         "ga, stacked": [(n, median(figures["chains", "tmpfs"][f"ga{min(n, 3)}"].authenticate) / 1e3) for n in range(1, 4)]},
    )
    users = figures["users"]
    labels = {name: f"{int(name[5:]):,}" for name in users}
    line_plot(
        docs / "performance-users.svg", "Enrolled users, on disk", "users", "µs",
        {"mfa-chain": [(labels[name], median(users[name].authenticate) / 1e3) for name in users]},
    )
    parallel = figures["parallel", "disk"]
    line_plot(
        docs / "performance-parallel.svg", "Right logins per second, on disk", "processes", "per second",
        {label: [(count, by_name[name][0]) for count, by_name in parallel.items()]
         for name, label in (("reset", "mfa-chain"), ("ga", "google_auth."), ("oath", "oath"))},
    )
    return "\n\n".join([
        "![steps](performance-factors.svg)\n![users](performance-users.svg)\n![processes](performance-parallel.svg)",
        table(["steps", *(f"{n}" for n in range(1, 9))],
              [[f"{NAMES[kind]}, {place}, µs", *(us(factors[i][f"{kind}{n}"].authenticate) for n in range(1, 9))]
               for i, place in enumerate(("disk", "tmpfs")) for kind in ("reset", "conceal")]),
        table(["enrolled users, on disk", *labels.values()],
              [["mfa-chain, µs", *(us(sample.authenticate) for sample in users.values())]]),
        table(["lines of one users file", *(name[5:] for name in figures["users_of_oath"])],
              [["pam_oath, µs", *(us(sample.authenticate) for sample in figures["users_of_oath"].values())]]),
        table(["rules in the policy", *(name[5:] for name in figures["rules"])],
              [["mfa-chain, on disk, µs", *(us(sample.authenticate) for sample in figures["rules"].values())]]),
        *(parallel_table(figures, place) for place in ("disk", "tmpfs")),
    ])


def parallel_table(figures, place):
    rows = []
    for count, by_name in figures["parallel", place].items():
        for name in ("reset", "ga", "oath"):
            granted, refused = by_name[name]
            rows.append([count, NAMES[name], f"{granted:,.0f}", "" if refused == 0 else f"wrong: {refused:,.0f} right codes refused per second"])
    return table([f"processes, on {place}", "", "granted per second", ""], rows)


def costs(figures, sizes):
    calls, remote, instructions, growth = (figures[name] for name in ("calls", "calls_remote", "instructions", "growth"))
    syncs = ("fsync", "fdatasync", "sync")
    rows = [[display(name), len(calls[name]), len(remote[name]), sum(call in syncs for call in calls[name]), f"{instructions[name]:,.0f}"] for name in calls]
    more = [[f"mfa-chain, {name[5:]} rules", "", "", "", f"{instructions[name]:,.0f}"] for name in ("rules5", "rules500")]
    memory = [[NAMES[name], growth[name]["rss"], growth[name]["anonymous"]] for name in ("reset", "ga", "oath")]
    by_module = {name: us(sample.whole) for name, sample in figures["dlopen"].items()}
    late = growth["growth"]
    return "\n\n".join([
        table(["`pam_authenticate`, granted", "system calls", "with a remote host", "syncs", "instructions"], rows + more),
        table(["the first login of a process adds", "KB resident", "KB of them private"], memory),
        f"From the 1,000th to the 100,000th login of one process: {late['anonymous']:+} KB private, {late['threads']:+} threads, {late['descriptors']:+} descriptors.",
        table(["module", "bytes", "loading, µs"], [[name, f"{size:,}", by_module[name]] for name, size in sizes.items()]),
    ])


def where(figures):
    chains, floor = figures["chains", "disk"], median(figures["chains", "disk"]["floor"].whole) / 1e3
    memory = figures["chains", "tmpfs"]
    names = Counter(figures["calls"]["reset1"])
    permit = Counter(figures["calls"]["permit"])
    rows = [
        ["pam_permit: what libpam does anyway", us(chains["permit"].authenticate), us(memory["permit"].authenticate)],
        ["a slot of 4 KiB written and synced, and three HMACs", f"{floor:,.0f}", f"{us(memory['floor'].whole)}"],
        ["one factor granted", us(chains["reset1"].authenticate), us(memory["reset1"].authenticate)],
    ]
    calls = ", ".join(f"{name} {count}" for name, count in names.most_common())
    anyway = ", ".join(f"{name} {count}" for name, count in permit.most_common())
    return "\n\n".join([
        table(["", "disk, µs", "tmpfs, µs"], rows),
        f"System calls of one factor granted: {calls}. Of these libpam's own: {anyway}.",
        "Instructions of one factor granted, by function, with those called by it (callgrind; `make profile` prints more):",
        table(["share", "function"], [[share, f"`{name}`"] for share, name in figures["profile"][:24]]),
        "The largest functions of the module, by size:",
        table(["bytes", "function"], [[size, f"`{name}`"] for size, name in figures["largest"]]),
    ])


METHOD = """## How it is measured

`benches/pamtimer` plays the application: `pam_start_confdir`, `pam_authenticate`, `pam_end`, the stacks in turn, A B A B, in one
process or in a process each. Its clock, which the modules read, stands still in a transaction and moves by a time step between
two, so every code is fresh and replay protection stays on everywhere. Times are medians; "rounds" are the least and the
greatest median of five parts of a run. All runs in a private machine with its own accounts (in files), its own `/dev/log`,
which is read, and the stores on the disk named above or on tmpfs. pam_google_authenticator has the options that
`google-authenticator -t -d -r 3 -R 30 -w 3` writes, pam_oath `window=5 digits=6`. Denied logins of mfa-chain come from 1,000 users,
so that its throttle does not answer in place of the judgement. Users beyond the first thousand who are not drawn in the run
have files without content. System calls are those of the second login of a process, between two marks in a trace."""
