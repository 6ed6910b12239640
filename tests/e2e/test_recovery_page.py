"""docs/recovery.md, read and followed: each command in it is run as printed, in the trouble that its section is about.

A command of the page that neither WALKS nor OF_THE_SYSTEM knows fails, and so does a walk that the page no longer has.
"""

import datetime
import re
import subprocess
from pathlib import Path

import pytest

from machine import command, policy
from machine.codes import HotpToken
from machine.policy import STORE

PAGE = Path("docs/recovery.md")
VERDICTS = Path("src/verifier/reason.rs")
STATE, SECRETS = STORE / "state" / "alice", STORE / "secrets" / "alice.toml"
PROGRAMS = "mfa-chain unlock journalctl sshd timedatectl date fuser mount systemctl for su sudo dmesg grep".split()


def commands_of(page):
    """(section, command) for each command in the page, in its order, each once."""
    found, section, is_block, prose = {}, "", False, []
    for line in [*page.splitlines(), "## end"]:
        if line.startswith("```"):
            is_block = not is_block
        elif is_block:
            found.update({(section, part): None for part in [line.split("  #")[0].strip()] if is_command(part)})
        elif line.startswith("## "):
            spans = re.findall(r"`([^`]+)`", " ".join(prose))
            found.update({(section, span): None for span in spans if is_command(span)})
            section, prose = line.removeprefix("## "), []
        else:
            prose.append(line.strip())
    return list(found)


def is_command(text):
    return text.split(" ")[0] in PROGRAMS


def shell(line, **names):
    """Runs a line of the page; what it leaves open is filled in."""
    for name, value in names.items():
        line = re.sub(rf"\b{name}\b", value, line)
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True)


class Scene:
    """alice with two tokens, and her logins."""

    def __init__(self, terminal, enroll, log, sshd):
        self.enroll, self.log, self.sshd, self._terminal = enroll, log, sshd, terminal
        self.alice = enroll("alice")

    def login(self, *answers, clock=None):
        """Whether alice gets in with these answers, asked in this order."""
        under = ["faketime", "-f", clock] if clock else []
        pamtester = self._terminal([*under, "pamtester", "mfa-test", "alice", "authenticate"])
        pamtester.dialogue(*((" code (step", answer) for answer in answers))
        return pamtester.ends() == 0

    def codes(self):
        return self.alice.phone.code(), self.alice.token.code()

    def failures(self, count):
        for _ in range(count):
            assert not self.login(self.alice.phone.wrong_code())

    def types(self, line, *exchanges):
        """Runs a line on a terminal, and answers what it asks; an answer may depend on what was shown."""
        typing = self._terminal(["sh", "-c", line])
        for prompt, answer in exchanges:
            typing.asks(prompt)
            typing.answers(answer if isinstance(answer, str) else answer(typing.text()))
        assert typing.ends() == 0, typing.text()
        return typing.text()


@pytest.fixture
def scene(terminal, enroll, log, sshd):
    return Scene(terminal, enroll, log, sshd)


def takes_sshd_at_its_word(scene, line):
    """sshd prints its settings, among them the ones that the page tells to look for."""
    Path("/etc/ssh/sshd_config").write_text(
        "UsePAM yes\nKbdInteractiveAuthentication yes\nAuthenticationMethods publickey,keyboard-interactive\n"
    )
    subprocess.run(["ssh-keygen", "-A"], check=True, capture_output=True)
    told = shell(f"PATH=$PATH:/usr/sbin; {line}").stdout.lower()
    assert "authenticationmethods publickey,keyboard-interactive" in told
    if "usepam" in line:
        assert "usepam yes" in told and "kbdinteractiveauthentication yes" in told


def shows_what_stands_in_the_way(scene, line):
    scene.failures(5)
    assert shell("mfa-chain check").returncode == 0
    told = shell(line, USER="alice", ADDRESS="192.0.2.7")
    assert "alice" in told.stdout
    assert told.returncode == (1 if "explain" in line else 0)
    assert re.search(r"throttled: 5 failures|failures: 5", told.stdout)


def greps_the_log(scene, line):
    """No journal runs here: the second half of the line finds our lines in what was logged."""
    scene.failures(1)
    Path("/run/tmp/log").write_text("\n".join(scene.log.lines()))
    assert "verdict=deny reason=wrong-code" in shell(f"cat /run/tmp/log |{line.partition('|')[2]}").stdout


def takes_back_a_policy_that_denies(scene, line):
    new = Path("/run/deny.toml")
    new.write_text(policy.TWO_TOTP + '[[rules]]\naction = "deny"\n')
    how = ["--final"] if "undo" in line else ["--within", "5m"]
    command.run("policy", "apply", str(new), "--yes", *how)
    assert not scene.login()
    assert shell(f"{line} --yes" if "undo" in line else line).returncode == 0
    assert scene.login(*scene.codes())


def lists_every_mistake_and_nothing_is_restarted(scene, line):
    policy.write(policy.TWO_TOTP.replace('"totp"', '"topt"').replace("required_steps", "steps"))
    assert not scene.login()
    scene.log.wait_for(r'verdict=deny reason=configuration detail="/etc/mfa-chain/policy.toml:\d+:\d+: ')
    told = shell(line)
    assert told.returncode == 3
    assert len(re.findall(r"policy\.toml:\d+:\d+: ", told.stderr)) > 1
    policy.write(policy.TWO_TOTP)
    assert shell(line).returncode == 0
    assert scene.login(*scene.codes())


def puts_a_new_phone_in_place_of_the_lost_one(scene, _):
    """Each line of the section in turn, with what holds between them."""
    lost = scene.alice.phone
    recovery = command.recovery_codes("alice")
    assert scene.login(recovery[0], scene.alice.token.code())
    assert not scene.login(recovery[0])  # each once
    revoke, enroll, renew = lines_of("Locked out, or a lost phone")
    scene.types(revoke, ("alice?", "yes"))
    assert not scene.login(lost.code())
    new = type(lost)(scene.alice.token._ledger)

    def code(shown):
        new.secret = re.search(r"secret=([A-Z2-7]+)", shown)[1]
        return new._oathtool("--totp", "-N", stamp(now() - 30))[0]

    scene.types(enroll, ("Authenticator app code: ", code))
    told = shell(renew)
    fresh = command.RECOVERY_CODE.findall(told.stdout)
    assert not scene.login(recovery[1])  # void now
    assert not scene.login(lost.wrong_code())
    assert scene.login(new.code(), fresh[0])


def lines_of(section):
    return [line for name, line in commands_of(PAGE.read_text()) if name == section and "alice" in line]


def now():
    return int(datetime.datetime.now().timestamp())


def stamp(seconds):
    return f"@{seconds}"


def ends_a_wait(scene, line):
    recovery = command.recovery_codes("alice")
    scene.failures(6)
    status = shell("mfa-chain status alice").stdout
    assert int(re.search(r"wait: (\d+) s", status)[1]) > 0
    if "unlock" in line:
        assert not scene.login(scene.alice.phone.code())  # right, and not judged
        scene.alice = scene.enroll("alice")
        assert shell(line).returncode == 0
        assert scene.login(*scene.codes())
    else:
        assert shell(line).stdout == status
        assert scene.login(*recovery[:2])  # one for each step


def says_what_is_missing(scene, line):
    policy.write(policy.TWO_TOTP.replace('id = "phone"', 'id = "mobile"'))
    told = shell(f"{line} alice --service sshd")
    assert told.returncode == 1 and "missing: mobile" in told.stdout


def shows_the_clock(scene, line):
    """What the time of the host is; the page compares it with another clock."""
    told = shell(line)
    assert told.returncode == 0 and str(datetime.datetime.now(datetime.timezone.utc).year) in told.stdout


def makes_codes_of_a_wrong_clock_good(scene, line):
    """Two logins while the clock stood a day ahead, and the clock set right."""
    ahead = Scene(scene._terminal, scene.enroll, scene.log, None)
    day = 24 * 3600
    codes = [token._oathtool("--totp", "-N", stamp(now() + day))[0] for token in (ahead.alice.phone, ahead.alice.token)]
    assert ahead.login(*codes, clock="+1d")
    assert not ahead.login(ahead.alice.phone.code())
    ahead.log.wait_for("reason=(clock-behind|replay)")
    assert ahead.login(*bypass(shell(line)))


def makes_a_lost_state_again(scene, line):
    for spoil, words in [
        (lambda: STATE.write_bytes(bytes(8192)), "the login state is damaged"),
        (lambda: STATE.write_bytes(b"x"), "has 1 bytes, a login state has 8192"),
        (lambda: STATE.unlink(), "the login state is gone"),
        (lambda: STATE.write_bytes((STORE / "state" / "bob").read_bytes()), "was copied from another file"),
    ]:
        scene.enroll("bob")
        spoil()
        assert not scene.login()
        scene.log.wait_for(f'reason=store detail=".*{words}')
        assert scene.login(*bypass(shell(line)))


def bypass(told):
    """The bypass code that a reset printed, for both prompts."""
    assert told.returncode == 0, told.stderr
    return [re.search(r"Bypass code +(\S+)", told.stdout)[1]] * 2


def hands_out_a_bypass_code_again(scene, line):
    line = line.replace("USER", "alice")
    old, new = bypass(shell(line)), bypass(shell(line))
    assert not scene.login(old[0])
    assert scene.login(*new)


def leaves_one_login_and_says_until_when(scene, line):
    recovery = command.recovery_codes("alice")
    code = bypass(shell(f"mfa-chain {line.replace('unlock', 'unlock alice')}"))
    assert not scene.login(scene.alice.phone.code())
    until = scene.log.wait_for(r"reason=voided detail=\".*until")[-1]
    stamp = re.search(r"until (\d{4}-\d\d-\d\dT?\s?\d\d:\d\d(:\d\d)?)", until)
    minutes = (as_time(stamp[1]) - datetime.datetime.now(datetime.timezone.utc)).total_seconds() / 60
    assert 4 < minutes < 7, until
    assert not scene.login(recovery[0])
    assert scene.login(*code)
    assert not scene.login(code[0])  # one login


def as_time(text):
    return datetime.datetime.fromisoformat(text.replace(" ", "T")).replace(tzinfo=datetime.timezone.utc)


def makes_new_recovery_codes_after_the_reset(scene, line):
    old = command.recovery_codes("alice")
    bypass(shell("mfa-chain unlock alice --reset-state"))
    fresh = command.RECOVERY_CODE.findall(shell(line).stdout)
    assert not scene.login(old[0])
    assert scene.login(*fresh[:2])


def has_counter_token(scene):
    policy.write(policy.HOTP_TOKEN_FIRST)
    scene.hotp = HotpToken(scene.alice.phone._ledger)
    command.run("revoke", "alice", "token", "--yes")
    command.enroll("alice", "token", scene.hotp)


def finds_a_token(scene, line, reset):
    has_counter_token(scene)
    if reset:
        bypass(shell("mfa-chain unlock alice --reset-state"))
    else:
        scene.hotp._counter = 500  # far beyond `look_ahead`
    assert not scene.login(scene.hotp.code())
    scene.log.wait_for(f"factor=token .*outcome={'voided' if reset else 'wrong-code'}")
    scene.types(line, ("code: ", scene.hotp.code()), ("next code: ", scene.hotp.code()))
    scene.alice.phone = type(scene.alice.phone)(scene.alice.phone._ledger)  # its codes are void as well after a reset
    command.run("revoke", "alice", "phone", "--yes")
    command.enroll("alice", "phone", scene.alice.phone)
    assert scene.login(scene.hotp.code(), scene.alice.phone.code())


def finds_a_token_pressed_too_often(scene, line):
    finds_a_token(scene, line, reset=False)


def finds_a_token_after_a_reset(scene, line):
    finds_a_token(scene, line, reset=True)


def makes_lost_decoys_again(scene, line):
    decoys = STORE / "decoys"
    for file in decoys.iterdir():
        file.unlink()
    command.run(*line.split()[1:], "alice", "phone", "--no-confirm", "--secret-file", "-", "--qr", "none",
                stdin=f"{scene.alice.phone.secret}\n")
    assert list(decoys.iterdir())


def resets_every_user(scene, line):
    scene.enroll("bob")
    told = shell(line)
    assert told.returncode == 0, told.stderr
    for user in ("alice", "bob"):
        assert f"Made a new login state for {user}" in told.stdout
    assert not scene.login(scene.alice.phone.code())


def shows_a_revoked_phone_that_a_backup_brought_back(scene, line):
    kept = SECRETS.read_bytes()
    command.run("revoke", "alice", "phone", "--yes")
    assert "factor phone" not in shell(f"{line} alice").stdout
    SECRETS.write_bytes(kept)
    assert "factor phone" in shell(f"{line} alice").stdout


def writes_again_after(scene, line):
    """The store alone is mounted here; the page leaves out which."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=700", "tmpfs", STORE], check=True)
    try:
        scene.alice = scene.enroll("alice")
        subprocess.run(["mount", "-o", "remount,ro", STORE], check=True)
        assert not scene.login()
        scene.log.wait_for("Read-only file system.*ReadWritePaths=/var/lib/mfa-chain")
        assert shell(f"{line} {STORE}").returncode == 0
        assert scene.login(*scene.codes())
    finally:
        subprocess.run(["umount", STORE], check=True)


def fails_on_a_full_disk_and_leaves_the_old(scene, line):
    before = policy.files_of_store()
    # The command makes a new file, and finds no room for its bytes.
    full = "strace -f -o /dev/null -e inject=write,pwrite64:error=ENOSPC"
    told = shell(f"{full} mfa-chain {line} alice")
    assert told.returncode != 0
    assert {path: text for path, (text, _) in before.items()} == {
        path: text for path, (text, _) in policy.files_of_store().items()
    }


def says_why(scene, line):
    scene.failures(1)
    told = shell(line, USER="alice")
    assert told.returncode == 0
    assert "phone: wrong-code" in told.stdout and "what to do about the newest" in told.stdout


def verifies_a_code_without_using_it_up(scene, line):
    code = scene.alice.phone.code()
    told = subprocess.run(["sh", "-c", line], input=code + "\n", capture_output=True, text=True)
    assert told.returncode == 0 and "A login would take it." in told.stdout
    assert scene.login(code, scene.alice.token.code())


def is_for_monitoring(scene, line):
    scene.enroll("bob")
    assert shell(line).returncode == 0
    STATE.unlink()
    assert shell(line).returncode == 1
    policy.empty_store()
    assert shell(line).returncode == 3


DAMAGED, CLOCK, RESTORED, RESET = "Damaged state", "The clock was wrong", "Restored backup", "After a reset"
LOST, WAIT, LOG = "Locked out, or a lost phone", "The user has to wait", "What the log says"
POLICY = "The policy or a line is wrong"
WALKS = {
    ("A root shell", "sshd -T | grep -i authenticationmethods"): takes_sshd_at_its_word,
    (LOG, "journalctl --since -15min | grep pam_mfa_chain"): greps_the_log,
    (LOG, "mfa-chain check"): is_for_monitoring,
    (LOG, "mfa-chain why USER"): says_why,
    (LOG, "mfa-chain status USER"): shows_what_stands_in_the_way,
    (LOG, "mfa-chain explain USER --service sshd --rhost ADDRESS"): shows_what_stands_in_the_way,
    (LOG, "mfa-chain explain"): says_what_is_missing,
    ("The module is not asked", "sshd -T | grep -iE 'usepam|kbdinteractive|authenticationmethods'"): takes_sshd_at_its_word,
    (POLICY, "mfa-chain check"): lists_every_mistake_and_nothing_is_restarted,
    (POLICY, "mfa-chain rollback"): takes_back_a_policy_that_denies,
    (POLICY, "mfa-chain policy undo --final"): takes_back_a_policy_that_denies,
    (LOST, "mfa-chain revoke alice phone"): puts_a_new_phone_in_place_of_the_lost_one,
    (WAIT, "mfa-chain status alice"): ends_a_wait,
    (WAIT, "mfa-chain unlock alice"): ends_a_wait,
    ("Not enrolled, or not enough", "mfa-chain explain"): says_what_is_missing,
    ("Right codes are refused", "date -u"): shows_the_clock,
    ("Right codes are refused", "mfa-chain verify alice"): verifies_a_code_without_using_it_up,
    (LOG, "mfa-chain unlock USER --reset-state"): hands_out_a_bypass_code_again,
    ("Right codes are refused", "mfa-chain resync alice token"): finds_a_token_pressed_too_often,
    (CLOCK, "mfa-chain unlock alice --reset-state"): makes_codes_of_a_wrong_clock_good,
    (DAMAGED, "mfa-chain unlock alice --reset-state"): makes_a_lost_state_again,
    (RESET, "unlock --reset-state"): leaves_one_login_and_says_until_when,
    (RESET, "mfa-chain recovery alice"): makes_new_recovery_codes_after_the_reset,
    (RESET, "mfa-chain resync alice token"): finds_a_token_after_a_reset,
    (DAMAGED, "mfa-chain enroll"): makes_lost_decoys_again,
    ("Full disk", "unlock --reset-state"): fails_on_a_full_disk_and_leaves_the_old,
    ("Full disk", "mount -o remount,rw"): writes_again_after,
    (RESTORED, "for"): resets_every_user,
    (RESTORED, "mfa-chain status"): shows_a_revoked_phone_that_a_backup_brought_back,
    ("Before the next time", "mfa-chain check"): is_for_monitoring,
}


# Walked with the first line of their section.
WITH_THE_FIRST = {(LOST, "mfa-chain enroll alice phone"), (LOST, "mfa-chain recovery alice")}
# What another program does is its own affair.
OF_THE_SYSTEM = {
    ("A root shell", "su"),
    ("A root shell", "sudo"),
    ("Right codes are refused", "timedatectl"),
    (DAMAGED, "fuser -v"),
    ("Full disk", "systemctl edit SERVICE"),
    ("Full disk", "dmesg"),
}


def known(section, line):
    return (section, "for") if line.startswith("for ") else (section, line)


ON_THE_PAGE = commands_of(PAGE.read_text())


def test_every_command_of_the_page_has_its_walk_and_every_walk_its_command():
    assert {known(*place) for place in ON_THE_PAGE} == set(WALKS) | WITH_THE_FIRST | OF_THE_SYSTEM


def test_a_command_that_nobody_walked_would_be_seen():
    page = "## A\ntype `mfa-chain flee`\nnow\n```\nmfa-chain hide alice   # quick\n```\n"
    assert set(commands_of(page)) == {("A", "mfa-chain flee"), ("A", "mfa-chain hide alice")}


@pytest.mark.parametrize("place", [place for place in ON_THE_PAGE if known(*place) in WALKS], ids=str)
def test_the_page_does_what_it_says(scene, place):
    WALKS[known(*place)](scene, place[1])


@pytest.mark.parametrize("page", [PAGE, Path("docs/return-codes.md"), Path("docs/man/pam_mfa_chain.8")], ids=str)
def test_every_reason_of_a_denial_is_looked_up(page):
    words = set(re.findall(r'=> "([a-z-]+)",', VERDICTS.read_text())) | {"configuration"}
    assert len(words) > 15
    text = page.read_text()
    assert [word for word in sorted(words) if not re.search(rf"`{word}`|\.It Cm {word}\n", text)] == []
