"""All attacks of `make bench-gateway PARTS=hostile` at once, in small, beside a good client; and one address against the others."""
import os
import sys
import time

import pytest

from harness import ROOT, wait_until
from realtime import connect, events, new_user, pay, publish_delivery, running, token_of

sys.path.insert(0, os.path.join(ROOT, "tests", "bench"))
sys.path.insert(0, os.path.join(ROOT, "tests", "crash"))

from hostile import ATTACKER, Memory, add_up, ended, play, wrong_ends  # noqa: E402
from stand import metric  # noqa: E402
from hostile_attacks import Attack, attacks, get, socket  # noqa: E402

TIMEOUT_S = 1
SECONDS = 6
SLACK_S = 4     # two dozen attackers share two cores with the sanitizers
OF_ADDRESS = 50
CONNECTIONS = 100
PAST = 200
FEW = 10        # connections of each attack at a time
UNREAD, UNREAD_S = 100, 20  # records at a time, and until when they must have been too many for who does not read
# As it comes the sanitizers keep 256 MB of what was freed, and of that nothing could be seen.
ASAN = {"ASAN_OPTIONS": "detect_leaks=1:exitcode=99:quarantine_size_mb=1:thread_local_quarantine_size_kb=64"}
SANITIZED = 4   # times as much memory with them, and so much beside it
BESIDE_MB = 48


@pytest.fixture(scope="module")
def shared():
    with running(GATEWAY_HANDSHAKE_TIMEOUT=f"{TIMEOUT_S}s", GATEWAY_AUTH_TIMEOUT=f"{TIMEOUT_S}s") as suite:
        suite.environments["gateway"] = ASAN
        suite.start("gateway", GATEWAY_QUEUE_MAX=65536, GATEWAY_MAX_OF_USER=10000)
        suite.start("gateway", as_name="fair", INSTANCE="fair", GATEWAY_MAX_CONNECTIONS=CONNECTIONS, GATEWAY_MAX_OF_ADDRESS=OF_ADDRESS)
        yield suite


def in_small(suite):
    user = new_user(suite)
    pay(suite, user, PAST)
    for attack in attacks(token_of(suite, user), token_of(suite, "op", scope="ops"), TIMEOUT_S, TIMEOUT_S):
        yield attack._replace(connections=min(attack.connections, FEW), rate=30, total=200)


def test_hostile_clients_are_ended_as_documented_and_cost_neither_much_memory_nor_a_good_client_an_event(suite):
    user, planned = new_user(suite), list(in_small(suite))
    good = [connect(suite, way, token_of(suite, user)) for way in ("plain", "websocket")]
    with Memory(suite.processes["gateway"].pid) as memory:
        playing = [(attack, play(suite, attack, SECONDS if "open" in attack.ends or not attack.mute else SECONDS + UNREAD_S))
                   for attack in planned]
        paid, until = 0, time.monotonic() + SECONDS
        while time.monotonic() < until:
            pay(suite, user)
            paid += 1
            for session in good:
                assert len(events(session, 1)) == 1
        # Those who hear everything and do not read it: until all of them were found to be too slow.
        deadline = time.monotonic() + UNREAD_S
        while metric(suite, "paybell_gateway_too_slow_total", "gateway") < FEW and time.monotonic() < deadline:
            for _ in range(UNREAD):
                publish_delivery(suite, "somebody")
        wrong = []
        for attack, process in playing:
            process.terminate()
            ends = add_up([ended(process)])
            wrong += [f"{attack.name}: {what} of {ends}" for what in wrong_ends(attack, ends, SLACK_S)]
    assert not wrong, "\n".join(wrong)
    assert paid > 10
    allowed = SANITIZED * sum(attack.connections * attack.memory_kb for attack in planned) / 1024 + BESIDE_MB
    assert memory.peak - memory.before < allowed, f"{memory.before:.0f} MB, at most {memory.peak:.0f}: more than {allowed:.0f} in addition"
    for session in good:
        session.close()


def comes_in(suite, user):
    try:
        session = connect(suite, "plain", token_of(suite, user), to="fair")
    except (OSError, ConnectionError):
        return False
    session.close()
    return True


@pytest.mark.parametrize("attack", [
    Attack("connections", socket(), connections=4 * CONNECTIONS, rate=0),
    Attack("sessions", get("/socket.io/?EIO=4&transport=polling"), connections=2 * CONNECTIONS, rate=200, finish="reset-answered"),
], ids=lambda attack: attack.name)
def test_one_address_with_all_that_it_can_get_does_not_keep_the_others_out(suite, attack):
    user = new_user(suite)
    process = play(suite, attack, 4, "fair")
    try:
        time.sleep(0.5)
        until = time.monotonic() + 2
        while time.monotonic() < until:
            assert comes_in(suite, user), f"{ATTACKER} has them all"
    finally:
        process.terminate()
        ended(process)
    wait_until(lambda: comes_in(suite, user), 10, "everything as before")
