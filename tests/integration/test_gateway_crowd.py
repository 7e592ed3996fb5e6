"""The short form of `make bench-gateway`: every client gets every byte that is its own, and nothing else; how fast is not asked here."""
import os
import sys

import pytest

from harness import ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "bench"))

from gateway_parts import all_complete, bare_broadcast, one_broadcast, one_user  # noqa: E402
from gateway_stand import Bare, GatewayBench, Listeners, Records, close_all, record  # noqa: E402

CLIENTS = 200


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
        one_broadcast(gateways, operators, records)
    for one in operators:
        assert one.settled()["bytes"] == 3 * 250 * one.count


def test_a_burst_reaches_every_operator_whole_and_in_order(gateways, operators):
    records = Records(gateways.folder)
    for count in (1, 70, 600):
        one_broadcast(gateways, operators, records, count)
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


def test_the_listeners_notice_a_wrong_byte(tmp_path):
    """Or the tests above could not fail."""
    sent, expected = str(tmp_path / "sent.bin"), str(tmp_path / "expected.bin")
    _, frame = record(1)
    for path, last in ((sent, b"}"), (expected, b"?")):
        with open(path, "wb") as out:
            out.write(frame[:-1] + last)
    bare = Bare()
    beside = Listeners([bare.address], 3, "--nobody")
    try:
        beside.wait_open()
        beside.expect(expected)
        bare.round(sent)
        with pytest.raises(AssertionError):
            all_complete([beside], 0, timeout=1)
        assert beside.report()["complete"] == 0
    finally:
        close_all([beside, bare])
