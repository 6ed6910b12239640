"""sudo, which keeps one PAM handle for its three tries."""

import subprocess

import pytest

from machine import accounts, command, policy
from machine.events import expect_events
from machine.policy import PHONE_FIRST, PHONE_SECOND, TOKEN_FIRST, TOKEN_SECOND

AS_ROOT = ["sudo", "id", "-un"]


@pytest.fixture
def sudo(terminal, alice):
    """alice's sudo on a terminal."""
    return terminal(AS_ROOT, user="alice")


def ran(sudo):
    """Whether the command behind sudo was run, as root."""
    return sudo.text().splitlines()[-1] == "root"


def test_the_right_chain_runs_the_command(alice, sudo, log):
    sudo.dialogue((PHONE_FIRST, alice.phone.code()), (TOKEN_SECOND, alice.token.code()))
    assert sudo.ends() == 0
    assert ran(sudo)
    expect_events(log, "sudo", "alice", "phone accepted", "token accepted", "grant")


def test_three_wrong_tries_end_it_in_sudos_words(alice, sudo, log):
    sudo.dialogue(*[(PHONE_FIRST, alice.phone.wrong_code())] * 3)
    assert sudo.ends() == 1
    assert "sudo: 3 incorrect password attempts" in sudo.text()
    assert not ran(sudo)
    expect_events(log, "sudo", "alice", *["phone refused", "deny"] * 3)


def test_a_wrong_try_and_then_the_right_chain_run_the_command(alice, sudo):
    sudo.dialogue(
        (PHONE_FIRST, alice.phone.code()),
        (TOKEN_SECOND, alice.token.wrong_code()),
        (PHONE_FIRST, alice.phone.code()),
        (TOKEN_SECOND, alice.token.code()),
    )
    assert sudo.ends() == 0
    assert ran(sudo)


def test_an_interrupt_at_the_prompt_denies_and_is_not_charged(alice, sudo):
    before = command.failures("alice")
    sudo.asks(PHONE_FIRST)
    sudo.interrupt()
    assert sudo.ends() == 1
    assert "sudo: a password is required" in sudo.text()
    assert not ran(sudo)
    assert command.failures("alice") == before


def test_a_prompt_of_the_command_line_hides_the_labels(alice, terminal):
    sudo = terminal(["sudo", "-p", "Which one? ", "id", "-un"], user="alice")
    sudo.dialogue(("Which one? ", alice.phone.code()), ("Which one? ", alice.token.code()))
    assert sudo.ends() == 0
    assert "step" not in sudo.text()


def test_a_prompt_of_the_environment_leaves_the_labels(alice, terminal):
    sudo = terminal(["env", "SUDO_PROMPT=Which one? ", *AS_ROOT], user="alice")
    sudo.dialogue((PHONE_FIRST, alice.phone.code()), (TOKEN_SECOND, alice.token.code()))
    assert sudo.ends() == 0


def test_two_lines_from_a_pipe_answer_the_two_steps(alice):
    done = sudo_from_pipe(f"{alice.phone.code()}\n{alice.token.code()}\n")
    assert (done.returncode, done.stdout) == (0, "root\n")


def test_one_line_from_a_pipe_is_not_enough(alice):
    done = sudo_from_pipe(f"{alice.phone.code()}\n")
    assert (done.returncode, done.stdout) == (1, "")


def sudo_from_pipe(lines):
    return subprocess.run(
        ["sudo", "-S", *AS_ROOT[1:]],
        input=lines,
        capture_output=True,
        text=True,
        start_new_session=True,
        preexec_fn=accounts.becoming("alice"),
    )


def test_a_rule_for_sudo_chooses_another_chain(alice, terminal, log):
    policy.write(policy.TOKEN_FIRST_IN_SUDO)
    sudo = terminal(AS_ROOT, user="alice")
    sudo.dialogue((TOKEN_FIRST, alice.token.code()), (PHONE_SECOND, alice.phone.code()))
    assert sudo.ends() == 0
    expect_events(log, "sudo", "alice", "token accepted", "phone accepted", "grant")


def test_a_rule_for_sudo_leaves_other_services_their_chain(alice, terminal):
    policy.write(policy.TOKEN_FIRST_IN_SUDO)
    pamtester = terminal(["pamtester", "mfa-test", "alice", "authenticate"])
    pamtester.dialogue((PHONE_FIRST, alice.phone.code()), (TOKEN_SECOND, alice.token.code()))
    assert pamtester.ends() == 0
