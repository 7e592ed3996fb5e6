"""What a client missed: from where it says, without a gap and without a repeat, whatever went away meanwhile."""
import base64
import hashlib
import hmac
import itertools
import threading
import time

import pytest

import realtime
from database import Database
from harness import KEYS, Suite, http_call, wait_until
from realtime import WAYS, connect, events, new_user, pay, sequences, token_of
from websocket import WebSocket

OLD_SECRET = "the-secret-before-it-of-the-tests-0123456789"
RESUME_MAX = 5
MANY = 3000


@pytest.fixture(scope="module")
def shared():
    with realtime.running(JWT_OLD_SECRET=OLD_SECRET) as suite:
        suite.start("gateway")
        suite.start("gateway", as_name="other", GATEWAY_THREADS=2)
        suite.start("gateway", as_name="near", GATEWAY_RESUME_MAX=RESUME_MAX)
        suite.start("gateway", as_name="narrow", GATEWAY_QUEUE_MAX=64 << 10)
        yield suite


def head(suite):
    return Database(suite.database).one("SELECT max(sequence) FROM events")


def resume(suite, user, after, ledger=None, to="gateway", **options):
    query = f"?after={after}" + (f"&ledger={ledger}" if ledger else "")
    return connect(suite, "plain", token_of(suite, user), to, query=query, **options)


def hears_the_rest(session, rest):
    assert events(session, len(rest)) == rest
    assert session.settle() == []
    session.close()


def pay_many(suite, user, count):
    done = suite.load("--header", f"Authorization: Bearer {KEYS[0]}", "--header", "Content-Type: application/json",
                      "--body", '{"to":"%s","amount":"1.00","currency":"USD"}' % user, "--count", str(count), "--connections", "64")
    assert done["statuses"] == {"201": count} if "statuses" in done else True, done


# ---- where it begins ----

def test_a_client_goes_on_behind_any_event_that_it_names_in_either_form(suite):
    user = new_user(suite)
    pay(suite, user, 4)
    has = sequences(suite, user)
    for form in ("{}", "{:016d}"):
        hears_the_rest(resume(suite, user, form.format(has[1])), has[2:])
        hears_the_rest(resume(suite, user, form.format(has[-1])), [])
    hears_the_rest(resume(suite, user, 0), has)
    hears_the_rest(connect(suite, "plain", token_of(suite, user), query="?after="), [])


def test_the_first_frame_says_where_it_begins_too(suite):
    user = new_user(suite)
    pay(suite, user, 3)
    has = sequences(suite, user)
    for query, frame, rest in (("", {"after": str(has[0])}, has[1:]), (f"?after={has[1]}", {}, has[2:]),
                               (f"?after={has[0]}", {"after": f"{has[1]:016d}"}, has[2:])):
        socket = WebSocket(suite.addresses["gateway"]["ws"], "/ws" + query, ["paybell.v1"])
        socket.send({"type": "auth", "token": token_of(suite, user), **frame})
        assert socket.receive()["type"] == "hello"
        assert [int(socket.receive()["event"]["sequence"]) for _ in rest] == rest
        socket.send({"type": "ping"})
        assert socket.receive()["type"] == "pong"
        socket.close()


@pytest.mark.parametrize("query", ["after=x", "after=-1", "after=1.5", "after=1e3", "after=0x10", "after=+1", "after=%201", "after=1%20",
                                   "after=99999999999999999", "after=1%00", "after=%zz", "after=" + "1" * 100, "ledger=" + "x" * 64])
def test_a_place_that_is_none_is_refused(suite, query):
    with pytest.raises(ConnectionError) as refused:
        connect(suite, "plain", token_of(suite, "ann"), query="?" + query)
    assert " 400 " in str(refused.value)


def test_a_place_that_is_none_in_the_first_frame_is_an_error_and_no_session(suite):
    socket = WebSocket(suite.addresses["gateway"]["ws"], protocols=["paybell.v1"])
    for after in ("x", "-1", "99999999999999999", 7):
        socket.send({"type": "auth", "token": token_of(suite, "ann"), "after": after})
        assert socket.receive()["type"] == "error"
    socket.close()


def test_who_is_ahead_of_the_ledger_or_of_another_one_is_told_to_read_anew(suite):
    user = new_user(suite)
    pay(suite, user, 2)
    has = sequences(suite, user)
    own = connect(suite, "plain", token_of(suite, user)).hello["ledger"]
    for after, ledger in ((head(suite) + 1, own), (9999999999999999, None), (has[0], "another"), (has[0], own[:-1]), (0, "x" * 63)):
        session = resume(suite, user, after, ledger)
        assert session.hello["resync"] is True and session.hello["list"] == f"/users/{user}/events"
        assert int(session.hello["sequence"]) == head(suite) and session.hello["ledger"] == own
        pay(suite, user)
        hears_the_rest(session, sequences(suite, user)[-1:])
    everybody = connect(suite, "plain", token_of(suite, "ops", scope="ops"), query="?after=9999999999999999")
    assert everybody.hello["resync"] is True and everybody.hello["list"] == "/transactions"
    session = resume(suite, user, has[0], own)
    assert "resync" not in session.hello and "list" not in session.hello
    hears_the_rest(session, sequences(suite, user)[1:])


@pytest.mark.parametrize("way", WAYS)
def test_who_is_too_far_behind_is_told_where_the_list_is_and_hears_what_comes(suite, way):
    user = new_user(suite)
    first = connect(suite, way, token_of(suite, user), to="near")
    first.close()
    pay(suite, user, RESUME_MAX)
    rest = sequences(suite, user)
    at = head(suite) - RESUME_MAX
    place = {"query": f"?after={at}"} if way == "plain" else {"pid": first.pid, "offset": f"{at:016d}"}
    within = connect(suite, way, token_of(suite, user), to="near", **place)
    assert "resync" not in within.hello and within.hello["unread"] == RESUME_MAX
    hears_the_rest(within, rest)
    pay(suite, user)
    beyond = connect(suite, way, token_of(suite, user), to="near", **place)
    assert beyond.hello["resync"] is True and int(beyond.hello["sequence"]) == head(suite)
    assert way == "plain" or not beyond.recovered
    pay(suite, user)
    hears_the_rest(beyond, sequences(suite, user)[-1:])


@pytest.mark.parametrize("way", WAYS)
def test_the_first_event_ever_comes_to_who_was_away(suite, way):
    user = new_user(suite)
    first = connect(suite, way, token_of(suite, user))
    first.close()
    pay(suite, user)
    place = {"query": f"?after={first.hello['sequence']}&ledger={first.hello['ledger']}"} if way == "plain" else {"pid": first.pid}
    hears_the_rest(connect(suite, way, token_of(suite, user), to="other", **place), sequences(suite, user))


# ---- pids ----

def sign(secret, text):
    digest = hmac.new(secret.encode(), b"paybell pid 1\n" + text.encode(), hashlib.sha256).digest()
    return text + "~" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def test_a_pid_is_good_for_its_user_and_its_ledger_alone_and_for_both_secrets(suite):
    ann, bob = new_user(suite), new_user(suite)
    secret = suite.settings["JWT_SECRET"]
    session = connect(suite, "websocket", token_of(suite, ann))
    session.close()
    pay(suite, ann, 2)
    rest = sequences(suite, ann)
    user, ledger, first, signature = session.pid.split("~")
    assert (user, ledger, first) == (ann, session.hello["ledger"], session.hello["sequence"])
    text = f"{user}~{ledger}~{first}"
    assert sign(secret, text) == session.pid
    for pid in (session.pid, sign(OLD_SECRET, text)):
        again = connect(suite, "websocket", token_of(suite, ann), pid=pid)
        assert again.recovered
        hears_the_rest(again, rest)
    ops = token_of(suite, "op", scope="ops")
    for shown, pid in ((token_of(suite, bob), session.pid), (ops, session.pid), (token_of(suite, ann), sign(secret, f"{bob}~{ledger}~{first}")),
                       (token_of(suite, ann), sign(secret, f"*~{ledger}~{first}")), (token_of(suite, ann), sign(secret, f"{user}~another~{first}")),
                       (token_of(suite, ann), sign("x" * 32, text)), (token_of(suite, ann), text + "~"), (token_of(suite, ann), text),
                       (token_of(suite, ann), f"{user}~{ledger}~0~{signature}"), (token_of(suite, ann), session.pid + "A"),
                       (token_of(suite, ann), sign(secret, f"{user}~{ledger}~x")), (token_of(suite, ann), sign(secret, f"{user}~{ledger}")),
                       (token_of(suite, ann), sign(secret, f"{'u' * 65}~{ledger}~{first}")), (token_of(suite, ann), "~" * 300)):
        other = connect(suite, "websocket", shown, pid=pid, offset=first)
        assert not other.recovered and other.pid != session.pid
        hears_the_rest(other, [])


@pytest.mark.parametrize("offset", ["x", "-1", "99999999999999999", "1" * 70, "9999999999999999"])
def test_an_offset_that_is_none_recovers_nothing(suite, offset):
    user = new_user(suite)
    session = connect(suite, "websocket", token_of(suite, user))
    session.close()
    pay(suite, user)
    again = connect(suite, "websocket", token_of(suite, user), pid=session.pid, offset=offset)
    assert not again.recovered
    hears_the_rest(again, [])


def test_an_operators_session_is_recovered_too(suite):
    ann, bob = new_user(suite), new_user(suite)
    ops = token_of(suite, "op", scope="ops")
    session = connect(suite, "websocket", ops)
    session.close()
    pay(suite, ann, 2)
    pay(suite, bob)
    again = connect(suite, "polling", ops, pid=session.pid)
    assert again.recovered
    hears_the_rest(again, sequences(suite, ann) + sequences(suite, bob))


def test_a_session_is_recovered_again_and_again_on_any_gateway_over_anything(suite):
    user = new_user(suite)
    session = connect(suite, "polling", token_of(suite, user))
    pid, heard = session.pid, []
    gateways = itertools.cycle(["gateway", "other", "narrow"])
    for number, way in zip(range(12), itertools.cycle(["websocket", "polling"])):
        session.close()
        pay(suite, user, number % 3)
        to = next(gateways)
        if number in (4, 9):
            suite.kill(to)
            suite.start("gateway", as_name=to, **({"GATEWAY_QUEUE_MAX": 64 << 10} if to == "narrow" else {}))
        session = connect(suite, way, token_of(suite, user), to, pid=pid, **({"offset": f"{heard[-1]:016d}"} if heard else {}))
        assert session.recovered
        heard += events(session, number % 3)
        pay(suite, user, number % 2)
        heard += events(session, number % 2)
    assert session.settle() == []
    session.close()
    assert heard == sequences(suite, user)


# ---- a long absence ----

@pytest.fixture(scope="module")
def absent(shared):
    """A user with many events, and a pid of before them."""
    user = new_user(shared)
    session = connect(shared, "websocket", token_of(shared, user))
    session.close()
    pay_many(shared, user, MANY)
    assert Database(shared.database).one("SELECT count(*) FROM events WHERE user_id = ?1", user) == MANY
    return user, session


def test_thousands_of_missed_events_and_those_that_come_meanwhile_come_once_and_in_order(suite, absent):
    user, before = absent
    more = 60
    at = head(suite)
    paying = threading.Thread(target=pay, args=(suite, user, more))
    sessions = [connect(suite, way, token_of(suite, user), to,
                        **({"query": f"?after={before.hello['sequence']}"} if way == "plain" else {"pid": before.pid}))
                for way, to in zip(WAYS, ("gateway", "other", "gateway"))]
    paying.start()
    heard = [[] for _ in sessions]

    def hear(index):
        heard[index] = events(sessions[index], MANY + more)
    hearing = [threading.Thread(target=hear, args=(index,)) for index in range(len(sessions))]
    for thread in hearing:
        thread.start()
    for thread in [paying, *hearing]:
        thread.join()
    rows = Database(suite.database).rows("SELECT sequence FROM events WHERE user_id = ?1 ORDER BY sequence", user)
    assert len(rows) == MANY + more and head(suite) >= at + more
    for session, sequence in zip(sessions, heard):
        assert sequence == [row[0] for row in rows]
        assert session.settle() == []
        session.close()


def test_who_takes_what_it_missed_slowly_is_read_for_slowly_and_not_cut(suite, absent):
    user, _ = absent
    has = [row[0] for row in Database(suite.database).rows("SELECT sequence FROM events WHERE user_id = ?1 ORDER BY sequence", user)]
    rest = has[-600:]
    session = resume(suite, user, has[-601], to="narrow", receive_buffer=4096)  # some 300 KB behind, and 64 KB may wait
    time.sleep(1.5)  # nothing is read here: what would wait for it by now is more than its queue
    pay(suite, user)
    assert events(session, 300) == rest[:300]
    time.sleep(0.5)
    assert events(session, 301) == rest[300:] + sequences_after(suite, user, rest[-1])
    assert session.settle() == []
    session.close()


def sequences_after(suite, user, after):
    return [row[0] for row in Database(suite.database).rows("SELECT sequence FROM events WHERE user_id = ?1 AND sequence > ?2", user, after)]


# ---- what is away ----

def ready(suite):
    return http_call(suite.addresses["gateway"]["admin"], "GET", "/readyz").status == 200


def test_a_gateway_waits_for_its_database_and_then_works():
    suite = Suite(GATEWAY_RESTART_SPREAD="0s")
    try:
        suite.start_redis()
        suite.start("gateway", wait="up")
        assert not ready(suite)
        assert http_call(suite.addresses["gateway"]["admin"], "GET", "/healthz").status == 200
        early = WebSocket(suite.addresses["gateway"]["ws"], "/ws?after=0", ["paybell.v1", f"token.{token_of(suite, 'ann')}"])
        suite.start("backend")
        suite.processes["gateway"].wait_working()
        assert ready(suite)
        suite.add_user("ann", devices=0)
        pay(suite, "ann", 2)
        assert early.receive()["type"] == "hello"
        assert [early.receive_type("event")["event"]["sequence"] for _ in range(2)] == [f"{n:016d}" for n in (1, 2)]
        early.close()
        suite.check()
    finally:
        suite.close()


def test_nothing_is_missed_while_redis_is_away_or_wiped():
    with realtime.running() as suite:
        suite.add_user("ann", devices=0)
        pay(suite, "ann")
        suite.kill("redis")
        suite.start("gateway", wait="up")  # it begins without Redis, and lets its clients in
        assert not ready(suite)
        sessions = [connect(suite, way, token_of(suite, "ann")) for way in WAYS]
        paid = 1

        def all_hear(count):
            nonlocal paid
            for session in sessions:
                assert events(session, count) == list(range(paid + 1, paid + count + 1))
            paid += count
        pay(suite, "ann", 3)
        suite.start_redis()
        suite.processes["gateway"].wait_working()
        pay(suite, "ann")
        all_hear(4)
        suite.kill("redis")
        pay(suite, "ann", 2)
        wait_until(lambda: not ready(suite), what="that it is not ready")
        late = connect(suite, "websocket", token_of(suite, "ann"))  # who comes meanwhile begins here
        pay(suite, "ann", 2)
        suite.start_redis()
        assert events(late, 2) == [paid + 3, paid + 4]
        all_hear(4)
        suite.redis("FLUSHALL")
        pay(suite, "ann", 3)
        all_hear(3)
        suite.redis("CLIENT", "KILL", "TYPE", "pubsub")
        pay(suite, "ann", 3)
        all_hear(3)
        assert events(late, 6) == list(range(paid - 5, paid + 1))
        for session in [*sessions, late]:
            assert session.settle() == []
            session.close()
