"""The gateway and the real socket.io-client, over each of its transports."""
import itertools
import os
import subprocess

import pytest

from harness import ROOT, REPORT, Suite, environment, wait_until
from npm import ANSWER_S, BROWSER, SOCKET_IO, Script, node_path
from websocket import token

CONFORMANCE = os.environ.get("PAYBELL_CONFORMANCE", os.path.join(ROOT, "build", "tests"))
TRANSPORTS = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": ["polling", "websocket"]}
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def modules():
    """What node finds socket.io-client by."""
    return node_path(SOCKET_IO)


class Client(Script):
    """tests/browser/client.js: what its client saw, in order, and what it is told to do."""

    def __init__(self, modules, address, kind="websocket", **auth):
        super().__init__(modules, "client.js", f"http://{address}",
                         {"auth": auth, "transports": TRANSPORTS[kind], "forceNew": True})
        self.asked = 0

    def event(self, name):
        """The next event, which must have this name (delivery statuses come when they like)."""
        while True:
            said, *args = self.next("event")
            if said == name:
                return args
            assert said == "delivery", f"{name} was expected, and {said} {args} came"

    def connected(self, recovered=False):
        got = self.next("connect", skip=("connect_error", "disconnect"))[0]
        assert got is recovered, f"recovered is {got}"
        return self.event("hello")

    def sequences(self, count):
        """Of the next events; each must be its event's own."""
        found = []
        for _ in range(count):
            event, sequence = self.event("transaction")
            assert event["sequence"] == sequence and len(sequence) == 16
            found.append(int(sequence))
        return found

    def _answer(self, *words):
        """What has happened before the answer stays to be looked at."""
        self.asked += 1
        self.tell(words[0], self.asked, *words[1:])
        kept, line = [], None
        while line is None or line[:2] != ["ack", self.asked]:
            kept += [line] if line else []
            line = self.lines.get(timeout=ANSWER_S)
        self.seen += kept
        return line[2]

    def ask(self, *words):
        """The acknowledgement of an event."""
        return self._answer("ask", *words)

    def transport(self):
        return self._answer("transport")

    def is_quiet(self):
        """Has nothing but delivery statuses to say, also once an answer has come."""
        self.ask("nothing")  # behind whatever was told before
        return all(line[:2] == ["event", "delivery"] for line in self.seen)


@pytest.fixture(scope="module")
def shared():
    """No workers: only who pays and who hears of it."""
    suite = Suite(GATEWAY_RESTART_SPREAD="0s")
    try:
        suite.start_redis()
        suite.start("backend")
        suite.start("gateway")
        suite.start("gateway", as_name="other")
        yield suite
    finally:
        suite.close()


class Bank:
    """Users with tokens, and their money."""

    def __init__(self, suite):
        self.suite = suite

    def new(self):
        """A user that no other test knows."""
        user = f"user{next(NUMBERS)}"
        self.suite.add_user(user, devices=0)
        return user

    def token(self, user):
        answer = self.suite.api("POST", f"/users/{user}/tokens")
        assert answer.status in (200, 201), answer
        return answer.json["token"]

    def short_token(self, user, seconds):
        """As the backend signs it, for a shorter time."""
        return token(self.suite.settings["JWT_SECRET"], user, seconds)

    def pay(self, user, count=1):
        """Pays the user so often; the events' sequences."""
        found = []
        for _ in range(count):
            answer = self.suite.pay(None, user, "1.00")
            assert answer.status == 201, answer
            found += [int(event["sequence"]) for event in self.events(user)][-1:]
        return found

    def events(self, user):
        answer = self.suite.api("GET", f"/users/{user}/events?limit=200")
        assert answer.status == 200, answer
        return answer.json["events"]


@pytest.fixture
def bank(suite):
    return Bank(suite)


@pytest.fixture
def connect(modules, suite):
    """Connects clients that are closed when the test is over."""
    clients = []

    def new(kind="websocket", to="gateway", **auth):
        clients.append(Client(modules, suite.addresses[to]["ws"], kind, **auth))
        return clients[-1]
    yield new
    for client in clients:
        client.close()


def restart(suite, name="gateway"):
    suite.kill(name)
    suite.start(name)


@pytest.mark.parametrize("kind", TRANSPORTS)
def test_the_conformance_server_passes_what_socketio_client_asks_of_it(modules, kind):
    server = os.path.join(CONFORMANCE, "conformance-socketio")
    if not os.path.exists(server):
        pytest.skip("there is no conformance-socketio: make conformance")
    with subprocess.Popen([server, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
                          text=True) as process:
        try:
            address = process.stdout.readline().strip()
            done = subprocess.run(["node", os.path.join(BROWSER, "echo.js"), f"http://{address}", kind],
                                  env={**environment(), "NODE_PATH": modules}, capture_output=True, timeout=120,
                                  check=False)
        finally:
            process.terminate()
        fault = process.stderr.read()
        assert process.wait(10) == 0 and not REPORT.search(fault), fault
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("kind", TRANSPORTS)
def test_a_payment_reaches_its_user_and_nobody_else(bank, connect, kind):
    ann, bob = bank.new(), bank.new()
    client, other = connect(kind, token=bank.token(ann)), connect(kind, token=bank.token(bob))
    client.connected()
    other.connected()
    paid = bank.pay(ann, 3)
    assert client.sequences(3) == paid
    assert client.is_quiet() and other.is_quiet()


def test_a_polling_client_goes_over_to_a_websocket_and_misses_nothing(bank, connect):
    ann = bank.new()
    client = connect("upgrade", token=bank.token(ann))
    client.connected()
    paid = []
    while client.transport() != "websocket":
        paid += bank.pay(ann)
    paid += bank.pay(ann)
    assert client.sequences(len(paid)) == paid


@pytest.mark.parametrize("auth", [{}, {"token": "no.to.ken"}, {"token": 7}])
def test_a_bad_token_is_a_connect_error_that_says_so(connect, auth):
    message, data = connect(**auth).next("connect_error")
    assert "token" in message and data == {"code": "token"}


def test_a_refused_client_may_ask_again_with_another_token(bank, connect):
    client = connect(token="no.to.ken")
    client.next("connect_error")
    client.tell("auth", {"token": bank.token(bank.new())})
    client.tell("connect")
    client.connected()


@pytest.mark.parametrize("kind", TRANSPORTS)
def test_what_happened_while_the_gateway_was_dead_comes_first(suite, bank, connect, kind):
    ann = bank.new()
    client = connect(kind, token=bank.token(ann))
    client.connected()
    paid = bank.pay(ann, 2)
    assert client.sequences(2) == paid
    for _ in range(3):
        suite.kill("gateway")
        missed = bank.pay(ann, 2)
        suite.start("gateway")
        assert len(client.connected(recovered=True)) == 1  # no offset with that hello
        assert client.sequences(2) == missed
        live = bank.pay(ann, 1)
        assert client.sequences(1) == live
    assert client.is_quiet()


def test_recovery_works_before_the_first_event_ever_came(suite, bank, connect):
    ann = bank.new()
    client = connect(token=bank.token(ann))
    client.connected()
    for _ in range(3):
        restart(suite)
        client.connected(recovered=True)
    suite.kill("gateway")
    missed = bank.pay(ann, 2)
    suite.start("gateway")
    client.connected(recovered=True)
    assert client.sequences(2) == missed


def test_another_gateway_goes_on_with_the_session(suite, bank, connect):
    """The first one's address is taken over by the second, as a balancer would do it."""
    ann = bank.new()
    client = connect(token=bank.token(ann))
    client.connected()
    paid = bank.pay(ann, 1)
    assert client.sequences(1) == paid
    first, second = suite.addresses["gateway"], suite.addresses["other"]
    suite.kill("gateway")
    suite.kill("other")
    missed = bank.pay(ann, 2)
    suite.addresses.update(gateway=second, other=first)
    suite.start("gateway", as_name="other")
    client.connected(recovered=True)
    assert client.sequences(2) == missed
    suite.start("gateway")


def test_two_gateways_tell_the_same(bank, connect):
    ann = bank.new()
    clients = [connect(to=name, token=bank.token(ann)) for name in ("gateway", "other")]
    for client in clients:
        client.connected()
    paid = bank.pay(ann, 3)
    for client in clients:
        assert client.sequences(3) == paid


@pytest.mark.parametrize("change", ["foreign", "forged"])
def test_a_pid_of_somebody_else_recovers_nothing(bank, connect, change):
    ann, bob = bank.new(), bank.new()
    client = connect(token=bank.token(ann))
    client.connected()
    bank.pay(ann, 1)
    client.sequences(1)
    if change == "foreign":
        client.tell("auth", {"token": bank.token(bob)})
    else:
        client.tell("forge")
    client.tell("drop")
    hello = client.connected(recovered=False)
    assert len(hello) == 2 and hello[0]["sequence"] == hello[1]
    assert client.is_quiet()


def test_a_token_is_renewed_in_place_for_the_same_user_only(bank, connect):
    ann, bob = bank.new(), bank.new()
    client = connect(token=bank.token(ann))
    client.connected()
    assert client.ask("auth", bank.token(ann)) == {"ok": True}
    assert client.ask("auth", {"token": bank.token(ann)}) == {"ok": True}
    assert "another user" in client.ask("auth", bank.token(bob))["detail"]
    assert "token" in client.ask("auth", "no.to.ken")["detail"]
    assert "token" in client.ask("auth")["detail"]
    paid = bank.pay(ann)
    assert client.sequences(1) == paid


def test_what_was_seen_is_read_on_every_connection(bank, connect):
    ann = bank.new()
    client = connect(token=bank.token(ann))
    client.connected()
    paid = bank.pay(ann, 3)
    assert client.sequences(3) == paid
    assert client.ask("seen", f"{paid[1]:016d}") == {"ok": True}
    assert "sequence" in client.ask("seen", 7)["detail"]
    assert client.ask("seen", "9999999999999999")["type"] == "error"

    def unread():
        return connect(token=bank.token(ann)).connected()[0].get("unread")
    wait_until(lambda: unread() == 1, what="one unread event")


def test_a_client_is_disconnected_when_its_token_ends(bank, connect):
    ann = bank.new()
    client, renewed = [connect(token=bank.short_token(ann, 3)) for _ in range(2)]
    client.connected()
    renewed.connected()
    assert renewed.ask("auth", bank.token(ann)) == {"ok": True}
    assert client.next("disconnect") == ["io server disconnect"]
    assert renewed.is_quiet()


def test_an_unknown_event_is_answered_with_an_error(bank, connect):
    client = connect(token=bank.token(bank.new()))
    client.connected()
    assert client.ask("dance", 1)["type"] == "error"


def test_a_stop_tells_its_clients_and_they_come_back_recovered(suite, bank, connect):
    ann = bank.new()
    client = connect(token=bank.token(ann))
    client.connected()
    suite.stop("gateway")
    assert client.event("restart")[0]["retry_ms"] == 0
    missed = bank.pay(ann)
    suite.start("gateway")
    client.connected(recovered=True)
    assert client.sequences(1) == missed


def test_a_user_has_only_so_many_connections(suite, bank, connect):
    suite.stop("other")
    suite.start("gateway", as_name="other", GATEWAY_MAX_OF_USER=1)
    shown = bank.token(bank.new())
    connect(to="other", token=shown).connected()
    message, data = connect(to="other", token=shown).next("connect_error")
    assert "too many" in message and data == {"code": "limit"}
    suite.stop("other")
    suite.start("gateway", as_name="other")
