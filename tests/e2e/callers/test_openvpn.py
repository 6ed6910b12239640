"""OpenVPN with the lines of docs/logins.md: two codes, one as the password and one for a static challenge."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from machine import pam, policy
from machine.accounts import PASSWORD
from machine.events import expect_events

PAGE = (Path(__file__).resolve().parents[3] / "docs/logins.md").read_text()
SECTION = re.search(r"^## OpenVPN$(.*?)^## ", PAGE, re.M | re.S)[1]
SERVER, CLIENT, STACK = re.findall(r"^```\n(.*?)^```$", SECTION, re.M | re.S)
NAMES = "USERNAME Authenticator PASSWORD Hardware OTP"
CHALLENGE = re.search('static-challenge "(.*)"', CLIENT)[1]
ONE = policy.TWO_TOTP.replace("required_steps = 2", "required_steps = 1", 1)
UP = "Initialization Sequence Completed"
REFUSED = "AUTH_FAILED"
either_echo = pytest.mark.parametrize("echo", [False, True], ids=["hidden", "shown"])

SERVER_AROUND = """\
syslog vpn-server
verb 3
dev tun
topology subnet
server 10.9.0.0 255.255.255.0
local 127.0.0.1
ca vpn.pem
cert vpn.pem
key vpn.key
dh none
"""
CLIENT_AROUND = """\
client
dev null
ifconfig-noexec
route-noexec
nobind
remote 127.0.0.1
ca vpn.pem
verify-x509-name vpn name
"""


@pytest.fixture(autouse=True)
def stack(set_back):
    auth, account = (re.search(rf"^{kind} +(\w+) +(pam_mfa_chain.*)$", STACK, re.M) for kind in ("auth", "account"))
    pam.write_service("openvpn", " ".join(auth.groups()), account=[" ".join(account.groups())])


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """The server's own, which signs one of a client called alice; and a tunnel device in our own /dev."""
    folder = tmp_path_factory.mktemp("vpn")
    for words in (
        "req -x509 -newkey ed25519 -nodes -subj /CN=vpn -keyout vpn.key -out vpn.pem",
        "req -newkey ed25519 -nodes -subj /CN=alice -keyout alice.key -out alice.csr",
        "x509 -req -in alice.csr -CA vpn.pem -CAkey vpn.key -out alice.pem",
    ):
        subprocess.run(["openssl", *words.split()], cwd=folder, check=True, capture_output=True)
    os.makedirs("/dev/net", exist_ok=True)
    if not os.path.exists("/dev/net/tun"):
        os.mknod("/dev/net/tun", 0o20600, os.makedev(10, 200))
    return folder


@pytest.fixture
def vpn(certificates, terminal, log):
    """Starts the server; then a client each time, which has typed its answers when it comes back."""
    running = []

    def serve(lines=SERVER, more="verify-client-cert none\n"):
        config = certificates / "server.conf"
        config.write_text(SERVER_AROUND + lines + more)
        running.append(subprocess.Popen(["openvpn", "--cd", certificates, "--config", config]))
        log.wait_for(rf"vpn-server\[\d+\]: {UP}")

    def connect(password, response, user="alice", lines=CLIENT, more=""):
        config = certificates / "client.conf"
        config.write_text(CLIENT_AROUND + lines + more)
        client = terminal(["openvpn", "--cd", certificates, "--config", config])
        client.dialogue(("Enter Auth Username:", user))
        client.hides("Enter Auth Password:")
        client.answers(password)
        if response:
            client.dialogue((f"CHALLENGE: {CHALLENGE}", response))
        return client

    serve.connect = connect
    yield serve
    for server in running:
        server.terminate()
        server.wait()


@either_echo
def test_password_and_challenge_carry_a_chain_of_two(vpn, alice, log, echo):
    policy.write(policy.with_echo(policy.TWO_TOTP, echo))
    vpn()
    assert vpn.connect(alice.phone.code(), alice.token.code()).asks(UP, REFUSED) == UP
    expect_events(log, "openvpn", "alice", "phone accepted", "token accepted", "grant")


def test_a_wrong_code_in_the_challenge_is_refused_and_the_client_asks_again(vpn, alice, log):
    vpn()
    client = vpn.connect(alice.phone.code(), alice.token.wrong_code())
    assert client.asks(UP, REFUSED) == REFUSED
    client.asks("Enter Auth Username:")
    expect_events(log, "openvpn", "alice", "phone accepted", "token refused", "deny")


def test_without_a_challenge_a_chain_of_two_ends_after_the_first_code(vpn, alice, log):
    vpn()
    lines = CLIENT.replace(f'static-challenge "{CHALLENGE}" 1\n', "")
    assert vpn.connect(alice.phone.code(), None, lines=lines).asks(UP, REFUSED) == REFUSED
    log.wait_for(r"event=verdict .*verdict=deny reason=conversation")
    expect_events(log, "openvpn", "alice", "phone accepted", "deny")


@pytest.mark.parametrize("password, expected", [(PASSWORD, UP), ("wrong", REFUSED)], ids=["right", "wrong"])
def test_password_of_the_account_and_one_code(vpn, alice, password, expected):
    policy.write(ONE)
    pam.write_service("openvpn", "requisite pam_unix.so nodelay", "required pam_mfa_chain.so")
    vpn(SERVER.replace(NAMES, "USERNAME Password PASSWORD Authenticator OTP"))
    assert vpn.connect(password, alice.phone.code()).asks(UP, REFUSED) == expected


def test_a_certificate_says_whose_codes_are_asked(vpn, alice, log):
    certificate = "cert alice.pem\nkey alice.key\n"
    vpn(SERVER.replace("USERNAME", "COMMONNAME"), more="")
    client = vpn.connect(alice.phone.code(), alice.token.code(), user="bob", more=certificate)
    assert client.asks(UP, REFUSED) == UP
    expect_events(log, "openvpn", "alice", "phone accepted", "token accepted", "grant")


@pytest.mark.parametrize("token, expected", [("auth-gen-token\n", UP), ("", REFUSED)], ids=["token", "none"])
def test_a_client_that_connects_again_is_let_in_by_its_token_alone(vpn, alice, token, expected):
    vpn(SERVER.replace("auth-gen-token\n", token))
    forgetful = CLIENT.replace("auth-nocache\n", "")  # so that it has the used codes to send again
    client = vpn.connect(alice.phone.code(), alice.token.code(), lines=forgetful)
    assert client.asks(UP, REFUSED) == UP
    client.signal(signal.SIGUSR1)
    assert client.asks(UP, REFUSED) == expected


@either_echo
def test_without_names_hidden_prompts_get_the_password_and_shown_ones_the_user(vpn, alice, log, echo):
    policy.write(policy.with_echo(ONE, echo))
    vpn(re.sub('"openvpn .*"', '"openvpn"', SERVER))
    assert vpn.connect(alice.phone.code(), "unused").asks(UP, REFUSED) == (REFUSED if echo else UP)
    log.wait_for(rf"event=step .*outcome={'malformed' if echo else 'accepted'}")
