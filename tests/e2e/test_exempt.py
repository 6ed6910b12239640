"""Exempt logins in a roll-out: a key or a password is shown, or nobody gets in. bob never enrolls."""

import pytest

from machine import accounts, command, pam, policy
from machine.accounts import PASSWORD
from machine.policy import PHONE_FIRST, TOKEN_SECOND

MODULE = "required pam_mfa_chain.so"
BY_KEY = f"{MODULE} exempt=publickey"
PERMIT = "required pam_permit.so"
PAM_UNIX = "required pam_unix.so"
ROLL_OUT = policy.TWO_TOTP.replace("required_steps", 'unenrolled = "exempt"\nuntil = 2999-12-31\nrequired_steps', 1)
KEY_AND_CODES = "publickey,keyboard-interactive"
NOTHING_SHOWN = r"pam_mfa_chain\(sshd:account\): event=backstop user=bob .*verdict=deny detail=.*neither a key nor a password"


@pytest.fixture(autouse=True)
def roll_out(alice):
    """alice is enrolled already, bob is not yet."""
    policy.write(ROLL_OUT)


@pytest.fixture(scope="module")
def bob_key(people, tmp_path_factory):
    return accounts.authorise_key("bob", tmp_path_factory.mktemp("keys"))


OBSERVED = f"{policy.TWO_TOTP}[[rules]]\nservices = ['sshd']\naction = 'observe'\nuntil = 2999-12-31\n"


def test_observed_logins_need_the_password_alone_and_the_log_says_who_could_have_passed(sshd, log):
    policy.write(OBSERVED)
    stack(PAM_UNIX, MODULE)
    server = sshd()
    for user, could_pass in (("alice", "yes"), ("bob", "no")):
        login = server.login(user)
        login.dialogue(("Password:", PASSWORD))
        assert login.ends() == 0
        log.wait_for(rf"event=verdict user={user} .*reason=observe chain=default rule=1 could_pass={could_pass}")
    login = server.login("bob")
    login.dialogue(("Password:", "not the password"))
    assert login.ends() == 255


def stack(*auth):
    """The stack of sshd, with the backstop."""
    pam.write_service("sshd", *auth, account=[MODULE])


def test_a_key_lets_an_exempt_user_in_where_the_module_stands_alone(sshd, bob_key, log):
    stack(BY_KEY)
    login = sshd(AuthenticationMethods=KEY_AND_CODES).login("bob", key=bob_key)
    assert login.ends() == 0
    assert login.text() == "bob\n"
    log.wait_for(r"\(sshd:auth\): event=exempt user=bob .*by=publickey")


def test_in_a_roll_out_the_first_login_may_come_before_the_first_enrollment(sshd, bob_key, log):
    policy.empty_store()
    stack(BY_KEY)
    server = sshd(AuthenticationMethods=KEY_AND_CODES)
    assert server.login("bob", key=bob_key).ends() == 255, "a folder alone is no store"
    log.wait_for(r"reason=store .*mfa-chain enroll")
    command.run("init")
    assert server.login("bob", key=bob_key).ends() == 0


def test_a_key_is_no_proof_where_the_line_does_not_say_so(sshd, bob_key):
    stack(MODULE)
    assert sshd(AuthenticationMethods=KEY_AND_CODES).login("bob", key=bob_key).ends() == 255


def test_a_password_lets_an_exempt_user_in_and_a_wrong_one_does_not(sshd):
    for line in (MODULE, BY_KEY):
        stack(PAM_UNIX, line)
        server = sshd()
        for password, status in ((PASSWORD, 0), ("wrong", 255)):
            login = server.login("bob")
            login.dialogue(("Password: ", password))
            assert login.ends() == status, (line, password)
        server.stop()


def test_enrolled_users_are_asked_all_the_same(sshd, alice, alice_key):
    stack(BY_KEY)
    login = sshd(AuthenticationMethods=KEY_AND_CODES).login("alice", key=alice_key)
    login.dialogue((PHONE_FIRST, alice.phone.code()), (TOKEN_SECOND, alice.token.code()))
    assert login.ends() == 0


@pytest.mark.parametrize("line", [MODULE, BY_KEY])
def test_without_authentication_methods_an_exempt_user_who_shows_nothing_is_refused(sshd, line, log):
    stack(line, PERMIT)
    login = sshd(AuthenticationMethods="any").login("bob")
    assert login.ends() == 255
    log.wait_for(NOTHING_SHOWN)


@pytest.mark.parametrize("line", [MODULE, BY_KEY])
def test_the_method_password_with_a_stack_that_permits_all_is_refused(sshd, line, log):
    stack(line, PERMIT)
    server = sshd(AuthenticationMethods="any", PasswordAuthentication="yes")
    login = server.login("bob", methods="password")
    login.dialogue(("bob@127.0.0.1's password: ", "anything"))
    assert login.ends() == 255
    log.wait_for(NOTHING_SHOWN)


def test_without_authentication_methods_a_key_alone_is_still_a_key(sshd, bob_key):
    stack(BY_KEY, PERMIT)
    assert sshd(AuthenticationMethods="any").login("bob", key=bob_key).ends() == 0


def test_codes_asked_before_the_key_show_no_key(sshd, bob_key, log):
    stack(BY_KEY)
    server = sshd(AuthenticationMethods="keyboard-interactive,publickey")
    assert server.login("bob", key=bob_key).ends() == 255
    log.wait_for(r"\(sshd:auth\): event=exempt user=bob .*by=other-lines detail=.*no public key before this line")


def test_a_variable_of_another_program_is_no_key(terminal, log):
    """pamtester puts what it is told into the PAM environment, as root too."""
    for service in ("sshd", "mfa-test"):
        pam.write_service(service, BY_KEY)
        claimed = "SSH_AUTH_INFO_0=publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"
        tester = terminal(["pamtester", "-E", claimed, service, "bob", "authenticate"])
        assert tester.ends() == 1, tester.text()
        log.wait_for(rf"\({service}:auth\): event=exempt user=bob .*by=other-lines detail=.*counts only in sshd")


def test_a_home_folder_shows_no_key(sshd, log):
    """pam_env reads the user's own file, which names a key, where root lets it."""
    home = accounts.HOMES / "bob"
    claimed = "publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"
    (home / ".pam_environment").write_text(f'SSH_AUTH_INFO_0 DEFAULT="{claimed}"\n')
    stack("required pam_env.so user_readenv=1", BY_KEY)
    assert sshd(AuthenticationMethods="any").login("bob").ends() == 255
    log.wait_for(r"\(sshd:auth\): event=exempt user=bob .*by=other-lines")
