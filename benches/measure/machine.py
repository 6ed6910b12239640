"""The private machine: accounts, policies, services, the files of every module that is measured."""

import base64
import hashlib
import os
import socket
from pathlib import Path

ACCOUNTS = 10
SECRETS = [base64.b32encode(hashlib.sha1(bytes([number])).digest()).decode() for number in range(8)]
SERVICES = Path("/run/services")


def listen_to_the_log():
    """What journald does with a line is not measured; that it is read is needed."""
    log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    log.bind("/dev/log")
    os.chmod("/dev/log", 0o666)
    buffer = bytearray(8192)

    def read_for_ever():
        while True:
            log.recv_into(buffer)

    if os.fork() == 0:
        read_for_ever()
    log.close()


def add_accounts(homes):
    Path("/etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nshadow: files\nhosts: files\n")
    with open("/etc/passwd", "a") as passwd:
        for number in range(ACCOUNTS):
            passwd.write(f"b{number}:x:{20000 + number}:{20000 + number}::{homes}/b{number}:/bin/sh\n")


def chain_policy(steps, on_wrong_code="reset", rules=0):
    lines = ["version = 1", f"required_steps = {steps}", f'on_wrong_code = "{on_wrong_code}"']
    for number in range(1, steps + 1):
        lines += ["[[factors]]", f'id = "f{number}"', 'type = "totp"']
    for number in range(rules):
        lines += ["[[rules]]", 'services = ["sudo", "su"]', f'users = ["user{number}"]', f'from = ["10.{number % 250}.0.0/16"]']
        lines += ['action = "deny"']
    return "\n".join(lines) + "\n"


def write_policies():
    folder = Path("/etc/mfa-chain")
    folder.mkdir(mode=0o755)
    for steps in range(1, 9):
        (folder / f"reset{steps}.toml").write_text(chain_policy(steps))
        (folder / f"conceal{steps}.toml").write_text(chain_policy(steps, "conceal"))
    for rules in (5, 50, 500):
        (folder / f"rules{rules}.toml").write_text(chain_policy(1, rules=rules))
    (folder / "policy.toml").write_text(chain_policy(1))


def write_peers(place):
    """Secret files as `google-authenticator -t -d -r 3 -R 30 -w 3` and the manual of pam_oath have them."""
    for number in range(ACCOUNTS):
        home = place / "home" / f"b{number}"
        home.mkdir(parents=True)
        for step, secret in enumerate(SECRETS[:3], 1):
            file = home / f".google_authenticator{step}"
            file.write_text(f'{secret}\n" RATE_LIMIT 3 30\n" WINDOW_SIZE 3\n" DISALLOW_REUSE\n" TOTP_AUTH\n')
            file.chmod(0o400)
            os.chown(file, 20000 + number, 20000 + number)
        os.chown(home, 20000 + number, 20000 + number)
    for step, secret in enumerate(SECRETS[:3], 1):
        write_oath_users(place / f"users{step}.oath", secret, ACCOUNTS)


def write_oath_users(file, secret, users):
    file.write_text("".join(f"HOTP/T30 b{number} - {to_hex(secret)}\n" for number in range(users)))
    file.chmod(0o600)


def to_hex(base32):
    return base64.b32decode(base32).hex()


def write_service(name, *lines):
    SERVICES.mkdir(exist_ok=True)
    (SERVICES / name).write_text("".join(f"auth required {line}\n" for line in lines))
