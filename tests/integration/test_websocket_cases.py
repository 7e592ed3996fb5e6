"""RFC 6455, case by case, against an echo server made of the gateway's own code (`make conformance`).

Every conversation is held in several ways: a frame at a time, all in one segment, one byte at a time, and cut at
random. Each has a connection of its own, and its whole answer up to the end of the connection is judged.
"""
import os
import socket
import struct
import subprocess

import pytest

from handshake_cases import GOOD, PATH_HEAD, REFUSED, accept_of
from harness import REPORT, environment, wait_until
from segments import BINARY, CUTS, TEXT, Raw, all_at_once, answers_in, byte_by_byte, close, frame, frame_by_frame
from test_socketio import CONFORMANCE
from websocket_cases import CASES


class Server:
    def __init__(self, process, address):
        self.process, self.address = process, address
        self.idle = self.descriptors()

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def wait_idle(self):
        wait_until(lambda: self.descriptors() <= self.idle, 10, "all connections to be closed")


@pytest.fixture(scope="module")
def server():
    """Judged at the end: it has kept no connection, ends with 0, and no sanitizer had anything to say."""
    program = os.path.join(CONFORMANCE, "conformance-ws")
    if not os.path.exists(program):
        pytest.skip("there is no conformance-ws: make conformance")
    with subprocess.Popen([program, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
                          text=True) as process:
        found = Server(process, process.stdout.readline().strip())
        try:
            yield found
            found.wait_idle()
        finally:
            process.terminate()
            fault = process.stderr.read()
        assert process.wait(10) == 0 and not REPORT.search(fault), fault


def opened(server):
    raw = Raw(server.address)
    raw.send([PATH_HEAD])
    status, _ = raw.head()
    assert status == 101
    return raw


def fits(wanted, answers):
    """Are these the answers? A pong that a later one makes up for may be missing (section 5.5.3)."""
    at = 0
    for index, (kind, what) in enumerate(wanted):
        got = answers[at] if at < len(answers) else None
        if got and got[0] == kind and (got[1] in what if kind == "close" else got[1] == what):
            at += 1
        elif kind != "pong" or not any(later[0] == "pong" for later in wanted[index + 1:]):
            return False
    return at == len(answers)


def short(answers):
    return [(kind, what[:60] if isinstance(what, bytes) else what) for kind, what in answers]


def named(cases):
    return [pytest.param(*rest, id=f"{section}: {sentence}") for section, sentence, *rest in cases]


@pytest.mark.parametrize("frames, wanted, is_long", named(CASES))
def test_the_server_does_as_the_rfc_says(server, frames, wanted, is_long):
    for cut in [frame_by_frame, CUTS[-1]] if is_long else CUTS:
        with opened(server) as raw:
            raw.send(cut(frames), cut is byte_by_byte)
            answers = answers_in(raw.rest())
        assert fits(wanted, answers), f"{cut.__name__}: {short(answers)}, not {short(wanted)}"


@pytest.mark.parametrize("head, subprotocols", named(GOOD))
def test_a_good_handshake_opens_a_connection(server, head, subprotocols):
    for cut in (all_at_once, byte_by_byte, CUTS[-1]):
        with Raw(server.address) as raw:
            raw.send(cut([head]), cut is byte_by_byte)
            status, fields = raw.head()
            assert status == 101, f"{cut.__name__}: {status}"
            judge_answer(fields, accept_of(head), subprotocols)
            raw.send([frame(TEXT, b"Hello"), close(1000)])
            assert answers_in(raw.rest()) == [("text", b"Hello"), ("close", 1000)]


def judge_answer(fields, accept, subprotocols):
    """Section 4.2.2, point 5: the answer of a server that takes the connection."""
    names = [name for name, _ in fields]
    values = dict(fields)
    assert values["upgrade"].lower() == "websocket"
    assert "upgrade" in [item.strip().lower() for item in values["connection"].split(",")]
    assert values["sec-websocket-accept"] == accept
    assert len(names) == len(set(names)), f"a field twice: {names}"
    assert "sec-websocket-extensions" not in names, "an extension that is not spoken here"
    assert values.get("sec-websocket-protocol") in {None, *subprotocols}, "a subprotocol that was not offered"


@pytest.mark.parametrize("head, statuses, fields", named(REFUSED))
def test_a_bad_handshake_is_refused(server, head, statuses, fields):
    for cut in (all_at_once, byte_by_byte, CUTS[-1]):
        with Raw(server.address) as raw:
            raw.send(cut([head]), cut is byte_by_byte)
            status, got = raw.head()
            assert status in statuses, f"{cut.__name__}: {status}"
            assert not set(fields) - set(got), f"{cut.__name__}: {fields} is not in {got}"
            raw.rest()


def test_frames_may_come_with_the_handshake(server):
    for cut in CUTS:
        with Raw(server.address) as raw:
            raw.send(cut([PATH_HEAD, frame(TEXT, b"a"), frame(BINARY, b"b" * 70000), close(1000)]), cut is byte_by_byte)
            assert raw.head()[0] == 101
            assert answers_in(raw.rest()) == [("text", b"a"), ("binary", b"b" * 70000), ("close", 1000)], cut.__name__


@pytest.mark.parametrize("sent", ["nothing", "half a header", "half a payload", "half a message", "a whole message"])
def test_a_client_that_ends_without_a_close_is_let_go(server, sent):
    said = {"nothing": b"", "half a header": frame(TEXT, b"x" * 300)[:3], "half a payload": frame(TEXT, b"x" * 300)[:100],
            "half a message": frame(TEXT, b"x", fin=False), "a whole message": frame(TEXT, b"x")}[sent]
    with opened(server) as raw:
        raw.send([said])
        raw.socket.shutdown(socket.SHUT_WR)
        answers = answers_in(raw.rest())
    assert [answer for answer in answers if answer[0] != "close"] == ([("text", b"x")] if sent == "a whole message" else [])


def test_half_a_handshake_and_an_end_are_let_go(server):
    for end in range(0, len(PATH_HEAD), 7):
        with Raw(server.address) as raw:
            raw.send([PATH_HEAD[:end]])
            raw.socket.shutdown(socket.SHUT_WR)
            raw.rest()


def test_a_client_that_resets_the_connection_harms_nobody(server):
    with opened(server) as other:
        for said in (b"", frame(TEXT, b"x" * 300)[:100], frame(TEXT, b"x" * 70000)):
            raw = opened(server)
            raw.send([said])
            raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raw.close()
        other.send([frame(TEXT, b"still here"), close(1000)])
        assert answers_in(other.rest()) == [("text", b"still here"), ("close", 1000)]


def test_after_the_close_of_both_the_server_ends_its_side_first_and_waits_for_ours(server):
    server.wait_idle()
    with opened(server) as raw:
        raw.send([close(1000)])
        assert answers_in(raw.rest()) == [("close", 1000)]  # up to the server's end (section 7.1.1), ours is open
        assert server.descriptors() > server.idle, "it was closed whole: what is still under way would be reset"
        raw.send([frame(TEXT, b"too late")])
        raw.socket.shutdown(socket.SHUT_WR)
        server.wait_idle()
