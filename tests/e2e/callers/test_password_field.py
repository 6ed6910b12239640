"""Programs with one password field, as the manual has them: dovecot and saslauthd, asked by their own clients."""

import socket
import subprocess
import time

import pytest

from machine import command, pam, policy
from machine.events import expect_events

ONE = policy.TWO_TOTP.replace("required_steps = 2", "required_steps = 1", 1)
DOVECOT = """\
base_dir = /run/dovecot
protocols =
ssl = no
log_path = /dev/stderr
auth_failure_delay = 0
passdb {
  driver = pam
  args = %s
}
userdb {
  driver = passwd
}
"""


@pytest.fixture
def dovecot(tmp_path, background):
    """Starts dovecot; then whether it lets alice in with a password, each time it is asked."""

    def start(arguments="dovecot", more=""):
        config = tmp_path / "dovecot.conf"
        config.write_text(DOVECOT % arguments + more)
        background(["/usr/sbin/dovecot", "-F", "-c", config], "/run/dovecot/auth-client")
        pam.write_service("dovecot", "required pam_mfa_chain.so")
        return lambda code: _says_yes("doveadm", "-c", config, "auth", "test", "alice", code)

    return start


@pytest.fixture
def saslauthd(tmp_path, background):
    def start(*options):
        background(["/usr/sbin/saslauthd", "-d", "-a", "pam", "-n", "1", "-m", tmp_path, *options], tmp_path / "mux")
        pam.write_service("imap", "required pam_mfa_chain.so")
        return lambda code: _says_yes("testsaslauthd", "-f", tmp_path / "mux", "-s", "imap", "-u", "alice", "-p", code)

    return start


@pytest.fixture
def background():
    running = []

    def start(argv, path):
        # A session of its own: at its end saslauthd sends a signal to its whole process group.
        running.append(subprocess.Popen(argv, start_new_session=True, stderr=subprocess.DEVNULL))
        while not _listens(path):
            assert running[-1].poll() is None, f"{argv[0]} did not start"
            time.sleep(0.01)  # not listening yet

    yield start
    for each in running:
        each.terminate()
        each.wait()


def test_dovecot_gives_the_password_to_a_hidden_prompt(dovecot, alice, log):
    policy.write(ONE)
    login = dovecot()
    assert login(alice.phone.code())
    assert not login(alice.phone.wrong_code())
    expect_events(log, "dovecot", "alice", "phone accepted", "grant", "phone refused", "deny")


def test_dovecot_gives_the_user_name_to_a_shown_prompt(dovecot, alice, log):
    policy.write(policy.with_echo(ONE, True))
    assert not dovecot()(alice.phone.code())
    log.wait_for(r"event=step user=alice service=dovecot .*outcome=malformed")


def test_dovecot_gives_the_first_code_to_the_second_prompt_too(dovecot, alice, log):
    assert not dovecot()(alice.phone.code())
    expect_events(log, "dovecot", "alice", "phone accepted", "token refused", "deny")
    assert command.failures("alice") == 1


def test_saslauthd_gives_the_password_to_a_hidden_prompt_once(saslauthd, alice, log):
    policy.write(ONE)
    login, code = saslauthd(), alice.phone.code()
    assert [login(code), login(code)] == [True, False]
    expect_events(log, "imap", "alice", "phone accepted", "grant", "phone refused", "deny")


def test_a_cache_lets_a_used_code_in_again_without_asking(saslauthd, dovecot, alice, log):
    """What the manual warns of. `-c` is Debian's default."""
    policy.write(ONE)
    login, code = saslauthd("-c"), alice.phone.code()
    assert [login(code), login(code)] == [True, True]
    expect_events(log, "imap", "alice", "phone accepted", "grant")
    login, code = dovecot("cache_key=%u dovecot", "auth_cache_size = 1M\n"), alice.phone.code()
    assert [login(code), login(code)] == [True, True]
    expect_events(log, "dovecot", "alice", "phone accepted", "grant")


def test_saslauthd_lets_nobody_in_by_a_shown_prompt(saslauthd, alice):
    policy.write(policy.with_echo(ONE, True))
    assert not saslauthd()(alice.phone.code())


def _listens(path):
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def _says_yes(*words):
    return subprocess.run(words, capture_output=True, timeout=20).returncode == 0
