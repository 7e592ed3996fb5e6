"""Read marks and presence, over the gateway's plain protocol."""
import signal
import time

import pytest

from database import Database
from harness import Suite, wait_until
from websocket import Closed, WebSocket, token

TTL_MS = 5000


@pytest.fixture
def live():
    """Redis, a backend, a gateway; alice has four events."""
    suite = Suite(PRESENCE_TTL=f"{TTL_MS}ms", GATEWAY_RESTART_SPREAD="0s")
    try:
        suite.start_redis()
        suite.start("backend")
        suite.start("gateway")
        for user in ("alice", "bob"):
            suite.add_user(user, devices=0)
        for _ in range(4):
            assert suite.pay(None, "alice", "1.00").status == 201
        yield suite
        suite.check()
    finally:
        suite.close()


def connect(suite, user="alice", query=""):
    """A socket, and what it was told first."""
    secret = suite.settings["JWT_SECRET"]
    ws = WebSocket(suite.addresses["gateway"]["ws"], "/ws" + query,
                   ["paybell.v1", f"token.{token(secret, user)}"])
    return ws, ws.receive_type("hello")


def mark(suite, user="alice"):
    rows = Database(suite.database).rows("SELECT sequence FROM reads WHERE user_id = ?1", user)
    return rows[0][0] if rows else 0


def see(ws, sequence):
    ws.send({"type": "seen", "sequence": f"{sequence:016d}"})


def answers(ws):
    """What it is answered before the pong that is asked for here."""
    ws.send({"type": "ping"})
    frames = []
    while not frames or frames[-1]["type"] != "pong":
        frames.append(ws.receive())
    return frames[:-1]


def wait_for_mark(suite, sequence, user="alice"):
    wait_until(lambda: mark(suite, user) == sequence, 10, f"the mark at {sequence}")


def entries_added(suite):
    told = suite.redis("XINFO", "STREAM", "reads:log")
    return dict(zip(told[::2], told[1::2]))["entries-added"]


def unread(suite, user="alice"):
    ws, hello = connect(suite, user)
    ws.close()
    return hello["unread"]


def test_what_was_seen_is_not_unread_any_more_and_a_mark_never_goes_back(live):
    ws, hello = connect(live)
    assert hello["unread"] == 4
    see(ws, 3)
    wait_for_mark(live, 3)
    assert unread(live) == 1
    other, _ = connect(live)
    see(other, 1)
    assert not answers(other)
    see(ws, 4)
    wait_for_mark(live, 4)
    assert unread(live) == 0
    assert live.pay(None, "alice", "1.00").status == 201
    assert ws.receive_type("event")
    see(ws, 5)
    wait_for_mark(live, 5)
    added = entries_added(live)
    see(other, 2)
    wait_until(lambda: entries_added(live) > added, 10, "the older mark in the stream")
    wait_until(lambda: live.redis("XLEN", "reads:log") == 0, 10, "the marks taken in")
    assert mark(live) == 5 and unread(live) == 0 and unread(live, "bob") == 0
    assert live.pay("alice", "bob", "1.00").status == 201
    assert unread(live) == 1 and unread(live, "bob") == 1
    ws.close()
    other.close()


def test_a_mark_beyond_what_the_session_was_told_is_refused(live):
    ws, _ = connect(live)
    for sequence in (5, 9999999):
        see(ws, sequence)
        assert [a["type"] for a in answers(ws)] == ["error"]
    see(ws, 2)
    assert not answers(ws)
    wait_for_mark(live, 2)
    ws.close()


def test_a_mark_in_the_stream_beyond_the_ledgers_head_is_dropped(live):
    live.redis("XADD", "reads:log", "*", "user", "alice", "s", "99")
    live.redis("XADD", "reads:log", "*", "user", "no user at all", "s", "1")
    live.redis("XADD", "reads:log", "*", "user", "bob", "s", "2")
    wait_for_mark(live, 2, "bob")
    wait_until(lambda: live.redis("XLEN", "reads:log") == 0, 10, "the marks taken in")
    assert Database(live.database).one("SELECT count(*) FROM reads") == 1


def test_marks_wait_while_the_backend_and_redis_are_away(live):
    ws, _ = connect(live)
    live.stop("backend")
    see(ws, 2)
    wait_until(lambda: live.redis("XLEN", "reads:log") == 1, 10, "the mark in the stream")
    live.stop("redis")
    see(ws, 4)
    assert not answers(ws)
    live.start_redis()
    live.start("backend")
    wait_for_mark(live, 4)
    ws.close()


def commands(suite):
    """The gateway's connection to Redis for commands, as Redis sees it."""
    lines = [dict(word.split("=", 1) for word in line.split()) for line in suite.redis("CLIENT", "LIST").splitlines()]
    return next(line for line in lines if line["name"] == "paybell-gateway-commands")


def mark_waits(client):
    """Or it is behind a command of presence that does."""
    return "b" in client["flags"] and (client["cmd"] == "xadd" or int(client["qbuf"]) > 0)


def test_a_mark_that_is_lost_with_its_connection_is_sent_again(live):
    ws, _ = connect(live)
    wait_until(lambda: present(live) == 1, 5, "presence")
    live.redis("CLIENT", "PAUSE", "20000", "WRITE")
    see(ws, 3)
    wait_until(lambda: mark_waits(commands(live)), 5, "the mark waiting")
    live.redis("CLIENT", "KILL", "ID", commands(live)["id"])
    live.redis("CLIENT", "UNPAUSE")
    wait_for_mark(live, 3)
    ws.close()


def present(suite, user="alice"):
    return suite.redis("ZCOUNT", f"presence:{user}", int(time.time() * 1000), "+inf")


def ends_at(suite, user="alice"):
    entries = suite.redis("ZRANGE", f"presence:{user}", 0, -1, "WITHSCORES")
    return int(float(entries[1])) if entries else 0


def test_presence_comes_with_the_first_connection_is_renewed_and_goes_with_the_last(live):
    ws, _ = connect(live)
    wait_until(lambda: present(live) == 1, 5, "presence")
    first = ends_at(live)
    wait_until(lambda: ends_at(live) > first + TTL_MS // 2, 10, "its renewal")
    assert 0 < live.redis("PTTL", "presence:alice") <= TTL_MS
    other, _ = connect(live)
    ws.close()
    bob, _ = connect(live, "bob")
    wait_until(lambda: present(live, "bob") == 1, 5, "bob's presence")
    assert present(live) == 1
    end = ends_at(live)
    other.close()
    wait_until(lambda: present(live) == 0, 5, "the end of presence")
    assert time.time() * 1000 < end, "it has ended by itself"
    assert present(live, "bob") == 1
    bob.close()


def test_presence_comes_back_after_redis_was_wiped(live):
    ws, _ = connect(live)
    wait_until(lambda: present(live) == 1, 5, "presence")
    live.redis("FLUSHALL")
    wait_until(lambda: present(live) == 1, TTL_MS / 1000, "presence again")
    ws.close()


def test_a_gateway_that_stops_takes_its_presence_away_and_a_killed_one_leaves_it_to_its_end(live):
    first, _ = connect(live)
    wait_until(lambda: present(live) == 1, 5, "presence")
    end = ends_at(live)
    live.processes["gateway"].tell(signal.SIGTERM)
    with pytest.raises(Closed) as closed:
        first.receive_type("none")
    assert closed.value.code == 1012
    first.close()
    live.stop("gateway")
    assert live.redis("EXISTS", "presence:alice") == 0
    assert time.time() * 1000 < end, "it has ended by itself"
    live.start("gateway")
    second, _ = connect(live)
    wait_until(lambda: present(live) == 1, 5, "presence")
    live.kill("gateway")
    assert present(live) == 1
    second.close()
    wait_until(lambda: present(live) == 0, TTL_MS / 1000 + 1, "the end of presence")
