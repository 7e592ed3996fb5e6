"""A gateway that stops: everybody is told, nobody comes back at the same moment, nothing is missed, and it ends."""
import os
import signal
import socket
import threading
import time

import pytest

import realtime
from engineio import PATH, Polling
from harness import wait_until
from realtime import WAYS, Refused, connect, events, new_user, pay, sequences, token_of
from websocket import dial

SPREAD_S = 2
OF_EACH = 6


@pytest.fixture(scope="module")
def shared():
    with realtime.running("other") as suite:
        yield suite


@pytest.fixture
def live(suite):
    """With a gateway that each test stops."""
    suite.start("gateway", GATEWAY_RESTART_SPREAD=f"{SPREAD_S}s", GATEWAY_THREADS=2)
    yield suite
    if "gateway" in suite.processes:
        suite.kill("gateway")


class Leaving:
    """A session while its gateway stops: what it was told, and when it ended."""

    def __init__(self, suite, way):
        self.user = new_user(suite)
        self.way = way
        self.session = connect(suite, way, token_of(suite, self.user))
        self.heard, self.retry_ms, self.end, self.ended_s = [], None, None, None
        self.thread = threading.Thread(target=self._hear)

    def _hear(self):
        while self.end is None:
            kind, value = self.session.next()
            if kind == "event":
                self.heard.append(int(value["sequence"]))
            elif kind == "restart":
                self.retry_ms = value["retry_ms"]
            elif kind == "end":
                self.end, self.ended_s = (value,), time.monotonic()
                self.session.close()


def is_refused(suite):
    """Nobody new is let in, one way or the other."""
    try:
        connect(suite, "plain", token_of(suite, "ann"), timeout=2).close()
    except (OSError, Refused):
        return True
    return False


def test_a_stop_tells_everybody_lets_them_go_one_by_one_and_leaves_nothing(live):
    leaving = [Leaving(live, way) for way in WAYS for _ in range(OF_EACH)]
    for one in leaving:
        wait_until(lambda one=one: live.redis("EXISTS", f"presence:{one.user}"), what="presence")
        one.thread.start()
    began = time.monotonic()
    process = live.processes["gateway"]
    process.tell(signal.SIGTERM)
    wait_until(lambda: is_refused(live), what="that nobody is let in")
    for one in leaving:
        pay(live, one.user)
    for one in leaving:
        one.thread.join(30)
        assert one.end is not None and 0 <= one.retry_ms <= SPREAD_S * 1000, one.way
    live.stop("gateway")
    assert time.monotonic() - began < SPREAD_S + 10
    for one in leaving:
        assert live.redis("EXISTS", f"presence:{one.user}") == 0
    assert {one.end for one in leaving if one.way == "plain"} == {(1012,)}
    assert "disconnect" not in {one.end[0] for one in leaving}  # which the real client takes for the last word
    delays = [one.retry_ms for one in leaving]
    assert len(set(delays)) > OF_EACH and max(delays) - min(delays) > SPREAD_S * 300
    lasted = sorted(one.ended_s - began for one in leaving if one.way != "plain")
    assert lasted[-1] < SPREAD_S + 8 and lasted[-1] - lasted[0] > SPREAD_S * 0.3
    for one in leaving:  # and each of them goes on where it was
        if one.way == "plain":
            place = {"query": f"?after={one.session.hello['sequence']}"}
        else:
            place = {"pid": one.session.pid, **({"offset": f"{one.heard[-1]:016d}"} if one.heard else {})}
        back = connect(live, one.way, token_of(live, one.user), to="other", **place)
        rest = sequences(live, one.user)
        if one.way != "plain":
            assert back.recovered
            rest = rest[len(one.heard):]
        assert events(back, len(rest)) == rest
        back.close()


def test_who_polls_no_more_when_it_stops_finds_its_last_words(live):
    user = new_user(live)
    session = connect(live, "polling", token_of(live, user))
    witness = connect(live, "plain", token_of(live, user))
    pay(live, user)
    events(witness, 1)
    witness.close()
    live.processes["gateway"].tell(signal.SIGTERM)
    path, http = session.client.transport.path(), session.client.transport.down
    wait_until(lambda: is_refused(live), what="that nobody is let in")
    said = []
    while not said or said[-1] != "1":
        reply = http.ask("GET", path)
        assert reply.status == 200, reply
        said += reply.body.split("\x1e")
    assert {packet.split(",")[0] for packet in said[:-1]} == {'42["transaction"', '42["restart"'} and len(said) == 3
    live.stop("gateway")
    session.close()


def test_clients_that_do_not_go_do_not_hold_up_the_stop(live):
    address = live.addresses["gateway"]["ws"]
    user = new_user(live)
    held = [connect(live, way, token_of(live, user)) for way in WAYS]
    held.append(connect(live, "plain", token_of(live, user), receive_buffer=2048))
    for said in (b"", b"G", f"GET {PATH}?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n".encode()):
        held.append(dial(address))
        held[-1].sendall(said)
    not_connected = Polling(address)
    for _ in range(60):
        pay(live, user, description="\u20ac" * 255)
    began = time.monotonic()
    live.processes["gateway"].tell(signal.SIGTERM)
    not_connected.up.send("POST", not_connected.path(), ('40{"token":"%s"}' % token_of(live, user)).encode())
    live.stop("gateway")
    assert time.monotonic() - began < SPREAD_S + 12
    for each in [*held, not_connected]:
        each.close()


def test_the_next_one_may_listen_there_while_the_old_one_lets_its_clients_go(live):
    user = new_user(live)
    clients = [connect(live, "websocket", token_of(live, user)) for _ in range(8)]
    old = live.processes.pop("gateway")
    old.tell(signal.SIGTERM)
    wait_until(lambda: is_refused(live), what="that nobody is let in")
    assert old.alive()
    live.start("gateway", as_name="next", GATEWAY_LISTEN=live.addresses["gateway"]["ws"])
    session = connect(live, "plain", token_of(live, user), to="next")
    pay(live, user)
    assert len(events(session, 1)) == 1
    session.close()
    for client in clients:
        client.close()
    assert old.end() == 0
    live.ended.append(old)
    live.stop("next")


def ask_over(path):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(path)
        connection.sendall(f"GET {PATH}?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return connection.recv(100)


def test_a_socket_file_is_the_next_ones_when_the_old_one_has_ended(suite):
    path = os.path.join(suite.folder, "live.sock")
    suite.start("gateway", as_name="old", GATEWAY_LISTEN=f"unix:{path}")
    with socket.socket(socket.AF_UNIX) as held:  # keeps the old one until this end is closed
        held.connect(path)
        held.sendall(WEBSOCKET_REQUEST)
        assert held.recv(100).startswith(b"HTTP/1.1 101")
        suite.processes["old"].tell(signal.SIGTERM)
        wait_until(lambda: not answers(path), what="that it takes no more")
        suite.start("gateway", as_name="next", GATEWAY_LISTEN=f"unix:{path}")
        assert suite.processes["old"].alive()
    suite.stop("old")
    assert ask_over(path).startswith(b"HTTP/1.1 200")
    suite.stop("next")
    assert not os.path.exists(path)


def answers(path):
    try:
        return bool(ask_over(path))
    except OSError:
        return False


WEBSOCKET_REQUEST = (b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                     b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
