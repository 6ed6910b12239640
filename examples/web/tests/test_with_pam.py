"""One store, two doors: libpam and the browser. A code that one of them took, the other refuses."""

from pathlib import Path

import pytest
from machine import accounts, command, pam, policy
from machine.codes import Ledger, TotpToken
from machine.policy import PHONE_FIRST, TOKEN_SECOND
from machine.syslog import SyslogSocket
from machine.terminal import Terminal

STEPS = ("Code of Authenticator app, step 1 of 2", "Code of Hardware token, step 2 of 2")


@pytest.fixture(scope="module")
def log():
    Path("/etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nshadow: files\nhosts: files\n")
    return SyslogSocket()


@pytest.fixture
def tokens(log):
    """alice's two tokens, enrolled by the command, and the module alone in a stack."""
    accounts.create("alice")
    policy.write(policy.TWO_TOTP)
    policy.empty_store()
    pam.write_service("mfa-test", "required pam_mfa_chain.so")
    ledger = Ledger()
    tokens = TotpToken(ledger), TotpToken(ledger)
    for factor, token in zip(("phone", "token"), tokens):
        command.enroll("alice", factor, token)
    return tokens


@pytest.fixture
def shared(start_server, tokens):
    return start_server("--store", policy.STORE, "--policy", policy.FILE, real_clock=True)


def pam_grants(*codes):
    pamtester = Terminal(["pamtester", "mfa-test", "alice", "authenticate"])
    pamtester.dialogue(*zip((PHONE_FIRST, TOKEN_SECOND), codes))
    status = pamtester.ends()
    pamtester.close()
    return status == 0


def web_shows(browser, server, *codes):
    """The heading after these codes."""
    browser.open(server.url)
    browser.fill("User name", "alice")
    for field, code in zip(STEPS, codes):
        browser.fill(field, code)
    return browser.heading()


def test_codes_that_the_browser_used_are_refused_by_libpam_and_the_other_way_round(browser, shared, tokens):
    phone, token = tokens
    used = phone.code(), token.code()
    assert web_shows(browser, shared, *used) == "Welcome, alice"
    browser.press("Sign out")
    assert not pam_grants(used[0])
    assert web_shows(browser, shared, used[0]) == "RESET"

    used = phone.code(), token.code()
    assert pam_grants(*used)
    assert web_shows(browser, shared, used[0]) == "RESET"
    assert not pam_grants(used[0])


def test_a_second_step_that_libpam_took_is_refused_in_the_browser(browser, shared, tokens):
    phone, token = tokens
    used = phone.code(), token.code()
    assert pam_grants(*used)
    assert web_shows(browser, shared, phone.code(), used[1]) == "RESET"
    assert "step=2 steps=2 factor=token outcome=replay" in shared.log()


def test_names_of_the_host_are_enrolled_by_their_users_only(browser, shared, tokens):
    for user in ("alice", "root", "nobody-there"):
        status, _, told = shared.call("POST", f"/users/{user}/factors/phone/enroll")
        assert (status, told["error"]) == (403, "not-yours")
    browser.open(shared.url)
    assert "New user name" not in browser.text()

    phone, token = tokens
    assert web_shows(browser, shared, phone.code(), token.code()) == "Welcome, alice"
    browser.press("Home")
    browser.press("Replace Authenticator app")
    assert browser.heading() == "Authenticator app"
