"""Runs pamtimer and takes its figures apart."""

import subprocess
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from statistics import median

from machine import SECRETS, SERVICES

ROUNDS = 5


@dataclass
class Stack:
    """One stack: its service, who logs in, and what is answered."""

    name: str
    service: str
    answers: list
    users: int = 10
    user: str = "b%"

    def line(self):
        return " ".join([self.name, self.service, self.user, str(self.users), *self.answers])


@dataclass
class Sample:
    """What was measured of one stack, in nanoseconds."""

    codes: Counter = field(default_factory=Counter)
    authenticate: list = field(default_factory=list)
    whole: list = field(default_factory=list)

    def all_are(self, code):
        return set(self.codes) == {code}

    def rounds(self, what):
        values = getattr(self, what)
        size = max(1, len(values) // ROUNDS)
        return [median(values[at : at + size]) for at in range(0, size * ROUNDS, size) if values[at : at + size]]


def codes(*steps):
    """Right answers for these steps, counted from 1."""
    return [f"totp:{SECRETS[step - 1]}" for step in steps]


def wrong(count):
    return ["text:000000"] * count


class Timer:
    """pamtimer, called again and again."""

    def __init__(self, program):
        self.program = str(program)

    def call(self, *arguments, stacks=()):
        text = "".join(stack.line() + "\n" for stack in stacks)
        done = subprocess.run([self.program, *map(str, arguments)], input=text, stdout=subprocess.PIPE, text=True, check=True)
        return [line.split() for line in done.stdout.splitlines() if line]

    def transactions(self, count, stacks, *flags):
        """Samples by stack; the status before and after is under `status`."""
        return self.samples(self.call("transactions", count, SERVICES, *flags, stacks=stacks))

    def samples(self, lines):
        samples = defaultdict(Sample)
        for name, *numbers in lines:
            if name == "status":
                continue
            sample = samples[name]
            sample.codes[int(numbers[0])] += 1
            sample.authenticate.append(int(numbers[1]))
            sample.whole.append(int(numbers[2]))
        return samples

    def status(self, count, stack):
        """Memory in KB (all, private), threads and descriptors before and after `count` logins."""
        lines = self.call("transactions", count, SERVICES, "quiet", stacks=[stack])
        return [dict(zip(("rss", "anonymous", "threads", "descriptors"), map(int, line[2:]))) for line in lines if line[0] == "status"]

    def parallel(self, processes, seconds, stacks):
        """Right logins per second by stack, and the share of right codes refused."""
        granted, refused = Counter(), Counter()
        for name, code, count, nanoseconds in self.call("parallel", processes, seconds, SERVICES, stacks=stacks):
            (granted if code == "0" else refused)[name] += int(count) / (int(nanoseconds) / 1e9)
        return {stack.name: (granted[stack.name], refused[stack.name]) for stack in stacks}


def spread_of_ratio(ours, theirs, what="authenticate"):
    """The ratio of medians, and its least and greatest round."""
    pairs = list(zip(ours.rounds(what), theirs.rounds(what)))
    ratios = [a / b for a, b in pairs]
    return median(getattr(ours, what)) / median(getattr(theirs, what)), min(ratios), max(ratios)
