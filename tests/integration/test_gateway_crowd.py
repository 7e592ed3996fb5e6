"""The short form of `make bench-gateway`: every client gets every byte that is its own, and nothing else; how fast is not asked here."""
import os
import sys

import pytest

from harness import ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "bench"))

from gateway_parts import all_complete, bare_broadcast, one_broadcast, one_user  # noqa: E402
from gateway_stand import Bare, GatewayBench, Listeners, Records, close_all, record  # noqa: E402

CLIENTS = 200
PATIENCE_S = 15


@pytest.fixture(scope="module")
def gateways():
    """Two of them."""
    bench = GatewayBench()
    try:
        bench.begin_gateways(CLIENTS, 2)
        bench.register(CLIENTS)
        yield bench
    finally:
        bench.close()


@pytest.fixture
def operators(gateways):
    crowd = gateways.listeners(CLIENTS, "--ops")
    try:
        for one in crowd:
            one.wait_open()
        yield crowd
    finally:
        close_all(crowd)


def test_a_broadcast_reaches_every_operator_byte_for_byte(gateways, operators):
    records = Records(gateways.folder)
    for _ in range(3):
        one_broadcast(gateways, operators, records, timeout=PATIENCE_S)
    for one in operators:
        assert one.settled()["bytes"] == 3 * 250 * one.count


def test_a_burst_reaches_every_operator_whole_and_in_order(gateways, operators):
    records = Records(gateways.folder)
    for count in (1, 70, 600):
        one_broadcast(gateways, operators, records, count, PATIENCE_S)
    for one in operators:
        assert one.settled()["bytes"] == 671 * 250 * one.count


def test_each_user_has_its_own_events_once_and_nobody_elses(gateways):
    crowd = gateways.listeners(CLIENTS, "--user", "u")
    try:
        for one in crowd:
            one.wait_open()
        latency = one_user(gateways, crowd, CLIENTS, 100, 2)
        assert len(latency["hops"]["committed to client"]) >= 150
        for one in crowd:
            one.settled()
    finally:
        close_all(crowd)


def test_the_bare_loop_sends_the_same_to_as_many(tmp_path):
    records = Records(tmp_path)
    records.make(2)
    bare = Bare()
    beside = Listeners([bare.address], CLIENTS, "--nobody")
    try:
        beside.wait_open()
        bare_broadcast(bare, beside, records)
        assert beside.settled()["bytes"] == 2 * 250 * CLIENTS
    finally:
        close_all([beside, bare])


def told_apart(tmp_path, sent, expected):
    """Three listeners to a bare loop that sends the one while they expect the other."""
    paths = str(tmp_path / "sent.bin"), str(tmp_path / "expected.bin")
    for path, content in zip(paths, (sent, expected)):
        with open(path, "wb") as out:
            out.write(content)
    bare = Bare()
    beside = Listeners([bare.address], 3, "--nobody")
    try:
        beside.wait_open()
        beside.expect(paths[1])
        bare.round(paths[0])
        try:
            all_complete([beside], 0, timeout=2)
        except AssertionError:
            return None
        return beside.settled()
    finally:
        close_all([beside, bare])


def test_the_listeners_notice_a_wrong_byte(tmp_path):
    """Or the tests above could not fail."""
    _, frame = record(1)
    assert told_apart(tmp_path, frame[:-1] + b"?", frame) is None


def test_the_listeners_notice_a_frame_that_is_missing(tmp_path):
    frames = [record(number)[1] for number in (1, 2, 3)]
    assert told_apart(tmp_path, frames[0] + frames[2], b"".join(frames)) is None


def test_a_ping_among_the_frames_is_not_one_of_them(tmp_path):
    frames, ping = [record(number)[1] for number in (1, 2)], b"\x89\x00"
    assert told_apart(tmp_path, ping + frames[0] + ping + frames[1], b"".join(frames))
