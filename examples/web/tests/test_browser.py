"""What people see: the pages in a real browser, with its keyboard, as its accessibility tree names things."""

import re

import pytest
from people import DESKTOP, PHONE
from server import Authenticator, enroll_by_json

FIRST = "Code of Authenticator app, step 1 of 2"
SECOND = "Code of Second authenticator, step 2 of 2"


@pytest.fixture
def alice(server):
    """alice's two authenticators, with codes that are good now."""
    authenticators = enroll_by_json(server, "alice")
    server.next_step()
    return authenticators


def begin(browser, server, user="alice"):
    browser.open(server.url)
    browser.fill("User name", user)


def enroll_one(browser, server):
    secret = browser.element("#secret").text
    authenticator = Authenticator(secret)
    browser.fill("Code that the app shows", authenticator.code(server.now))
    return authenticator


def test_two_authenticators_enroll_and_their_codes_are_good_once(browser, server):
    browser.open(server.url)
    browser.fill("New user name", "alice")
    assert browser.heading() == "Authenticator app"
    assert browser.run("return document.querySelector('img.qr').naturalWidth") > 0, "the QR code is drawn"
    phone = enroll_one(browser, server)
    assert browser.heading() == "Second authenticator"
    tablet = enroll_one(browser, server)
    assert "Authenticator app enrolled" in browser.text() and "Second authenticator enrolled" in browser.text()

    server.next_step()
    used = [phone.code(server.now), tablet.code(server.now)]
    browser.fill("User name", "alice")
    assert "Step 1 of 2" in browser.text()
    browser.fill(FIRST, used[0])
    assert "Step 2 of 2" in browser.text()
    browser.fill(SECOND, used[1])
    assert browser.heading() == "Welcome, alice"
    assert [line for line in browser.text().splitlines() if "uthenticator" in line] == [
        "Authenticator app",
        "Second authenticator",
    ]
    browser.press("Sign out")
    assert browser.heading() == "Not signed in"

    begin(browser, server)
    browser.fill(FIRST, used[0])
    assert browser.heading() == "RESET"


def test_a_wrong_code_while_enrolling_is_told_and_binds_nothing(browser, server):
    browser.open(server.url)
    browser.fill("New user name", "alice")
    authenticator = Authenticator(browser.element("#secret").text)
    browser.fill("Code that the app shows", authenticator.wrong_code(server.now))
    assert browser.element("[role=alert]").text == "That is not the code. Type the one that the app shows now."
    browser.fill("Code that the app shows", authenticator.code(server.now))
    assert browser.heading() == "Second authenticator"


def test_a_wrong_code_resets_and_the_next_attempt_starts_at_step_1(browser, server, alice):
    phone, tablet = alice
    begin(browser, server)
    browser.fill(FIRST, phone.code(server.now))
    browser.fill(SECOND, tablet.wrong_code(server.now))
    assert browser.heading() == "RESET"
    browser.press("Start again")
    browser.fill("User name", "alice")
    assert "Step 1 of 2" in browser.text()


def test_a_second_tab_that_answers_out_of_order_is_a_breach(browser, server, alice):
    phone, tablet = alice
    begin(browser, server)
    first, second = browser.second_tab(f"{server.url}login/step")
    browser.to_tab(first)
    browser.fill(FIRST, phone.code(server.now))
    assert "Step 2 of 2" in browser.text()
    browser.to_tab(second)
    browser.fill(FIRST, phone.code(server.now + 30))
    assert "for another step" in browser.text()
    assert "reason=breach" in server.log()
    browser.to_tab(first)
    browser.fill(SECOND, tablet.code(server.now))
    assert "Start again" in browser.text(), "the attempt is over for both"
    browser.open(f"{server.url}welcome")
    assert browser.heading() == "Not signed in"


def test_a_page_of_an_attempt_that_another_tab_replaced_answers_nothing(browser, server, alice):
    begin(browser, server)
    first, _ = browser.second_tab(server.url)
    browser.fill("User name", "alice")
    browser.to_tab(first)
    browser.fill(FIRST, alice[0].code(server.now))
    assert "No sign-in of this session is waiting for a code" in browser.text()
    assert "outcome=" not in server.log()


def test_an_attempt_that_is_left_too_long_resets(browser, server, alice):
    phone, tablet = alice
    begin(browser, server)
    browser.fill(FIRST, phone.code(server.now))
    server.pass_time(301)
    browser.fill(SECOND, tablet.code(server.now))
    assert browser.heading() == "RESET"
    assert "reason=too-late" in server.log()

    server.next_step()
    begin(browser, server)
    browser.fill(FIRST, phone.code(server.now))
    server.pass_time(240)
    browser.fill(SECOND, tablet.code(server.now))
    assert browser.heading() == "Welcome, alice", "four minutes are not too long"


def test_a_name_that_nobody_enrolled_sees_the_same_pages(browser, server, alice):
    def pages(user, code):
        begin(browser, server, user)
        asked = browser.source()
        browser.fill(FIRST, code)
        return [re.sub(r'name="attempt" value="[^"]+"', "", page) for page in (asked, browser.source())]

    wrong = alice[0].wrong_code(server.now)
    enrolled = pages("alice", wrong)
    assert pages("nobody", wrong) == enrolled
    assert pages("no such name!", wrong) == enrolled
    used = alice[0].code(server.now)
    begin(browser, server)
    browser.fill(FIRST, used)
    assert pages("alice", used) == enrolled, "a used code has the words of a wrong one"
    for _ in range(8):
        pages("alice", wrong)
    assert pages("alice", alice[0].code(server.now + 30)) == enrolled, "so has a wait"
    assert "outcome=throttled" in server.log()


def test_the_session_gets_a_new_id_when_the_chain_is_passed(browser, server, alice):
    begin(browser, server)
    before = browser.cookies()["mfa-chain-web"]
    assert before["httpOnly"] and before["sameSite"] == "Strict"
    browser.fill(FIRST, alice[0].code(server.now))
    browser.fill(SECOND, alice[1].code(server.now))
    after = browser.cookies()["mfa-chain-web"]
    assert after["value"] != before["value"]
    old = {"Cookie": f"mfa-chain-web={before['value']}"}
    new = {"Cookie": f"mfa-chain-web={after['value']}"}
    assert "Not signed in" in server.call("GET", "/", headers=old)[2]
    assert "Signed in as alice" in server.call("GET", "/", headers=new)[2]


def test_a_form_on_another_site_begins_nothing(browser, server, alice):
    form = f'<form method="post" action="{server.url}login"><input name="user" aria-label="Bait"></form>'
    browser.open(f"data:text/html,{form}")
    browser.fill("Bait", "alice")
    assert "The request came from another site." in browser.text()
    assert "event=begin" not in server.log()


def test_whoever_signed_in_replaces_an_authenticator(browser, server, alice):
    begin(browser, server)
    browser.fill(FIRST, alice[0].code(server.now))
    browser.fill(SECOND, alice[1].code(server.now))
    browser.press("Home")
    browser.press("Replace Second authenticator")
    new = enroll_one(browser, server)
    assert browser.heading() == "Signed in as alice"
    browser.press("Sign out")
    server.next_step()
    for tablet, heading in ((alice[1], "RESET"), (new, "Welcome, alice")):
        begin(browser, server)
        browser.fill(FIRST, alice[0].code(server.now))
        browser.fill(SECOND, tablet.code(server.now))
        assert browser.heading() == heading
        server.next_step()


def test_a_red_bar_is_on_every_page_while_codes_are_told(browser, start_server):
    for options, shown in ((["--debug-codes"], True), ([], False)):
        server = start_server(*options)
        browser.open(server.url)
        assert browser.has(".debug") == shown
        browser.fill("New user name", "alice")
        assert browser.has(".debug") == shown
        begin(browser, server)
        assert browser.has(".debug") == shown
        browser.fill(FIRST, "no code")
        assert browser.has(".debug") == shown and browser.heading() == "RESET"
        browser.open(f"{server.url}nowhere")
        assert browser.has(".debug") == shown


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_pages_are_readable(browser, server, picture, size, scheme):
    browser.shows(size, scheme)

    def look(name):
        assert not browser.is_wider_than_its_window(), name
        assert browser.faint_texts() == [], name
        assert not browser.has("script, [onclick], [style]"), name
        picture(f"web-{name}-{size[0]}-{scheme}")

    browser.open(server.url)
    look("home")
    browser.fill("New user name", "alice-with-a-name-of-32-letters-")
    look("enroll")
    enrolled = [enroll_one(browser, server), enroll_one(browser, server)]
    look("enrolled")
    server.next_step()
    browser.fill("User name", "alice-with-a-name-of-32-letters-")
    look("step")
    browser.fill(FIRST, "no code")
    look("reset")
    begin(browser, server, "alice-with-a-name-of-32-letters-")
    browser.fill(FIRST, enrolled[0].code(server.now))
    browser.fill(SECOND, enrolled[1].code(server.now))
    look("welcome")


def test_a_screen_reader_hears_the_step_and_what_went_wrong(browser, server, alice):
    begin(browser, server)
    assert browser.run("return document.documentElement.lang") == "en"
    assert browser.run("return document.title") == "Step 1 of 2 · mfa-chain"
    assert browser.run("return document.activeElement.id") == "code", "typing can begin at once"
    field = browser.element("#code")
    assert (field.aria_role, field.accessible_name) == ("textbox", FIRST)
    browser.fill(FIRST, "no code")
    assert browser.element("[role=alert]").text.startswith("That did not work.")
