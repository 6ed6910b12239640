"""The first recipe of the README, with its own lines: a key and one code, and nothing less."""

import re
from pathlib import Path

import pytest

from machine import pam, policy
from machine.codes import TotpToken
from machine import command

PROJECT = Path(__file__).resolve().parents[2]
README = (PROJECT / "README.md").read_text()
PROMPT = "Authenticator app code (step 1 of 1): "


@pytest.fixture(autouse=True)
def recipe():
    """The policy, the two lines of PAM and the drop-in of sshd, as the README has them."""
    copied = re.search(r"sudo cp (\S+) /etc/mfa-chain/policy\.toml", README)[1]
    policy.write((PROJECT / copied).read_text() + "[throttle]\nfail_delay_seconds = 0\n")
    auth = re.search(r"^ *auth +(required .*)$", README, re.M)[1]
    account = re.search(r"^ *account +(required .*)$", README, re.M)[1]
    squeezed = [re.sub(r"  +", " ", line) for line in (auth, account)]
    pam.write_service("sshd", squeezed[0], account=[squeezed[1]])


@pytest.fixture
def server(sshd):
    drop_in = dict(re.findall(r"^ +((?:Use|Kbd|Password|Authentication)\w+) (\S+)$", README, re.M))
    assert set(drop_in) == {"UsePAM", "KbdInteractiveAuthentication", "PasswordAuthentication", "AuthenticationMethods"}
    return sshd(**drop_in)


@pytest.fixture
def phone(ledger):
    token = TotpToken(ledger)
    command.enroll("alice", "phone", token)
    return token


def test_a_key_and_the_code_get_in(server, phone, alice_key):
    login = server.login("alice", key=alice_key)
    login.dialogue((PROMPT, phone.code()))
    assert login.ends() == 0


def test_a_key_without_the_code_does_not(server, phone, alice_key):
    login = server.login("alice", key=alice_key)
    login.dialogue((PROMPT, phone.wrong_code()))
    assert login.ends() == 255


def test_the_code_without_a_key_is_not_even_asked(server, phone, log):
    assert server.login("alice").ends() == 255
    assert not [line for line in log.lines() if "event=step" in line]


def test_the_readme_is_a_page_to_be_read_at_once():
    assert len(README.splitlines()) <= 130
