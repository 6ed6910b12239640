"""F8s and F15s, the rows of the fault plan that go through a real sshd: `through_sshd.py ROW ADDRESSES|LOGINS`.

Runs in the private machine of tests/e2e (`tests/e2e/run --program`). The last line it prints is the tally, as JSON.
The client is paramiko: a try costs it no process.
"""

import contextlib
import json
import multiprocessing
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import paramiko

from machine import accounts, command, pam, policy
from machine.codes import HotpToken, Ledger
from machine.sshd import PORT, Sshd, make_host_key
from machine.syslog import GUARD_SECONDS, SyslogSocket

# Looking one counter ahead, as F15 does: two codes of a longer look-ahead can have the same digits.
POLICY = policy.TWO_TOTP.replace('"totp"', '"hotp"\nlook_ahead = 1')
HOME = "127.0.0.1"
TRIES_PER_ADDRESS = 50
WORKERS = 4
MOST_GUESSES_A_DAY = 60  # 41 of one lane, and half of the cap of a day for strangers
MOST_GROWTH_KIB = 1024


def under_attack(addresses):
    """Guesses come from many addresses; the victim logs in from home meanwhile, at the first try each time."""
    tally = Tally()
    with machine(["victim", "enrolled"]) as (pool, server, tokens):
        codes = tokens["victim"].codes(0, 100)
        wrong = tokens["victim"].wrong_code()
        expect_in(tally, codes, "before the attack")
        guessers = [(f"127.0.{1 + place // 200}.{1 + place % 200}", wrong) for place in range(addresses)]
        for done, (tries, let_in) in enumerate(pool.imap_unordered(guess, guessers), 1):
            tally.count += tries
            tally.blame_if(let_in, "unsafe grants", "a guess was let in")
            if done % (addresses // 5 or 1) == 0:
                expect_in(tally, codes, f"after {tally.count} guesses of others")
        judged = command.failures("victim")
        tally.blame_if(judged > MOST_GUESSES_A_DAY, "guesses beyond the budget of a day", judged)
        tally.figure(f"of {tally.count} guesses from {addresses} addresses judged", judged)
        # One is throttled by now, one has failed never, one enrolled nothing, one does not exist.
        users = ["victim", "enrolled", "unenrolled", "nobody-here"]
        seen = {user: transcript(f"127.0.9.{place}", user, wrong) for place, user in enumerate(users, 1)}
        for user in users:
            shown = f"{user}: {seen[user]}, not {seen['victim']}"
            tally.blame_if(seen[user] != seen["victim"], "users told apart by what is shown", shown)
    return tally


def soak(logins):
    """Logins with a key exchange, two codes, a command and its end each, by several clients at once."""
    tally = Tally()
    users = [f"user{number}" for number in range(WORKERS)]
    with machine(users) as (pool, server, tokens):
        share = logins // len(users)
        work = [(user, list(tokens[user].codes(1, share))) for user in users]
        for user in users:  # what is loaded or made once is there now
            assert login(HOME, user, next(tokens[user].codes(0, 1))), f"{user} is not let in"
        files, descriptors, memory = files_now(), descriptors_of(server), memory_of(server)
        began = time.monotonic()
        for count, refused in pool.imap_unordered(log_in_often, work):
            tally.count += count
            for example in refused:
                tally.blame_if(True, "right codes refused", example)
        seconds = time.monotonic() - began
        left = wait_until_alone(server)
        tally.blame_if(left, "things left behind", f"processes {left}")
        after = descriptors_of(server)
        tally.blame_if(after != descriptors, "things left behind", f"descriptors {descriptors}, then {after}")
        fresh = sorted(map(str, files_now() ^ files))
        tally.blame_if(fresh, "things left behind", f"{len(fresh)} files or sizes, such as {fresh[:2]}")
        grew = memory_of(server) - memory
        tally.blame_if(grew > MOST_GROWTH_KIB, "things left behind", f"{grew} KiB")
        tally.figure("memory of sshd grew by", f"{max(grew, 0)} KiB")
        tally.figure("logins a second", round(tally.count / seconds))
    return tally


class Tally:
    """As that of the Rust rows."""

    def __init__(self):
        self.count, self.figures, self.wrong = 0, [], []

    def figure(self, name, value):
        self.figures.append([name, str(value)])

    def blame_if(self, wrong, kind, example):
        if wrong:
            self.wrong.append([kind, str(example)])


class Tokens:
    """The two counters of a user."""

    def __init__(self, user):
        self._user, self._both = user, [HotpToken(Ledger()) for _ in range(2)]
        for factor, token in zip(("phone", "token"), self._both):
            command.enroll(user, factor, token)

    def codes(self, first, count):
        """Pairs of codes from this counter on."""
        return zip(*(token.codes(first, count) for token in self._both))

    def wrong_code(self):
        return self._both[0].wrong_code()


@contextlib.contextmanager
def machine(enrolled):
    """An sshd in which these users have enrolled and `unenrolled` has not, and processes that play clients."""
    pool = multiprocessing.Pool(WORKERS)  # before any thread is started
    policy.write(POLICY)
    policy.empty_store()
    pam.write_service("sshd", "required pam_mfa_chain.so")
    Path("/etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nshadow: files\nhosts: files\n")
    for user in [*enrolled, "unenrolled"]:
        accounts.create(user)
    tokens = {user: Tokens(user) for user in enrolled}
    with tempfile.TemporaryDirectory(dir="/run") as folder, pool:
        server = Sshd(Path(folder), make_host_key(Path(folder)), SyslogSocket().from_now(), options())
        yield pool, server.pid, tokens
        server.stop()


def options():
    """Limits of sshd's own out of the way: what is looked at is the module behind them."""
    wanted = {"MaxStartups": 200, "MaxAuthTries": TRIES_PER_ADDRESS + 10}
    known = subprocess.run(["/usr/sbin/sshd", "-T", "-f", "/dev/null"], capture_output=True, text=True).stdout
    if "persourcepenalties" in known:  # OpenSSH 9.8 and later
        wanted["PerSourcePenalties"] = "no"
    return wanted


def connect(address):
    """A connection before any authentication. One key exchange in some ten thousand fails in the client's library."""
    for tries_left in (2, 1, 0):
        transport = paramiko.Transport(socket.create_connection((HOME, PORT), source_address=(address, 0)))
        try:
            transport.start_client(timeout=GUARD_SECONDS)
            return transport
        except paramiko.SSHException:
            transport.close()
            if not tries_left:
                raise


def login(address, user, codes):
    """Whether these codes let the user in, far enough to run a command. No prompt comes twice."""
    answers = list(codes)
    transport = connect(address)
    try:
        transport.auth_interactive(user, lambda _title, _text, prompts: [answers.pop(0) for _ in prompts])
        channel = transport.open_session(timeout=GUARD_SECONDS)
        channel.exec_command("id -un")
        return channel.makefile().read().decode() == f"{user}\n"
    except (paramiko.SSHException, IndexError):
        return False
    finally:
        transport.close()


def expect_in(tally, codes, when):
    tally.blame_if(not login(HOME, "victim", next(codes)), "logins refused", f"the victim {when}")


def guess(where):
    """All tries of one address, on one connection."""
    address, wrong = where
    tries, transport = 0, connect(address)
    for tries in range(1, TRIES_PER_ADDRESS + 1):
        with contextlib.suppress(paramiko.AuthenticationException):
            transport.auth_interactive("victim", lambda _title, _text, prompts: [wrong for _ in prompts])
            return tries, True
    transport.close()
    return tries, False


def transcript(address, user, wrong):
    """All that a client is shown in three tries, and how each ends."""
    shown, transport = [], connect(address)

    def answer(title, text, prompts):
        shown.append([title, text, prompts])
        return [wrong for _ in prompts]

    for _ in range(3):
        try:
            transport.auth_interactive(user, answer)
            shown.append("let in")
        except paramiko.AuthenticationException as denial:
            shown.append(str(denial))
    transport.close()
    return shown


def log_in_often(work):
    user, codes = work
    refused, count = [], 0
    for count, pair in enumerate(codes, 1):
        if not login(HOME, user, pair):
            refused.append(f"login {count} of {user}")
    return count, refused


def children_of(process):
    return Path(f"/proc/{process}/task/{process}/children").read_text().split()


def wait_until_alone(process):
    """The children that a process still has after a while."""
    deadline = time.monotonic() + GUARD_SECONDS
    while children_of(process) and time.monotonic() < deadline:
        time.sleep(0.01)
    return children_of(process)


def descriptors_of(process):
    return sorted(path.name for path in Path(f"/proc/{process}/fd").iterdir())


def memory_of(process):
    """Resident KiB."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def files_now():
    """The files of the store, of $TMPDIR and of /dev/shm, which are the machine's own, with their sizes."""
    folders = [policy.STORE, Path("/run/tmp"), Path("/dev/shm")]
    return {(path, path.stat().st_size) for folder in folders for path in folder.rglob("*") if path.is_file()}


if __name__ == "__main__":
    row, count = sys.argv[1], int(sys.argv[2])
    print(json.dumps(vars({"F8s": under_attack, "F15s": soak}[row](count))))
