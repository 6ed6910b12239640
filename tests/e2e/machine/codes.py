"""One-time codes, made by oathtool only: our own arithmetic must not vouch for itself."""

import base64
import secrets
import subprocess
import time

PERIOD = 30
WINDOW = 1  # steps either side of now that the policy of these tests accepts


class Ledger:
    """Everything a test typed or enrolled, none of which may ever stand in the log."""

    def __init__(self):
        self.words = set()

    def note(self, word):
        self.words.add(word)
        return word


class Token:
    """A secret in somebody's hand."""

    def __init__(self, ledger):
        raw = secrets.token_bytes(20)
        self._ledger = ledger
        self.secret = ledger.note(base64.b32encode(raw).decode())
        ledger.note(raw.hex())

    def wrong_code(self):
        """A well-formed code that is right neither now nor soon."""
        near = set(self._codes_nearby())
        return self._ledger.note(next(code for code in map("{:06}".format, range(100)) if code not in near))

    def _oathtool(self, *arguments):
        command = ["oathtool", "-b", *map(str, arguments), self.secret]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        return output


class TotpToken(Token):
    """Time-based. A code is good once, and so is every step before it.

    Codes are handed out for this step and then for the next, which the window accepts already, so
    that no test waits for the clock. The step before this one is left alone: it falls out of the
    window when the clock moves on between the asking and the judging. A test that needs a third
    code enrolls a second secret.
    """

    _last = None

    def code(self):
        now = int(time.time()) // PERIOD
        step = now if self._last is None else max(now, self._last + 1)
        if step > now + WINDOW:
            raise RuntimeError("a third code of one secret within a step: enroll another secret")
        self._last = step
        return self._ledger.note(self._oathtool("--totp", "-N", f"@{step * PERIOD}")[0])

    def _codes_nearby(self):
        start = int(time.time()) - 4 * PERIOD
        return self._oathtool("--totp", "-N", f"@{start}", "-w", 8)


class HotpToken(Token):
    """Counter-based. Each call presses the button once."""

    _counter = 0

    def code(self):
        code = self._oathtool("--hotp", "-c", self._counter)[0]
        self._counter += 1
        return self._ledger.note(code)

    def codes(self, first, count):
        """The codes of so many counters from `first` on, without pressing the button."""
        return self._oathtool("--hotp", "-c", first, "-w", count - 1)

    def _codes_nearby(self):
        return self.codes(0, 100)
