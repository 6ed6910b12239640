"""The policy file and the store of the private machine."""

import shutil
from pathlib import Path

FILE = Path("/etc/mfa-chain/policy.toml")
STORE = Path("/var/lib/mfa-chain")

TWO_TOTP = """\
version = 1
mode = "fixed"
required_steps = 2
[[factors]]
id = "phone"
label = "Authenticator app"
type = "totp"
[[factors]]
id = "token"
label = "Hardware token"
type = "totp"
[throttle]
fail_delay_seconds = 0
"""
HOTP_THEN_TOTP = TWO_TOTP.replace('"totp"', '"hotp"', 1)
HOTP_TOKEN_FIRST = HOTP_THEN_TOTP.replace('"phone"', '"-"').replace('"token"', '"phone"').replace('"-"', '"token"')
RANDOM = TWO_TOTP.replace('mode = "fixed"', 'mode = "random"')
TOKEN_FIRST_IN_SUDO = TWO_TOTP.replace(
    "[throttle]",
    """\
[chains.admin]
factors = ["token", "phone"]
required_steps = 2
[[rules]]
services = ["sudo"]
chain = "admin"
[throttle]""",
)

def with_rule(*lines):
    """The default policy with one rule."""
    return TWO_TOTP.replace("[throttle]", "\n".join(["[[rules]]", *lines, "[throttle]"]))


def with_echo(text, echo):
    """The policy with prompts that show what is typed, or hide it."""
    return text.replace("[throttle]", f"[prompt]\necho = {str(echo).lower()}\n[throttle]")


PHONE_FIRST = "Authenticator app code (step 1 of 2): "
TOKEN_SECOND = "Hardware token code (step 2 of 2): "
TOKEN_FIRST = "Hardware token code (step 1 of 2): "
PHONE_SECOND = "Authenticator app code (step 2 of 2): "


def write(text):
    FILE.parent.mkdir(exist_ok=True)
    FILE.parent.chmod(0o755)
    FILE.unlink(missing_ok=True)  # it may belong to somebody else
    FILE.write_text(text)
    FILE.chmod(0o644)


def empty_store():
    """The store as the package installs it: there, root's alone, and with nobody in it."""
    shutil.rmtree(STORE, ignore_errors=True)
    STORE.mkdir(mode=0o700)


def files_of_store():
    """Every file of the store with its bytes and the time it was written."""
    files = [path for path in STORE.rglob("*") if path.is_file()]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}
