"""Logins over a real connection to a real sshd."""

import pytest

from machine import command, policy
from machine.events import expect_events
from machine.policy import PHONE_FIRST, PHONE_SECOND, TOKEN_FIRST, TOKEN_SECOND


def test_two_codes_log_in_with_these_prompts_and_no_other_word(sshd, alice, log):
    login = sshd().login("alice")
    login.dialogue((PHONE_FIRST, alice.phone.code()), (TOKEN_SECOND, alice.token.code()))
    assert login.ends() == 0
    assert login.text() == (
        "(alice@127.0.0.1) Authenticator app code (step 1 of 2): \n"
        "(alice@127.0.0.1) Hardware token code (step 2 of 2): \n"
        "alice\n"
    )
    expect_events(log, "sshd", "alice", "phone accepted", "token accepted", "grant")


def test_a_public_key_alone_is_not_enough_where_codes_are_wanted_too(sshd, alice, alice_key, log):
    server = sshd(AuthenticationMethods="publickey,keyboard-interactive")
    login = server.login("alice", key=alice_key)
    login.dialogue((PHONE_FIRST, alice.phone.wrong_code()))
    assert login.ends() == 255
    expect_events(log, "sshd", "alice", "phone refused", "deny")


def test_a_public_key_and_then_two_codes_log_in(sshd, alice, alice_key, log):
    server = sshd(AuthenticationMethods="publickey,keyboard-interactive")
    login = server.login("alice", key=alice_key)
    login.dialogue((PHONE_FIRST, alice.phone.code()), (TOKEN_SECOND, alice.token.code()))
    assert login.ends() == 0
    expect_events(log, "sshd", "alice", "phone accepted", "token accepted", "grant")


def test_after_a_wrong_first_code_the_same_connection_may_try_again(sshd, alice, log):
    login = sshd().login("alice", tries=2)
    login.dialogue(
        (PHONE_FIRST, alice.phone.wrong_code()),
        (PHONE_FIRST, alice.phone.code()),
        (TOKEN_SECOND, alice.token.code()),
    )
    assert login.ends() == 0
    expect_events(
        log, "sshd", "alice", "phone refused", "deny", "phone accepted", "token accepted", "grant"
    )


def test_after_a_wrong_second_code_the_chain_starts_again_at_the_first_step(sshd, alice, log):
    login = sshd().login("alice", tries=2)
    login.dialogue(
        (PHONE_FIRST, alice.phone.code()),
        (TOKEN_SECOND, alice.token.wrong_code()),
        (PHONE_FIRST, alice.phone.code()),
        (TOKEN_SECOND, alice.token.code()),
    )
    assert login.ends() == 0
    expect_events(
        log,
        "sshd",
        "alice",
        *("phone accepted", "token refused", "deny"),
        *("phone accepted", "token accepted", "grant"),
    )


def test_a_second_code_alone_is_not_remembered_from_the_connection_before(sshd, alice):
    server = sshd()
    first = server.login("alice")
    first.dialogue((PHONE_FIRST, alice.phone.code()), (TOKEN_SECOND, alice.token.wrong_code()))
    assert first.ends() == 255
    second = server.login("alice")
    second.dialogue((PHONE_FIRST, alice.token.code()))
    assert second.ends() == 255


def test_hanging_up_at_the_first_prompt_is_not_charged(sshd, alice, log):
    before = command.failures("alice")
    login = sshd().login("alice")
    login.asks(PHONE_FIRST)
    login.interrupt()
    login.ends()
    log.wait_for(r"Connection (closed|reset) by authenticating user alice")
    assert command.failures("alice") == before


def test_unknown_unenrolled_and_mistaken_users_see_the_same_and_are_denied(sshd, alice):
    wrong = alice.phone.wrong_code()
    server = sshd()
    seen = {}
    for user in ("alice", "bob", "nobody-of-that-name"):
        login = server.login(user, tries=3)
        login.dialogue(*[(PHONE_FIRST, wrong)] * 3)
        assert login.ends() == 255, user
        seen[user] = login.text().replace(user, "USER")
    assert seen["bob"] == seen["alice"]
    assert seen["nobody-of-that-name"] == seen["alice"]


def test_root_is_refused_under_prohibit_password_without_charge_and_without_spending_codes(
    sshd, enroll, terminal
):
    root = enroll("root")
    before = command.failures("root")
    phone, token = root.phone.code(), root.token.code()
    # sshd swaps what root types for junk of the same length, so the module cannot say yes.
    login = sshd(PermitRootLogin="prohibit-password").login("root")
    login.dialogue((PHONE_FIRST, phone))
    assert login.ends() == 255
    assert command.failures("root") == before
    pamtester = terminal(["pamtester", "mfa-test", "root", "authenticate"])
    pamtester.dialogue((PHONE_FIRST, phone), (TOKEN_SECOND, token))
    assert pamtester.ends() == 0


@pytest.mark.parametrize("typed", ["012345", "no", "7", "a-longer-answer-than-the-filler-of-sshd"])
@pytest.mark.parametrize(
    ("user", "options"),
    [
        ("root", {"PermitRootLogin": "no"}),
        ("root", {"PermitRootLogin": "prohibit-password"}),
        ("alice", {"AllowUsers": "bob"}),
        ("alice", {"DenyUsers": "alice"}),
    ],
)
def test_what_a_barred_user_types_is_not_charged(sshd, enroll, log, user, options, typed):
    enroll(user)
    before = policy.files_of_store()
    login = sshd(**options).login(user)
    login.dialogue((PHONE_FIRST, typed))
    assert login.ends() == 255
    expect_events(log, "sshd", user, "phone refused", "deny")
    log.wait_for(r"event=step .* outcome=sshd-junk")
    assert command.failures(user) == 0
    assert changed_since(before) <= {policy.STORE / "state" / user}


@pytest.mark.parametrize(("user", "options"), [("root", {"PermitRootLogin": "yes"}), ("alice", {})])
def test_a_wrong_code_of_a_user_who_may_log_in_is_charged(sshd, enroll, user, options):
    tokens = enroll(user)
    login = sshd(**options).login(user)
    login.dialogue((PHONE_FIRST, tokens.phone.wrong_code()))
    assert login.ends() == 255
    assert command.failures(user) == 1


def test_what_an_unknown_user_types_is_charged_to_nobody_else(sshd, enroll, log):
    for user in ("alice", "root"):
        enroll(user)
    before = policy.files_of_store()
    login = sshd().login("nobody-of-that-name")
    login.dialogue((PHONE_FIRST, "012345"))
    assert login.ends() == 255
    log.wait_for(r"event=step user=nobody-of-that-name .* outcome=sshd-junk failures=0")
    assert {path.parent.name for path in changed_since(before)} <= {"decoys"}


def changed_since(before):
    after = policy.files_of_store()
    assert after.keys() == before.keys()
    return {path for path in after if after[path] != before[path]}


def test_root_logs_in_with_codes_where_root_may(sshd, enroll):
    root = enroll("root")
    login = sshd(PermitRootLogin="yes").login("root")
    login.dialogue((PHONE_FIRST, root.phone.code()), (TOKEN_SECOND, root.token.code()))
    assert login.ends() == 0


def test_random_mode_asks_both_steps_in_either_order(sshd, alice):
    policy.write(policy.RANDOM)
    login = sshd().login("alice")
    if login.asks(PHONE_FIRST, TOKEN_FIRST) == PHONE_FIRST:
        login.answers(alice.phone.code())
        login.dialogue((TOKEN_SECOND, alice.token.code()))
    else:
        login.answers(alice.token.code())
        login.dialogue((PHONE_SECOND, alice.phone.code()))
    assert login.ends() == 0
