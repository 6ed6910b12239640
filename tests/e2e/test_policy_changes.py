"""The policy is changed as a whole: a mistake undoes itself, whatever happens on the way."""

import json
import subprocess

import pytest

from machine import policy
from machine.policy import PHONE_FIRST, TOKEN_SECOND

PENDING = policy.STORE / "changes/pending.json"
ONE_STEP = policy.TWO_TOTP.replace("required_steps = 2", "required_steps = 1")
STRICTER = policy.with_rule('users = ["mallory"]', 'action = "deny"')


def mfa_chain(*words, stdin="", before=()):
    return subprocess.run([*before, "mfa-chain", *words], input=stdin, capture_output=True, text=True)


def apply(text, *words):
    return mfa_chain("policy", "apply", "-", *words, stdin=text)


def later(minutes):
    """The words in front of a command that runs so much later."""
    return ("faketime", f"+{minutes} minutes")


@pytest.fixture(autouse=True)
def nothing_waits():
    """A change that still waits at the end of a test is taken back while the store is there."""
    yield
    mfa_chain("rollback")


def editor(tmp_path, *lines):
    """A program that changes the file it is given; its name has a blank."""
    program = tmp_path / "an editor"
    program.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
    program.chmod(0o755)
    return program


def test_a_login_counts_for_the_confirmation_and_nothing_else_does(login, alice, log):
    assert apply(ONE_STEP, "--yes", "--must-pass", "alice").returncode == 0
    assert policy.FILE.read_text() == ONE_STEP
    refused = mfa_chain("confirm")
    assert refused.returncode == 1 and "root or alice has not passed a chain since the change" in refused.stderr
    assert not login((PHONE_FIRST.replace("of 2", "of 1"), "000000"))
    assert mfa_chain("confirm").returncode == 1
    assert login((PHONE_FIRST.replace("of 2", "of 1"), alice.phone.code()))
    assert "the policy stays as it is now" in mfa_chain("confirm").stdout
    assert mfa_chain("rollback", "--due", before=later(10)).returncode == 0
    assert policy.FILE.read_text() == ONE_STEP
    log.wait_for(r'event=admin action=policy-apply within=300s by=root.* detail="weaker: chain default \(2 of phone, token\)')
    log.wait_for(r"event=admin action=confirm what=the\\x20policy by=root")


def test_a_chain_that_was_passed_before_the_change_does_not_count(login, alice):
    assert login((PHONE_FIRST, alice.phone.code()), (TOKEN_SECOND, alice.token.code()))
    assert apply(STRICTER, "--must-pass", "alice").returncode == 0
    assert "has not passed a chain since" in mfa_chain("confirm").stderr


def test_without_a_confirmation_the_next_command_brings_the_old_policy_back(log):
    policy.FILE.chmod(0o640)
    before = policy.FILE.stat()
    assert apply(STRICTER).returncode == 0
    assert policy.FILE.stat().st_mode == before.st_mode
    assert mfa_chain("check", before=later(4)).returncode != 1 and policy.FILE.read_text() == STRICTER
    assert "was not confirmed in time" in mfa_chain("check", before=later(6)).stderr
    assert (policy.FILE.read_text(), policy.FILE.stat().st_mode) == (policy.TWO_TOTP, before.st_mode)
    log.wait_for(r"event=admin action=rollback what=the\\x20policy by=root")
    assert [entry["action"] for entry in json.loads(mfa_chain("policy", "log", "--json").stdout)["policies"]] == ["rollback", "apply", "found"]


def test_a_reboot_undoes_the_change_at_once(tmp_path):
    assert apply(STRICTER).returncode == 0
    another_boot = tmp_path / "boot_id"
    another_boot.write_text("00000000-0000-0000-0000-000000000000\n")
    boot_id = "/proc/sys/kernel/random/boot_id"
    subprocess.run(["mount", "--bind", another_boot, boot_id], check=True)
    try:
        assert "is as it was before" in mfa_chain("rollback", "--due").stdout
    finally:
        subprocess.run(["umount", boot_id], check=True)
    assert policy.FILE.read_text() == policy.TWO_TOTP


def test_a_second_change_has_to_wait():
    assert apply(STRICTER).returncode == 0
    for words in (("policy", "apply", "-"), ("policy", "edit"), ("policy", "undo")):
        refused = mfa_chain(*words, stdin=ONE_STEP)
        assert refused.returncode == 1 and "waits for its confirmation" in refused.stderr
    assert policy.FILE.read_text() == STRICTER


@pytest.mark.parametrize("call", ["rename", "renameat2", "fsync", "unlink", "write", "fchmod", "mkdir", "pipe2"])
def test_killed_at_any_step_the_policy_is_the_old_one_or_the_new_one_with_its_timer(call):
    for ordinal in range(1, 40):
        policy.empty_store()
        policy.write(policy.TWO_TOTP)
        strace = ("strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={ordinal}")
        done = mfa_chain("policy", "apply", "-", stdin=STRICTER, before=strace)
        text = policy.FILE.read_text()
        assert text in (policy.TWO_TOTP, STRICTER)
        assert text == policy.TWO_TOTP or PENDING.exists()
        mfa_chain("rollback", "--due", before=later(10))
        assert policy.FILE.read_text() == policy.TWO_TOTP
        assert sorted(path.name for path in policy.FILE.parent.glob(".*")) == []
        if done.returncode == 0:
            return
    raise AssertionError(f"more calls of {call} than this test looks at")


def test_killed_in_the_middle_of_a_roll_back_the_next_one_ends_it():
    for ordinal in range(1, 40):
        policy.empty_store()
        policy.write(policy.TWO_TOTP)
        assert apply(STRICTER).returncode == 0
        strace = ("strace", "-qq", "-o", "/dev/null", "-e", "trace=rename", "-e", f"inject=rename:signal=KILL:when={ordinal}")
        done = mfa_chain("rollback", before=strace)
        mfa_chain("rollback", "--due", before=later(10))
        assert policy.FILE.read_text() == policy.TWO_TOTP and not PENDING.exists()
        if done.returncode == 0:
            return
    raise AssertionError("more calls of rename than this test looks at")


def test_an_edit_that_is_not_valid_is_edited_again_and_never_in_force(terminal, tmp_path):
    (tmp_path / "new").write_text(STRICTER)
    edits = editor(tmp_path, f'if grep -q broken "$1"; then cp {tmp_path}/new "$1"; else echo broken >"$1"; fi')
    edit = terminal(["env", f"EDITOR='{edits}'", "mfa-chain", "policy", "edit", "--final"])
    edit.asks("changes/edit/policy.toml:1:")
    edit.dialogue(("What now?", "e"))
    assert edit.ends() == 0
    assert policy.FILE.read_text() == STRICTER


@pytest.mark.parametrize(("answer", "is_kept"), [("x", False), ("q", True)])
def test_an_edit_can_be_thrown_away_or_kept_for_later(terminal, tmp_path, answer, is_kept):
    edits = editor(tmp_path, 'echo broken >>"$1"')
    edit = terminal(["env", f"VISUAL='{edits}'", "EDITOR=/bin/false", "mfa-chain", "policy", "edit"])
    edit.dialogue(("What now?", answer))
    assert edit.ends() == 4
    assert policy.FILE.read_text() == policy.TWO_TOTP
    assert (policy.STORE / "changes/edit/policy.toml").exists() == is_kept


def test_a_second_editor_is_refused_at_once(terminal, tmp_path):
    waits = editor(tmp_path, "echo in the editor; read line")
    first = terminal(["env", f"EDITOR='{waits}'", "mfa-chain", "policy", "edit"])
    first.asks("in the editor")
    second = mfa_chain("policy", "edit")
    assert second.returncode == 1 and "edits the policy now" in second.stderr
    first.answers("")
    assert first.ends() == 0


def test_an_editor_that_holds_the_words_of_a_shell_runs_none(tmp_path):
    ran = tmp_path / "ran"
    done = subprocess.run(
        ["mfa-chain", "policy", "edit"], env={"PATH": "/usr/bin:/bin", "EDITOR": f"/bin/true; touch {ran}"}, capture_output=True, text=True
    )
    assert done.returncode == 1 and "the editor `/bin/true;` is not found" in done.stderr
    assert not ran.exists()


def test_a_file_of_policy_d_decides_and_one_that_is_not_safe_denies(login, alice, log):
    folder = policy.FILE.with_suffix(".d")
    folder.mkdir(mode=0o755)
    try:
        rule = folder / "50-site.toml"
        rule.write_text('[[rules]]\nusers = ["bob"]\naction = "deny"\n')
        assert login((PHONE_FIRST, alice.phone.code()), (TOKEN_SECOND, alice.token.code()))
        rule.write_text('[[rules]]\nusers = ["alice"]\naction = "deny"\n')
        assert not login()
        log.wait_for(r"reason=policy-deny|reason=denied|verdict=deny")
        rule.write_text('[[rules]]\nusers = ["bob"]\naction = "deny"\n')
        rule.chmod(0o666)
        assert not login()
        log.wait_for(r"50-site\.toml: not safe to use")
    finally:
        subprocess.run(["rm", "-r", folder], check=True)


def test_a_file_of_policy_d_is_edited_and_undone_as_the_policy_is(terminal, tmp_path):
    folder = policy.FILE.with_suffix(".d")
    (tmp_path / "new").write_text('[[rules]]\nusers = ["mallory"]\naction = "deny"\n')
    edits = editor(tmp_path, f'cp {tmp_path}/new "$1"')
    try:
        edit = terminal(["env", f"EDITOR='{edits}'", "mfa-chain", "policy", "edit", "50-site.toml", "--final"])
        assert edit.ends() == 0
        site = folder / "50-site.toml"
        assert site.read_text() == (tmp_path / "new").read_text() and site.stat().st_mode & 0o777 == 0o644
        assert folder.stat().st_mode & 0o777 == 0o755
        assert "# 50-site.toml" in mfa_chain("policy", "log", "2").stdout
        (tmp_path / "new").write_text("[[rules]]\naction = 'allow'\n")
        edit = terminal(["env", f"EDITOR='{edits}'", "mfa-chain", "policy", "edit", "50-site.toml"])
        edit.asks("50-site.toml:2:10: unknown action")
        edit.dialogue(("What now?", "x"))
        assert edit.ends() == 4
        assert mfa_chain("policy", "undo", "--final", "--yes").returncode == 0
        assert not site.exists() and policy.FILE.read_text() == policy.TWO_TOTP
        assert mfa_chain("policy", "edit", "../x.toml").returncode == 1
    finally:
        subprocess.run(["rm", "-rf", folder], check=True)


def test_a_policy_that_locks_out_who_applied_it_rolls_back_by_itself(login, alice):
    locks_out = policy.with_rule('users = ["alice"]', 'action = "deny"')
    assert apply(locks_out, "--yes", "--must-pass", "alice").returncode == 0
    assert not login()
    assert mfa_chain("confirm").returncode == 1
    assert "was not confirmed in time" in mfa_chain("status", before=later(6)).stderr
    assert login((PHONE_FIRST, alice.phone.code()), (TOKEN_SECOND, alice.token.code()))
