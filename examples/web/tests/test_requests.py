"""What programs get, and what the server does with requests that no browser would send."""

import subprocess
import threading
from pathlib import Path

import pytest
from server import enroll_by_json

HERE = Path(__file__).resolve().parent


def begin(server, user="alice"):
    status, _, told = server.call("POST", f"/users/{user}/attempt/start")
    assert status == 201
    return told["session_id"]


def answer(server, session, factor, code):
    body = {"session_id": session, "factor_id": factor, "user_input": code}
    return server.call("POST", "/attempt/verify", body)


def test_the_walk_of_test_process_md_goes_as_it_says(start_server):
    server = start_server("--debug-codes", real_clock=True)
    done = subprocess.run([HERE.parent / "test-process", server.url], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_of_many_answers_at_once_one_is_judged(server):
    phone, _ = enroll_by_json(server, "alice")
    server.next_step()
    session, code, results = begin(server), phone.code(server.now), []
    threads = [
        threading.Thread(target=lambda: results.append(answer(server, session, "phone", code)[0])) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # The others met no attempt, or the next step of it; no two met the same one.
    assert results.count(200) == 1 and set(results) <= {200, 400, 409}
    assert server.log().count("outcome=accepted") == 1


def test_codes_are_told_with_debug_codes_only(server):
    enroll_by_json(server, "alice")
    session = begin(server)
    status, _, told = server.call("GET", f"/attempt/{session}/debug/current-code")
    assert (status, told["error"]) == (404, "not-found")
    assert "code" not in told


def test_debug_codes_go_with_neither_a_shared_store_nor_an_open_address(request, tmp_path):
    program = request.config.getoption("--web")
    for options in (["--store", tmp_path, "--policy", tmp_path / "policy.toml"], ["--listen", "0.0.0.0:0"]):
        done = subprocess.run([program, "--debug-codes", *options], capture_output=True, text=True, timeout=20)
        assert done.returncode != 0 and "--debug-codes" in done.stderr


def test_a_name_that_one_browser_enrolls_is_not_to_be_had_by_another(server):
    first = server.call("POST", "/users/alice/factors/phone/enroll")
    assert first[0] == 201
    assert server.call("POST", "/users/alice/factors/phone/enroll")[0] == 403
    enroll_by_json(server, "bob")
    assert server.call("POST", "/users/bob/factors/phone/enroll")[0] == 403, "whole names are their users'"
    assert server.call("POST", "/users/carol/factors/phone/enroll")[0] == 201


def test_a_failed_enrollment_takes_no_name(server):
    assert server.call("POST", "/users/alice/factors/watch/enroll")[0] == 404
    assert server.call("POST", "/users/alice/factors/phone/enroll")[0] == 201


FOREIGN = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_what_another_site_sends_is_refused(server, headers):
    assert server.call("POST", "/login", "user=alice", headers, form=True)[0] == 403
    status, _, told = server.call("POST", "/users/alice/attempt/start", headers=headers)
    assert (status, told["error"]) == (403, "origin")
    assert "event=begin" not in server.log()
    own = {"Origin": server.url.rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    assert server.call("POST", "/login", "user=alice", own, form=True)[0] == 303


def test_a_name_of_another_site_that_leads_here_is_refused(server):
    assert server.call("GET", "/", headers={"Host": "evil.example"})[0] == 421
    assert server.call("GET", "/", headers={"Host": "localhost:1"})[0] == 200


def test_every_answer_forbids_scripts_and_caches(server):
    paths = ["/", "/style.css", "/nowhere", "/attempt/none/debug/current-code"]
    answers = [server.call("GET", path) for path in paths] + [server.call("POST", "/attempt/verify")]
    for _, headers, _ in answers:
        assert headers["Content-Security-Policy"].startswith("default-src 'none';")
        assert "script-src" not in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"


def test_failures_are_json_for_programs(server):
    big = {"session_id": "x" * 5000, "factor_id": "phone", "user_input": "1"}
    for method, path, body, status in [
        ("GET", "/attempt/verify", None, 405),
        ("POST", "/attempt/verify", "not an object", 422),
        ("POST", "/attempt/verify", {"factor_id": "phone", "user_input": "1"}, 400),
        ("POST", "/attempt/verify", big, 413),
        ("GET", "/users/alice", None, 404),
        ("POST", "/users/no%00name/factors/phone/enroll", None, 422),
    ]:
        got, headers, told = server.call(method, path, body)
        assert (got, headers.get_content_type()) == (status, "application/json"), path
        assert set(told) == {"error", "message"}


def test_guessers_elsewhere_and_the_log(server):
    """The address of the peer is in the request, and no code or secret in the log."""
    phone, _ = enroll_by_json(server, "alice")
    server.next_step()
    code = phone.code(server.now)
    answer(server, begin(server), "phone", code)
    assert "rhost=127.0.0.1" in server.log()
    assert code not in server.log() and phone._secret not in server.log()
