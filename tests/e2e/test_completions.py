"""Completion as somebody at a terminal sees it: a word begun, TAB, and what stands there then, in real shells."""

import subprocess
from pathlib import Path

import pexpect
import pytest

from machine import accounts, policy
from machine.syslog import GUARD_SECONDS

SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "zsh from a folder": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
ZSH = "PROMPT=ready; RPROMPT=; unset zle_bracketed_paste; bindkey -e; autoload -U compinit"
ADAPT = {
    "bash": "PS1='ready'; bind 'set enable-bracketed-paste off'; source /run/tmp/completions",
    "zsh": f"{ZSH}; compinit -u -D; source /run/tmp/completions",
    # As packages install it: loaded by the first TAB.
    "zsh from a folder": f"{ZSH}; cp /run/tmp/completions /run/tmp/_mfa-chain; fpath=(/run/tmp $fpath); compinit -u -D",
    "fish": "function fish_prompt; echo -n ready; end; source /run/tmp/completions",
}
LINES = {
    "status al": "status alice",
    "enroll alice tok": "enroll alice token",
    "enrol al": "enrol alice",
    "revoke alice ph": "revoke alice phone",
    "enroll al --qr ut": "enroll al --qr utf8",
    "explain alice --service mfa-t": "explain alice --service mfa-test",
    "compl": "completions",
}


def completed(shell, line, user=None):
    """What the command line is after TAB: the shell is made to print it in place of running it."""
    script = subprocess.run(["mfa-chain", "completions", shell.split()[0]], capture_output=True, text=True, check=True).stdout
    Path("/run/tmp/completions").write_text(script)
    Path("/run/tmp/completions").chmod(0o644)
    typing = pexpect.spawn(
        SHELLS[shell][0],
        SHELLS[shell][1:],
        timeout=GUARD_SECONDS,
        encoding="utf-8",
        dimensions=(24, 200),
        preexec_fn=accounts.becoming(user) if user else None,
    )
    typing.sendline(ADAPT[shell])
    typing.sendline("echo set''tled")
    typing.expect_exact("settled")
    typing.expect_exact("ready")
    # TAB, then to the beginning of the line: a command goes before it that shows it.
    typing.send(f"mfa-chain {line}\t")
    typing.send("\x01echo sho''wn; echo \x05\r")
    # Up to the end of the line: the terminal may hand it over in pieces.
    typing.expect(r"shown\r?\n(mfa-chain[^\r\n]*)\r?\n")
    found = typing.match[1].strip()
    typing.close(force=True)
    return found.removeprefix("mfa-chain ")


@pytest.mark.parametrize("shell", SHELLS)
def test_names_are_completed(shell, enroll):
    enroll("alice")
    for begun, whole in LINES.items():
        assert completed(shell, begun) == whole, begun


@pytest.mark.parametrize("shell", SHELLS)
def test_another_policy_and_store_on_the_line_are_gone_by(shell, enroll, tmp_path):
    policy_file = tmp_path / "policy.toml"
    policy_file.write_text(policy.TWO_TOTP.replace('"phone"', '"handset"'))
    policy_file.chmod(0o600)
    (tmp_path / "store").mkdir(mode=0o700)
    enroll("alice")
    line = f"--policy {policy_file} enroll alice hand"
    assert completed(shell, line) == f"--policy {policy_file} enroll alice handset"
    line = f"--store {tmp_path}/store status al"
    assert completed(shell, line) == line


def test_who_has_enrolled_is_not_told_to_those_who_cannot_read_the_store(enroll):
    enroll("alice")
    assert completed("bash", "status al") == "status alice"
    assert completed("bash", "status al", user="bob") == "status al"
    # What any reader may see is told to anybody.
    assert completed("bash", "explain al", user="bob") == "explain alice"


def test_a_name_that_a_shell_would_run_is_not_put_into_the_line(enroll):
    """`$(...)` of a directory would be run when Return is pressed on root's line."""
    name = "eve;x"
    subprocess.run(
        ["mfa-chain", "enroll", "--unknown-user", name, "phone", "--no-confirm", "--qr", "none"],
        check=True, capture_output=True,
    )
    assert name in subprocess.run(["mfa-chain", "status"], capture_output=True, text=True).stdout
    assert completed("bash", "status ev") == "status ev"
