"""The gateway and the ws package of npm, which offers permessage-deflate and looks closely at what it gets."""
import json
import os
import subprocess

import pytest

from harness import REPORT, Suite, environment, wait_until
from npm import BROWSER, WS, Script, node_path
from test_socketio import CONFORMANCE, Bank, restart

ORIGIN = "https://pages.example.com"


@pytest.fixture(scope="module")
def modules():
    """What node finds ws by."""
    return node_path(WS)


@pytest.fixture(scope="module")
def shared():
    """One channel, so that there are delivery statuses."""
    suite = Suite(GATEWAY_RESTART_SPREAD="0s", GATEWAY_ORIGINS=ORIGIN, GATEWAY_AUTH_TIMEOUT="2s", CHANNELS="email")
    try:
        suite.start_redis()
        for name in ("sandbox", "backend", "email", "gateway"):
            suite.start(name)
        yield suite
    finally:
        suite.close()


@pytest.fixture
def bank(suite):
    return Bank(suite)


class Client(Script):
    """tests/browser/ws.js."""

    def opened(self):
        subprotocol, extensions = self.next("open")
        assert extensions == ""
        return subprotocol

    def frame(self, kind):
        """The next frame, which must be of this type (delivery statuses come when they like)."""
        while True:
            said = self.next("frame")[0]
            if said["type"] == kind:
                return said
            assert said["type"] == "delivery", f"{kind} was expected, and {said} came"

    def hello(self):
        assert self.opened() == "paybell.v1"
        return self.frame("hello")

    def say(self, kind, **fields):
        self.tell("send", json.dumps({"type": kind, **fields}))

    def sequences(self, count):
        return [int(self.frame("event")["event"]["sequence"]) for _ in range(count)]

    def closed(self):
        code, _ = self.next("closed", skip=("error",))
        return code

    def is_quiet(self):
        """Has nothing to say but delivery statuses up to the answer to a ping."""
        self.say("ping")
        return self.frame("pong") == {"type": "pong"}


@pytest.fixture
def connect(modules, suite):
    """Connects clients that are closed when the test is over."""
    clients = []

    def new(token=None, query="", **options):
        protocols = ["paybell.v1", f"token.{token}"] if token else ["paybell.v1"]
        clients.append(Client(modules, "ws.js", f"ws://{suite.addresses['gateway']['ws']}/ws{query}", protocols, options))
        return clients[-1]
    yield new
    for client in clients:
        client.close()


def test_ws_gets_back_from_the_conformance_server_what_it_sent(modules):
    server = os.path.join(CONFORMANCE, "conformance-ws")
    if not os.path.exists(server):
        pytest.skip("there is no conformance-ws: make conformance")
    with subprocess.Popen([server, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
                          text=True) as process:
        try:
            address = process.stdout.readline().strip()
            done = subprocess.run(["node", os.path.join(BROWSER, "ws_echo.js"), f"ws://{address}"],
                                  env={**environment(), "NODE_PATH": modules}, capture_output=True, timeout=180, check=False)
        finally:
            process.terminate()
        fault = process.stderr.read()
        assert process.wait(10) == 0 and not REPORT.search(fault), fault
    assert done.returncode == 0, done.stderr.decode()


def test_a_token_among_the_subprotocols_opens_the_connection(bank, connect):
    ann = bank.new()
    before = bank.pay(ann, 2)
    hello = connect(bank.token(ann)).hello()
    assert int(hello["sequence"]) >= before[-1] and hello["ledger"]
    assert hello["unread"] == 2 and not hello.get("resync")


def test_a_token_may_come_as_the_first_frame(bank, connect):
    ann = bank.new()
    client = connect()
    assert client.opened() == "paybell.v1"
    client.say("auth", token=bank.token(ann))
    client.frame("hello")
    paid = bank.pay(ann, 2)
    assert client.sequences(2) == paid


def test_a_user_hears_of_every_payment_in_order_and_of_nobody_elses(bank, connect):
    ann, bob = bank.new(), bank.new()
    client, other = connect(bank.token(ann)), connect(bank.token(bob))
    client.hello()
    other.hello()
    paid = bank.pay(ann, 5)
    assert client.sequences(5) == paid
    assert client.is_quiet() and other.is_quiet()


def test_an_event_is_the_one_of_the_list(bank, connect):
    ann = bank.new()
    client = connect(bank.token(ann))
    client.hello()
    bank.pay(ann)
    assert client.frame("event")["event"] == bank.events(ann)[-1]


def test_a_delivery_is_shown_when_it_was_made(bank, connect):
    ann = bank.new()
    client = connect(bank.token(ann))
    client.hello()
    paid = bank.pay(ann)
    kinds = []
    while not kinds or kinds[-1]["type"] != "delivery" or not kinds[-1]["delivery"].get("final"):
        kinds.append(client.next("frame")[0])
    final = kinds[-1]["delivery"]
    assert final["status"] == "delivered" and final["channel"] == "email" and int(final["sequence"]) == paid[0]


@pytest.mark.parametrize("where", ["subprotocol", "first frame"])
@pytest.mark.parametrize("what", ["no token at all", "signed by somebody else", "ended"])
def test_a_bad_token_is_4401(bank, connect, where, what):
    token = {"no token at all": "no.to.ken", "ended": bank.short_token("ann", -60),
             "signed by somebody else": bank.short_token("ann", 600)[:-6] + "AAAAAA"}[what]
    client = connect(token if where == "subprotocol" else None)
    client.opened()
    if where == "first frame":
        client.say("auth", token=token)
    assert client.closed() == 4401


def test_who_shows_no_token_is_let_go_with_4401(connect):
    client = connect()
    client.opened()
    assert client.closed() == 4401


def test_a_token_is_renewed_in_place_and_another_users_is_4401(bank, connect):
    ann = bank.new()
    client, other = connect(bank.token(ann)), connect(bank.token(ann))
    client.hello()
    other.hello()
    client.say("auth", token=bank.token(ann))
    assert client.is_quiet()
    other.say("auth", token=bank.token(bank.new()))
    assert other.closed() == 4401
    paid = bank.pay(ann)
    assert client.sequences(1) == paid


def test_a_connection_ends_with_its_token_unless_that_was_renewed(bank, connect):
    ann = bank.new()
    client, renewed = [connect(bank.short_token(ann, 3)) for _ in range(2)]
    client.hello()
    renewed.hello()
    renewed.say("auth", token=bank.token(ann))
    assert client.closed() == 4401
    assert renewed.is_quiet()


def test_a_ping_of_the_protocol_is_answered(bank, connect):
    client = connect(bank.token(bank.new()))
    client.hello()
    client.tell("ping", "ü 1")
    assert client.next("pong", skip=("frame",)) == ["ü 1"]


def test_what_was_seen_is_not_unread_any_more(bank, connect):
    ann = bank.new()
    client = connect(bank.token(ann))
    client.hello()
    paid = bank.pay(ann, 3)
    assert client.sequences(3) == paid
    client.say("seen", sequence=f"{paid[1]:016d}")
    wait_until(lambda: connect(bank.token(ann)).hello()["unread"] == 1, what="one unread event")


@pytest.mark.parametrize("said", ["no JSON", "[]", "{}", '{"type":"dance"}', '{"type":"seen"}', '{"type":"seen","sequence":7}'])
def test_a_frame_that_is_not_understood_is_an_error_and_no_end(bank, connect, said):
    client = connect(bank.token(bank.new()))
    client.hello()
    client.tell("send", said)
    assert client.frame("error")["detail"]
    assert client.is_quiet()


def test_a_frame_that_is_too_long_is_1009(bank, connect):
    client = connect(bank.token(bank.new()))
    client.hello()
    client.tell("large", 1 << 20)
    assert client.closed() == 1009


def test_a_binary_frame_is_1003(bank, connect):
    client = connect(bank.token(bank.new()))
    client.hello()
    client.tell("binary", '{"type":"ping"}')
    assert client.closed() == 1003


def test_a_close_is_answered_with_its_code(bank, connect):
    client = connect(bank.token(bank.new()))
    client.hello()
    client.tell("close", 4000, "enough")
    assert client.closed() == 4000


def test_only_pages_of_the_list_may_connect(bank, connect):
    token = bank.token(bank.new())
    connect(token, origin=ORIGIN).hello()
    for origin in ("https://elsewhere.example.com", ORIGIN + ".elsewhere.example.com", ORIGIN[:-1], "null", "http" + ORIGIN[5:]):
        assert connect(token, origin=origin).next("refused") == [403]


def test_a_stop_says_when_to_come_back_and_closes_with_1012(suite, bank, connect):
    ann = bank.new()
    clients = [connect(bank.token(ann)) for _ in range(3)]
    sequence = max(int(client.hello()["sequence"]) for client in clients)
    suite.stop("gateway")
    for client in clients:
        assert client.frame("restart")["retry_ms"] == 0
        assert client.closed() == 1012
    missed = bank.pay(ann, 2)
    suite.start("gateway")
    client = connect(bank.token(ann), f"?after={sequence}")
    client.hello()
    assert client.sequences(2) == missed


def test_after_a_kill_the_missed_events_come_first_without_gap_or_repeat(suite, bank, connect):
    ann, bob = bank.new(), bank.new()
    client = connect(bank.token(ann))
    hello = client.hello()
    after, ledger = int(hello["sequence"]), hello["ledger"]
    for _ in range(3):
        live = bank.pay(ann, 2)
        assert client.sequences(2) == live
        suite.kill("gateway")
        assert client.closed() == 1006
        missed = bank.pay(ann, 3)
        bank.pay(bob)
        suite.start("gateway")
        client = connect(bank.token(ann), f"?after={live[-1]}&ledger={ledger}")
        assert not client.hello().get("resync")
        assert client.sequences(3) == missed
        assert client.is_quiet()
    restart(suite)
    client = connect(bank.token(ann), f"?after={after:016d}&ledger={ledger}")
    client.hello()
    assert client.sequences(15) == [int(event["sequence"]) for event in bank.events(ann)]


def test_another_ledgers_sequence_is_a_resync(bank, connect):
    ann = bank.new()
    bank.pay(ann)
    client = connect(bank.token(ann), "?after=1&ledger=of-another-time")
    assert client.hello()["resync"]
    assert client.is_quiet()
