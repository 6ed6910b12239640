"""The service files of /etc/pam.d."""

from pathlib import Path

PERMIT = ["account required pam_permit.so", "session required pam_permit.so"]


def write_service(name, *auth):
    """A stack that holds the given auth lines, and lets account and session pass."""
    lines = [f"auth {line}" for line in auth] + PERMIT
    Path("/etc/pam.d", name).write_text("".join(f"{line}\n" for line in lines))
