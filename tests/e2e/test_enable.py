"""Codes are switched on in real services, and whatever goes wrong the old login is back, byte for byte."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from machine import accounts, policy
from machine.policy import PHONE_FIRST, TOKEN_SECOND
from machine.sshd import PORT
from machine.terminal import Terminal

PENDING = policy.STORE / "changes/pending.json"
DROP_IN = Path("/etc/ssh/sshd_config.d/10-mfa-chain.conf")
CONFIG = Path("/etc/ssh/sshd_config")
PASSWORD = "password for alice: "

COMMON_AUTH = """\
auth	[success=1 default=ignore]	pam_unix.so nullok
auth	requisite			pam_deny.so
auth	required			pam_permit.so
"""
COMMON_ACCOUNT = "account required pam_unix.so\n"
SSHD = """\
# PAM configuration for the Secure Shell service
@include common-auth
account    required     pam_nologin.so
@include common-account
session required pam_permit.so
"""
SUDO = "#%PAM-1.0\nsession required pam_permit.so\n@include common-auth\n@include common-account"
FILES = {"common-auth": COMMON_AUTH, "common-account": COMMON_ACCOUNT, "sshd": SSHD, "sudo": SUDO}


def mfa_chain(*words, before=(), stdin=""):
    return subprocess.run([*before, "mfa-chain", *words], input=stdin, capture_output=True, text=True)


def later(minutes):
    return ("faketime", f"+{minutes} minutes")


def enable(*words, before=()):
    return mfa_chain("enable", *words, "--must-pass", "alice", "--yes", before=before)


def seen():
    """All that decides about logins: names, bytes, modes, owners, attributes."""
    found = {}
    for folder in ("/etc/pam.d", "/etc/ssh"):
        for path in sorted(Path(folder).rglob("*")):
            status = path.lstat()
            attributes = {name: os.getxattr(path, name) for name in os.listxattr(path)}
            content = path.read_bytes() if path.is_file() else None
            found[str(path)] = (content, status.st_mode, status.st_uid, status.st_gid, attributes)
    return found


@pytest.fixture(autouse=True)
def stacks():
    """The stacks of Debian, and settings of sshd as it ships them."""
    for name, text in FILES.items():
        Path("/etc/pam.d", name).write_text(text)
    Path("/etc/pam.d/sudo").chmod(0o640)
    CONFIG.write_text(
        f"Include /etc/ssh/sshd_config.d/*.conf\nListenAddress 127.0.0.1:{PORT}\nKbdInteractiveAuthentication no\nUsePAM yes\n"
    )
    DROP_IN.unlink(missing_ok=True)
    yield
    mfa_chain("rollback")
    DROP_IN.unlink(missing_ok=True)


@pytest.fixture
def system_sshd(host_key, log, tmp_path, alice_key):
    """sshd as the host starts it: with /etc/ssh/sshd_config and its pid in /run."""
    with CONFIG.open("a") as config:
        config.write(f"HostKey {host_key}\n")
    process = subprocess.Popen(["/usr/sbin/sshd", "-D"])
    log.wait_for(r"Server listening on 127\.0\.0\.1")

    def login(*exchanges, user="alice", key=alice_key):
        ssh = Terminal(
            ["ssh", "-F", "none", "-p", PORT, "-i", key, "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no"]
            + ["-o", f"UserKnownHostsFile={tmp_path}/known", "-o", "LogLevel=ERROR", "-o", "NumberOfPasswordPrompts=1"]
            + [f"{user}@127.0.0.1", "id -un"]
        )
        try:
            ssh.dialogue(*exchanges)
            return ssh.ends() == 0 and ssh.text().strip().endswith(user)
        finally:
            ssh.close()

    yield login
    # A signal that comes while sshd starts itself again, after SIGHUP, is lost.
    while process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            continue


def codes(tokens):
    return (PHONE_FIRST, tokens.phone.code()), (TOKEN_SECOND, tokens.token.code())


def test_sshd_asks_after_enable_and_no_longer_after_disable(system_sshd, alice, log):
    before = seen()
    assert system_sshd()
    done = enable("sshd")
    assert done.returncode == 0, done.stderr
    log.wait_for(r"Received SIGHUP; restarting")
    log.wait_for(r"Server listening on 127\.0\.0\.1", 2)
    refused = mfa_chain("confirm")
    assert refused.returncode == 1 and "alice has not passed a chain through sshd since the change" in refused.stderr
    assert system_sshd(*codes(alice))
    assert "stays as it is now" in mfa_chain("confirm").stdout
    assert mfa_chain("check", before=later(10)).returncode == 0
    assert "Codes are asked for there already" in enable("sshd").stdout
    assert mfa_chain("disable", "sshd", "--yes").returncode == 0
    assert seen() == before
    log.wait_for(r"Server listening on 127\.0\.0\.1", 3)
    assert system_sshd()
    log.wait_for(r"event=admin action=enable services=sshd within=300s by=root")
    log.wait_for(r"event=admin action=disable services=sshd by=root")


def test_a_rehearsal_is_no_login_through_the_service(alice):
    assert enable("sshd").returncode == 0
    answers = f"{alice.phone.code()}\n{alice.token.code()}\n"
    assert mfa_chain("try", "alice", "--service", "sshd", "--answers", "-", stdin=answers).returncode == 0
    assert "has not passed a chain through sshd" in mfa_chain("confirm").stderr


def test_without_a_confirmation_the_old_login_is_back(system_sshd, alice, log):
    os.setxattr("/etc/pam.d/sshd", "user.note", b"kept")
    before = seen()
    assert enable("sshd", "sudo").returncode == 0
    assert seen() != before
    log.wait_for(r"Server listening on 127\.0\.0\.1", 2)
    assert "was not confirmed in time" in mfa_chain("status", before=later(6)).stderr
    assert seen() == before
    log.wait_for(r"Server listening on 127\.0\.0\.1", 3)
    assert system_sshd()


def test_the_timer_is_a_process_that_outlives_the_terminal(terminal, alice):
    before = seen()
    first = terminal(["mfa-chain", "enable", "sudo", "--must-pass", "alice", "--within", "2s"])
    first.dialogue(("Type `yes` to go on:", "yes"))
    assert first.ends() == 0
    first.close()
    assert subprocess.run(["timeout", "60", "sh", "-c", f"while [ -e {PENDING} ]; do :; done"]).returncode == 0
    assert seen() == before


def test_sudo_asks_after_the_password(terminal, alice):
    assert enable("sudo").returncode == 0
    sudo = terminal(["sudo", "id", "-un"], user="alice")
    sudo.dialogue((PASSWORD, accounts.PASSWORD), *codes(alice))
    assert sudo.ends() == 0
    assert mfa_chain("confirm").returncode == 0
    assert mfa_chain("disable", "sudo", "--yes").returncode == 0
    assert Path("/etc/pam.d/sudo").read_text() == SUDO and Path("/etc/pam.d/sudo").stat().st_mode & 0o777 == 0o640


def test_who_could_not_pass_is_told_and_nothing_is_changed(alice):
    before = seen()
    refused = mfa_chain("enable", "sudo", "--must-pass", "bob", "--yes")
    assert refused.returncode == 1 and "bob could not pass through sudo" in refused.stderr
    # Nobody at the keyboard and nobody named: root is asked about, who is not enrolled.
    assert "root could not pass" in mfa_chain("enable", "sudo", "--yes").stderr
    assert seen() == before and not PENDING.exists()


def test_a_stack_that_would_not_ask_is_refused(alice):
    Path("/etc/pam.d/sudo").write_text("auth sufficient pam_permit.so\n@include common-auth\n")
    before = seen()
    refused = enable("sudo")
    assert refused.returncode == 1 and "/sudo:1 ends the stack before the codes" in refused.stderr
    Path("/etc/pam.d/sudo").write_text("auth required pam_unix.so\n")
    assert "has no single line `@include common-auth`" in enable("sudo").stderr
    Path("/etc/pam.d/sudo").write_text("auth sufficient pam_permit.so\n@include common-auth\n")
    assert {path: what[0] for path, what in seen().items()} == {path: what[0] for path, what in before.items()}


@pytest.mark.parametrize("setting", ["NoSuchKeyword yes", "AuthenticationMethods any"])
def test_settings_of_sshd_that_were_broken_by_hand_are_noticed_and_all_is_put_back(alice, setting):
    broken = DROP_IN.with_name("00-by-hand.conf")
    broken.write_text(f"{setting}\n")
    try:
        before = seen()
        refused = enable("sshd")
        assert refused.returncode == 1 and ("does not take its settings" in refused.stderr or "AuthenticationMethods" in refused.stderr)
        assert seen() == before and not PENDING.exists()
    finally:
        broken.unlink()


def test_a_second_administrator_is_refused(alice):
    assert enable("sudo").returncode == 0
    there = seen()
    refused = enable("sshd")
    assert refused.returncode == 1 and "waits for its confirmation" in refused.stderr
    assert "waits for its confirmation" in mfa_chain("disable", "sudo", "--yes").stderr
    assert seen() == there


@pytest.mark.parametrize("call", ["rename", "fsync", "unlink", "renameat2", "write", "fchmod", "pipe2"])
def test_killed_at_any_step_the_old_login_is_back(alice, call):
    before = seen()
    for ordinal in range(1, 60):
        strace = ("strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={ordinal}")
        done = enable("sshd", "sudo", before=strace)
        assert seen() == before or PENDING.exists()
        mfa_chain("rollback", "--due", before=later(10))
        assert seen() == before
        if done.returncode == 0:
            return
    raise AssertionError(f"more calls of {call} than this test looks at")


def test_a_full_disk_leaves_the_old_login(alice):
    before = seen()
    for ordinal in range(1, 60):
        strace = ("strace", "-qq", "-o", "/dev/null", "-e", "trace=write", "-e", f"inject=write:error=ENOSPC:when={ordinal}+")
        done = enable("sshd", before=strace)
        assert seen() == before or PENDING.exists()
        mfa_chain("rollback", "--due", before=later(10))
        assert seen() == before
        if done.returncode == 0:
            return
    raise AssertionError("more writes than this test looks at")


def test_a_disk_that_is_full_when_the_time_is_over_keeps_nobody_out(alice):
    before = seen()
    assert enable("sshd", "sudo").returncode == 0
    strace = ("strace", "-qq", "-o", "/dev/null", "-e", "trace=write", "-e", "inject=write:error=ENOSPC")
    mfa_chain("rollback", before=strace)
    assert seen() == before and not PENDING.exists()


def test_what_was_written_by_hand_meanwhile_is_kept_aside(alice):
    before = seen()
    assert enable("sudo").returncode == 0
    Path("/etc/pam.d/sudo").write_text("by hand\n")
    assert mfa_chain("rollback").returncode == 0
    assert seen() == before
    kept = list((policy.STORE / "changes").glob("replaced-*"))
    assert [path.read_text() for path in kept] == ["by hand\n"]


@pytest.fixture
def pam_auth_update(tmp_path):
    """The stacks as pam-auth-update writes them, with the profile of the package."""
    profiles = tmp_path / "pam-configs"
    shutil.copytree("/usr/share/pam-configs", profiles)
    shutil.copy(Path(__file__).parents[2] / "packaging/pam-configs/mfa-chain", profiles)
    subprocess.run(["mount", "--bind", profiles, "/usr/share/pam-configs"], check=True)
    subprocess.run(["pam-auth-update", "--package", "--force"], check=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    for service in ("login", "su", "sudo"):
        Path("/etc/pam.d", service).write_text("@include common-auth\n@include common-account\nsession required pam_permit.so\n")
    assert "pam_mfa_chain" not in Path("/etc/pam.d/common-auth").read_text()
    yield
    subprocess.run(["umount", "/usr/share/pam-configs"], check=True)


def test_all_logins_go_through_pam_auth_update(pam_auth_update, terminal, alice):
    before = seen()
    done = mfa_chain("enable", "--all-logins", "--must-pass", "alice", "--yes")
    assert done.returncode == 0, done.stderr
    assert "pam_mfa_chain.so" in Path("/etc/pam.d/common-auth").read_text()
    assert "waits for its confirmation" in enable("sudo").stderr
    assert "has not passed a chain" in mfa_chain("confirm").stderr
    assert "was not confirmed in time" in mfa_chain("status", before=later(6)).stderr
    assert seen() == before
    assert mfa_chain("enable", "--all-logins", "--must-pass", "alice", "--yes").returncode == 0
    sudo = terminal(["sudo", "id", "-un"], user="alice")
    sudo.dialogue((PASSWORD, accounts.PASSWORD), *codes(alice))
    assert sudo.ends() == 0
    assert mfa_chain("confirm").returncode == 0
    assert "there already" in mfa_chain("enable", "--all-logins", "--must-pass", "alice", "--yes").stdout
    assert mfa_chain("disable", "--all-logins", "--yes").returncode == 0
    assert seen() == before
    assert mfa_chain("disable", "--all-logins", "--yes").returncode == 1


def test_stacks_that_pam_auth_update_does_not_reach_are_noticed(pam_auth_update, alice):
    Path("/etc/pam.d/login").write_text("auth required pam_unix.so\n")
    before = seen()
    refused = mfa_chain("enable", "--all-logins", "--must-pass", "alice", "--yes")
    assert refused.returncode == 1 and "login would not ask for codes" in refused.stderr
    assert seen() == before and not PENDING.exists()


def test_a_damaged_store_is_refused(alice, enroll):
    enroll("bob")
    (policy.STORE / "state/bob").write_bytes(b"damaged")
    before = seen()
    refused = enable("sudo")
    assert refused.returncode == 1 and "files of the store are damaged or lost" in refused.stderr
    assert seen() == before and not PENDING.exists()


def test_the_stack_of_fedora_asks_after_a_right_password_only(terminal, alice):
    inner = Path("/etc/pam.d/system-auth")
    inner.write_text(
        "auth required pam_env.so\nauth sufficient pam_unix.so\nauth required pam_deny.so\naccount required pam_unix.so\n"
    )
    Path("/etc/pam.d/sudo").write_text("#%PAM-1.0\nauth include system-auth\naccount include system-auth\nsession required pam_permit.so\n")
    try:
        before = seen()
        assert enable("sudo").returncode == 0
        wrong = terminal(["sudo", "id", "-un"], user="alice")
        for _ in range(3):
            wrong.asks(PASSWORD)
            wrong.answers("wrong")
        assert wrong.ends() == 1 and PHONE_FIRST not in wrong.text()
        sudo = terminal(["sudo", "id", "-un"], user="alice")
        sudo.dialogue((PASSWORD, accounts.PASSWORD), *codes(alice))
        assert sudo.ends() == 0
        assert mfa_chain("confirm").returncode == 0
        assert mfa_chain("disable", "sudo", "--yes").returncode == 0
        assert seen() == before
    finally:
        inner.unlink()


def test_root_keeps_its_key_where_the_policy_exempts_it(system_sshd, alice, log, tmp_path):
    root_key = accounts.authorise_key("root", tmp_path)
    assert system_sshd(user="root", key=root_key)
    refused = enable("sshd", "--root-key")
    assert refused.returncode == 1 and "the account line would refuse root's key" in refused.stderr
    policy.write(policy.with_rule('services = ["sshd"]', 'users = ["root"]', 'action = "exempt"'))
    assert enable("sshd", "--root-key").returncode == 0
    log.wait_for(r"Server listening on 127\.0\.0\.1", 2)
    assert system_sshd(user="root", key=root_key)
    assert system_sshd(*codes(alice))
    assert mfa_chain("confirm").returncode == 0
    assert mfa_chain("disable", "sshd", "--yes").returncode == 0
    assert not DROP_IN.exists()


def test_of_two_administrators_at_the_same_moment_one_is_refused(alice):
    words = ["--must-pass", "alice", "--yes"]
    for _ in range(5):
        started = [subprocess.Popen(["mfa-chain", "enable", service, *words], stderr=subprocess.DEVNULL) for service in ("sshd", "sudo")]
        assert sorted(process.wait() for process in started) == [0, 1]
        assert mfa_chain("rollback").returncode == 0



def test_sshd_asks_for_the_password_and_then_the_codes(system_sshd, alice, log):
    before = seen()
    assert enable("sshd", "--first", "password").returncode == 0
    log.wait_for(r"Server listening on 127\.0\.0\.1", 2)
    assert system_sshd(("Password: ", accounts.PASSWORD), *codes(alice))
    assert mfa_chain("confirm").returncode == 0
    assert mfa_chain("disable", "sshd", "--yes").returncode == 0
    assert seen() == before


def test_what_the_host_has_wrong_afterwards_puts_everything_back(alice):
    """A locker runs as its user and can't read the store, so codes in it refuse everybody."""
    locker = Path("/etc/pam.d/i3lock")
    locker.write_text("@include common-auth\n")
    try:
        before = seen()
        refused = enable("i3lock")
        assert refused.returncode == 1 and "i3lock: this locker runs as its user" in refused.stderr
        assert seen() == before and not PENDING.exists()
    finally:
        locker.unlink()
