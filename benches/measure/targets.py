"""The targets, each with what was measured."""

from dataclasses import dataclass
from statistics import median

from timing import spread_of_ratio


@dataclass
class Target:
    """One line of the table."""

    what: str
    limit: float
    measured: float
    spread: tuple = ()
    at_least: bool = False
    unit: str = ""

    def met(self):
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit

    def cells(self):
        spread = " to ".join(number(value) for value in self.spread)
        sign = "at least" if self.at_least else "at most"
        limit = f"{sign} {number(self.limit)}{self.unit}"
        return [self.what, limit, number(self.measured) + self.unit, spread, "met" if self.met() else "**not met**"]


def number(value):
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.2f}"


def ratio(what, limit, ours, theirs, part="authenticate"):
    measured, least, most = spread_of_ratio(ours, theirs, part)
    return Target(what, limit, measured, (least, most))


def all_targets(figures, module_bytes, libraries):
    disk, memory = figures["chains", "disk"], figures["chains", "tmpfs"]
    denied, denied_memory = figures["denied", "disk"], figures["denied", "tmpfs"]
    users, rules = figures["users"], figures["rules"]
    parallel = figures["parallel", "disk"][8]
    growth = figures["growth"]["growth"]
    library = next(sample for name, sample in figures["dlopen"].items() if name == "pam_mfa_chain.so")
    return [
        ratio("one factor granted, on disk, of pam_google_authenticator", 0.6, disk["reset1"], disk["ga1"]),
        ratio("the same, `pam_start` to `pam_end`, a process each", 0.6, *pair(figures["loading", "disk"]), "whole"),
        ratio("denied, on disk, of its granted time", 0.6, denied["reset1"], denied["granted"]),
        ratio("denied, of its denied time as shipped, on disk", 0.05, denied["reset1"], denied["ga1"]),
        ratio("denied, of its denied time as shipped, on tmpfs", 0.05, denied_memory["reset1"], denied_memory["ga1"]),
        ratio("three steps with `conceal`, of three stacked", 0.35, disk["conceal3"], disk["ga3"]),
        ratio("three steps with `conceal`, of one step, on disk", 1.15, disk["conceal3"], disk["conceal1"]),
        ratio("three steps with `conceal`, of one step, on tmpfs", 1.15, memory["conceal3"], memory["conceal1"]),
        ratio("1,000,000 users, of 10", 1.1, users["users1000000"], users["users10"]),
        ratio("a policy of 500 rules, of 5", 1.5, rules["rules500"], rules["rules5"]),
        Target("8 processes, logins per second, of pam_google_authenticator", 2.0, parallel["reset"][0] / parallel["ga"][0], at_least=True),
        Target("8 processes: right codes refused per second", 0, parallel["reset"][1]),
        Target("system calls in `pam_authenticate`, one step", 45, len(figures["calls"]["reset1"])),
        Target("syncs in it", 1, sum(call in ("fsync", "fdatasync", "sync") for call in figures["calls"]["reset1"])),
        Target("growth over 100,000 logins: private memory", 64, growth["anonymous"], unit=" KB"),
        Target("growth over 100,000 logins: threads and descriptors", 0, growth["threads"] + growth["descriptors"]),
        Target("the module, stripped", 700, module_bytes / 1000, unit=" KB"),
        Target(f"libraries beyond libpam, libc, libgcc ({', '.join(libraries) or 'none'})", 0, len(libraries)),
        Target("loading it", 0.3, median(library.whole) / 1e6, unit=" ms"),
        floor_target(figures),
    ]


def floor_target(figures):
    chains = figures["chains", "disk"]
    floor = median(chains["permit"].authenticate) + median(chains["floor"].whole)
    return Target("one factor granted, on disk, of the floor", 1.5, median(chains["reset1"].authenticate) / floor)


def pair(samples):
    return samples["reset1"], samples["ga1"]
