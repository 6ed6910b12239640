"""Accounts that a directory knows: several spellings, big groups, outages."""

import pwd
import subprocess
from pathlib import Path

import pytest

from machine import command, pam, policy
from machine.events import expect_events
from machine.policy import PHONE_FIRST, TOKEN_SECOND

SPELLINGS = Path("/run/nss-spellings")
DOWN, MEMBERS = Path("/run/nss-down"), Path("/run/nss-members")
NSSWITCH = Path("/etc/nsswitch.conf")
ROLL_OUT = policy.TWO_TOTP.replace("required_steps", 'unenrolled = "exempt"\nuntil = 2099-12-31\nrequired_steps', 1)


@pytest.fixture(scope="session")
def nss_module(tmp_path_factory):
    """An NSS module that stands for SSSD, winbind or nslcd with names that know no case."""
    source = Path(__file__).parent.parent / "pam_sandbox" / "nss_spellings.c"
    built = tmp_path_factory.mktemp("nss") / "libnss_spellings.so.2"
    subprocess.run(["cc", "-Wall", "-Werror", "-shared", "-fPIC", "-o", built, source], check=True)
    return built


@pytest.fixture
def directory(nss_module):
    """alice is also ALICE and alice@example.org."""
    # A folder that this machine has for itself.
    place = Path("/usr/local/lib/nss-spellings")
    place.mkdir(exist_ok=True)
    (place / nss_module.name).write_bytes(nss_module.read_bytes())
    Path("/etc/ld.so.conf.d/nss-spellings.conf").write_text(f"{place}\n")
    subprocess.run(["ldconfig"], check=True)
    before = NSSWITCH.read_text()
    NSSWITCH.write_text(before.replace("files\n", "files spellings\n", 2))
    uid = pwd.getpwnam("alice").pw_uid
    SPELLINGS.write_text("".join(f"{typed} alice {uid}\n" for typed in ("ALICE", "alice@example.org")))
    yield SPELLINGS
    NSSWITCH.write_text(before)
    for file in (SPELLINGS, DOWN, MEMBERS):
        file.unlink(missing_ok=True)


def test_another_spelling_of_an_enrolled_account_needs_the_codes_in_a_roll_out(sshd, alice, directory, log):
    server = sshd()
    policy.write(ROLL_OUT)
    login = server.login("ALICE")
    login.dialogue((PHONE_FIRST, alice.phone.code()), (TOKEN_SECOND, alice.token.code()))
    assert login.ends() == 0
    expect_events(log, "sshd", "alice", "phone accepted", "token accepted", "grant")
    assert any(" user=alice as=ALICE " in line for line in log.lines())
    again = server.login("alice@example.org")
    again.dialogue((PHONE_FIRST, alice.phone.wrong_code()))
    assert again.ends() == 255


def test_a_rule_that_denies_an_account_denies_every_spelling(sshd, alice, directory, log):
    server = sshd()
    policy.write(f'{policy.TWO_TOTP}[[rules]]\nusers = ["alice"]\naction = "deny"\n[[rules]]\naction = "exempt"\n')
    pam.write_service("sshd", "required pam_mfa_chain.so", "required pam_permit.so")
    for spelling in ("alice", "ALICE", "alice@example.org"):
        login = server.login(spelling)
        assert login.ends() == 255
    assert sum("verdict=deny" in line and "reason=rule" in line for line in log.lines()) == 3


def test_an_enrollment_under_another_spelling_is_the_accounts(alice, directory):
    told = command.run("status", "ALICE", "--json")
    assert '"user":"alice"' in told
    command.run("recovery", "alice@example.org")
    assert [path.name for path in Path(policy.STORE, "secrets").iterdir()] == ["alice.toml"]


def test_an_account_made_again_is_refused_until_an_administrator_says_which_it_is(sshd, alice, log):
    server = sshd()
    record = Path(policy.STORE, "secrets", "alice.toml")
    uid = pwd.getpwnam("alice").pw_uid
    assert f"uid = {uid}\n" in record.read_text()
    record.write_text(record.read_text().replace(f"uid = {uid}\n", f"uid = {uid + 5}\n"))
    login = server.login("alice")
    login.dialogue((PHONE_FIRST, alice.phone.code()))
    assert login.ends() == 255
    assert any("reason=another-account" in line for line in log.lines())
    told = subprocess.run(["mfa-chain", "check"], capture_output=True, text=True).stdout
    assert f"user id {uid + 5} enrolled, the account has {uid} now" in told
    assert "mfa-chain adopt alice" in told
    command.run("adopt", "alice")
    login = server.login("alice")
    login.dialogue((PHONE_FIRST, alice.phone.code()), (TOKEN_SECOND, alice.token.code()))
    assert login.ends() == 0


def test_a_renamed_account_is_asked_for_codes_in_a_roll_out(sshd, alice, log):
    server = sshd()
    policy.write(ROLL_OUT)
    subprocess.run(["usermod", "--login", "anna", "alice"], check=True)
    try:
        login = server.login("anna")
        login.dialogue((PHONE_FIRST, alice.phone.code()))
        assert login.ends() == 255
        assert any("user=anna" in line and "reason=another-account" in line for line in log.lines())
        told = subprocess.run(["mfa-chain", "check"], capture_output=True, text=True).stdout
        assert "enrolled as `alice` is called `anna` now" in told
    finally:
        subprocess.run(["usermod", "--login", "alice", "anna"], check=True)


def test_a_group_larger_than_any_buffer_is_looked_into(sshd, alice, log):
    server = sshd()
    group = Path("/etc/group")
    before = group.read_text()
    names = ",".join(f"person{number:06}" for number in range(100_000))
    group.write_text(f"{before}everybody:x:9000:{names},alice\nothers:x:9001:{names}\n")
    try:
        policy.write(
            f'{policy.TWO_TOTP}[[rules]]\ngroups = ["others"]\naction = "deny"\n'
            '[[rules]]\ngroups = ["everybody"]\nchain = "default"\n[[rules]]\naction = "deny"\n'
        )
        login = server.login("alice")
        login.dialogue((PHONE_FIRST, alice.phone.code()), (TOKEN_SECOND, alice.token.code()))
        assert login.ends() == 0
        expect_events(log, "sshd", "alice", "phone accepted", "token accepted", "grant")
    finally:
        group.write_text(before)


ADMINS = "staff-admins:x:9100:\n"
STRICTER = (
    policy.TWO_TOTP.replace("required_steps = 2", "required_steps = 1")
    + '[chains.admin]\nrequired_steps = 2\n[[rules]]\ngroups = ["staff-admins"]\nchain = "admin"\n'
)


@pytest.fixture
def admins(directory):
    """A group of this host that the directory says alice is in."""
    group = Path("/etc/group")
    before = group.read_text()
    group.write_text(before + ADMINS)
    MEMBERS.write_text("alice 9100\n")
    yield
    group.write_text(before)


def test_a_member_by_the_directory_is_asked_the_stricter_chain_and_never_the_other(alice, admins, login, log):
    policy.write(STRICTER)
    assert login((PHONE_FIRST, alice.phone.code()), (TOKEN_SECOND, alice.token.code()))
    DOWN.touch()
    assert not login()
    silent = log.wait_for(r"reason=accounts", count=1)
    assert "Connection refused" in silent[0]


@pytest.mark.parametrize("more, expected", [("", False), ('unlisted_groups = "deny"\n', False), ('unlisted_groups = "skip"\n', True)])
def test_a_group_that_nobody_lists_denies_unless_the_rule_skips_it(alice, login, log, more, expected):
    policy.write(f'{policy.TWO_TOTP}[[rules]]\ngroups = ["no-such"]\n{more}action = "deny"\n')
    codes = ((PHONE_FIRST, alice.phone.code()), (TOKEN_SECOND, alice.token.code())) if expected else ()
    assert login(*codes) is expected
    if not expected:
        log.wait_for(r"reason=accounts detail=\"the rule in line \d+: the system lists no group `no-such`")
    told = subprocess.run(["mfa-chain", "check"], capture_output=True, text=True).stdout
    assert "this host lists no group `no-such`" in told
    assert ("every login that comes to this rule is denied" in told) is not expected


def test_a_directory_that_is_down_is_told_from_a_group_that_does_not_exist(alice, directory, login, log):
    policy.write(f'{policy.TWO_TOTP}[[rules]]\ngroups = ["admins"]\nunlisted_groups = "skip"\naction = "deny"\n')
    assert login((PHONE_FIRST, alice.phone.code()), (TOKEN_SECOND, alice.token.code()))
    DOWN.touch()
    assert not login()
    silent = [line for line in log.lines() if "reason=accounts" in line]
    assert silent and "looking up the group `admins`: Connection refused" in silent[-1]
    told = subprocess.run(["mfa-chain", "check"], capture_output=True, text=True).stdout
    assert "the group `admins` could not be looked up: Connection refused" in told


def test_a_name_with_capitals_and_accents_is_enrolled_and_logs_in(terminal, enroll, directory):
    directory.write_text(f"{directory.read_text()}Zoë Zoë 7001\n")
    zoe = enroll("Zoë")
    assert Path(policy.STORE, "secrets", "Zoë.toml").exists()
    done = subprocess.run(
        ["mfa-chain", "try", "Zoë", "--service", "sshd", "--answers", "-"],
        input=f"{zoe.phone.code()}\n{zoe.token.code()}\n",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "verdict  granted" in done.stdout, done.stdout + done.stderr
