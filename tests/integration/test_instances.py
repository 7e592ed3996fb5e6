"""Several workers of one channel: they share the load, keep each user's order, and take over what the dead held."""
import collections
import time

import pytest
from harness import http_call, wait_until
from outcome import Inbox, payment
from paying import fill, load_result, load_start, pay_options

PEOPLE = 20
NAMES = ("email-a", "email-b", "email-c")
CLAIM_IDLE_S = 3
TICK_S = 1
CLOCKS_US = 2000  # one of two clocks says when it started, the other how long it took


@pytest.fixture(params=[{"CONNECTIONS": 4, "WINDOW": 16}])
def three(bare, request):
    """Three workers of email and nothing else; with these settings one alone is soon busy."""
    bare.settings.update(CHANNELS="email", CLAIM_IDLE=f"{CLAIM_IDLE_S}s", **request.param)
    bare.start_redis()
    bare.start("sandbox")
    bare.start("backend")
    fill(bare, PEOPLE)
    for name in NAMES:
        start(bare, name)
    return bare


def start(suite, name):
    suite.start("email", as_name=name, INSTANCE=name)


def pay(suite, rate, seconds):
    return load_start(suite, *pay_options(PEOPLE, "--rate", rate, "--seconds", seconds, "--connections", 8,
                                          "--timeout-ms", 20000, body=payment()))


def held_by(suite, name):
    """Entries that are pending under a consumer's name."""
    consumers = suite.redis("XPENDING", "queue:email", "email")[3] or []
    return dict((who, int(count)) for who, count in consumers).get(name, 0)


def claimed(suite, names):
    total = 0
    for name in names:
        text = http_call(suite.addresses[name]["admin"], "GET", "/metrics").body.decode()
        total += sum(int(line.split()[-1]) for line in text.splitlines() if line.startswith("paybell_claimed_total{"))
    return total


def wait_delivered(suite, database, timeout=60):
    head = database.head()
    wait_until(lambda: database.ended("email") == head, timeout, f"the end of {head} deliveries")
    wait_until(lambda: suite.redis("XLEN", "queue:email") == 0, 10, "an empty stream")
    assert database.deliveries() == {("email", "delivered", ""): head}


def kill_holding(suite, name):
    """kill -9 while it holds something; how much that was."""
    wait_until(lambda: held_by(suite, name) > 2, 20, f"work in the hands of {name}")
    suite.kill(name)
    return held_by(suite, name)


def finals(database):
    return database.rows("SELECT a.sequence, a.worker, a.late, a.started_us, a.took_us, e.id, e.user_id "
                         "FROM attempts a JOIN events e USING (sequence) WHERE a.channel = 'email' AND a.final = 1")


def shares(database):
    """{worker: how many it ended}."""
    return dict(collections.Counter(row["worker"] for row in finals(database)))


def assert_order(suite, database):
    """What one instance sent to one user came in the ledger's order; what was taken over may come late and says so."""
    came = {}  # event id: its place at the provider
    for place, message in enumerate(suite.inbox("email")):
        came[message["key"].split(".email@")[0]] = place
    lanes = {}
    for row in sorted(finals(database), key=lambda row: came[row["id"]]):
        if not row["late"]:
            lanes.setdefault((row["worker"], row["user_id"]), []).append(row)
    for who, rows in lanes.items():
        assert [row["sequence"] for row in rows] == sorted(row["sequence"] for row in rows), who
        for earlier, later in zip(rows, rows[1:]):  # one after the other, so the order is no accident
            assert later["started_us"] > earlier["started_us"] + earlier["took_us"] - CLOCKS_US, who
    assert len(lanes) > 2 * PEOPLE and max(map(len, lanes.values())) > 5


def test_two_of_three_are_killed_in_turn_and_everything_is_delivered(three, database):
    three.fault("email", latency_ms=100)  # as long as a relay may take: so they hold something when they are killed
    process = pay(three, 120, 11)  # more than those that are left can send: they are busy all the time
    wait_until(lambda: min(shares(database).get(name, 0) for name in NAMES) >= 20, 20, "a share for each")
    assert claimed(three, NAMES) == 0, "taken from somebody who lives"
    lost = 0
    for name, left in (("email-a", ("email-b", "email-c")), ("email-b", ("email-c",))):
        held = kill_holding(three, name)
        killed = time.monotonic()
        wait_until(lambda n=name: held_by(three, n) == 0, 2 * CLAIM_IDLE_S + 2 * TICK_S, f"somebody to take over from {name}")
        took_s = time.monotonic() - killed
        assert took_s <= CLAIM_IDLE_S + TICK_S + 1, f"what {name} held was taken over after {took_s:.1f} s"
        assert held > 0 and claimed(three, left) > 0
        lost += held
    answer = load_result(process, 60)
    assert set(answer["statuses"]) == {"201"}, answer
    three.fault("email")
    wait_delivered(three, database)
    inbox = Inbox(three.folder, "email")
    assert len(inbox.first_us) == database.head()
    assert len(inbox.repeats) <= lost, "more repeats than what was in their hands"
    assert_order(three, database)


def test_three_share_a_load_and_another_under_a_name_of_theirs_refuses(three, database):
    twin = three.start("email", wait=None, as_name="twin", INSTANCE="email-a", ADMIN="off")
    three.fault("email", latency_ms=50)
    answer = load_result(pay(three, 150, 3), 60)
    assert set(answer["statuses"]) == {"201"}, answer
    wait_delivered(three, database)
    inbox = Inbox(three.folder, "email")
    assert len(inbox.first_us) == database.head() and inbox.repeats == []
    share = shares(database)
    assert set(share) == set(NAMES) and min(share.values()) > database.head() / 6, share
    assert [row for row in finals(database) if row["late"]] == []
    assert_order(three, database)
    assert three.processes.pop("twin").popen.wait(40) == 1
    three.ended.append(twin)
    twin.close()
    assert "another process works under this name" in twin.log()
    assert http_call(three.addresses["email-a"]["admin"], "GET", "/readyz").status == 200
