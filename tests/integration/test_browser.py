"""The clients that docs/realtime.md tells people to copy, as they stand there, in a real browser.

A page of a site of the test's own runs them; what they are told is shown in the page and read from there.
"""
import os
import re

import pytest

from chromium import Browser, Site
from harness import ROOT, Suite, wait_until
from npm import SOCKET_IO, folder_of
from test_socketio import Bank

LISTS = ["events", "deliveries", "connects", "hellos", "reloads", "restarts", "errors"]
HELPERS = """
window.opened = 0;
window.closes = [];
window.WebSocket = class extends WebSocket {
  constructor(...given) {
    super(...given);
    this.addEventListener("open", () => opened++);
    this.addEventListener("close", (e) => closes.push(e.code));
  }
};
const add = (list, text) => document.getElementById(list).appendChild(document.createElement("li")).textContent = text;
const show = (event) => add("events", event.sequence);
const showDelivery = (delivery) => add("deliveries", `${delivery.sequence} ${delivery.channel} ${delivery.status}`);
const reload = () => add("reloads", "all");
const getToken = async () => new URLSearchParams(location.hash.slice(1)).get("token");
"""
PAGE = """<!doctype html><meta charset="utf-8"><title>test</title><link rel="icon" href="data:,">
LISTS
<script type="importmap">{"imports": {"socket.io-client": "/socket.io.esm.min.js"}}</script>
<script>HELPERS</script>
<script KIND>CLIENT</script>
""".replace("LISTS", "".join(f'<ol id="{name}"></ol>' for name in LISTS)).replace("HELPERS", HELPERS)


def documented(number, shown_address, address):
    """The program of that number in docs/realtime.md, as it stands there but for the address."""
    with open(os.path.join(ROOT, "docs", "realtime.md"), encoding="utf-8") as page:
        program = re.findall(r"```js\n(.*?)```", page.read(), re.S)[number]
    assert shown_address in program
    return program.replace(shown_address, address)


def plain_page(gateway):
    client = documented(0, "wss://live.example.com", f"ws://{gateway}")
    return PAGE.replace("KIND", "").replace("CLIENT", client + "\nlisten(getToken, show, showDelivery);\n")


def socketio_page(gateway, options=""):
    """Lines that await an answer are kept for when the test wants it; the others run at once."""
    client = documented(1, "https://live.example.com", f"http://{gateway}").replace("{ auth:", "{ %s auth:" % options)
    at_once, asked = [], []
    for line in client.split("\n"):
        (asked if line.startswith("await ") else at_once).append(line)
    seen, renewed = [re.match(r"await (.*?);", line)[1] for line in asked]
    program = ["const mark = showDelivery;", *at_once, "window.socket = socket;",
               'socket.on("connect", () => add("connects", socket.recovered));',
               'socket.on("hello", ({ unread }) => add("hellos", unread ?? ""));',
               'socket.on("connect_error", (error) => add("errors", JSON.stringify([error.message, error.data ?? null])));',
               'socket.on("restart", ({ retry_ms }) => add("restarts", retry_ms));',
               f"window.markSeen = async (sequence) => {seen};", f"window.renew = async () => {renewed};"]
    return PAGE.replace("KIND", 'type="module"').replace("CLIENT", "\n".join(program))


@pytest.fixture(scope="module")
def site():
    found = Site()
    yield found
    found.close()


@pytest.fixture(scope="module")
def chromium():
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def shared(site):
    """One channel, so that there are delivery statuses."""
    with open(os.path.join(folder_of(SOCKET_IO), "socket.io-client", "dist", "socket.io.esm.min.js"), encoding="utf-8") as client:
        site.add("/socket.io.esm.min.js", "text/javascript", client.read())
    suite = Suite(GATEWAY_RESTART_SPREAD="0s", GATEWAY_ORIGINS=site.origin, CHANNELS="email")
    try:
        suite.start_redis()
        for name in ("sandbox", "backend", "email", "gateway"):
            suite.start(name)
        gateway = suite.addresses["gateway"]["ws"]
        site.add("/plain", "text/html", plain_page(gateway))
        site.add("/socketio", "text/html", socketio_page(gateway))
        site.add("/polling", "text/html", socketio_page(gateway, 'transports: ["polling"],'))
        site.add("/websocket", "text/html", socketio_page(gateway, 'transports: ["websocket"],'))
        yield suite
    finally:
        suite.close()


@pytest.fixture
def bank(suite):
    return Bank(suite)


class Page:
    """A page of the site, with a token behind its address."""

    def __init__(self, browser, url):
        self.browser = browser
        browser.open("about:blank")  # the page before this one is gone, with its connections
        browser.open(url)

    def shown(self, what):
        return self.browser.run(f"[...document.querySelectorAll('#{what} li')].map((li) => li.textContent)")

    def events(self):
        return [int(sequence) for sequence in self.shown("events")]

    def wait_for_hello(self):
        """What happens from then on comes."""
        wait_until(lambda: self.browser.run("ledger"), 20, "hello")

    def wait_for(self, what, count):
        wait_until(lambda: len(self.shown(what)) >= count, 30, f"{count} {what}")
        return self.shown(what)

    def wait_for_events(self, wanted):
        """These, and no other."""
        wait_until(lambda: len(self.events()) >= len(wanted), 30, f"{len(wanted)} events")
        assert self.events() == wanted


@pytest.fixture
def visit(chromium, site, suite):
    return lambda path, token, origin=site.origin: Page(chromium, f"{origin}{path}#token={token}")


# ---- a plain WebSocket ----

def test_a_page_shows_a_payment_and_its_delivery(bank, visit):
    ann, bob = bank.new(), bank.new()
    page = visit("/plain", bank.token(ann))
    page.wait_for_hello()
    paid = bank.pay(ann, 3)
    bank.pay(bob)
    page.wait_for_events(paid)
    deliveries = page.wait_for("deliveries", 3)
    assert sorted(deliveries) == [f"{sequence:016d} email delivered" for sequence in paid]
    assert page.events() == paid


def test_a_page_from_elsewhere_is_refused(suite, bank, chromium, site, visit):
    ann = bank.new()
    page = visit("/plain", bank.token(ann), site.other_origin)
    wait_until(lambda: page.browser.run("closes.length"), 15, "the refusal")
    bank.pay(ann)
    assert page.browser.run("[opened, closes[0]]") == [0, 1006]
    assert any("403" in line for line in chromium.heard("console"))
    assert page.events() == [] and not suite.redis("EXISTS", f"presence:{ann}")


def test_a_page_with_a_bad_token_is_closed_with_4401(bank, visit):
    page = visit("/plain", bank.short_token(bank.new(), -60))
    wait_until(lambda: page.browser.run("closes.length"), 15, "the close")
    assert page.browser.run("[opened, closes[0]]") == [1, 4401]
    assert page.events() == []


def test_a_page_misses_nothing_while_its_gateway_is_killed(suite, bank, visit):
    ann = bank.new()
    page = visit("/plain", bank.token(ann))
    page.wait_for_hello()
    paid = []
    for _ in range(2):
        paid += bank.pay(ann, 3)
        page.wait_for_events(paid)
        suite.kill("gateway")
        paid += bank.pay(ann, 3)
        suite.start("gateway")
        page.wait_for_events(paid)
    assert set(page.browser.run("closes")) == {1006}


def test_a_page_is_told_of_a_restart_and_comes_back(suite, bank, visit):
    ann = bank.new()
    page = visit("/plain", bank.token(ann))
    page.wait_for_hello()
    suite.stop("gateway")
    wait_until(lambda: page.browser.run("closes.length"), 15, "the close")
    assert page.browser.run("closes[0]") == 1012
    paid = bank.pay(ann, 2)
    suite.start("gateway")
    page.wait_for_events(paid)


# ---- socket.io-client ----

@pytest.mark.parametrize("path", ["/socketio", "/polling", "/websocket"])
def test_socketio_in_a_page_shows_a_payment_and_its_delivery(bank, visit, path):
    ann, bob = bank.new(), bank.new()
    page = visit(path, bank.token(ann))
    page.wait_for("hellos", 1)
    assert page.shown("connects") == ["false"]
    paid = bank.pay(ann, 3)
    bank.pay(bob)
    page.wait_for_events(paid)
    deliveries = page.wait_for("deliveries", 3)
    assert sorted(deliveries) == [f"{sequence:016d} email delivered" for sequence in paid]
    assert page.events() == paid and page.shown("reloads") == ["all"]


def test_socketio_goes_from_polling_to_a_websocket(bank, chromium, visit):
    ann = bank.new()
    page = visit("/socketio", bank.token(ann))
    paid = []
    page.wait_for("hellos", 1)
    while page.browser.run("socket.io.engine.transport.name") != "websocket":
        paid += bank.pay(ann)
    paid += bank.pay(ann)
    page.wait_for_events(paid)
    first = [url for _, url in chromium.heard("request") if "/socket.io/" in url]
    assert "transport=polling" in first[0] and "sid=" not in first[0]
    upgrade, = chromium.heard("socket")
    assert "transport=websocket" in upgrade and "sid=" in upgrade


def test_socketio_that_only_polls_opens_no_websocket(bank, chromium, visit):
    ann = bank.new()
    page = visit("/polling", bank.token(ann))
    page.wait_for("hellos", 1)
    page.wait_for_events(bank.pay(ann, 2))
    assert chromium.heard("socket") == []
    assert page.browser.run("socket.io.engine.transport.name") == "polling"


@pytest.mark.parametrize("path", ["/polling", "/websocket"])
def test_socketio_from_elsewhere_is_refused(suite, bank, site, visit, path):
    ann = bank.new()
    page = visit(path, bank.token(ann), site.other_origin)
    page.wait_for("errors", 1)
    bank.pay(ann)
    assert page.shown("connects") == [] and page.events() == [] and not suite.redis("EXISTS", f"presence:{ann}")


@pytest.mark.parametrize("path", ["/polling", "/websocket"])
def test_socketio_with_a_bad_token_is_a_connect_error(bank, visit, path):
    page = visit(path, bank.short_token(bank.new(), -60))
    message, = page.wait_for("errors", 1)
    assert "token" in message and message.endswith('{"code":"token"}]')
    assert page.shown("connects") == []


def test_socketio_marks_what_was_seen_and_renews_its_token(bank, visit):
    ann = bank.new()
    page = visit("/socketio", bank.token(ann))
    page.wait_for("hellos", 1)
    paid = bank.pay(ann, 3)
    page.wait_for_events(paid)
    assert page.browser.run(f'markSeen("{paid[1]:016d}")') == {"ok": True}
    assert page.browser.run("renew()") == {"ok": True}
    wait_until(lambda: visit("/websocket", bank.token(ann)).wait_for("hellos", 1) == ["1"], 20, "one unread event")


@pytest.mark.parametrize("path", ["/socketio", "/polling"])
def test_socketio_recovers_what_happened_while_the_gateway_was_dead(suite, bank, visit, path):
    ann = bank.new()
    page = visit(path, bank.token(ann))
    page.wait_for("hellos", 1)
    paid = []
    for kills in range(1, 3):
        paid += bank.pay(ann, 2)
        page.wait_for_events(paid)
        suite.kill("gateway")
        paid += bank.pay(ann, 3)
        suite.start("gateway")
        page.wait_for_events(paid)
        assert page.shown("connects") == ["false"] + ["true"] * kills
    assert page.shown("reloads") == ["all"], "a recovery needs no list read anew"


@pytest.mark.parametrize("path", ["/polling", "/websocket"])
def test_socketio_is_told_of_a_restart_and_comes_back(suite, bank, visit, path):
    ann = bank.new()
    page = visit(path, bank.token(ann))
    page.wait_for("hellos", 1)
    suite.stop("gateway")
    assert page.wait_for("restarts", 1) == ["0"]
    paid = bank.pay(ann, 2)
    suite.start("gateway")
    page.wait_for_events(paid)
    assert page.shown("connects") == ["false", "true"]
