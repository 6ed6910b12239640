"""An application with threads, which ends one of them in the middle of a login."""

import subprocess
from pathlib import Path

import pytest

from machine import command


@pytest.fixture(scope="session")
def cancelled(tmp_path_factory):
    source = Path(__file__).parent.parent / "pam_sandbox" / "cancelled.c"
    built = tmp_path_factory.mktemp("threads") / "cancelled"
    subprocess.run(["cc", "-Wall", "-Werror", "-pthread", "-o", built, source, "-lpam"], check=True)
    return built


def test_a_cancelled_thread_ends_after_the_judgement_and_the_application_goes_on(cancelled, alice, log):
    code = alice.phone.wrong_code()
    done = subprocess.run([cancelled, "mfa-test", "alice", code], capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stdout) == (0, "cancelled\n"), done
    log.wait_for("user=alice .*verdict=deny reason=wrong-code")
    assert command.failures("alice") == 1
