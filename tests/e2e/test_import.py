"""Authenticators of other systems are brought over, and their owners log in with the very next code.

The old systems are the real modules, and their files are what they wrote themselves in logins before.
"""

import base64
import json
import os
import pwd
import subprocess
import time
import urllib.parse
from pathlib import Path

import pytest

from machine import accounts, command, pam, policy
from machine.codes import PERIOD, HotpToken, TotpToken

ONE_TOTP = policy.TWO_TOTP.replace("required_steps = 2", "required_steps = 1")
ONE_HOTP = policy.HOTP_THEN_TOTP.replace("required_steps = 2", "required_steps = 1")
PHONE = "Authenticator app code (step 1 of 1): "
OLD = "mfa-old"
HOMES = f"{accounts.HOMES}/*/.google_authenticator"


@pytest.fixture
def home():
    """The file of google-authenticator in alice's home."""
    path = accounts.HOMES / "alice/.google_authenticator"
    yield path
    path.unlink(missing_ok=True)


@pytest.fixture
def users_oath():
    path = Path("/etc/users.oath")
    yield path
    path.unlink(missing_ok=True)


PSKC = """\
<?xml version="1.0"?>
<KeyContainer Version="1.0" xmlns="urn:ietf:params:xml:ns:keyprov:pskc"><KeyPackage>
<DeviceInfo><Manufacturer>Example</Manufacturer><SerialNo>S-1</SerialNo></DeviceInfo>
<Key Id="1" Algorithm="urn:ietf:params:xml:ns:keyprov:pskc:totp">
<AlgorithmParameters><ResponseFormat Length="6" Encoding="DECIMAL"/></AlgorithmParameters>
<Data><Secret><PlainValue>KEY</PlainValue></Secret><TimeInterval><PlainValue>30</PlainValue></TimeInterval></Data>
</Key></KeyPackage></KeyContainer>
"""


def run(*words, stdin=""):
    return subprocess.run(["mfa-chain", "import", *words], input=stdin, capture_output=True, text=True)


def code_at(token, seconds):
    return token._ledger.note(token._oathtool("--totp", "-N", f"@{seconds}")[0])


def old_login(terminal, prompt, code, user="alice"):
    """A login through the old module."""
    pamtester = terminal(["pamtester", OLD, user, "authenticate"])
    pamtester.dialogue((prompt, code))
    return pamtester.ends() == 0


def write_google_file(path, secret, *options, owner="alice"):
    path.write_text("\n".join([secret, *(f'" {option}' for option in options), "11111111", "22222222"]) + "\n")
    path.chmod(0o600)
    account = pwd.getpwnam(owner)
    os.chown(path, account.pw_uid, account.pw_gid)



def test_a_phone_of_google_authenticator_goes_on_with_its_next_code(home, login, terminal, ledger):
    policy.write(ONE_TOTP)
    pam.write_service(OLD, "required pam_google_authenticator.so")
    phone = TotpToken(ledger)
    write_google_file(home, phone.secret, "RATE_LIMIT 3 30", "WINDOW_SIZE 3", "DISALLOW_REUSE", "TOTP_AUTH")
    used = phone.code()
    assert old_login(terminal, "Verification code: ", used)
    assert "DISALLOW_REUSE " in home.read_text(), "the old module wrote down what it took"
    done = run("google-authenticator", "--glob", HOMES, "--factor", "phone", "--yes")
    assert done.returncode == 0, done.stderr
    assert "Imported 1 authenticator of 1 user." in done.stdout and "alice has no recovery codes" in done.stdout
    assert "2 scratch codes were not brought" in done.stderr
    assert not login((PHONE, used)), "the last code of the old system"
    later, under = in_the_next_step()
    assert login((PHONE, code_at(phone, later)), under=under)


def test_a_token_of_google_authenticator_goes_on_with_its_counter(home, login, terminal, ledger):
    policy.write(ONE_HOTP)
    pam.write_service(OLD, "required pam_google_authenticator.so")
    token = HotpToken(ledger)
    write_google_file(home, token.secret, "HOTP_COUNTER 1")
    token.code()
    used = token.code()
    assert old_login(terminal, "Verification code: ", used)
    done = run("google-authenticator", str(home), "--factor", "phone", "--yes")
    assert done.returncode == 0, done.stderr
    assert not login((PHONE, used))
    assert login((PHONE, token.code()))


def test_the_users_of_pam_oath_go_on_with_their_next_codes(users_oath, login, terminal, ledger):
    policy.write(policy.TWO_TOTP.replace('"totp"', '"hotp"', 1).replace("required_steps = 2", "required_steps = 1"))
    pam.write_service(OLD, f"required pam_oath.so usersfile={users_oath} window=5")
    token, phone = HotpToken(ledger), TotpToken(ledger)
    hexadecimal = [base64.b32decode(it.secret).hex() for it in (token, phone)]
    users_oath.write_text(f"# users\nHOTP alice - {hexadecimal[0]}\nHOTP/T30 bob - {hexadecimal[1]}\n")
    users_oath.chmod(0o600)
    used = token.code()
    assert old_login(terminal, "One-time password (OATH) for `alice': ", used)
    assert used in users_oath.read_text(), "the old module wrote down what it took"
    done = run("oath", str(users_oath), "--factor", "phone", "--factor", "token", "--yes")
    assert done.returncode == 0, done.stderr
    assert not login((PHONE, used))
    assert login((PHONE, token.code()))
    told = json.loads(subprocess.run(["mfa-chain", "--json", "status", "bob"], capture_output=True, text=True).stdout)
    assert [factor["id"] for factor in told["factors"]] == ["token"]


def test_a_dry_run_says_what_is_done_and_changes_nothing(home, ledger):
    policy.write(ONE_TOTP)
    write_google_file(home, TotpToken(ledger).secret, "TOTP_AUTH")
    words = ("google-authenticator", str(home), "--factor", "phone")
    before = policy.files_of_store()
    planned = run(*words, "--dry-run")
    assert planned.returncode == 0 and policy.files_of_store() == before
    done = run(*words, "--yes")
    table = [line for line in planned.stdout.splitlines() if line.startswith(("USER", "alice"))]
    assert len(table) == 2 and all(line in done.stdout.splitlines() for line in table), (planned.stdout, done.stdout)


def test_one_mistake_refuses_the_whole_file_and_skip_bad_brings_the_rest(users_oath, ledger):
    policy.write(ONE_HOTP)
    secret = base64.b32decode(HotpToken(ledger).secret).hex()
    other = base64.b32decode(HotpToken(ledger).secret).hex()
    users_oath.write_text(f"HOTP alice - {secret}\nHOTP bob - {other}w\nHOTP nobody-here - {other}\n")
    users_oath.chmod(0o600)
    words = ("oath", str(users_oath), "--factor", "phone", "--yes")
    refused = run(*words)
    assert refused.returncode == 1
    assert "line 2: " in refused.stderr and "line 3: this host lists no account `nobody-here`" in refused.stderr
    assert "2 mistakes in the file, so nothing was changed" in refused.stderr
    assert secret[:8] not in refused.stdout + refused.stderr and other[:8] not in refused.stdout + refused.stderr
    assert subprocess.run(["mfa-chain", "status"], capture_output=True, text=True).stdout == ""
    brought = run(*words, "--skip-bad")
    assert brought.returncode == 0 and "Imported 1 authenticator of 1 user." in brought.stdout


def test_a_file_that_is_not_the_users_own_is_refused(home, ledger):
    policy.write(ONE_TOTP)
    write_google_file(home, TotpToken(ledger).secret, "TOTP_AUTH", owner="bob")
    refused = run("google-authenticator", "--glob", HOMES, "--factor", "phone", "--yes")
    assert refused.returncode == 1 and "different owners" in refused.stderr
    home.unlink()
    home.symlink_to("/etc/passwd")
    refused = run("google-authenticator", "--glob", HOMES, "--factor", "phone", "--yes")
    assert refused.returncode == 1 and "is a symbolic link" in refused.stderr


def in_the_next_step():
    """That time for oathtool, and the program that lets a login take place then."""
    later = (int(time.time()) // PERIOD + 1) * PERIOD + 5
    return later, ("faketime", "-f", f"@{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(later))}")


def migration_uri(secret, name):
    """The message of Google Authenticator's export, put together byte by byte."""
    raw, name = base64.b32decode(secret), name.encode()
    account = bytes([0x0A, len(raw)]) + raw + bytes([0x12, len(name)]) + name + bytes([0x20, 1, 0x28, 1, 0x30, 2])
    message = bytes([0x0A, len(account)]) + account + bytes([0x10, 1, 0x18, 1, 0x20, 0, 0x28, 7])
    return "otpauth-migration://offline?data=" + urllib.parse.quote(base64.b64encode(message).decode(), safe="")


@pytest.mark.parametrize(
    "words, content",
    [
        (("csv", "--strip-domain"), lambda it: f"upn,serial number,secret key,time interval\nalice@example.org,23,{it},30\n"),
        (("csv", "--map", "MAP"), lambda it: f"S-1,{base64.b32decode(it).hex()},totp,6,30\n"),
        (("pskc", "--map", "MAP"), lambda it: PSKC.replace("KEY", base64.b64encode(base64.b32decode(it)).decode())),
        (("otpauth",), lambda it: f"otpauth://totp/Example:alice?secret={it}&issuer=Example\n"),
        (("otpauth-migration",), lambda it: migration_uri(it, "Example:alice") + "\n"),
    ],
    ids=["csv with header", "csv with map", "pskc", "otpauth", "otpauth-migration"],
)
def test_a_phone_of_each_format_gets_in_at_the_first_login(words, content, login, ledger, tmp_path):
    policy.write(ONE_TOTP)
    phone = TotpToken(ledger)
    (tmp_path / "map").write_text("S-1,alice\n")
    used = phone.code()  # before the import: a later one may be of the next step
    words = [str(tmp_path / "map") if word == "MAP" else word for word in words]
    done = run(words[0], "-", *words[1:], "--factor", "phone", "--yes", stdin=content(phone.secret))
    assert done.returncode == 0, done.stderr
    assert not login((PHONE, used)), "a code that the old system may have taken a moment ago"
    later, under = in_the_next_step()
    assert login((PHONE, code_at(phone, later)), under=under)


def test_a_token_whose_counter_nobody_knows_waits_for_two_codes(login, ledger, tmp_path):
    policy.write(ONE_HOTP)
    token = HotpToken(ledger)
    log = tmp_path / "yubico.csv"
    secret = base64.b32decode(token.secret).hex()
    log.write_text(f"LOGGING START,04.12.13 10:12\nOATH-HOTP,04.12.13 18:55,1,,,{secret},,,0,0,0,6,0,0,0,0,0,0\n")
    log.chmod(0o600)
    done = run("yubico", str(log), "--user", "alice", "--factor", "phone", "--yes")
    assert done.returncode == 0 and "counter of alice is not known" in done.stderr, done.stderr
    for _ in range(7):
        token.code()
    assert not login((PHONE, token.code()))
    told = subprocess.run(["mfa-chain", "status", "alice"], capture_output=True, text=True).stdout
    assert "counter not known: run `mfa-chain resync`" in told
    first, second = token.code(), token.code()
    command.run("resync", "alice", "phone", stdin=f"{first}\n{second}\n")
    assert not login((PHONE, second)), "the codes that showed where it stands are used"
    assert login((PHONE, token.code()))
