"""Many hands on the same few Engine.IO sessions, each doing anything at any moment, on several threads and while it stops."""
import json
import os
import random
import signal
import socket
import struct
import threading

import pytest

import realtime
from engineio import PATH, SEPARATOR, Http, Polling, Socket
from harness import wait_until
from realtime import WAYS, Refused, connect, events, new_user, pay, token_of
from websocket import Closed

HANDS, DEEDS = 4, 100
SEED = int(os.environ.get("SEED", "7"))
SAID = ["3", '421["nothing"]', "41", "1", '40{"token":"x"}', '42["seen","1"]', '451-["x",{"_placeholder":true,"num":0}]', "bAAAA", "6",
        "40/other,", "42"]


@pytest.fixture(scope="module")
def shared():
    with realtime.running("other", GATEWAY_THREADS=4, GATEWAY_MESSAGES_MAX=0, GATEWAY_QUEUE_MAX=16384, GATEWAY_AUTH_TIMEOUT="2s",
                          GATEWAY_HANDSHAKE_TIMEOUT="60s") as suite:
        yield suite


class Hand:
    """Does DEEDS things to sessions that the others do things to as well."""

    def __init__(self, suite, number, users, sids):
        self.suite, self.users, self.sids = suite, users, sids
        self.address = suite.addresses["gateway"]["ws"]
        self.random = random.Random(SEED * 100 + number)
        self.done = 0
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        deeds = [self.begin, self.begin, self.poll, self.poll, self.leave, self.post, self.post, self.probe, self.connect, self.rubbish]
        while self.done < DEEDS:
            self.done += 1
            try:
                self.random.choice(deeds)()
            except (OSError, Closed, Refused, ValueError):
                pass  # the others did something to it meanwhile, or it has gone

    def sid(self):
        return self.random.choice(self.sids)

    def path(self):
        return f"{PATH}?EIO=4&transport=polling&sid={self.sid()}"

    def begin(self):
        polling = Polling(self.address)
        if self.random.random() < 0.8:
            polling.post("40" + json.dumps({"token": token_of(self.suite, self.random.choice(self.users), self.random.choice([2, 600]))}))
        self.sids.append(polling.sid)
        del self.sids[:-20]
        polling.close()

    def poll(self):
        http = Http(self.address, timeout=0.2)
        http.ask("GET", self.path())
        http.close()

    def leave(self):
        http = Http(self.address)
        if self.random.random() < 0.5:  # with a reset
            http.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        http.send("GET", self.random.choice([self.path(), f"{PATH}?EIO=4&transport=polling"])).close()

    def post(self):
        said = [self.random.choice(SAID) for _ in range(self.random.randrange(1, 4))]
        http = Http(self.address, timeout=1)
        http.ask("POST", self.path(), SEPARATOR.join(said).encode())
        http.close()

    def probe(self):
        over = Socket(self.address, sid=self.sid(), timeout=0.5)
        over.put("2probe")
        over.raw()
        if self.random.random() < 0.5:
            over.put("5")
            over.put(self.random.choice(SAID + [b"bytes"]))
            over.raw()
        over.close()

    def connect(self):
        way = self.random.choice(WAYS)
        shown = token_of(self.suite, self.random.choice(self.users), self.random.choice([1, 600]))
        connect(self.suite, way, shown, **({"query": "?after=0", "timeout": 1} if way == "plain" else {})).close()

    def rubbish(self):
        http = Http(self.address, timeout=0.5)
        http.socket.sendall(self.random.choice([b"\0" * 10, b"GET / HTTP/1.1\r\n\r\n", b"POST /socket.io/?EIO=4 HTTP/1.1\r\nHost: x\r\n"]))
        http.answer()
        http.close()


def all_at_once(suite, meanwhile):
    users = [new_user(suite) for _ in range(4)]
    sids = [Polling(suite.addresses["gateway"]["ws"]).sid]
    hands = [Hand(suite, number, users, sids) for number in range(HANDS)]
    for hand in hands:
        hand.thread.start()
    meanwhile(users, hands)
    for hand in hands:
        hand.thread.join()
    assert all(hand.done == DEEDS for hand in hands)
    return users


def test_whatever_they_do_to_each_others_sessions_nobody_else_notices(suite):
    suite.start("gateway")
    good = [connect(suite, way, token_of(suite, new_user(suite))) for way in WAYS]

    def go_on(users, hands):
        while any(hand.thread.is_alive() for hand in hands):
            pay(suite, random.choice(users), 3, description="\u20ac" * 200)
    user = all_at_once(suite, go_on)[0]
    for session in good:
        assert session.settle() == []
        session.close()
    session = connect(suite, "plain", token_of(suite, user))
    pay(suite, user)
    assert len(events(session, 1)) == 1
    session.close()
    suite.stop("gateway")


def test_it_stops_in_the_middle_of_all_that(suite):
    suite.start("gateway", GATEWAY_RESTART_SPREAD="1s")

    def stop(users, hands):
        wait_until(lambda: min(hand.done for hand in hands) > DEEDS // 3, 60, what="that they are at it")
        suite.processes["gateway"].tell(signal.SIGTERM)
        suite.stop("gateway")
    all_at_once(suite, stop)
