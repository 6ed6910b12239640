"""The command `mfa-chain`, run as an administrator runs it."""

import json
import re
import subprocess

RECOVERY_CODE = re.compile(r"[A-Z2-7]{4}(?:[- ][A-Z2-7]{4}){5}")


def run(*words, stdin=""):
    done = subprocess.run(["mfa-chain", *words], input=stdin, capture_output=True, text=True)
    assert done.returncode == 0, f"mfa-chain {' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout


def enroll(user, factor, token):
    secret = f"{token.secret}\n"
    run("enroll", user, factor, "--secret-file", "-", "--no-confirm", "--qr", "none", stdin=secret)


def recovery_codes(user):
    """A new set of recovery codes; the layout around them is the command's own affair."""
    codes = RECOVERY_CODE.findall(run("recovery", user))
    assert codes, "mfa-chain recovery printed no codes"
    return codes


def failures(user):
    """How many failed attempts are charged to the user."""
    counts = list(_numbers_named("failures", json.loads(run("status", user, "--json"))))
    assert counts, "mfa-chain status --json names no failures"
    return sum(counts)


def _numbers_named(name, value):
    """Every number under a key of that name, however deep the report puts it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == name and isinstance(inner, int):
                yield inner
            else:
                yield from _numbers_named(name, inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _numbers_named(name, inner)
