"""The documented stacks with a password before the codes, in a real libpam with pam_unix and pam_faillock."""

import subprocess

import pytest

from machine import accounts, command, pam
from machine.events import expect_events
from machine.policy import PHONE_FIRST, TOKEN_SECOND

OURS = "required pam_mfa_chain.so"
DEBIAN = ["[success=1 default=ignore] pam_unix.so", "requisite pam_deny.so", "required pam_permit.so", OURS]
# docs/logins.md has these; there is no SSSD here, and its line stays.
FEDORA = [
    "required pam_env.so",
    "[success=2 default=ignore] pam_unix.so",
    "[success=1 default=ignore] pam_sss.so use_first_pass",
    "requisite pam_deny.so",
    OURS,
]
FAILLOCK = [
    *FEDORA[:3],
    "[default=die] pam_faillock.so authfail",
    "requisite pam_faillock.so preauth silent",
    OURS,
]
STACKS = pytest.mark.parametrize("stack", [DEBIAN, FEDORA, FAILLOCK], ids=["debian", "fedora", "faillock"])


@pytest.fixture
def login(alice, terminal):
    """A login of alice with this password; what was shown, and how it ended."""
    subprocess.run(["faillock", "--user", "alice", "--reset"], check=True, capture_output=True)

    def attempt(password, *exchanges):
        pamtester = terminal(["pamtester", "mfa-test", "alice", "authenticate"])
        pamtester.dialogue(("Password: ", password), *exchanges)
        return pamtester.ends(), pamtester.text()

    return attempt


@STACKS
def test_the_right_password_and_the_right_codes_get_in(stack, login, alice, log):
    pam.write_service("mfa-test", *stack)
    codes = (PHONE_FIRST, alice.phone.code()), (TOKEN_SECOND, alice.token.code())
    status, _ = login(accounts.PASSWORD, *codes)
    assert status == 0
    expect_events(log, "mfa-test", "alice", "phone accepted", "token accepted", "grant")


@STACKS
def test_after_a_wrong_password_no_code_is_asked_and_nothing_is_charged(stack, login):
    pam.write_service("mfa-test", *stack)
    before = command.failures("alice")
    status, shown = login("a guess")
    assert status != 0
    assert "code" not in shown
    assert command.failures("alice") == before


@STACKS
def test_a_wrong_code_after_the_right_password_is_refused(stack, login, alice):
    pam.write_service("mfa-test", *stack)
    status, _ = login(accounts.PASSWORD, (PHONE_FIRST, alice.phone.wrong_code()))
    assert status != 0


def test_a_locked_account_shows_no_difference_between_passwords(login):
    pam.write_service("mfa-test", *FAILLOCK)
    for _ in range(3):
        login("a guess")
    assert login(accounts.PASSWORD) == login("a guess")


def test_behind_a_substack_codes_are_asked_after_a_wrong_password(login, alice):
    """Why the documents have none."""
    pam.write_service("mfa-password", "sufficient pam_unix.so", "required pam_deny.so")
    pam.write_service("mfa-test", "substack mfa-password", OURS)
    codes = (PHONE_FIRST, alice.phone.code()), (TOKEN_SECOND, alice.token.code())
    status, _ = login("a guess", *codes)
    assert status != 0
