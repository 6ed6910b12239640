"""`why` after real logins: each cause is named by one command, and administration is in the log."""

import json
import re
import subprocess

from machine import command
from machine.policy import PHONE_FIRST, TOKEN_SECOND


def why(user="alice"):
    done = subprocess.run(["mfa-chain", "why", user], capture_output=True, text=True, check=True)
    return done.stdout


def test_a_wrong_code_is_named_with_its_step_service_and_remedy(login, alice):
    assert not login((PHONE_FIRST, "000000"))
    said = why()
    assert "mfa-test from here  step 1   phone: wrong-code (no code of the window) (of 2), counted as a failure" in said
    assert "what to do about the newest: run `mfa-chain verify alice phone`" in said


def test_a_grant_and_a_used_code_are_named(login, alice):
    phone, token = alice.phone.code(), alice.token.code()
    assert login((PHONE_FIRST, phone), (TOKEN_SECOND, token))
    assert "token: accepted" in why()
    assert not login((PHONE_FIRST, phone))
    said = why()
    assert "phone: replay" in said and "wait for the next code" in said
    facts = json.loads(subprocess.run(["mfa-chain", "why", "alice", "--last", "1", "--json"], capture_output=True, text=True, check=True).stdout)
    assert [(step["factor"], step["outcome"], step["service"], step["local"]) for step in facts["steps"]] == [("phone", "replay", "mfa-test", True)]


def test_administration_is_in_the_log_without_a_secret(alice, log):
    log.wait_for(r"mfa-chain\[\d+\]: event=admin action=enroll user=alice factor=phone by=root")
    subprocess.run(["mfa-chain", "unlock", "alice"], check=True, capture_output=True)
    log.wait_for(r"event=admin action=unlock user=alice by=root")
    subprocess.run(["mfa-chain", "revoke", "alice", "token", "--yes"], check=True, capture_output=True)
    log.wait_for(r"event=admin action=revoke user=alice factor=token by=root")
    subprocess.run(["mfa-chain", "recovery", "alice"], check=True, capture_output=True)
    log.wait_for(r"event=admin action=recovery user=alice codes=10 by=root")


def attempts(lines):
    return [re.search(r" attempt=([a-z]{8})\b", line)[1] for line in lines]


def test_each_attempt_has_a_name_of_its_own_in_the_log_and_in_why(login, alice, log):
    assert not login((PHONE_FIRST, alice.phone.code()), (TOKEN_SECOND, alice.token.wrong_code()))
    assert login((PHONE_FIRST, alice.phone.code()), (TOKEN_SECOND, alice.token.code()))
    lines = log.wait_for(r"event=(step|verdict) user=alice", count=6)
    names = attempts(lines)
    assert names[:3] == [names[0]] * 3 and names[3:] == [names[3]] * 3 and names[0] != names[3]
    told = json.loads(command.run("why", "alice", "--json"))["steps"]
    # The newest comes first.
    assert [step["attempt"] for step in told] == [names[3], names[3], names[0], names[0]]


def test_the_lines_of_a_rehearsal_say_so_and_those_of_a_login_do_not(login, alice, log):
    answers = f"{alice.phone.code()}\n{alice.token.wrong_code()}\n"
    subprocess.run(
        ["mfa-chain", "try", "alice", "--service", "sshd", "--answers", "-"], input=answers, text=True, capture_output=True
    )
    rehearsed = log.wait_for(r"event=(step|verdict) user=alice", count=3)
    assert all(line.endswith(" rehearsal=yes") for line in rehearsed), rehearsed
    assert not login((PHONE_FIRST, alice.phone.wrong_code()))
    assert "rehearsal" not in log.wait_for(r"event=verdict user=alice .*service=mfa-test")[0]
