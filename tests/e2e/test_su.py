"""su, where the codes asked for are those of the account entered, not of the one that asks."""

import fcntl
import re
import subprocess
import time
from pathlib import Path

import pytest

from machine import accounts
from machine.events import expect_events
from machine.policy import PHONE_FIRST, STORE, TOKEN_SECOND


@pytest.fixture
def su(terminal, alice):
    """bob's way to alice."""
    return terminal(["su", "-", "alice", "-c", "id -un"], user="bob")


def test_the_right_chain_of_the_target_enters(alice, su, log):
    su.dialogue((PHONE_FIRST, alice.phone.code()), (TOKEN_SECOND, alice.token.code()))
    assert su.ends() == 0
    assert su.text().splitlines()[-1] == "alice"
    expect_events(log, "su-l", "alice", "phone accepted", "token accepted", "grant")


def test_a_wrong_code_is_denied(alice, su, log):
    su.dialogue((PHONE_FIRST, alice.phone.wrong_code()))
    assert su.ends() == 1
    assert "su: Authentication failure" in su.text()
    expect_events(log, "su-l", "alice", "phone refused", "deny")


def test_who_asks_cannot_stop_a_judgement(alice, su):
    """With the lock of alice in a program that he stopped, bob would hold up her logins."""
    su.asks(PHONE_FIRST)
    process = su.pid()
    assert bob_may_signal(process)
    with (STORE / "state" / "alice").open() as state:
        fcntl.flock(state, fcntl.LOCK_EX)
        su.answers(alice.phone.code())
        deadline = time.monotonic() + 10
        while real_user(process) != 0:
            assert time.monotonic() < deadline, "the judgement waits for its lock as bob"
            time.sleep(0.001)
        assert not bob_may_signal(process)
    su.asks(TOKEN_SECOND)
    assert bob_may_signal(process)
    su.answers(alice.token.code())
    assert su.ends() == 0
    assert su.text().splitlines()[-1] == "alice"


def bob_may_signal(process):
    return subprocess.run(["kill", "-0", str(process)], preexec_fn=accounts.becoming("bob"), capture_output=True).returncode == 0


def real_user(process):
    return int(re.search(r"^Uid:\s+(\d+)", Path(f"/proc/{process}/status").read_text(), re.M)[1])
