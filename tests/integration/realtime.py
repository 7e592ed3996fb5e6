"""What the tests of the gateway share: an installation without workers, and sessions that look the same whatever they speak."""
import contextlib
import itertools
import json
import time

from engineio import TRANSPORTS, Client, ConnectError
from harness import Suite
from websocket import Closed, WebSocket, token

WAYS = ["plain", *TRANSPORTS]
NUMBERS = itertools.count(1)


@contextlib.contextmanager
def running(*gateways, **settings):
    """Redis, a backend, and a gateway of each name; who pays and who hears of it, and no workers."""
    suite = Suite(**{"GATEWAY_RESTART_SPREAD": "0s", **settings})
    try:
        suite.start_redis()
        suite.start("backend")
        for name in gateways:
            suite.start("gateway", as_name=name)
        yield suite
        suite.check()
    finally:
        suite.close()


def new_user(suite):
    """A user that no other test knows."""
    user = f"user{next(NUMBERS)}"
    suite.add_user(user, devices=0)
    return user


def token_of(suite, user, seconds=600, **claims):
    return token(suite.settings["JWT_SECRET"], user, seconds, **claims)


def pay(suite, user, count=1, description=None):
    for _ in range(count):
        answer = suite.pay(None, user, "1.00", description=description)
        assert answer.status == 201, answer


def sequences(suite, user):
    """All that the ledger has for the user."""
    found, after = [], 0
    while True:
        answer = suite.api("GET", f"/users/{user}/events?limit=200&after={after}")
        assert answer.status == 200, answer
        page = [int(event["sequence"]) for event in answer.json["events"]]
        if not page:
            return found
        found += page
        after = page[-1]


def publish_delivery(suite, user, sequence=1):
    """As a worker does."""
    suite.redis("PUBLISH", "deliveries", json.dumps({
        "event_id": "evt_01KF8E0AW000000012T9V6Q3NX", "sequence": f"{sequence:016d}", "user_id": user, "channel": "push",
        "attempt": 1, "status": "delivered", "final": True, "provider": "fcm", "started_us": int(time.time() * 1e6),
        "took_us": 1840, "worker": "test-push"}))


class Refused(Exception):
    """Not let in; .why is a close code, what a CONNECT_ERROR said, or the frame that came in place of hello."""

    def __init__(self, why):
        super().__init__(f"refused: {why}")
        self.why = why


class Plain:
    """A session of the plain protocol. next(): ("event", event), ("delivery", record), ("restart", frame), ("end", close code)."""

    def __init__(self, address, shown, query="", first_frame=False, **options):
        protocols = ["paybell.v1"] + ([f"token.{shown}"] if shown and not first_frame else [])
        self.socket = WebSocket(address, "/ws" + query, protocols, **options)
        self.kept = []
        if first_frame:
            self.socket.send({"type": "auth", "token": shown})
        try:
            self.hello = self.socket.receive()
        except Closed as closed:
            self.close()
            raise Refused(closed.code) from None
        if self.hello["type"] != "hello":
            self.close()
            raise Refused(self.hello)

    def _read(self):
        try:
            frame = self.socket.receive()
        except Closed as closed:
            return ("end", closed.code)
        kind = frame["type"]
        return (kind, frame.get(kind, frame))

    def next(self):
        return self.kept.pop(0) if self.kept else self._read()

    def settle(self):
        """All that comes before the answer to what is asked now."""
        self.socket.send({"type": "ping"})
        while not self.kept or self.kept[-1][0] not in ("pong", "end"):
            self.kept.append(self._read())
        came, self.kept = self.kept, []
        return came[:-1] if came[-1][0] == "pong" else came

    def renew(self, shown):
        """None, or why not."""
        self.socket.send({"type": "auth", "token": shown})
        came = self.settle()
        self.kept = came
        return came[-1][1] if came and came[-1][0] == "end" else None

    def close(self):
        self.socket.close()


class Socketio:
    """The same over Socket.IO; the end is "disconnect", or the close code of a WebSocket (None without)."""

    def __init__(self, way, address, shown, pid=None, offset=None, **options):
        transport = TRANSPORTS[way](address, **options)
        auth = {"token": shown, **({"pid": pid} if pid else {}), **({"offset": offset} if offset else {})}
        try:
            self.client = Client(transport, **auth)
        except ConnectError as refused:
            transport.close()
            raise Refused(refused.said) from None
        self.pid = self.client.pid
        self.recovered = self.pid == pid
        self.hello = self.client.event("hello")[0]

    @staticmethod
    def _plainly(said):
        if said[0] != "event":
            return ("end", said[1] if said[0] == "close" else "disconnect")
        return ("event" if said[1] == "transaction" else said[1], said[2][0])

    def next(self):
        return self._plainly(self.client.next())

    def settle(self):
        self.client.ask("nothing")
        came, self.client.kept = self.client.kept, []
        return [self._plainly(said) for said in came]

    def renew(self, shown):
        answer = self.client.ask("auth", shown)
        return None if answer == {"ok": True} else answer["detail"]

    def close(self):
        self.client.close()


def connect(suite, way, shown, to="gateway", **options):
    address = suite.addresses[to]["ws"]
    return Plain(address, shown, **options) if way == "plain" else Socketio(way, address, shown, **options)


def events(session, count):
    """The sequences of the next events; delivery statuses come when they like."""
    found = []
    while len(found) < count:
        kind, value = session.next()
        if kind != "delivery":
            assert kind == "event", (kind, value)
            found.append(int(value["sequence"]))
    return found


def end_of(session):
    """How it ended; nothing but delivery statuses and events may come before."""
    while True:
        kind, value = session.next()
        if kind == "end":
            return value
        assert kind in ("event", "delivery"), (kind, value)
