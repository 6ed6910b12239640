"""Fixtures: the private machine made by `tests/e2e/run`, set back before each test."""

from pathlib import Path

import pytest

from machine import accounts, pam
from machine.sshd import Sshd, make_host_key
from machine.syslog import SyslogSocket
from machine.terminal import Terminal

SUDOERS = """\
Defaults env_reset, !lecture, timestamp_timeout=0, passwd_tries=3
root ALL=(ALL:ALL) ALL
alice ALL=(ALL:ALL) ALL
"""


def pytest_sessionstart():
    # These tests rewrite /etc: a bare `pytest` on a real machine must not get that far.
    if not Path("/run/mfa-chain-e2e").exists():
        pytest.exit("start these tests with tests/e2e/run", returncode=2)


@pytest.fixture(scope="session")
def syslog_socket():
    return SyslogSocket()


@pytest.fixture(scope="session", autouse=True)
def people(syslog_socket):
    """alice, who will be enrolled; bob, who never is; and root. All have the same password."""
    for name in ("alice", "bob", "root"):
        accounts.create(name)
    sudoers = Path("/etc/sudoers")
    sudoers.write_text(SUDOERS)
    sudoers.chmod(0o440)


@pytest.fixture(scope="session")
def alice_key(people, tmp_path_factory):
    """A private key that opens alice's account."""
    return accounts.authorise_key("alice", tmp_path_factory.mktemp("keys"))


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
