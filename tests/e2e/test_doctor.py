"""`doctor` on a machine that is well, and on the same machine with one fault after another. It writes nothing."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from machine import policy
from machine.sshd import PORT

PAM = Path("/etc/pam.d")
SSHD = Path("/etc/ssh/sshd_config")
OURS = "auth required pam_mfa_chain.so\n"
ACCOUNT = "account required pam_mfa_chain.so\n"
REST = "account required pam_permit.so\nsession required pam_permit.so\n"
PASSWORD = "auth requisite pam_unix.so\n"
SERVICES = ("sshd", "sudo", "sudo-i", "su", "su-l")
SETTINGS = {
    "ListenAddress": f"127.0.0.1:{PORT}",
    "UsePAM": "yes",
    "KbdInteractiveAuthentication": "yes",
    "PasswordAuthentication": "no",
    "AuthenticationMethods": "publickey,keyboard-interactive",
    "UseDNS": "no",
}
MODULE = next(Path("/").glob("usr/lib/*/security/pam_mfa_chain.so"))
RULE = "\n[[rules]]\n"


@pytest.fixture(autouse=True)
def machine(host_key, alice, set_back):
    """Debian's stacks with the line of the module, and sshd set as docs/logins.md says."""
    saved = {path: path.read_bytes() for path in (*PAM.iterdir(), SSHD, MODULE, *policy.FILE.parent.glob("*")) if path.is_file()}
    mode = MODULE.stat().st_mode & 0o7777
    for service in SERVICES:
        PAM.joinpath(service).write_text(PASSWORD + OURS + (ACCOUNT if service == "sshd" else "") + REST)
    for other in [path for path in PAM.iterdir() if path.name not in SERVICES and b"pam_mfa_chain" in path.read_bytes()]:
        other.unlink()
    write_sshd(host_key)
    yield
    for path in [*PAM.iterdir()]:
        if path not in saved:
            path.unlink()
    for path, content in saved.items():
        path.write_bytes(content)
    MODULE.chmod(mode)


def write_sshd(host_key, **other):
    settings = {**SETTINGS, "HostKey": host_key, **other}
    SSHD.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))


def doctor(*words):
    done = subprocess.run(["mfa-chain", "doctor", "--json", *words], capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout)["findings"]


def found(*words):
    """The ids of what is found, less what no test machine has: a time server."""
    return {finding["id"] for finding in doctor(*words)[1]} - {"clock-unsynchronised"}


def everything():
    """All that decides about logins, with times."""
    seen = {}
    for folder in ("/etc/pam.d", "/etc/ssh", policy.FILE.parent, policy.STORE):
        for path in sorted(Path(folder).rglob("*")):
            status = path.lstat()
            seen[str(path)] = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_mode, status.st_ino)
    return seen


def test_it_works_where_nothing_but_the_store_can_be_written():
    # A store that can't be written is a fault of its own: no login is judged then.
    mounted = ("/etc", "/root", "/var/log", "/home")
    for folder in mounted:
        subprocess.run(["mount", "--bind", folder, folder], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
    try:
        assert found("--service", "sshd", "--user", "alice") - {"store-file-system"} == set()
    finally:
        for folder in reversed(mounted):
            subprocess.run(["umount", folder], check=True)


@pytest.fixture
def on_a_disk(alice):
    """The store in place of one in memory, which doctor warns of."""
    target = Path(__file__).resolve().parents[2] / "target"
    target.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=target))
    subprocess.run(["cp", "-a", f"{policy.STORE}/.", folder], check=True)
    folder.chmod(0o700)
    subprocess.run(["mount", "--bind", folder, policy.STORE], check=True)
    yield
    subprocess.run(["umount", policy.STORE], check=True)
    shutil.rmtree(folder)


def test_a_machine_that_is_well_is_one_line_and_nothing_is_written(on_a_disk):
    before = everything()
    done = subprocess.run(["mfa-chain", "doctor", "--service", "sshd", "--user", "alice"], capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if line]
    assert (done.returncode, lines) == (0, ["healthy: sshd, su, su-l, sudo, sudo-i as they should"]), done.stdout
    assert found("--service", "sshd", "--service", "sudo", "--user", "alice") == set()
    assert everything() == before


def write(name, text):
    PAM.joinpath(name).write_text(text)


def line(service, text):
    """The stack of a service with another auth part."""
    write(service, text + REST)


def rule(text):
    policy.write(policy.TWO_TOTP + RULE + text)


def on_module(change):
    content = MODULE.read_bytes()
    # In place of writing it: it may be mapped.
    MODULE.unlink()
    change(content)


FAULTS = {
    "the line is gone": ("stack-not-asked", lambda: line("sudo", PASSWORD)),
    "a success ends the stack before": ("stack-ended-before", lambda: line("sudo", f"auth sufficient pam_unix.so\n{OURS}")),
    "done ends the stack before": (
        "stack-ended-before",
        lambda: line("sudo", f"auth [success=done default=ignore] pam_unix.so\n{OURS}"),
    ),
    "a jump leads over the line": (
        "stack-jumped-over",
        lambda: line("sudo", f"auth [success=1 default=ignore] pam_unix.so\n{OURS}auth required pam_permit.so\n"),
    ),
    "the line is optional": ("stack-not-required", lambda: line("sudo", f"{PASSWORD}auth optional pam_mfa_chain.so\n")),
    "the line is sufficient": ("stack-not-required", lambda: line("sudo", f"{PASSWORD}auth sufficient pam_mfa_chain.so\n")),
    "codes after a wrong password": (
        "stack-asks-after-wrong-password",
        lambda: line("sudo", f"auth required pam_unix.so\n{OURS}"),
    ),
    "an account line alone": ("stack-account-only", lambda: line("sshd", PASSWORD + ACCOUNT)),
    "an unknown argument": ("stack-argument", lambda: line("sudo", f"{PASSWORD}auth required pam_mfa_chain.so nullok\n")),
    "a relative path": ("stack-argument", lambda: line("sudo", f"{PASSWORD}auth required pam_mfa_chain.so policy=x.toml\n")),
    "DOS line ends": ("module-missing", lambda: line("sudo", f"{PASSWORD}auth required pam_mfa_chain.so\r\n")),
    "another store": ("stack-other-files", lambda: line("sudo", f"{PASSWORD}auth required pam_mfa_chain.so store=/srv/x\n")),
    "a file that is included and gone": ("stack-include-missing", lambda: line("sudo", f"@include gone\n{OURS}")),
    "a password behind, and a rule exempts": (
        "stack-password-behind",
        lambda: (line("sshd", OURS + PASSWORD + ACCOUNT), rule('users = ["bob"]\naction = "exempt"\n')),
    ),
    "sudo -i is forgotten": ("sibling-not-asked", lambda: line("sudo-i", PASSWORD)),
    "su - is forgotten": ("sibling-not-asked", lambda: line("su-l", PASSWORD)),
    "a locker asks": ("locker-asks", lambda: line("i3lock", PASSWORD + OURS)),
    "the module is gone": ("module-missing", lambda: on_module(lambda _: None)),
    "the module is of another machine": (
        "module-other-machine",
        lambda: on_module(lambda content: MODULE.write_bytes(content[:4] + b"\x01" + content[5:])),
    ),
    "the module lacks a library": (
        "module-not-loadable",
        lambda: on_module(lambda content: MODULE.write_bytes(content.replace(b"libpam.so.0", b"libpax.so.0"))),
    ),
    "the module is of another version": (
        "module-other-version",
        lambda: on_module(lambda content: MODULE.write_bytes(content.replace(b"pam_mfa_chain.shown ", b"pam_mfa_chain.shown_"))),
    ),
    "others may write the module": ("module-unsafe", lambda: MODULE.chmod(0o666)),
    "the policy is gone": ("policy-missing", lambda: policy.FILE.unlink()),
    "the policy has a mistake": ("policy-invalid", lambda: policy.write("required_steps = 0\n")),
    "others may write the policy": ("policy-invalid", lambda: policy.FILE.chmod(0o666)),
    "a rule names a group that is not there": (
        "rule-group-missing",
        lambda: rule('groups = ["no-such-group"]\nchain = "default"\n'),
    ),
    "a state is damaged": ("store-damaged", lambda: policy.STORE.joinpath("state/alice").write_text("x")),
    "others may read the secrets": ("store-damaged", lambda: policy.STORE.joinpath("secrets/alice.toml").chmod(0o644)),
    "the secrets are lost": ("store-nobody-passes", lambda: subprocess.run(["rm", "-r", policy.STORE / "secrets"], check=True)),
    "an account with another number": (
        "enrollment-account",
        lambda: subprocess.run(["sed", "-i", r"s/^uid = .*/uid = 4242/", policy.STORE / "secrets/alice.toml"], check=True),
    ),
    "a change waits": (
        "change-waits",
        lambda: (
            Path("/run/new.toml").write_text(policy.TWO_TOTP.replace("Authenticator app", "App")),
            subprocess.run(["mfa-chain", "policy", "apply", "/run/new.toml", "--within", "5m", "--yes"], check=True, capture_output=True),
        ),
    ),
}


FAULTS |= {
    "a failure jumps over the line": (
        "stack-jumped-over",
        lambda: line("sudo", f"auth [success=ok default=1] pam_unix.so\n{OURS}auth required pam_permit.so\n"),
    ),
    "a line denies everybody": ("stack-denies-all", lambda: line("sudo", f"{PASSWORD}{OURS}auth required pam_deny.so\n")),
    "no way leads to the line": ("stack-never-reached", lambda: line("sudo", f"auth requisite pam_deny.so\n{OURS}")),
    "a mistyped control": ("stack-line-invalid", lambda: line("sudo", f"auth requird pam_unix.so\n{OURS}")),
    "a mistyped stage": ("stack-line-invalid", lambda: line("sudo", f"auht required pam_unix.so\n{OURS}")),
    "nobody else says yes, and a rule exempts": (
        "stack-exempt-denied",
        lambda: (line("sudo", OURS), rule('users = ["bob"]\naction = "exempt"\n')),
    ),
    "the account line is passed over": (
        "stack-account-passed",
        lambda: line("sshd", f"{PASSWORD}{OURS}account sufficient pam_permit.so\n{ACCOUNT}"),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_of_the_files_is_found_by_its_name(fault):
    name, seed = FAULTS[fault]
    services = ("--service", "sshd", "--service", "sudo")
    assert name not in found(*services)
    seed()
    before = everything()
    code, findings = doctor(*services)
    ids = {finding["id"] for finding in findings}
    assert name in ids, findings
    errors = [finding for finding in findings if finding["severity"] == "error"]
    assert code == (3 if errors else 0), findings
    assert everything() == before
    subprocess.run(["mfa-chain", "rollback"], capture_output=True)


SSHD_FAULTS = {
    "no PAM": ("sshd-no-pam", {"UsePAM": "no", "AuthenticationMethods": "publickey"}),
    "no questions": ("sshd-cannot-ask", {"KbdInteractiveAuthentication": "no", "AuthenticationMethods": "any"}),
    "a key alone, which the account line refuses": ("sshd-key-refused", {"AuthenticationMethods": "publickey"}),
    "the method password": ("sshd-password-method", {"PasswordAuthentication": "yes", "AuthenticationMethods": "any"}),
    "a setting that sshd does not know": ("sshd-unknown", {"NoSuchSetting": "yes"}),
}


@pytest.mark.parametrize("fault", SSHD_FAULTS)
def test_each_setting_of_sshd_is_found_by_its_name(fault, host_key):
    name, settings = SSHD_FAULTS[fault]
    write_sshd(host_key, **settings)
    code, findings = doctor("--service", "sshd")
    assert name in {finding["id"] for finding in findings}, findings


def test_a_key_alone_and_host_names_are_found(host_key):
    line("sshd", PASSWORD + OURS)
    write_sshd(host_key, AuthenticationMethods="any")
    assert "sshd-key-alone" in found("--service", "sshd")
    rule('from = ["10.0.0.0/8"]\naction = "deny"\n')
    write_sshd(host_key, UseDNS="yes")
    assert "sshd-host-names" in found("--service", "sshd")


def test_a_user_who_cannot_pass_is_found_with_the_reason(alice):
    code, findings = doctor("--service", "sshd", "--user", "bob")
    (bob,) = [finding for finding in findings if finding["id"] == "user-cannot-pass" and "through sshd" in finding["what"]]
    assert code == 3 and "bob cannot pass through sshd now" in bob["what"] and "unenrolled" in bob["what"]


def test_another_user_than_root_is_told_so_and_no_fault_is_made_up():
    done = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", "mfa-chain", "doctor"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "mfa-chain: only root can read what libpam and sshd read; run it with sudo\n"


def test_quiet_says_nothing_where_there_is_no_error():
    line("sudo-i", PASSWORD)
    done = subprocess.run(["mfa-chain", "doctor", "--quiet"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    line("sudo", f"{PASSWORD}auth optional pam_mfa_chain.so\n")
    done = subprocess.run(["mfa-chain", "doctor", "--quiet"], capture_output=True, text=True)
    assert done.returncode == 3 and done.stdout.startswith("error    stack-not-required  /etc/pam.d/sudo:2\n")


def test_a_full_disk_and_one_that_forgets_are_found(tmp_path):
    os.rename(policy.STORE, f"{policy.STORE}.away")
    policy.STORE.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "none", policy.STORE], check=True)
    try:
        assert {"store-full", "store-file-system"} <= found()
    finally:
        subprocess.run(["umount", policy.STORE], check=True)
        policy.STORE.rmdir()
        os.rename(f"{policy.STORE}.away", policy.STORE)


SSHD_OF_A_USER = {
    "DenyUsers": ("sshd-bars-user", "alice", {"DenyUsers": "al*"}),
    "AllowUsers": ("sshd-bars-user", "alice", {"AllowUsers": "bob"}),
    "AllowGroups": ("sshd-bars-user", "alice", {"AllowGroups": "no-such-group"}),
    "PermitRootLogin": ("sshd-root", "root", {"PermitRootLogin": "prohibit-password"}),
    "LoginGraceTime": ("sshd-grace-time", "alice", {"LoginGraceTime": "20"}),
    "MaxAuthTries": ("sshd-max-tries", "alice", {"MaxAuthTries": "1"}),
    "a Match block": ("sshd-key-refused", "alice", {"Match": "User alice\nAuthenticationMethods publickey"}),
}


@pytest.mark.parametrize("setting", SSHD_OF_A_USER)
def test_what_sshd_does_with_one_user_is_found(setting, host_key):
    name, user, settings = SSHD_OF_A_USER[setting]
    assert name not in found("--user", "alice")
    write_sshd(host_key, **settings)
    assert name in found("--user", user)


SUDOERS = {
    "NOPASSWD": ("sudo-nopasswd", "alice ALL=(ALL) NOPASSWD: ALL"),
    "targetpw": ("sudo-other-codes", "Defaults targetpw\nalice ALL=(ALL) ALL"),
    "rootpw": ("sudo-other-codes", "Defaults:alice rootpw\nalice ALL=(ALL) ALL"),
    "timestamp_timeout": ("sudo-timestamp", "Defaults timestamp_timeout=-1\nalice ALL=(ALL) ALL"),
    "passprompt_override": ("sudo-prompt", "Defaults passprompt_override\nalice ALL=(ALL) ALL"),
}


@pytest.mark.parametrize("setting", SUDOERS)
def test_what_sudo_does_with_one_user_is_found(setting):
    name, rules = SUDOERS[setting]
    assert name not in found("--user", "alice")
    sudoers = Path("/etc/sudoers")
    before = sudoers.read_text()
    sudoers.write_text(f"{before}\n{rules}\n")
    try:
        assert name in found("--user", "alice")
    finally:
        sudoers.write_text(before)


def explain(user="alice", service="sudo"):
    return subprocess.run(["mfa-chain", "explain", user, "--service", service], capture_output=True, text=True)


def test_explain_says_could_pass_only_where_the_line_is_reached_and_nobody_bars_the_user(host_key):
    assert "verdict  could pass now, with right codes" in explain().stdout
    line("sudo", f"auth sufficient pam_unix.so\n{OURS}")
    told = explain()
    assert "could pass now" not in told.stdout and "not every login comes to it" in told.stdout
    assert "host     sudo: codes are not asked where /etc/pam.d/sudo:1 succeeds" in told.stdout
    line("sudo", PASSWORD)
    assert "host     sudo: no auth line names pam_mfa_chain.so yet, so no code is asked" in explain().stdout
    assert explain(service="sshd").returncode == 0
    write_sshd(host_key, DenyUsers="alice")
    told = explain(service="sshd")
    assert told.returncode == 1 and "cannot pass now: the host stands in the way" in told.stdout
    assert "it refuses alice whatever is typed" in told.stdout
