"""The program under test, its clock, and calls without a browser."""

import http.client
import json
import os
import subprocess
from pathlib import Path

NOON = 1_800_000_000  # begins a time step of 30 seconds


class Server:
    """mfa-chain-web on a free port of loopback."""

    def __init__(self, program, folder, options, real_clock):
        self.now = NOON
        self._clock = folder / "clock"
        self._log = folder / "web.log"
        self.set_clock(NOON)
        library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        environment = {**os.environ, "TZ": "UTC"}
        if not real_clock:
            environment |= {
                "LD_PRELOAD": str(library),
                "FAKETIME_TIMESTAMP_FILE": str(self._clock),
                "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
        self._process = subprocess.Popen(
            [program, "--listen", "127.0.0.1:0", *options],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=self._log.open("w"),
            text=True,
        )
        self.url = self._process.stdout.readline().strip()
        assert self.url.startswith("http://127.0.0.1:"), self.log()

    def set_clock(self, seconds):
        """The clock stands still at so many seconds since 1970. It is replaced whole: the program reads it at any time."""
        self.now = seconds
        written = subprocess.run(["date", "-u", "-d", f"@{seconds}", "+%F %T"], capture_output=True, text=True, check=True)
        fresh = self._clock.with_suffix(".new")
        fresh.write_text(written.stdout)
        fresh.replace(self._clock)

    def pass_time(self, seconds):
        self.set_clock(self.now + seconds)

    def next_step(self):
        """To where every code so far is used or out of the window, and new ones are good."""
        self.pass_time(90)

    def log(self):
        return self._log.read_text()

    def stop(self):
        self._process.terminate()
        self._process.wait()

    def call(self, method, path, body=None, headers=(), form=False):
        """A request; returns status, headers and the body, parsed where it is JSON."""
        connection = http.client.HTTPConnection(self.url.removeprefix("http://").rstrip("/"), timeout=20)
        kind = "application/x-www-form-urlencoded" if form else "application/json"
        text = body if form or body is None else json.dumps(body)
        connection.request(method, path, text, {"Content-Type": kind, **dict(headers)})
        answer = connection.getresponse()
        text = answer.read().decode()
        is_json = answer.headers.get_content_type() == "application/json"
        return answer.status, answer.headers, json.loads(text) if is_json else text


class Authenticator:
    """What a user holds: oathtool makes the codes, so that our own arithmetic does not vouch for itself."""

    def __init__(self, secret):
        self._secret = secret.replace(" ", "")

    def code(self, now):
        command = ["oathtool", "-b", "--totp", "-N", f"@{now}", self._secret]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def wrong_code(self, now):
        near = {self.code(now + 30 * step) for step in range(-2, 3)}
        return next(code for code in ("000000", "111111", "222222", "333333", "444444", "555555") if code not in near)


def enroll_by_json(server, user, factors=("phone", "tablet")):
    """Enrolls `user` without a browser; returns the authenticators. The codes of this time step are used then."""
    cookie, authenticators = {}, []
    for factor in factors:
        status, headers, told = server.call("POST", f"/users/{user}/factors/{factor}/enroll", headers=cookie)
        assert status == 201, told
        if given := headers.get("Set-Cookie"):
            cookie = {"Cookie": given.split(";")[0]}
        authenticator = Authenticator(told["secret"])
        body = {"user_input": authenticator.code(server.now)}
        status, _, told = server.call("POST", f"/users/{user}/factors/{factor}/confirm", body, cookie)
        assert status == 200, told
        authenticators.append(authenticator)
    return authenticators
