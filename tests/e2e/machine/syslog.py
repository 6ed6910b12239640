"""What the programs of the private machine say to syslog: a datagram socket at /dev/log."""

import os
import re
import socket
import threading

MARK = "mark"
GUARD_SECONDS = 20  # how long a test may hang before it fails; no statement about speed


class SyslogSocket:
    """Keeps every datagram in the order of arrival."""

    def __init__(self, path="/dev/log"):
        self._lines = []
        self._marks = 0
        self._arrived = threading.Condition()
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(path)
        os.chmod(path, 0o666)
        threading.Thread(target=self._receive, daemon=True).start()

    def _receive(self):
        while True:
            line = self._socket.recv(65536).decode("utf-8", "backslashreplace").rstrip("\n\0")
            with self._arrived:
                if line == MARK:
                    self._marks += 1
                else:
                    self._lines.append(line)
                self._arrived.notify_all()

    def so_far(self):
        """Each line that was sent before this call: datagrams arrive in order, so a mark that came back was the last."""
        with self._arrived:
            awaited = self._marks + 1
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(MARK.encode(), self._path)
        with self._arrived:
            assert self._arrived.wait_for(lambda: self._marks >= awaited, GUARD_SECONDS), "the log is not read any more"
            return list(self._lines)

    def from_now(self):
        """The log as one test sees it: what earlier tests wrote is left out."""
        return Log(self, self._lines, self._arrived, len(self.so_far()))


class Log:
    """The lines since a test began."""

    def __init__(self, log_socket, lines, arrived, start):
        self._socket = log_socket
        self._all = lines
        self._arrived = arrived
        self._start = start

    def lines(self):
        return self._socket.so_far()[self._start :]

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
