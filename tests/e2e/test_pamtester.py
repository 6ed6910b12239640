"""The module by itself on a terminal: which answers grant, and which deny."""

import pytest

from machine import command, pam, policy
from machine.codes import HotpToken
from machine.events import expect_events
from machine.policy import PHONE_FIRST, TOKEN_SECOND


@pytest.fixture
def granted(terminal):
    """One attempt by alice; the prompts must be those named, and no others."""

    def attempt(*exchanges):
        pamtester = terminal(["pamtester", "mfa-test", "alice", "authenticate"])
        pamtester.dialogue(*exchanges)
        status = pamtester.ends()
        shown = "pamtester: successfully authenticated" in pamtester.text()
        assert shown == (status == 0)
        echoed = [answer for _, answer in exchanges if answer and answer in pamtester.text()]
        assert not echoed
        return shown

    return attempt


def test_the_right_chain_grants(granted, alice, log):
    assert granted((PHONE_FIRST, alice.phone.code()), (TOKEN_SECOND, alice.token.code()))
    expect_events(log, "mfa-test", "alice", "phone accepted", "token accepted", "grant")


def test_a_wrong_first_code_denies_without_asking_further(granted, alice, log):
    assert not granted((PHONE_FIRST, alice.phone.wrong_code()))
    expect_events(log, "mfa-test", "alice", "phone refused", "deny")


def test_a_wrong_second_code_denies(granted, alice, log):
    assert not granted((PHONE_FIRST, alice.phone.code()), (TOKEN_SECOND, alice.token.wrong_code()))
    expect_events(log, "mfa-test", "alice", "phone accepted", "token refused", "deny")


def test_a_wrong_code_is_charged_and_a_right_chain_is_not(granted, alice):
    before = command.failures("alice")
    granted((PHONE_FIRST, alice.phone.wrong_code()))
    charged = command.failures("alice")
    granted((PHONE_FIRST, alice.phone.code()), (TOKEN_SECOND, alice.token.code()))
    assert charged == before + 1
    assert command.failures("alice") <= charged


def test_a_code_that_was_accepted_once_denies_the_second_time(granted, alice):
    used = alice.phone.code()
    assert granted((PHONE_FIRST, used), (TOKEN_SECOND, alice.token.code()))
    assert not granted((PHONE_FIRST, used))


def test_a_right_code_is_spent_even_where_the_chain_failed_after_it(granted, alice):
    used = alice.phone.code()
    assert not granted((PHONE_FIRST, used), (TOKEN_SECOND, alice.token.wrong_code()))
    assert not granted((PHONE_FIRST, used))


def test_the_right_codes_in_the_wrong_order_deny(granted, alice):
    swapped = alice.token.code()
    assert not granted((PHONE_FIRST, swapped))
    assert granted((PHONE_FIRST, alice.phone.code()), (TOKEN_SECOND, swapped))


def test_an_empty_answer_denies(granted, alice):
    assert not granted((PHONE_FIRST, ""))


def test_a_counter_based_code_grants_and_its_counter_moves(granted, enroll):
    policy.write(policy.HOTP_THEN_TOTP)
    alice = enroll("alice", phone=HotpToken)
    first, second = alice.phone.code(), alice.phone.code()
    assert granted((PHONE_FIRST, first), (TOKEN_SECOND, alice.token.code()))
    assert not granted((PHONE_FIRST, first))
    assert granted((PHONE_FIRST, second), (TOKEN_SECOND, alice.token.code()))


def test_a_counter_based_code_further_on_grants_and_those_skipped_do_not(granted, enroll):
    policy.write(policy.HOTP_THEN_TOTP)
    alice = enroll("alice", phone=HotpToken)
    skipped, further_on = alice.phone.code(), alice.phone.code()
    assert granted((PHONE_FIRST, further_on), (TOKEN_SECOND, alice.token.code()))
    assert not granted((PHONE_FIRST, skipped))


def test_a_recovery_code_stands_in_for_one_step_once(granted, alice, ledger):
    recovery = ledger.note(command.recovery_codes("alice")[0])
    assert granted((PHONE_FIRST, recovery), (TOKEN_SECOND, alice.token.code()))
    assert not granted((PHONE_FIRST, recovery))


def test_a_recovery_code_does_not_stand_in_for_the_whole_chain(granted, alice, ledger):
    recovery = ledger.note(command.recovery_codes("alice")[0])
    assert not granted((PHONE_FIRST, recovery), (TOKEN_SECOND, recovery))


def test_a_missing_policy_denies_and_the_log_names_the_file(granted, alice, log):
    policy.FILE.unlink()
    assert not granted()
    log.wait_for(r"pam_mfa_chain\(mfa-test:auth\): .*/etc/mfa-chain/policy\.toml")


def test_a_broken_policy_denies_and_the_log_names_the_line(granted, alice, log):
    policy.write(policy.TWO_TOTP.replace('"totp"', '"topt"', 1))
    assert not granted()
    log.wait_for(r"pam_mfa_chain\(mfa-test:auth\): .*policy\.toml:7:")


@pytest.mark.parametrize("mode", [0o664, 0o646])
def test_a_policy_that_others_may_write_denies(granted, alice, log, mode):
    policy.FILE.chmod(mode)
    assert not granted()
    log.wait_for(r"pam_mfa_chain\(mfa-test:auth\): .*/etc/mfa-chain/policy\.toml")


def test_an_unknown_module_argument_denies_and_the_log_names_it(granted, alice, log):
    pam.write_service("mfa-test", "required pam_mfa_chain.so frobnicate=1")
    assert not granted()
    log.wait_for(r"pam_mfa_chain\(mfa-test:auth\): .*frobnicate")
