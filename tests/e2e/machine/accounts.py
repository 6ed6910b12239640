"""The accounts of the private machine, and running a program as one of them."""

import os
import pwd
import subprocess
from pathlib import Path

PASSWORD = "correct horse battery"
HOMES = Path("/home/e2e")  # never /home/NAME: the checkout itself may lie in a developer's home


def create(name):
    """Makes the account again, with PASSWORD; the host may have one of the same name."""
    if name != "root":
        HOMES.mkdir(mode=0o755, exist_ok=True)
        if _exists(name):
            subprocess.run(["userdel", "--force", name], check=True, capture_output=True)
        subprocess.run(
            ["useradd", "--create-home", "--home-dir", HOMES / name, "--shell", "/bin/bash", name],
            check=True,
            capture_output=True,
        )
    subprocess.run(["chpasswd"], input=f"{name}:{PASSWORD}\n", text=True, check=True)


def becoming(name):
    """A preexec function: the program starts as this user without any PAM stack being asked."""
    account = pwd.getpwnam(name)

    def become():
        os.initgroups(name, account.pw_gid)
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
        os.chdir(account.pw_dir)

    return become


def authorise_key(name, folder):
    """Gives the account an SSH key and returns the path of the private half."""
    key = folder / f"{name}.key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    account = pwd.getpwnam(name)
    ssh = Path(account.pw_dir) / ".ssh"
    ssh.mkdir(mode=0o700, exist_ok=True)
    keys = ssh / "authorized_keys"
    keys.write_text(key.with_suffix(".key.pub").read_text())
    keys.chmod(0o600)
    for path in (ssh, keys):
        os.chown(path, account.pw_uid, account.pw_gid)
    return key


def _exists(name):
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
