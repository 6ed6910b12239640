"""The private machine by itself, with a stack of pam_unix: a failure here is not the module's."""

from machine import pam
from machine.accounts import PASSWORD


def test_a_unix_password_logs_in_over_ssh(sshd, log):
    pam.write_service("sshd", "required pam_unix.so")
    login = sshd().login("alice")
    login.dialogue(("(alice@127.0.0.1) Password: ", PASSWORD))
    assert login.ends() == 0
    assert login.text().splitlines()[-1] == "alice"
    log.wait_for(r"Accepted keyboard-interactive/pam for alice from 127\.0\.0\.1")


def test_a_wrong_unix_password_is_refused_over_ssh_and_asked_for_again(sshd, log):
    pam.write_service("sshd", "required pam_unix.so nodelay")
    login = sshd().login("alice", tries=2)
    login.dialogue(("Password: ", "wrong"), ("Password: ", PASSWORD))
    assert login.ends() == 0
    log.wait_for(r"pam_unix\(sshd:auth\): authentication failure; .* user=alice")


def test_a_public_key_is_asked_for_before_the_password(sshd, alice_key):
    pam.write_service("sshd", "required pam_unix.so")
    server = sshd(AuthenticationMethods="publickey,keyboard-interactive")
    login = server.login("alice", key=alice_key)
    login.dialogue(("Password: ", PASSWORD))
    assert login.ends() == 0
    without_key = server.login("alice")
    assert without_key.ends() == 255
    assert "Permission denied (publickey)" in without_key.text()


def test_sudo_and_su_ask_for_the_unix_password_on_a_terminal(terminal):
    pam.write_service("sudo", "required pam_unix.so")
    pam.write_service("su-l", "required pam_unix.so")
    sudo = terminal(["sudo", "id", "-un"], user="alice")
    sudo.dialogue(("[sudo] password for alice: ", PASSWORD))
    assert sudo.ends() == 0
    assert sudo.text().splitlines()[-1] == "root"
    su = terminal(["su", "-", "alice", "-c", "id -un"], user="bob")
    su.dialogue(("Password: ", PASSWORD))
    assert su.ends() == 0
    assert su.text().splitlines()[-1] == "alice"


def test_pamtester_runs_a_stack_of_its_own(terminal):
    pam.write_service("mfa-test", "required pam_unix.so nodelay")
    pamtester = terminal(["pamtester", "mfa-test", "alice", "authenticate"])
    pamtester.dialogue(("Password: ", "wrong"))
    assert pamtester.ends() == 1
