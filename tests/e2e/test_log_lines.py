"""What the log says of a broken file: its path, what is wrong with it, and the command that repairs it."""

import os
import re
import subprocess

import pytest

from machine import policy
from machine.policy import FILE, PHONE_FIRST, STORE, TOKEN_SECOND

STATE, SECRETS = STORE / "state" / "alice", STORE / "secrets" / "alice.toml"
LINE = r'\(mfa-test:auth\): event=verdict user=alice .*verdict=deny reason={reason} detail="(?P<detail>.*)"'
COMMAND = re.compile("`([^`]*)`")


def right(alice):
    return (PHONE_FIRST, alice.phone.code()), (TOKEN_SECOND, alice.token.code())


def detail(log, reason):
    line = log.wait_for(LINE.format(reason=reason))[-1]
    return re.search(LINE.format(reason=reason), line)["detail"]


def open_to(mode):
    return lambda path: path.chmod(mode)


def give_away(path):
    os.chown(path, 4321, 0)


WRITABLE, READABLE, FOREIGN = "others may write to it", "others may read it", "it belongs to uid 4321"
UNSAFE = {
    "a policy that others may write": (FILE, open_to(0o666), "configuration", WRITABLE),
    "a policy of somebody else": (FILE, give_away, "configuration", FOREIGN),
    "a folder of the policy that others may write": (FILE.parent, open_to(0o777), "configuration", WRITABLE),
    "a store that others may write": (STORE, open_to(0o777), "store", WRITABLE),
    "a state that others may read": (STATE, open_to(0o644), "store", READABLE),
    "secrets that others may read": (SECRETS, open_to(0o644), "store", READABLE),
    "secrets of somebody else": (SECRETS, give_away, "store", FOREIGN),
}


@pytest.mark.parametrize("case", UNSAFE)
def test_the_log_names_an_unsafe_file_and_the_command_in_the_line_mends_it(login, alice, log, case):
    path, spoil, reason, what = UNSAFE[case]
    spoil(path)
    assert not login()
    said = detail(log, reason)
    assert said.startswith(f"{path}: not safe to use: {what}")
    subprocess.run(COMMAND.search(said)[1], shell=True, check=True)
    assert login(*right(alice))


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (None, f"{FILE}: not there; write a policy there"),
        (policy.TWO_TOTP.replace('"totp"', '"topt"', 1), f"{FILE}:7:8: "),
        ("versoin = 1\n", f"{FILE}:1:1: unknown key"),
    ],
)
def test_the_log_names_a_missing_or_wrong_policy_and_how_to_check_it(login, alice, log, text, where):
    FILE.unlink() if text is None else policy.write(text)
    assert not login()
    said = detail(log, "configuration")
    assert said.startswith(where)
    check = COMMAND.findall(said)[-1]
    assert check == "mfa-chain check"
    assert subprocess.run(check, shell=True, capture_output=True).returncode != 0
    policy.write(policy.TWO_TOTP)
    assert subprocess.run(check, shell=True, capture_output=True).returncode == 0
    assert login(*right(alice))


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda: STATE.write_bytes(bytes(8192)), "the login state is damaged"),
        (lambda: STATE.write_bytes(b"x"), "has 1 bytes"),
        (lambda: STATE.unlink(), "the login state is gone"),
    ],
)
def test_the_log_names_a_lost_state_and_the_command_that_makes_it_anew(
    login, alice, log, ledger, spoil, what
):
    spoil()
    assert not login()
    said = detail(log, "store")
    assert said.startswith(f"{STATE}: ")
    assert what in said
    repair = COMMAND.search(said)[1]
    assert repair == "mfa-chain unlock --reset-state alice"
    repaired = subprocess.run(repair, shell=True, check=True, capture_output=True, text=True)
    # Codes of the present may have been used before the loss, so they are refused, and that alone.
    assert not login((PHONE_FIRST, alice.phone.code()))
    log.wait_for(r"\(mfa-test:auth\): event=step user=alice .*outcome=voided")
    assert re.search(r"codes are void since the login state was reset at .* UTC, until .* UTC", detail(log, "voided"))
    bypass = ledger.note(re.search(r"^Bypass code  (\S+)$", repaired.stdout, re.M)[1])
    assert login((PHONE_FIRST, bypass), (TOKEN_SECOND, bypass))
    log.wait_for(r"\(mfa-test:auth\): event=step user=alice .*step=2 .*outcome=accepted by=bypass-code")
    assert not login((PHONE_FIRST, bypass))


def test_the_log_names_lost_secrets_and_the_command_that_enrolls_anew(login, alice, enroll, log):
    SECRETS.unlink()
    assert not login()
    said = detail(log, "store")
    assert said.startswith(f"{SECRETS}: not there; the secret file is gone")
    assert COMMAND.search(said)[1] == "mfa-chain enroll USER FACTOR"
    assert login(*right(enroll("alice")))


def test_the_log_names_a_missing_store_and_the_command_that_makes_it(login, enroll, log):
    STORE.rmdir()
    assert not login()
    said = detail(log, "store")
    assert said.startswith(f"{STORE}: not there")
    assert COMMAND.search(said)[1] == "mfa-chain enroll USER FACTOR"
    assert login(*right(enroll("alice")))


@pytest.fixture
def file_system_of_its_own():
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=700", "tmpfs", STORE], check=True)
    yield
    subprocess.run(["umount", STORE], check=True)


def test_the_log_names_a_read_only_store_and_the_command_that_mends_it(
    file_system_of_its_own, login, enroll, log
):
    alice = enroll("alice")
    subprocess.run(["mount", "-o", "remount,ro", STORE], check=True)
    assert not login()
    said = detail(log, "store")
    assert said.startswith(f"{STATE}: cannot open: Read-only file system")
    subprocess.run(COMMAND.search(said)[1], shell=True, check=True)
    assert login(*right(alice))


def test_the_log_names_a_full_disk_and_the_command_that_shows_it(login, alice, log, tmp_path):
    # As on Btrfs, which writes elsewhere what it overwrites.
    full = ["strace", "-f", "-o", tmp_path / "trace", "-e", "inject=pwrite64:error=ENOSPC"]
    assert not login((PHONE_FIRST, alice.phone.code()), under=full)
    said = detail(log, "store")
    assert said.startswith(f"{STATE}: cannot write: No space left on device")
    shows = COMMAND.search(said)[1]
    assert shows == f"df {STATE}"
    subprocess.run(shows, shell=True, check=True, capture_output=True)
    assert login(*right(alice))
