"""Fixtures: the server, with a clock that a test sets, and one Chromium, driven by its keyboard.

`make test-web` starts these tests in the private machine of tests/e2e/run, whose network is loopback and nothing else.
"""

from pathlib import Path

import pytest
from people import Browser
from server import Server


def pytest_addoption(parser):
    parser.addoption("--web", type=Path, required=True, help="the program mfa-chain-web")
    parser.addoption("--pictures", type=Path, help="the folder that screenshots are written to")


def pytest_sessionstart():
    # One of these tests rewrites /etc: a bare `pytest` on a real machine must not get that far.
    if not Path("/run/mfa-chain-e2e").exists():
        pytest.exit("start these tests with make test-web", returncode=2)


@pytest.fixture
def start_server(request, tmp_path):
    """Starts servers with the options given; they end with the test."""
    running = []

    def start(*options, real_clock=False):
        running.append(Server(request.config.getoption("--web"), tmp_path, options, real_clock))
        return running[-1]

    yield start
    for server in running:
        server.stop()


@pytest.fixture
def server(start_server):
    """A server with two factors in memory and nobody enrolled. Its clock stands still until a test moves it."""
    return start_server()


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.quit()


@pytest.fixture
def browser(chromium):
    """The browser without a cookie, in one tab, 360 pixels wide and light."""
    chromium.set_back()
    return chromium


@pytest.fixture
def picture(request, browser):
    """Writes a screenshot under this name, where a folder for them was given."""

    def take(name):
        if folder := request.config.getoption("--pictures"):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}.png").write_bytes(browser.screenshot())

    return take
