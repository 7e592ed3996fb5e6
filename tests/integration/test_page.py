"""deploy/pages/index.html in a real browser, from the gateway itself: what it shows is what a user is told."""
import os

import pytest

from chromium import Browser
from harness import ROOT, Suite, free_address, wait_until
from websocket import token

SHOWN = """Array.from(document.querySelectorAll(".payment"), (card) => ({
    amount: card.querySelector(".much b").textContent, balance: card.querySelector(".much span").textContent,
    who: card.querySelector(".who b").textContent, line: card.querySelector(".who span").textContent,
    at: card.querySelector("time").dateTime, isNew: card.classList.contains("new"),
    ways: Array.from(card.querySelectorAll(".way"), (way) => way.textContent) }))"""
ALL_DELIVERED = ["push \u2713", "email \u2713", "sms \u2713"]
STATE = "document.getElementById('state').className"


@pytest.fixture(scope="module")
def own_page():
    """An installation with everything, whose gateway stays at one address, and a browser."""
    address = free_address()
    browser = Browser()
    suite = Suite(GATEWAY_RESTART_SPREAD="0s", GATEWAY_PAGES=os.path.join(ROOT, "deploy", "pages"), GATEWAY_LISTEN=address,
                  GATEWAY_ORIGINS=f"http://{address}")
    try:
        suite.addresses["gateway"] = {"admin": "127.0.0.1:0", "ws": address}
        suite.start_all()
        suite.start("gateway")
        for user in ("alice", "bob"):
            suite.add_user(user)
        yield suite, browser
    finally:
        try:
            browser.close()
        finally:
            suite.close()


@pytest.fixture
def page(own_page):
    suite, browser = own_page
    yield suite, browser
    suite.check()


def link(suite, user, **claims):
    return f"http://{suite.addresses['gateway']['ws']}/#token={token(suite.settings['JWT_SECRET'], user, **claims)}"


def shown(browser, count):
    return wait_until(lambda: (found := browser.run(SHOWN)) and len(found) == count and found, 15, f"{count} payments")


def is_live(browser):
    return browser.run(STATE) == "state live"


def test_a_payment_rings_with_its_deliveries_and_stays_after_a_reload(page):
    suite, browser = page
    assert suite.pay(None, "alice", "2000.50", description="Opening <b>balance</b>").status == 201
    browser.open(link(suite, "alice"))
    first = shown(browser, 1)[0]
    assert first["amount"] == "+2\u202f000.50 USD" and first["who"] == "from outside" and not first["isNew"]
    assert first["line"].endswith("Opening <b>balance</b>"), "a text is shown as text"
    wait_until(lambda: is_live(browser), 15, "the page to be live")
    assert browser.run("location.hash") == "" and browser.run("document.getElementById('title').textContent") == "Paybell \u00b7 alice"
    answer = suite.pay("alice", "bob", "15.00", description="Lunch")
    newest = wait_until(lambda: (found := shown(browser, 2)[0])["ways"] == ALL_DELIVERED and found, 15, "all to be delivered")
    assert (newest["amount"], newest["balance"], newest["who"]) == ("\u221215.00 USD", "balance 1\u202f985.50", "to bob")
    assert newest["isNew"] and newest["at"] == answer.json["created_at"]
    assert browser.run("document.title") == "(2) Paybell"
    browser.click("#unread")
    wait_until(lambda: browser.run("document.title") == "Paybell", 5, "nothing to be unread")
    wait_until(lambda: suite.redis("XLEN", "reads:log") == 0, 10, "the mark to be taken in")
    browser.open(f"http://{suite.addresses['gateway']['ws']}/?again")
    assert [card["amount"] for card in shown(browser, 2)] == ["\u221215.00 USD", "+2\u202f000.50 USD"]
    wait_until(lambda: is_live(browser), 15, "the page to be live again")
    assert browser.run("document.title") == "Paybell", "what was seen is still seen"
    assert {line[1].split("/")[2] for line in browser.heard("request")} == {suite.addresses["gateway"]["ws"]}
    assert browser.heard("console") == []


def test_a_channel_in_trouble_is_shown_as_such(page):
    suite, browser = page
    suite.add_user("carol", phone=None)
    browser.open(link(suite, "carol"))
    wait_until(lambda: is_live(browser), 15, "the page to be live")
    assert suite.pay(None, "carol", "1.00").status == 201
    wait_until(lambda: shown(browser, 1)[0]["ways"] == ["push \u2713", "email \u2713", "sms \u2013"], 15, "the sms to be suppressed")


def test_a_gateway_that_is_away_is_said_and_what_was_missed_comes_once(page):
    suite, browser = page
    browser.open(link(suite, "bob"))
    wait_until(lambda: is_live(browser), 15, "the page to be live")
    before = len(browser.run(SHOWN))
    suite.kill("gateway")
    wait_until(lambda: "connection is lost" in browser.run("document.getElementById('said').textContent"), 15, "the page to notice")
    for amount in ("1.11", "2.22"):
        assert suite.pay(None, "bob", amount).status == 201
    suite.start("gateway")
    browser.run("document.getElementById('again').click()")
    wait_until(lambda: is_live(browser), 15, "the page to be live again")
    cards = shown(browser, before + 2)
    assert [card["amount"] for card in cards[:2]] == ["+2.22 USD", "+1.11 USD"]


@pytest.mark.parametrize("given", ["nonsense", "a b", "\u00fc", "eyJhbGciOiJIUzI1NiJ9.e30.x"])
def test_a_token_that_is_not_good_is_asked_for_again(page, given):
    suite, browser = page
    browser.open("about:blank")
    browser.open(f"http://{suite.addresses['gateway']['ws']}/#token={given}")
    wait_until(lambda: browser.run(STATE) == "state ended" and not browser.run("document.getElementById('ask').hidden"), 15, "a refusal")
    assert browser.run("sessionStorage.token === undefined")


def test_without_a_token_it_asks_for_one_and_takes_it(page):
    suite, browser = page
    browser.open("about:blank")
    browser.open(f"http://{suite.addresses['gateway']['ws']}/healthz")
    browser.run("sessionStorage.clear()")
    browser.open(f"http://{suite.addresses['gateway']['ws']}/")
    assert browser.run("document.getElementById('said').textContent") == "A token is needed to listen"
    given = token(suite.settings["JWT_SECRET"], "alice")
    browser.run(f"document.getElementById('token').value = '{given}'")
    browser.click("#ask button")
    wait_until(lambda: is_live(browser), 15, "the page to be live")
    browser.click("#leave")
    assert browser.run(STATE) == "state " and browser.run(SHOWN) == []
