"""A program on a terminal of its own, and the dialogue with it."""

import io
import time
from pathlib import Path

import pexpect

from machine import accounts
from machine.syslog import GUARD_SECONDS


class Terminal:
    """Runs a program on a pty; prompts are awaited word by word, answers are typed without echo."""

    def __init__(self, argv, user=None):
        self._seen = io.StringIO()
        self._child = pexpect.spawn(
            str(argv[0]),
            [str(word) for word in argv[1:]],
            timeout=GUARD_SECONDS,
            encoding="utf-8",
            codec_errors="backslashreplace",
            dimensions=(24, 200),  # wide: a folded prompt would match nothing
            preexec_fn=accounts.becoming(user) if user else None,
        )
        self._child.logfile_read = self._seen
        self._child.delaybeforesend = None  # every program here drops type-ahead before its prompt, not after

    def asks(self, *prompts):
        """Waits for one of the prompts and returns it."""
        return prompts[self._child.expect_exact(list(prompts))]

    def answers(self, text):
        self._child.sendline(text)

    def dialogue(self, *exchanges):
        """Waits for each prompt in turn and types its answer."""
        for prompt, answer in exchanges:
            self.asks(prompt)
            self.answers(answer)

    def interrupt(self):
        """Presses ^C once the program sleeps in its read.

        sudo and ssh only note a signal that comes between their prompt and their read, and then
        read on for ever; a person is never that quick. The kernel tells nobody when a process
        falls asleep, so its state is asked for.
        """
        while _state(self._child.pid) != "S":
            time.sleep(0.001)
        self._child.sendintr()

    def hides(self, prompt):
        """Waits for the prompt and until nothing shows: OpenVPN drops what was typed before that."""
        self.asks(prompt)
        while self._child.getecho():
            time.sleep(0.001)

    def signal(self, number):
        self._child.kill(number)

    def ends(self):
        """Waits for the end, which no further prompt may delay; returns the exit status."""
        self._child.expect(pexpect.EOF)
        self._child.close()
        return self._child.exitstatus

    def pid(self):
        """The process that was started."""
        return self._child.pid

    def text(self):
        """All that was shown so far, without the carriage returns of a terminal."""
        return self._seen.getvalue().replace("\r", "")

    def close(self):
        self._child.close(force=True)


def _state(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
