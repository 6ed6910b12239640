"""\"My codes do not work\": nine causes, each after a real login that failed, and the one command that names it."""

import subprocess
import time
from pathlib import Path

from machine import pam, policy
from machine.policy import PHONE_FIRST, TOKEN_SECOND

MODULE = "required pam_mfa_chain.so"


def told(*words, stdin=""):
    return subprocess.run(["mfa-chain", *words], input=stdin, capture_output=True, text=True).stdout


def code_at(token, seconds):
    """The code of a phone whose clock is so far off."""
    command = ["oathtool", "-b", "--totp", "-N", f"@{int(time.time()) + seconds}", token.secret]
    return token._ledger.note(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())


def test_a_phone_three_minutes_behind_is_named_by_verify(login, alice):
    code = code_at(alice.phone, -180)
    assert not login((PHONE_FIRST, code))
    assert "mfa-chain verify alice phone" in told("why", "alice")
    said = told("verify", "alice", stdin=f"{code}\n")
    assert "A code of `phone`: its clock is about " in said and " s behind this host's" in said


def test_a_used_code_is_named_by_why(login, alice):
    phone = alice.phone.code()
    assert login((PHONE_FIRST, phone), (TOKEN_SECOND, alice.token.code()))
    assert not login((PHONE_FIRST, phone))
    assert "phone: replay (the code, or a later one, was used before)" in told("why", "alice")


def test_codes_in_the_wrong_order_are_named_by_verify(login, alice):
    code = alice.token.code()
    assert not login((PHONE_FIRST, code))
    assert "step 1   phone: wrong-code" in told("why", "alice")
    assert "A code of `token`" in told("verify", "alice", stdin=f"{code}\n")


def test_a_wait_is_named_by_why(login, alice):
    for _ in range(6):
        assert not login((PHONE_FIRST, alice.phone.wrong_code()))
    assert not login((PHONE_FIRST, alice.phone.code()))
    said = told("why", "alice")
    assert "phone: throttled" in said and "now: failures brought a wait of " in said and "mfa-chain unlock alice" in said


def test_a_user_who_has_not_enrolled_is_named_by_why(login, alice):
    assert not login((PHONE_FIRST, "000000"), user="bob")
    assert "now: bob has enrolled nothing, so a chain denies; run `mfa-chain enroll bob FACTOR`" in told("why", "bob")


def test_a_user_whom_sshd_bars_is_named_by_why(sshd, alice):
    barred = sshd(DenyUsers="alice").login("alice")
    barred.dialogue((PHONE_FIRST, alice.phone.code()))
    assert barred.ends() == 255
    said = told("why", "alice")
    assert "sshd-junk (sshd bars this user and sent filler)" in said and "look at AllowUsers, DenyUsers" in said


def test_a_mistake_in_the_policy_is_named_by_why(login, alice):
    policy.write(policy.TWO_TOTP.replace('"totp"', '"topt"', 1))
    assert not login()
    done = subprocess.run(["mfa-chain", "why", "alice"], capture_output=True, text=True)
    assert done.returncode == 3 and "every login is denied, since the policy is not valid: " in done.stderr
    assert "policy.toml:7:8: unknown type `topt`" in done.stderr


def test_a_mistake_in_the_line_is_named_by_doctor(login, alice):
    pam.write_service("mfa-test", f"{MODULE} nullok")
    assert not login()
    said = told("doctor", "--service", "mfa-test")
    assert "error    stack-argument  /etc/pam.d/mfa-test:1\n" in said and "the argument `nullok` is not known" in said


def test_a_module_that_is_gone_is_named_by_doctor(login, alice):
    pam.write_service("mfa-test", "required /usr/lib/security/gone/pam_mfa_chain.so")
    assert not login()
    assert "error    module-missing  /etc/pam.d/mfa-test:1\n" in told("doctor", "--service", "mfa-test")


def test_a_key_that_gets_in_without_codes_is_named_by_doctor(sshd, alice, alice_key):
    assert sshd(AuthenticationMethods="any").login("alice", key=alice_key).ends() == 0
    config = Path("/etc/ssh/sshd_config")
    before = config.read_text()
    config.write_text("UsePAM yes\nKbdInteractiveAuthentication yes\nPasswordAuthentication no\n")
    try:
        assert "error    sshd-key-alone\n" in told("doctor", "--service", "sshd")
    finally:
        config.write_text(before)
