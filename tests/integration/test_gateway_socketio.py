"""Engine.IO and Socket.IO at their corners, by a client that does what the real one never would."""
import base64
import json
import os
import socket
import struct
import subprocess
import threading
import time

import pytest

import realtime
from engineio import PATH, TRANSPORTS, Client, ConnectError, Http, Polling, Socket
from harness import environment, http_call, wait_until
from realtime import new_user, pay, sequences, token_of
from test_socketio import CONFORMANCE
from websocket import Closed

THREADS = 4
MAX_PAYLOAD = 16384
UNKNOWN_SID = "00" + "ab" * 10


@pytest.fixture(scope="module")
def shared():
    with realtime.running(GATEWAY_THREADS=THREADS, GATEWAY_MESSAGES_MAX=0) as suite:
        suite.start("gateway")
        yield suite


@pytest.fixture
def address(suite):
    return suite.addresses["gateway"]["ws"]


def client_of(suite, kind, user=None, seconds=600):
    """A client that has connected and was greeted, and its user."""
    user = user or new_user(suite)
    client = Client(TRANSPORTS[kind](suite.addresses["gateway"]["ws"]), token=token_of(suite, user, seconds))
    client.event("hello")
    return client, user


def is_over(transport):
    """Nothing more comes of it: it says so, or knows the session no more."""
    try:
        while True:
            transport.packet()
    except (Closed, ConnectionError):
        return True


def connections(suite):
    text = http_call(suite.addresses["gateway"]["admin"], "GET", "/metrics").body.decode()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("paybell_gateway_connections ")))


# ---- the request ----

def test_the_open_packet_says_what_holds(address):
    for transport, upgrades in ((Polling(address), ["websocket"]), (Socket(address), [])):
        sid = transport.opened.pop("sid")
        assert len(sid) == 22 and int(sid[:2], 16) < THREADS and int(sid, 16)
        assert transport.opened == {"upgrades": upgrades, "pingInterval": 25000, "pingTimeout": 20000,
                                    "maxPayload": MAX_PAYLOAD}
        transport.close()


@pytest.mark.parametrize("method, query, code", [
    ("GET", "transport=polling", 5), ("GET", "EIO=3&transport=polling", 5), ("GET", "EIO=44&transport=polling", 5),
    ("GET", "EIO=%34&transport=poll", 0), ("GET", "EIO=4", 0), ("GET", "EIO=4&transport=tube", 0),
    ("POST", "EIO=4&transport=polling", 2), ("DELETE", "EIO=4&transport=polling", 2),
    ("GET", f"EIO=4&transport=polling&sid={UNKNOWN_SID}", 1), ("POST", f"EIO=4&transport=polling&sid={UNKNOWN_SID}", 1),
    ("GET", "EIO=4&transport=polling&sid=", 1), ("GET", "EIO=4&transport=polling&sid=" + "0" * 63, 1),
    ("GET", f"EIO=4&transport=polling&sid=03{UNKNOWN_SID}", 1), ("GET", "EIO=4&transport=polling&sid=zz", 1),
    ("GET", "EIO=4&transport=polling&sid=ff" + "0" * 20, 1),
])
def test_a_request_that_is_not_right_is_told_why(address, method, query, code):
    http = Http(address)
    reply = http.ask(method, f"{PATH}?{query}", b"" if method == "POST" else None)
    assert reply.status == 400 and json.loads(reply.body)["code"] == code, reply
    assert reply.fields["connection"] == "close"
    http.close()


def test_a_method_that_a_session_does_not_know_is_refused(address):
    polling = Polling(address)
    http = Http(address)
    reply = http.ask("PUT", polling.path(), b"2")
    assert reply.status == 400 and json.loads(reply.body)["code"] == 2
    http.close()
    polling.close()


def test_a_head_and_a_body_may_come_a_byte_at_a_time(suite):
    client, _ = client_of(suite, "polling")
    body = '421["nothing","\u00e4\u20ac\U0001f600"]'.encode()
    request = f"POST {client.transport.path()} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    http = Http(client.transport.address)
    http.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for at in range(len(request)):
        http.socket.sendall(request[at:at + 1])
    assert http.answer().body == "ok"
    assert client.next()[:2] == ("ack", 1)
    http.close()
    client.close()


def test_requests_that_come_together_are_answered_one_after_the_other(suite):
    client, _ = client_of(suite, "polling")
    path = client.transport.path()
    post = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\n421[\"nothing\"]".encode()
    get = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    http = Http(client.transport.address)
    http.socket.sendall(post + get + post + get)
    assert [http.answer().body[:2] for _ in range(4)] == ["ok", "43", "ok", "43"]
    http.close()
    client.close()


def test_a_request_that_comes_while_a_poll_waits_is_answered_after_it(suite):
    client, user = client_of(suite, "polling")
    get = f"GET {client.transport.path()} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    http = Http(client.transport.address)
    http.socket.sendall(get + get)
    for _ in range(2):
        pay(suite, user)
        assert http.answer().body.startswith('42["transaction"')
    http.close()
    client.close()


@pytest.mark.parametrize("version, field", [("1.1", "Connection: close"), ("1.0", "X: y")])
def test_a_connection_ends_behind_its_answer_when_the_client_wants_it_so(suite, version, field):
    client, user = client_of(suite, "polling")
    pay(suite, user)
    path = client.transport.path()
    for request, answer in ((f"POST {path} HTTP/{version}\r\nHost: x\r\n{field}\r\nContent-Length: 1\r\n\r\n3", "ok"),
                            (f"GET {path} HTTP/{version}\r\nHost: x\r\n{field}\r\n\r\n", '42["transaction"')):
        http = Http(client.transport.address)
        http.socket.sendall(request.encode())
        reply = http.answer()
        assert reply.body.startswith(answer) and reply.fields["connection"] == "close"
        assert http.file.read(1) == b""
        http.close()
    client.close()


def test_a_connection_of_polls_may_be_asked_for_something_else(address):
    http = Http(address)
    assert http.ask("GET", f"{PATH}?EIO=4&transport=polling").status == 200
    assert http.ask("GET", "/nothing/here?EIO=4&transport=polling").status == 404
    http.close()


# ---- what a poll carries ----

def test_several_packets_of_one_post_are_taken_in_order(suite):
    client, user = client_of(suite, "polling")
    reply = client.transport.post('421["nothing"]', "3", '422["seen","x"]', '42["nothing"]', '429007199254740["nothing"]')
    assert (reply.status, reply.body) == (200, "ok")
    assert [client.next()[1] for _ in range(3)] == [1, 2, 9007199254740]
    pay(suite, user)
    assert client.event("transaction")
    client.close()


def test_a_post_has_at_most_what_the_open_packet_said(suite):
    client, _ = client_of(suite, "polling")
    http = Http(client.transport.address)
    http.socket.sendall(f"POST {client.transport.path()} HTTP/1.1\r\nHost: x\r\nContent-Length: {MAX_PAYLOAD + 1}\r\n\r\n".encode())
    reply = http.answer()  # and nothing of the body was waited for
    assert reply.status == 413 and reply.fields["connection"] == "close"
    http.close()
    frame = '421["nothing","%s"]'
    reply = client.transport.post(frame % ("x" * (MAX_PAYLOAD - len(frame) + 2)))
    assert (reply.status, reply.body) == (200, "ok")
    assert client.next()[:2] == ("ack", 1)
    client.close()


def test_a_message_over_a_websocket_has_at_most_what_the_open_packet_said(suite):
    client, _ = client_of(suite, "websocket")
    frame = '421["nothing","%s"]'
    client.transport.put(frame % ("x" * (MAX_PAYLOAD - len(frame) + 2)))
    assert client.next()[:2] == ("ack", 1)
    client.transport.put(frame % ("x" * (MAX_PAYLOAD - len(frame) + 3)))
    assert client.next() == ("close", 1009)
    client.close()


@pytest.mark.parametrize("head, status", [("Transfer-Encoding: chunked", 400), ("X: y", 400), ("Content-Length: 0", 400),
                                          ("Content-Length: 99999999999999999999", 400)])
def test_a_post_must_say_how_long_it_is(address, head, status):
    polling = Polling(address)
    http = Http(address)
    http.socket.sendall(f"POST {polling.path()} HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode())
    assert http.answer().status == status
    http.close()
    polling.close()


def test_a_post_that_is_broken_off_ends_its_session(suite):
    client, _ = client_of(suite, "polling")
    http = Http(client.transport.address)
    http.socket.sendall(f"POST {client.transport.path()} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n421".encode())
    http.close()
    assert is_over(client.transport)
    client.close()


def test_two_polls_at_once_end_their_session(suite):
    client, _ = client_of(suite, "polling")
    transport = client.transport
    transport.down.send("GET", transport.path())
    wait_until(lambda: transport.up.ask("POST", transport.path(), b"3").body == "ok", what="the first poll")
    other = Http(transport.address)
    assert other.ask("GET", transport.path()).status == 400
    assert transport.down.answer().body == "1"
    reply = transport.up.ask("POST", transport.path(), b"3")
    assert reply.status == 400 and json.loads(reply.body)["code"] == 1
    other.close()
    client.close()


@pytest.mark.parametrize("kind", TRANSPORTS)
def test_a_close_packet_ends_the_session(suite, kind):
    client, user = client_of(suite, kind)
    wait_until(lambda: suite.redis("EXISTS", f"presence:{user}"), what="presence")
    client.transport.put("1")
    wait_until(lambda: not suite.redis("EXISTS", f"presence:{user}"), what="its end")
    assert is_over(client.transport)
    client.close()


# ---- from one transport to the other ----

def test_what_waits_for_a_poll_goes_over_to_the_websocket_in_order_and_once(suite):
    client, user = client_of(suite, "polling")
    old = Http(client.transport.address)
    path = client.transport.path()
    pay(suite, user, 3)
    over = client.probe()
    pay(suite, user, 2)
    client.go_over(over)
    pay(suite, user, 3)
    assert [int(client.event("transaction")[1]) for _ in range(8)] == sequences(suite, user)
    assert client.ask("nothing")["type"] == "error" and not client.kept
    assert old.ask("GET", path).status == 400  # the polls' part is over
    client.close()
    old.close()


def test_many_sessions_go_over_while_events_come(suite):
    user = new_user(suite)
    clients = [client_of(suite, "polling", user)[0] for _ in range(12)]
    paying = threading.Thread(target=pay, args=(suite, user, 40))
    paying.start()
    heard = []
    for client in clients:
        heard.append([int(client.event("transaction")[1]) for _ in range(2)])
        client.go_over()
    paying.join()
    has = sequences(suite, user)
    for client, first in zip(clients, heard):
        assert first + [int(client.event("transaction")[1]) for _ in range(38)] == has
        client.close()


def test_a_poll_that_waits_is_let_go_when_a_websocket_tries_itself_out(suite):
    client, user = client_of(suite, "polling")
    transport = client.transport
    transport.down.send("GET", transport.path())
    over = client.probe()
    assert transport.down.answer().body == "6"
    # One that was on its way then is not left waiting either: the real client goes over when it is back.
    began = time.monotonic()
    assert transport.get() == ["6"]
    assert time.monotonic() - began < 10
    client.go_over(over)
    pay(suite, user)
    assert client.event("transaction")
    client.close()


def test_a_websocket_that_does_not_take_over_leaves_the_polls_alone(suite):
    client, user = client_of(suite, "polling")
    client.probe().close()
    wrong = Socket(client.transport.address, sid=client.transport.sid)
    wrong.put("2nothing")
    assert is_over(wrong)
    wrong.close()
    first = client.probe()
    with pytest.raises(ConnectionError):
        Socket(client.transport.address, sid=client.transport.sid)
    with pytest.raises(ConnectionError):
        Socket(client.transport.address, sid=UNKNOWN_SID)
    first.close()
    pay(suite, user)
    assert client.event("transaction")
    client.go_over()
    with pytest.raises(ConnectionError):
        Socket(client.transport.address, sid=client.transport.sid)
    pay(suite, user)
    assert client.event("transaction")
    client.close()


# ---- Socket.IO ----

@pytest.mark.parametrize("kind", TRANSPORTS)
def test_other_namespaces_are_refused_and_the_main_one_may_be_asked_for_after_it(suite, kind):
    user = new_user(suite)
    transport = TRANSPORTS[kind](suite.addresses["gateway"]["ws"])
    transport.put("40/admin," + json.dumps({"token": token_of(suite, user)}))
    assert transport.packet() == '44/admin,{"message":"Invalid namespace"}'
    with pytest.raises(ConnectError) as refused:
        Client(transport, token="nothing")
    assert refused.value.said["data"] == {"code": "token"}
    client = Client(transport, token=token_of(suite, user))
    assert client.event("hello")[0]["unread"] == 0
    client.close()


@pytest.mark.parametrize("kind", TRANSPORTS)
def test_who_leaves_the_namespace_hears_nothing_and_may_come_again(suite, kind):
    client, user = client_of(suite, kind)
    client.transport.put("41")
    wait_until(lambda: not suite.redis("EXISTS", f"presence:{user}"), what="the end of its presence")
    pay(suite, user)
    again = Client(client.transport, token=token_of(suite, user))
    assert again.event("hello")[0]["unread"] == 1
    pay(suite, user)
    assert int(again.event("transaction")[1]) == sequences(suite, user)[-1]
    again.close()


FORBIDDEN = ["9", "4", "47", "42", "42[", "42[]", '42["nothing"', "42{}", '42[null]', '42[{}]', '42["connect"', '420x["nothing"]',
             "40", '40{"token":"x"}', "4", '42/admin,["nothing"]', "41/admin,", '44{"message":"x"}',
             '45-["nothing"]', '4517-["nothing"]', '4599999999999-["nothing"]',
             '451-["nothing",{"_placeholder":true,"num":7}]',
             '42/' + "x" * 100 + ',["nothing"]', "0{}", "2", "2probe", "5", "6x", "bAA", "b*"]


@pytest.mark.parametrize("kind", TRANSPORTS)
def test_what_the_protocol_forbids_ends_the_session(suite, kind):
    user = new_user(suite)
    for packet in FORBIDDEN:
        client, _ = client_of(suite, kind, user)
        if kind == "polling":
            client.transport.post(packet)
        else:
            client.transport.put(packet)
        assert is_over(client.transport), packet
        client.close()
    suite.check()


@pytest.mark.parametrize("kind", TRANSPORTS)
def test_before_it_has_connected_a_client_says_nothing(suite, kind):
    for packet in ('42["nothing"]', '421["auth","x"]', "41", "43[]"):
        transport = TRANSPORTS[kind](suite.addresses["gateway"]["ws"])
        transport.put(packet)
        assert is_over(transport), packet
        transport.close()


def attach(transport, *parts):
    """A packet and its attachments, bytes, as this transport carries them."""
    if transport.kind == "websocket":
        for each in parts:
            transport.put(each)
        return
    transport.post(*["b" + base64.b64encode(each).decode() if isinstance(each, bytes) else each for each in parts])


PLACEHOLDERS = '["nothing",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]'


@pytest.mark.parametrize("kind", TRANSPORTS)
def test_an_event_is_taken_when_all_its_attachments_are_there(suite, kind):
    client, user = client_of(suite, kind)
    attach(client.transport, f"452-1{PLACEHOLDERS}", bytes(range(256)), b"")
    assert client.next()[:2] == ("ack", 1)
    attach(client.transport, f"452-2{PLACEHOLDERS}", b"one")
    pay(suite, user)
    assert client.event("transaction")  # goes on while the other is waited for
    attach(client.transport, b"two")
    assert client.next()[:2] == ("ack", 2)
    client.close()


@pytest.mark.parametrize("kind", TRANSPORTS)
@pytest.mark.parametrize("parts", [(b"nothing waits for it",), (f"451-{PLACEHOLDERS}",), (f"452-{PLACEHOLDERS}", '42["nothing"]'),
                                   (f"452-{PLACEHOLDERS}", b"1", b"2", b"3"), (f"452-{PLACEHOLDERS}", b"x" * 9000, b"x" * 3000)])
def test_attachments_that_are_too_many_too_few_or_too_large_end_the_session(suite, kind, parts):
    client, _ = client_of(suite, kind)
    try:
        attach(client.transport, *parts)
        if parts[-1] == b"x" * 3000:  # each is within a payload, and together they are too much
            attach(client.transport, f"452-{PLACEHOLDERS}", b"x" * 9000)
            attach(client.transport, b"x" * 9000)
    except OSError:
        pass  # it was cut before all of it was said
    assert is_over(client.transport)
    client.close()


# ---- threads ----

def test_polls_of_one_session_arrive_over_any_connection(suite):
    client, user = client_of(suite, "polling")
    transport = client.transport
    for _ in range(30):  # the kernel gives each to one of the threads
        transport.down.close()
        transport.up.close()
        transport.down, transport.up = Http(transport.address), Http(transport.address)
        assert client.ask("nothing")["type"] == "error"
        pay(suite, user)
        assert int(client.event("transaction")[1])
    for _ in range(6):
        over = client.probe()
        over.close()
    client.go_over()
    pay(suite, user)
    assert int(client.event("transaction")[1]) == sequences(suite, user)[-1]
    client.close()


def test_clients_that_reset_at_any_moment_harm_nobody(suite, address):
    good, user = client_of(suite, "websocket")
    before = connections(suite)
    host, port = address.rsplit(":", 1)
    path = f"{PATH}?EIO=4&transport="
    upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    for number in range(150):
        polling = Polling(address) if number % 3 == 0 else None
        sid = f"&sid={polling.sid}" if polling else ""
        requests = [f"GET {path}polling{sid} HTTP/1.1\r\nHost: x\r\n\r\n",
                    f"GET {path}websocket{sid} HTTP/1.1\r\nHost: x\r\n{upgrade}\r\n",
                    f"POST {path}polling{sid} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n40",
                    f"GET /ws HTTP/1.1\r\nHost: x\r\n{upgrade}\r\n", "GET /x HTTP/1.1\r\nHost: x\r\n\r\n"]
        with socket.create_connection((host, int(port))) as hostile:
            hostile.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            hostile.sendall(requests[number % len(requests)].encode())
        if polling:
            polling.close()
    pay(suite, user)
    assert good.event("transaction")
    wait_until(lambda: connections(suite) <= before, 15, "their end")
    good.close()


# ---- last words ----

def test_the_next_poll_after_the_token_has_ended_says_so(suite):
    client, user = client_of(suite, "polling", seconds=4)
    pay(suite, user)
    wait_until(lambda: suite.redis("EXISTS", f"presence:{user}"), what="presence")
    wait_until(lambda: not suite.redis("EXISTS", f"presence:{user}"), what="the end of its token")
    packets = client.transport.get()
    assert packets[0].startswith('42["transaction"') and packets[1:] == ["41", "1"]
    reply = client.transport.up.ask("GET", client.transport.path())
    assert reply.status == 400 and json.loads(reply.body)["code"] == 1
    client.close()


# ---- the beat: the conformance server's is a short one ----

@pytest.fixture(scope="module")
def beating():
    server = subprocess.Popen([os.path.join(CONFORMANCE, "conformance-engineio"), "--port", "0"],
                              env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    address = server.stdout.readline().split()[-1]
    yield address
    server.terminate()
    said = server.communicate(timeout=20)[0]
    assert server.returncode == 0, said


def test_the_server_pings_and_who_does_not_answer_is_gone(beating, monkeypatch):
    monkeypatch.setattr("engineio.PATH", "/engine.io/")
    lively = Socket(beating)
    for _ in range(4):
        assert lively.raw() == "2"
        lively.put("3")
    lively.put("4still here")
    assert lively.packet() == "4still here"
    quiet = Socket(beating)
    began = time.monotonic()
    assert quiet.raw() == "2" and 0.2 < time.monotonic() - began < 10
    with pytest.raises(Closed):
        while True:
            quiet.raw()
    assert time.monotonic() - began < 20
    for transport in (quiet, lively):
        transport.close()


def test_a_session_of_polls_beats_too(beating, monkeypatch):
    monkeypatch.setattr("engineio.PATH", "/engine.io/")
    polling = Polling(beating)
    for _ in range(3):
        assert polling.get() == ["2"]
        polling.put("3")
    assert polling.get() == ["2"]
    with pytest.raises(ConnectionError):
        while True:
            assert polling.get() in (["1"], ["6"])
    polling.close()


def test_binary_messages_come_back_as_they_were_over_both(beating, monkeypatch):
    monkeypatch.setattr("engineio.PATH", "/engine.io/")
    polling, over = Polling(beating), Socket(beating)
    polling.post("bAQIDBA==", "4text", "bAQ==")
    got = polling.waiting
    while len(got) < 3:
        got += [packet for packet in polling.get() if packet != "2"]
    assert got == ["bAQIDBA==", "4text", "bAQ=="]
    over.put(bytes(range(200)))
    assert over.packet() == bytes(range(200))
    for transport in (polling, over):
        transport.close()
