"""Prints the log lines that the module itself writes: run in a mount namespace of its own, with the module's path.

pamtester runs it in stacks of /run, with a policy and a store there; a socket takes the place of /dev/log."""

import socket
import subprocess
import sys
from pathlib import Path

POLICY = """\
version = 1
required_steps = 1
[[factors]]
id = "phone"
label = "App"
type = "totp"
[[rules]]
services = ["mfa-exempt"]
action = "exempt"
[[rules]]
services = ["mfa-deny"]
action = "deny"
[throttle]
fail_delay_seconds = 0
"""


def main():
    module = Path(sys.argv[1]).read_bytes()
    for folder in ("/run", "/etc/pam.d", "/dev/shm"):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder], check=True)
    Path("/run/pam_mfa_chain.so").write_bytes(module)
    Path("/run/policy.toml").write_text(POLICY)
    store = Path("/run/store")
    store.mkdir(mode=0o700)
    lines = listen()
    subprocess.run(
        ["build/mfa-chain", "--policy", "/run/policy.toml", "--store", store, "enroll", "root", "phone"]
        + ["--secret-file", "-", "--no-confirm", "--qr", "none"],
        input="GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n",
        text=True,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    for service, answer in (("mfa-exempt", ""), ("mfa-deny", ""), ("mfa-ask", "000000\n"), ("mfa-ask", "")):
        stack = "auth required /run/pam_mfa_chain.so policy=/run/policy.toml store=/run/store\n"
        Path("/etc/pam.d", service).write_text(stack + "auth required pam_permit.so\n")
        subprocess.run(
            ["pamtester", "-I", "rhost=198.51.100.9", "-I", "tty=ssh", service, "nobody-here", "authenticate"],
            input=answer, text=True, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    lines.setblocking(False)
    while True:
        try:
            # <86>sshd[123]: ... : what stands before the name is the daemon's affair.
            line = lines.recv(65536).decode().split(">", 1)[1]
        except BlockingIOError:
            return
        if "pam_mfa_chain(" in line:  # libpam and pamtester have their say too
            print(line)


def listen():
    """A /dev/log of our own, where the machine may have one already or none."""
    inside = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    inside.bind("/dev/shm/log")
    log = Path("/dev/log")
    if log.exists():
        subprocess.run(["mount", "--bind", "/dev/shm/log", log.resolve()], check=True)
    else:
        dev = Path("/run/dev")
        dev.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", dev], check=True)
        for node in ("null", "zero", "full", "random", "urandom", "tty"):
            subprocess.run(["cp", "-a", f"/dev/{node}", dev / node], check=True)
        inside.close()
        inside = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        inside.bind(str(dev / "log"))
        subprocess.run(["mount", "--move", dev, "/dev"], check=True)
    return inside


main()
