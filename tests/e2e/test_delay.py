"""How long a denial takes: the delay of the policy, or that of the rule which chose the chain."""

import pytest

from machine import policy, strace
from machine.policy import PHONE_FIRST

POLICY = policy.TWO_TOTP.replace(
    "[throttle]",
    '[[rules]]\nservices = ["mfa-test"]\nchain = "default"\nfail_delay_seconds = 1\n[throttle]',
)


def waits(terminal, alice, service, output):
    """The sleeps of libpam in one denied login."""
    login = terminal(strace.command(["pamtester", service, "alice", "authenticate"], output))
    login.dialogue((PHONE_FIRST, alice.phone.wrong_code()))
    assert login.ends() == 1
    return [call for call in strace.calls(output) if call.name in ("select", "pselect6") and "tv_" in call.arguments]


@pytest.mark.parametrize(("service", "sleeps"), [("mfa-test", 1), ("su", 0)])
def test_a_rule_has_a_delay_of_its_own(terminal, alice, tmp_path, service, sleeps):
    policy.write(POLICY)
    assert len(waits(terminal, alice, service, tmp_path / "trace")) == sleeps
