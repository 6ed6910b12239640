"""Fixtures: the private machine made by `tests/e2e/run`, set back before each test."""

import re
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from machine import accounts, command, pam, policy
from machine.codes import Ledger, TotpToken
from machine.sshd import Sshd, make_host_key
from machine.syslog import SyslogSocket
from machine.terminal import Terminal

SUDOERS = """\
Defaults env_reset, !lecture, timestamp_timeout=0, passwd_tries=3
root ALL=(ALL:ALL) ALL
alice ALL=(ALL:ALL) ALL
bob ALL=(ALL:ALL) NOPASSWD: ALL
"""


def pytest_sessionstart():
    # These tests rewrite /etc: a bare `pytest` on a real machine must not get that far.
    if not Path("/run/mfa-chain-e2e").exists():
        pytest.exit("start these tests with tests/e2e/run", returncode=2)
    # Where the tests run in the background, ^C is ignored, and each child would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def syslog_socket():
    return SyslogSocket()


@pytest.fixture(scope="session", autouse=True)
def people(syslog_socket):
    """alice, who will be enrolled; bob, who never is; and root. All have the same password."""
    # The host may ask a directory server about accounts; here /etc/passwd is all there is.
    Path("/etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nshadow: files\nhosts: files\n")
    sudoers = Path("/etc/sudoers")
    sudoers.write_text(SUDOERS)
    sudoers.chmod(0o440)
    for name in ("alice", "bob", "root"):
        accounts.create(name)


@pytest.fixture(scope="session")
def alice_key(people, tmp_path_factory):
    """A private key that opens alice's account."""
    return accounts.authorise_key("alice", tmp_path_factory.mktemp("keys"))


@pytest.fixture(autouse=True)
def set_back(people):
    """Each test finds the default policy, nobody enrolled, and the module alone in every stack."""
    policy.write(policy.TWO_TOTP)
    policy.empty_store()
    for service in ("mfa-test", "sshd", "sudo", "su", "su-l"):
        pam.write_service(service, "required pam_mfa_chain.so")


@pytest.fixture(autouse=True)
def ledger(log):
    """What must stay out of the log; looked for at the end of every test."""
    ledger = Ledger()
    yield ledger
    said = "\n".join(log.lines()).upper()
    told = [word for word in ledger.words if re.search(rf"(?<![A-Z0-9]){word.upper()}(?![A-Z0-9])", said)]
    assert not told, f"typed or enrolled, and now in the log: {told}"


@pytest.fixture
def enroll(ledger):
    """Enrolls a user in both factors through the command, and returns the two tokens."""

    def enroll_both(user, phone=TotpToken):
        tokens = SimpleNamespace(phone=phone(ledger), token=TotpToken(ledger))
        command.enroll(user, "phone", tokens.phone)
        command.enroll(user, "token", tokens.token)
        return tokens

    return enroll_both


@pytest.fixture
def alice(enroll):
    """alice's two tokens, both time-based."""
    return enroll("alice")


@pytest.fixture
def log(syslog_socket):
    return syslog_socket.from_now()


@pytest.fixture
def terminal():
    """Starts a program on a terminal; whatever is left of it goes when the test ends."""
    started = []

    def start(argv, user=None):
        started.append(Terminal(argv, user))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.fixture
def login(terminal):
    """A login through the stack of `mfa-test`: whether the user is let in. `under` is a program that runs it, with words."""

    def start(*exchanges, user="alice", under=()):
        pamtester = terminal([*under, "pamtester", "mfa-test", user, "authenticate"])
        pamtester.dialogue(*exchanges)
        return pamtester.ends() == 0

    return start


@pytest.fixture(scope="session")
def host_key(tmp_path_factory):
    return make_host_key(tmp_path_factory.mktemp("host"))


@pytest.fixture
def sshd(tmp_path, host_key, log):
    """Starts sshd with the given options of sshd_config."""
    running = []

    def start(**options):
        running.append(Sshd(tmp_path, host_key, log, options))
        return running[-1]

    yield start
    for each in running:
        each.stop()
