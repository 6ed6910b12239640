"""What a program asked of the kernel, as strace wrote it down."""

import re
from dataclasses import dataclass

LINE = re.compile(
    r"^(?P<name>\w+)\((?P<arguments>.*)\)\s+= (?P<result>-?\d+|\?)(?:<(?P<opened>[^>]*)>)?"
)
FIRST_DESCRIPTOR = re.compile(r"^(\d+)<([^>]*)>")


@dataclass
class Call:
    """One system call; `path` is the file behind its first argument, or the one it opened."""

    name: str
    arguments: str
    result: str
    descriptor: int | None
    path: str | None

    @property
    def succeeded(self):
        return not self.result.startswith("-")


def command(argv, output):
    """The program under strace, with every descriptor's path written beside it."""
    return ["strace", "-ff", "-y", "-s", "256", "-o", output, *argv]


def calls(output):
    """All calls of the program in order, and after them those of every child it started."""
    traces = sorted(output.parent.glob(f"{output.name}.*"), key=lambda trace: int(trace.suffix[1:]))
    lines = [line for trace in traces for line in trace.read_text().splitlines()]
    return [_call(match) for match in map(LINE.match, lines) if match]


def _call(match):
    first = FIRST_DESCRIPTOR.match(match["arguments"])
    descriptor, path = (int(first[1]), first[2]) if first else (None, None)
    if match["opened"] is not None:  # what came back says more than the folder it was opened from
        descriptor, path = int(match["result"]), match["opened"]
    return Call(match["name"], match["arguments"], match["result"], descriptor, path)


def left_open(found):
    """The paths opened and not closed again."""
    still = {}
    for call in found:
        if call.name in ("openat", "open", "openat2", "socket", "dup", "dup3") and call.succeeded:
            still[call.descriptor] = call.path
        elif call.name == "fcntl" and "F_DUPFD" in call.arguments and call.succeeded:
            still[call.descriptor] = call.path
        elif call.name == "close" and call.succeeded:
            still.pop(call.descriptor, None)
    return sorted(still.values())
