"""The service files of /etc/pam.d."""

from pathlib import Path

PERMIT = ["account required pam_permit.so", "session required pam_permit.so"]


def write_service(name, *auth, account=()):
    """A stack that holds the given auth and account lines, and lets account and session pass after them."""
    lines = [f"auth {line}" for line in auth] + [f"account {line}" for line in account] + PERMIT
    Path("/etc/pam.d", name).write_text("".join(f"{line}\n" for line in lines))
