"""The account line: it refuses logins that came around the chain, asks nothing and counts nothing."""

import subprocess

import pytest

from machine import accounts, pam, policy
from machine.accounts import PASSWORD
from machine.policy import PHONE_FIRST, TOKEN_SECOND

MODULE = "required pam_mfa_chain.so"
BACKSTOP = r"pam_mfa_chain\({service}:account\): event=backstop user={user} .*verdict=deny"
EXEMPT_ALICE = policy.with_rule('services = ["sshd"]', 'users = ["alice"]', 'action = "exempt"')
CODES = "Authenticator app code"


@pytest.fixture(autouse=True)
def backstop():
    """As conf/pam.d/sshd.example says it: the module among the auth lines and among the account lines."""
    pam.write_service("sshd", MODULE, account=[MODULE])


@pytest.fixture
def untouched(alice):
    """What happens in the test leaves every file of the store as it is."""
    before = policy.files_of_store()
    yield
    assert policy.files_of_store() == before


def test_a_public_key_alone_is_refused_without_a_prompt_or_a_count(sshd, untouched, alice_key, log):
    login = sshd(AuthenticationMethods="publickey").login("alice", key=alice_key)
    assert login.ends() == 255
    assert CODES not in login.text()
    log.wait_for(BACKSTOP.format(service="sshd", user="alice"))
    log.wait_for("Access denied for user alice by PAM account configuration")


def test_a_public_key_alone_is_enough_for_whom_a_rule_exempts(sshd, untouched, alice_key, log):
    policy.write(EXEMPT_ALICE)
    login = sshd(AuthenticationMethods="publickey").login("alice", key=alice_key)
    assert login.ends() == 0
    assert login.text() == "alice\n"
    log.wait_for(r"\(sshd:account\): event=verdict user=alice .*verdict=exempt reason=rule rule=1")


def test_a_public_key_alone_is_refused_whom_a_rule_denies(sshd, untouched, alice_key, log):
    policy.write(policy.with_rule('users = ["alice"]', 'action = "deny"'))
    login = sshd(AuthenticationMethods="publickey").login("alice", key=alice_key)
    assert login.ends() == 255
    log.wait_for(r"pam_mfa_chain\(sshd:account\): event=verdict user=alice .*verdict=deny reason=rule")


@pytest.mark.parametrize("order", ["publickey,keyboard-interactive", "keyboard-interactive,publickey"])
def test_a_public_key_and_codes_log_in(sshd, alice, alice_key, order):
    login = sshd(AuthenticationMethods=order).login("alice", key=alice_key)
    login.dialogue((PHONE_FIRST, alice.phone.code()), (TOKEN_SECOND, alice.token.code()))
    assert login.ends() == 0


def test_a_password_and_codes_log_in_without_a_key(sshd, alice):
    pam.write_service("sshd", "required pam_unix.so", MODULE, account=[MODULE])
    login = sshd().login("alice")
    login.dialogue(
        ("Password: ", PASSWORD),
        (PHONE_FIRST, alice.phone.code()),
        (TOKEN_SECOND, alice.token.code()),
    )
    assert login.ends() == 0


def test_a_password_is_refused_where_the_auth_lines_lack_the_chain(sshd, untouched, log):
    assert password_login(sshd) == 255
    log.wait_for(BACKSTOP.format(service="sshd", user="alice"))


def test_a_password_is_enough_for_whom_a_rule_exempts(sshd, untouched):
    policy.write(EXEMPT_ALICE)
    assert password_login(sshd) == 0


def password_login(sshd):
    """The method "password", with a stack that asks pam_unix alone."""
    pam.write_service("sshd", "required pam_unix.so", account=[MODULE])
    server = sshd(PasswordAuthentication="yes", AuthenticationMethods="password")
    login = server.login("alice", methods="password")
    login.dialogue(("alice@127.0.0.1's password: ", PASSWORD))
    return login.ends()


def test_a_service_that_asks_nobody_passes_where_a_rule_exempts_it(untouched, log):
    pam.write_service("cron", MODULE, account=[MODULE])
    refused = as_cron_calls_it()
    assert refused.returncode == 1
    assert CODES not in refused.stdout + refused.stderr
    log.wait_for(BACKSTOP.format(service="cron", user="alice"))
    policy.write(policy.with_rule('services = ["cron"]', 'action = "exempt"'))
    passed = as_cron_calls_it()
    assert passed.returncode == 0, passed.stderr


def as_cron_calls_it():
    calls = ["acct_mgmt", "setcred(PAM_ESTABLISH_CRED)", "open_session"]
    run = ["pamtester", "cron", "alice", *calls]
    return subprocess.run(run, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def test_sudo_without_a_password_passes_where_a_rule_exempts_it(enroll, log):
    pam.write_service("sudo", MODULE, account=[MODULE])
    enroll("bob")
    before = policy.files_of_store()
    refused = sudo_of_bob()
    assert (refused.returncode, refused.stdout) == (1, "")
    assert CODES not in refused.stderr
    log.wait_for(BACKSTOP.format(service="sudo", user="bob"))
    policy.write(policy.with_rule('services = ["sudo"]', 'action = "exempt"'))
    passed = sudo_of_bob()
    assert (passed.returncode, passed.stdout) == (0, "root\n")
    assert policy.files_of_store() == before


def sudo_of_bob():
    """bob's rule in sudoers says NOPASSWD, so sudo runs the account lines alone."""
    return subprocess.run(
        ["sudo", "id", "-un"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        preexec_fn=accounts.becoming("bob"),
    )
