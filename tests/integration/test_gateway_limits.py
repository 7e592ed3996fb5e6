"""Every limit of the gateway, met and exceeded; who keeps within it notices nothing."""
import socket
import threading
import time

import pytest

import realtime
from engineio import PATH, Http, Polling, Socket
from harness import http_call, wait_until
from realtime import WAYS, Refused, connect, end_of, events, new_user, pay, sequences, token_of
from websocket import Closed, WebSocket, dial

QUEUE_MAX = 16384
OF_USER = 3
OF_ADDRESS = 4
IN_ALL = 6
MESSAGES = 20
HEAD_MAX = 8192
LONG = "\u20ac" * 255  # the longest description there is


@pytest.fixture(scope="module")
def shared():
    with realtime.running(GATEWAY_HANDSHAKE_TIMEOUT="1s", GATEWAY_AUTH_TIMEOUT="30s") as suite:
        suite.start("gateway", GATEWAY_QUEUE_MAX=QUEUE_MAX, GATEWAY_MAX_OF_USER=OF_USER, GATEWAY_THREADS=1)
        suite.start("gateway", as_name="of_address", GATEWAY_MAX_OF_ADDRESS=OF_ADDRESS, GATEWAY_LISTEN="127.0.0.1:0")
        suite.start("gateway", as_name="in_all", GATEWAY_MAX_CONNECTIONS=IN_ALL, GATEWAY_PING="1s")
        suite.start("gateway", as_name="calm", GATEWAY_MESSAGES_MAX=MESSAGES, GATEWAY_QUERY_TOKEN="on")
        yield suite


@pytest.fixture
def address(suite):
    return suite.addresses["gateway"]["ws"]


# ---- connections ----

def open_socket(address):
    """None: it was closed at once."""
    try:
        return WebSocket(address, protocols=["paybell.v1"])
    except (Closed, OSError):
        return None


def fill(address, most):
    """As many as are allowed; the next one is closed at once, and when one has gone another may come."""
    held = [open_socket(address) for _ in range(most)]
    assert all(held)
    for _ in range(3):
        assert open_socket(address) is None, f"more than {most}"
    held.pop().close()
    held.append(wait_until(lambda: open_socket(address), what="a place that was left"))
    return held


def test_one_address_has_only_so_many_connections(suite):
    for connection in fill(suite.addresses["of_address"]["ws"], OF_ADDRESS):
        connection.close()


def open_session(address):
    try:
        return Polling(address)
    except (ConnectionError, Closed):
        return None


def test_a_session_of_polls_counts_for_its_address_beside_its_connection(suite):
    address = suite.addresses["of_address"]["ws"]
    held = [open_session(address) for _ in range(OF_ADDRESS // 2)]  # the connection for POSTs comes with the first of them
    assert all(held)
    assert open_session(address) is None
    held[0].down.close()  # the session is still there, and so is its place
    held[0].down = Http(address)
    assert open_session(address) is None
    over = wait_until(lambda: take_over(address, held[0]), what="a connection for its WebSocket")
    over.close()
    held[0].close()
    held[1].close()


def take_over(address, polling):
    try:
        over = Socket(address, sid=polling.sid)
    except (ConnectionError, Closed):
        return None
    over.put("2probe")
    assert over.raw() == "3probe"
    over.put("5")
    return over


def test_there_are_only_so_many_connections_in_all(suite):
    for connection in fill(suite.addresses["in_all"]["ws"], IN_ALL):
        connection.close()


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


@pytest.mark.skipif(not has_ipv6(), reason="there is no IPv6 here")
def test_an_ipv4_address_and_an_ipv6_network_count_for_themselves_on_one_listener(suite):
    suite.start("gateway", as_name="dual", GATEWAY_LISTEN="[::]:0", GATEWAY_MAX_OF_ADDRESS=OF_ADDRESS)
    port = suite.addresses["dual"]["ws"].rsplit(":", 1)[1]
    held = []
    for host in ("127.0.0.1", "[::1]"):
        held += fill(f"{host}:{port}", OF_ADDRESS)
    with socket.socket() as other:  # the whole of 127.0.0.0/8 is this host
        other.bind(("127.0.0.2", 0))
        other.settimeout(20)
        other.connect(("127.0.0.1", int(port)))
        other.sendall(f"GET {PATH}?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert other.recv(100).startswith(b"HTTP/1.1 200")
    for connection in held:
        connection.close()
    suite.stop("dual")


def test_a_user_has_only_so_many_sessions_whatever_they_speak(suite):
    user, other = new_user(suite), new_user(suite)
    held = [connect(suite, way, token_of(suite, user)) for way in WAYS]
    assert len(held) == OF_USER
    for way in WAYS:
        with pytest.raises(Refused) as refused:
            connect(suite, way, token_of(suite, user))
        assert refused.value.why == 1008 if way == "plain" else refused.value.why["data"] == {"code": "limit"}
    held += [connect(suite, "plain", token_of(suite, other))]
    held += [connect(suite, "plain", token_of(suite, "op", scope="ops")) for _ in range(OF_USER + 2)]
    held.pop(0).close()
    wait_until(lambda: comes_in(suite, user), what="a place that was left")
    for session in held:
        session.close()


def comes_in(suite, user):
    try:
        connect(suite, "plain", token_of(suite, user)).close()
        return True
    except Refused:
        return False


# ---- time ----

def lives(connections):
    """How long each of them lives while it says its bytes again and again."""
    began = time.monotonic()
    lasted = {}
    while len(lasted) < len(connections) and time.monotonic() - began < 20:
        for connection, every in connections.items():
            if connection not in lasted and has_ended(connection, every):
                lasted[connection] = time.monotonic() - began
    return [lasted.get(connection, 20) for connection in connections]


def has_ended(connection, every):
    connection.settimeout(0.02)
    try:
        connection.sendall(every)
        return not connection.recv(100)
    except TimeoutError:
        return False
    except OSError:
        return True


def test_what_does_not_become_whole_is_not_waited_for(address):
    heads = [(b"G", b""), (b"GET /ws HTTP/1.1\r\nHost: x\r\nX: ", b"y"), (b"GET /somewhere/e", b"l"), (f"GET {PATH}".encode(), b"x")]
    pollings = [Polling(address) for _ in range(2)]
    posts = [(f"POST {polling.path()} HTTP/1.1\r\nHost: x\r\nContent-Length: 16000\r\n\r\n4".encode(), every)
             for polling, every in zip(pollings, (b"", b"x"))]
    connections = {}
    for said, every in heads + posts:
        connection = dial(address)
        connection.sendall(said)
        connections[connection] = every
    between_two_polls = Http(address)
    assert between_two_polls.ask("GET", f"{PATH}?EIO=4&transport=polling").status == 200
    connections[between_two_polls.socket] = b""
    assert all(0.5 < lasted < 15 for lasted in lives(connections)), connections
    for connection in [*connections, *pollings]:
        connection.close()


# ---- sizes ----

def status_of(address, request):
    connection = Http(address)
    try:
        connection.socket.sendall(request)
    except OSError:
        pass  # it has heard enough
    status = connection.answer().status
    connection.close()
    return status


@pytest.mark.parametrize("path", ["/ws", PATH])
def test_a_head_has_at_most_so_many_bytes(address, path):
    begin = f"GET {path}?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nX: ".encode()
    most = begin + b"y" * (HEAD_MAX - len(begin) - 4) + b"\r\n\r\n"
    assert status_of(address, most) in (200, 426)
    assert status_of(address, most.replace(b"X: ", b"X: y")) == 431
    assert status_of(address, begin + b"y" * 200000) == 431
    assert status_of(address, f"GET {path}?".encode() + b"y" * 9000) == 414
    assert status_of(address, b"G" * 9000) in (400, 414)


def test_a_frame_of_the_plain_protocol_has_at_most_so_many_bytes(suite):
    user = new_user(suite)
    session = connect(suite, "plain", token_of(suite, user))
    session.socket.send(b'{"type":"ping"}' + b" " * (4096 - 15))
    assert session.next()[0] == "pong"
    session.socket.send(b'{"type":"ping"}' + b" " * (4097 - 15))
    assert end_of(session) == 1009
    session.close()


def test_the_length_of_a_frame_is_judged_before_the_rest_of_it_has_come(suite):
    session = connect(suite, "plain", token_of(suite, new_user(suite)))
    session.socket.socket.sendall(bytes([0x81, 0xff]) + (1 << 62).to_bytes(8, "big") + b"mask")
    assert end_of(session) == 1009
    session.close()
    over = Socket(suite.addresses["gateway"]["ws"])
    over.socket.sendall(bytes([0x81, 0xfe]) + (16385).to_bytes(2, "big") + b"mask")
    with pytest.raises(Closed) as closed:
        over.packet()
    assert closed.value.code == 1009
    over.close()


# ---- rate ----

def test_who_says_too_much_in_a_second_is_sent_away_and_who_does_not_is_not(suite):
    user = new_user(suite)
    for kind in ("message", "ping"):
        calm, hasty = (connect(suite, "plain", token_of(suite, user), to="calm") for _ in range(2))
        for _ in range(3 * MESSAGES):
            try:
                hasty.socket.send({"type": "ping"} if kind == "message" else b"", 1 if kind == "message" else 9)
            except OSError:
                break
        while (said := hasty.next())[0] == "pong":
            pass
        assert said == ("end", 1008)
        assert calm.settle() == []
        pay(suite, user)
        assert len(events(calm, 1)) == 1
        calm.close()
        hasty.close()


@pytest.mark.parametrize("way", ["websocket", "polling"])
def test_a_socketio_client_that_says_too_much_in_a_second_is_sent_away(suite, way):
    session = connect(suite, way, token_of(suite, new_user(suite)), to="calm")
    transport = session.client.transport
    said = '42["nothing"]'
    try:
        if way == "polling":
            transport.post(*[said] * (MESSAGES + 5))
        for _ in range(3 * MESSAGES):
            transport.put(said)
    except (OSError, AssertionError, Closed):
        pass  # it was told so meanwhile
    with pytest.raises((Closed, ConnectionError)):
        while True:
            transport.packet()
    session.close()


def test_polls_that_bring_something_are_never_too_many(suite):
    user = new_user(suite)
    session = connect(suite, "polling", token_of(suite, user), to="calm")
    count = 5 * MESSAGES
    paying = threading.Thread(target=pay, args=(suite, user, count))
    paying.start()
    assert len(events(session, count)) == count
    paying.join()
    session.close()


def test_polls_that_bring_nothing_are_counted(suite):
    session = connect(suite, "polling", token_of(suite, new_user(suite)), to="calm")
    over = session.client.probe()  # from here on a poll that has nothing to bring is answered at once
    transport = session.client.transport
    replies = [transport.down.ask("GET", transport.path()) for _ in range(2)]
    assert [reply.body for reply in replies] == ["6", "6"]
    with pytest.raises(ConnectionError) as refused:
        for _ in range(5 * MESSAGES):
            assert transport.get() == ["6"]
    assert str(refused.value).startswith("429")
    over.close()
    session.close()


def test_as_much_as_is_allowed_is_answered_second_after_second(suite):
    session = connect(suite, "plain", token_of(suite, new_user(suite)), to="calm")
    for _ in range(2):
        for _ in range(MESSAGES // 2):
            assert session.settle() == []
        time.sleep(1.05)  # the next second has its own
    session.close()


# ---- a token in the URL ----

def test_a_token_may_come_in_the_url_only_where_a_setting_allows_it(suite):
    user = new_user(suite)
    good, bad = token_of(suite, user), token_of(suite, user, -1)
    session = connect(suite, "plain", None, to="calm", query=f"?token={good}")
    pay(suite, user)
    assert len(events(session, 1)) == 1
    session.close()
    again = connect(suite, "plain", None, to="calm", query=f"?after=0&token={good}")
    assert len(events(again, 1)) == 1
    again.close()
    for to, shown in (("calm", bad), ("gateway", good)):
        with pytest.raises(Refused) as refused:
            connect(suite, "plain", None, to=to, query=f"?token={shown}")
        assert refused.value.why == 4401
    logs = "".join(suite.processes[name].log() for name in ("calm", "gateway"))
    assert good.split(".")[2] not in logs and good.split(".")[1] not in logs


# ---- slow readers ----

def fill_a_slow_one(suite, user, other):
    """So much that a queue of QUEUE_MAX and the kernel's buffers do not hold it; the other one hears each at once."""
    count = 60
    for _ in range(count):
        pay(suite, user, description=LONG)
    assert len(events(other, count)) == count


def too_slow(suite):
    text = http_call(suite.addresses["gateway"]["admin"], "GET", "/metrics").body.decode()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("paybell_gateway_too_slow_total ")))


def test_a_plain_socket_that_does_not_read_is_cut_and_comes_back_to_all_it_missed(suite):
    user = new_user(suite)
    before = too_slow(suite)
    slow = connect(suite, "plain", token_of(suite, user), receive_buffer=2048)
    good = connect(suite, "plain", token_of(suite, user))
    fill_a_slow_one(suite, user, good)
    assert good.settle() == []
    heard = []
    while (said := slow.next())[0] == "event":
        heard.append(int(said[1]["sequence"]))
    assert said == ("end", 1013)
    assert too_slow(suite) == before + 1
    slow.close()
    has = sequences(suite, user)
    assert heard == has[:len(heard)] and len(heard) < len(has)
    back = connect(suite, "plain", token_of(suite, user), query=f"?after={heard[-1]}&ledger={slow.hello['ledger']}")
    assert events(back, len(has) - len(heard)) == has[len(heard):]
    assert back.settle() == []
    back.close()
    good.close()


@pytest.mark.parametrize("way", ["websocket", "polling"])
def test_a_socketio_client_that_does_not_read_is_cut_and_recovers_all_it_missed(suite, way):
    user = new_user(suite)
    before = too_slow(suite)
    options = {"receive_buffer": 2048} if way == "websocket" else {}
    slow = connect(suite, way, token_of(suite, user), **options)
    good = connect(suite, "plain", token_of(suite, user))
    pay(suite, user)
    heard = events(slow, 1)
    events(good, 1)
    fill_a_slow_one(suite, user, good)
    assert too_slow(suite) == before + 1
    try:
        while (said := slow.next())[0] == "event":
            heard.append(int(said[1]["sequence"]))
        assert said == ("end", 1013 if way == "websocket" else None)
    except ConnectionError:
        assert way == "polling"
    slow.close()
    has = sequences(suite, user)
    assert heard == has[:len(heard)] and len(heard) < len(has)
    back = connect(suite, "websocket", token_of(suite, user), pid=slow.pid, offset=f"{heard[-1]:016d}")
    assert back.recovered
    assert events(back, len(has) - len(heard)) == has[len(heard):]
    assert back.settle() == []
    back.close()
    good.close()


def test_who_is_silent_is_asked_and_who_does_not_answer_is_given_up(suite):
    address = suite.addresses["in_all"]["ws"]
    with WebSocket(address, protocols=["paybell.v1", f"token.{token_of(suite, new_user(suite))}"]) as deaf, \
            WebSocket(address, protocols=["paybell.v1", f"token.{token_of(suite, new_user(suite))}"]) as there:
        assert deaf.receive()["type"] == there.receive()["type"] == "hello"
        answering = threading.Thread(target=lambda: there.receive_type("pong"))  # answers pings meanwhile
        answering.start()
        opcodes = []
        with pytest.raises((Closed, ConnectionResetError)):
            while True:
                opcodes.append(deaf.frame()[0])
        assert opcodes == [9], "one ping, and then nothing"
        there.send({"type": "ping"})
        answering.join(10)
        assert not answering.is_alive()
