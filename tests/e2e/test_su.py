"""su, where the codes asked for are those of the account entered, not of the one that asks."""

import pytest

from machine.events import expect_events
from machine.policy import PHONE_FIRST, TOKEN_SECOND


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
