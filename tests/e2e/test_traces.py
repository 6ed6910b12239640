"""One login seen from the kernel: the module is a guest, and leaves the house as it was."""

import re

import pytest

from machine import strace
from machine.policy import FILE, PHONE_FIRST, STORE, TOKEN_SECOND

STATE = str(STORE / "state" / "alice")
WRITES = {"write", "writev", "pwrite64", "pwritev", "pwritev2", "sendfile", "copy_file_range"}
CHANGES = {"rename", "renameat", "renameat2", "unlink", "unlinkat", "link", "linkat", "symlink", "symlinkat"}
CHANGES |= {"mkdir", "mkdirat", "truncate", "ftruncate", "fallocate", "chmod", "fchmod", "fchmodat", "fchown"}
SYNCS = {"fsync", "fdatasync", "sync_file_range", "syncfs", "sync"}
OPENS = {"open", "openat", "openat2"}
PROCESSES = {"fork", "vfork", "clone", "clone3", "execve", "execveat"}


@pytest.fixture
def calls(terminal, alice, tmp_path):
    """The calls of a granted login with two steps, which are two judgements."""
    output = tmp_path / "strace"
    login = terminal(strace.command(["pamtester", "mfa-test", "alice", "authenticate"], output))
    login.dialogue((PHONE_FIRST, alice.phone.code()), (TOKEN_SECOND, alice.token.code()))
    assert login.ends() == 0
    return strace.calls(output)


def test_each_judgement_takes_one_lock_and_one_sync(calls):
    locks = [call for call in calls if takes_the_lock(call) and call.succeeded]
    syncs = [call for call in calls if call.name in SYNCS]
    assert [call.path for call in locks] == [STATE] * 2
    assert [call.path for call in syncs] == [STATE] * 2


def test_no_lock_is_held_while_a_prompt_waits(calls):
    held = False
    for call in calls:
        if call.path == STATE and call.name in ("flock", "close"):
            held = takes_the_lock(call)
        assert not (held and call.name == "read" and call.path.startswith("/dev/pts/"))


def test_nothing_is_written_but_the_state_the_terminal_and_the_log(calls):
    sockets = log_sockets(calls)
    written = {call.path for call in calls if call.name in WRITES and call.path not in sockets}
    assert STATE in written
    assert all(path == STATE or path.startswith("/dev/pts/") for path in written), written
    assert not [call for call in calls if call.name in CHANGES or "O_CREAT" in call.arguments]


def test_no_process_or_thread_is_started(calls):
    started = [call for call in calls if call.name in PROCESSES]
    assert [call.name for call in started] == ["execve"]  # pamtester itself


def test_no_socket_is_opened_but_for_the_log_and_libpams_audit(calls):
    opened = {call.arguments for call in calls if call.name == "socket"}
    assert all(re.match(r"AF_UNIX|AF_NETLINK, .*NETLINK_AUDIT", arguments) for arguments in opened), opened
    reached = {
        re.search(r'sun_path=@?"([^"]*)"', call.arguments)[1]
        for call in calls
        if call.name in ("connect", "bind", "sendto", "sendmsg") and "AF_UNIX" in call.arguments
    }
    # glibc looks for its name service cache on every lookup of an account.
    assert reached - {"/var/run/nscd/socket"} == {"/dev/log"}


def test_every_file_and_socket_is_closed_again(calls):
    assert strace.left_open(calls) == []


def test_every_file_of_ours_is_closed_to_programs_that_the_caller_starts(calls):
    ours = (str(FILE.parent), str(STORE))
    opened = [call for call in calls if call.name in OPENS and call.succeeded and call.path.startswith(ours)]
    assert {call.path for call in opened} >= {str(FILE), STATE}
    assert not [call for call in opened if "O_CLOEXEC" not in call.arguments]


def takes_the_lock(call):
    return call.name == "flock" and "LOCK_EX" in call.arguments


def log_sockets(calls):
    """How strace names the sockets that were connected to /dev/log."""
    return {call.path for call in calls if call.name == "connect" and '"/dev/log"' in call.arguments}
