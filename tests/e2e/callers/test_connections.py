"""A client that opens several connections with one code: vsftpd, and curl beside itself."""

import subprocess
import time

import pytest

from machine import command, pam, policy

ONE = policy.TWO_TOTP.replace("required_steps = 2", "required_steps = 1", 1)
SETTINGS = """\
listen=YES
listen_address=127.0.0.1
listen_port=2121
background=NO
anonymous_enable=NO
local_enable=YES
check_shell=NO
pam_service_name=vsftpd
secure_chroot_dir=/run/vsftpd
seccomp_sandbox=NO
"""


@pytest.fixture
def ftp(tmp_path):
    """Logs alice in with a code, so many times at once; the exit codes of curl."""
    settings = tmp_path / "vsftpd.conf"
    settings.write_text(SETTINGS)
    subprocess.run(["mkdir", "-p", "/run/vsftpd"], check=True)
    server = subprocess.Popen(["/usr/sbin/vsftpd", settings])

    def login(code, connections):
        words = ["curl", "--silent", "--max-time", "20", "--user", f"alice:{code}", "ftp://127.0.0.1:2121/"]
        clients = [subprocess.Popen(words, stdout=subprocess.DEVNULL) for _ in range(connections)]
        return sorted(client.wait() for client in clients)

    while subprocess.run(["curl", "--silent", "ftp://127.0.0.1:2121/"]).returncode == 7:
        time.sleep(0.05)  # not listening yet
    yield login
    server.terminate()
    server.wait()


def test_six_connections_with_one_code_are_one_login_and_cost_no_failure(ftp, alice, log):
    policy.write(ONE)
    pam.write_service("vsftpd", "required pam_mfa_chain.so")
    assert ftp(alice.phone.code(), 6) == [0] + [67] * 5, "67: curl was denied access"
    log.wait_for(r"event=step user=alice service=vsftpd .*outcome=replay charged=no", count=5)
    assert command.failures("alice") == 0
    assert ftp(alice.phone.wrong_code(), 1) == [67]
    assert command.failures("alice") == 1
