"""What the programs of the private machine say to syslog: a datagram socket at /dev/log."""

import os
import re
import socket
import threading

GUARD_SECONDS = 20  # how long a test may hang before it fails; no statement about speed


class SyslogSocket:
    """Keeps every datagram in the order of arrival."""

    def __init__(self, path="/dev/log"):
        self._lines = []
        self._arrived = threading.Condition()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(path)
        os.chmod(path, 0o666)
        threading.Thread(target=self._receive, daemon=True).start()

    def _receive(self):
        while True:
            line = self._socket.recv(65536).decode("utf-8", "backslashreplace").rstrip("\n\0")
            with self._arrived:
                self._lines.append(line)
                self._arrived.notify_all()

    def from_now(self):
        """The log as one test sees it: what earlier tests wrote is left out."""
        with self._arrived:
            return Log(self._lines, self._arrived, len(self._lines))


class Log:
    """The lines since a test began."""

    def __init__(self, lines, arrived, start):
        self._all = lines
        self._arrived = arrived
        self._start = start

    def lines(self):
        with self._arrived:
            return self._all[self._start :]

    def wait_for(self, pattern, count=1):
        """Waits until `count` lines match the pattern, and returns the matching lines."""
        matcher = re.compile(pattern)

        def found():
            return [line for line in self._all[self._start :] if matcher.search(line)]

        with self._arrived:
            if not self._arrived.wait_for(lambda: len(found()) >= count, GUARD_SECONDS):
                said = "\n".join(self._all[self._start :])
                raise AssertionError(f"fewer than {count} lines match {pattern!r} in the log:\n{said}")
            return found()
