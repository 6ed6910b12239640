"""Screen lockers run PAM as their user, who can't read the store."""

import subprocess
from pathlib import Path

import pytest

from machine import pam, policy
from machine.accounts import PASSWORD

SHIPPED = Path("packaging/policy.toml")
# As pam-auth-update writes it, with the profile of the package.
COMMON_AUTH = (
    "[success=1 default=ignore] pam_unix.so nullok",
    "requisite pam_deny.so",
    "required pam_permit.so",
    "requisite pam_mfa_chain.so",
)


@pytest.fixture
def in_force():
    """The policy of the packages, once its last rule, which exempts everybody, is deleted."""
    text = SHIPPED.read_text()
    everybody = '[[rules]]\naction = "exempt"\n'
    assert text.endswith(everybody)
    policy.write(text.removesuffix(everybody))


@pytest.mark.parametrize("locker", ["i3lock", "swaylock", "xscreensaver"])
def test_the_right_password_unlocks_and_a_wrong_one_does_not(terminal, in_force, alice, locker):
    pam.write_service(locker, *COMMON_AUTH)
    for password, code in ((PASSWORD, 0), ("wrong", 1)):
        tester = terminal(["pamtester", locker, "alice", "authenticate"], user="alice")
        tester.dialogue(("Password: ", password))
        assert tester.ends() == code, tester.text()


def test_a_locker_that_the_policy_does_not_exempt_refuses_and_check_says_so(terminal, alice):
    pam.write_service("i3lock", *COMMON_AUTH)
    tester = terminal(["pamtester", "i3lock", "alice", "authenticate"], user="alice")
    tester.dialogue(("Password: ", PASSWORD))
    assert tester.ends() == 1
    told = subprocess.run(["mfa-chain", "check"], capture_output=True, text=True).stdout
    assert "i3lock: this locker runs as its user" in told


def test_check_names_what_debians_sshd_leaves_open(alice):
    """`sshd -T` of this machine, which has Debian's own sshd_config."""
    pam.write_service("sshd", "required pam_mfa_chain.so")
    config = Path("/etc/ssh/sshd_config.d/10-mfa-chain.conf")
    told = subprocess.run(["mfa-chain", "check"], capture_output=True, text=True).stdout
    assert "say `KbdInteractiveAuthentication yes`" in told
    assert "a key alone gets in without a code; say `AuthenticationMethods publickey,keyboard-interactive`" in told
    config.write_text(
        "UsePAM yes\nKbdInteractiveAuthentication yes\nPasswordAuthentication no\n"
        "AuthenticationMethods publickey,keyboard-interactive\n"
    )
    try:
        told = subprocess.run(["mfa-chain", "check"], capture_output=True, text=True).stdout
        assert "sshd: asks for codes" in told
        assert "say `" not in told, told
    finally:
        config.unlink()
