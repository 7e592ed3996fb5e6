"""Redis full, wiped, cut off, frozen, set back or meddled with: payments go on, and nothing is lost."""
import os
import shutil
import signal
import sqlite3
import time

import pytest
from harness import WORKERS, Redis, wait_until
from outcome import assert_delivered, found_by_sweep, payment, wait_all_ended
from paying import fill, load, load_result, load_start, pay_options

PEOPLE = 50


@pytest.fixture
def redis_suite(bare):
    """What is lost by hand, or lost its lease, is found again within seconds instead of minutes."""
    bare.settings.update(SWEEP_EVERY="1s", CLAIM_IDLE="3s")
    bare.start_all()
    fill(bare, PEOPLE)
    return bare


def pay(suite, count):
    answer = load(suite, *pay_options(PEOPLE, "--count", count, "--connections", 8, body=payment()))
    assert answer["statuses"] == {"201": count}, answer


class Paying:
    """A load in the background; at its end every request must have got its 201."""

    def __init__(self, suite, rate=100, seconds=120):
        self.process = load_start(suite, *pay_options(PEOPLE, "--rate", rate, "--seconds", seconds, "--connections", 8,
                                                      "--timeout-ms", 10000, body=payment()))

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            self.process.kill()
            self.process.communicate()
            return
        self.process.terminate()
        answer = load_result(self.process, 30)
        assert set(answer["statuses"]) == {"201"} and answer["errors"] == 0, answer


def until(seconds):
    """Goes through time in steps, for what has to go on for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.1)


def refuses_writes(suite):
    try:
        suite.redis("SET", "test:full", "1")
    except RuntimeError as error:
        return str(error).startswith("OOM")
    return False


def test_a_full_redis_costs_no_payment_and_goes_on_when_there_is_room_again(redis_suite, database):
    with Paying(redis_suite):
        wait_until(lambda: database.ended("sms") > 20, 20, "some deliveries")
        redis_suite.redis("CONFIG", "SET", "maxmemory-policy", "noeviction")
        redis_suite.redis("CONFIG", "SET", "maxmemory", "1mb")
        wait_until(lambda: refuses_writes(redis_suite), 10, "Redis that is full")
        before = database.transactions()
        wait_until(lambda: database.transactions() > before + 200, 20, "payments while Redis is full")
        assert refuses_writes(redis_suite)
        redis_suite.check()
        redis_suite.redis("CONFIG", "SET", "maxmemory", "0")
    wait_all_ended(redis_suite, database)
    assert_delivered(redis_suite, database)
    assert found_by_sweep(redis_suite) == 0


def test_what_a_full_redis_gave_no_lease_for_is_not_left_until_somebody_may_claim_it(bare, database):
    bare.settings.update(CLAIM_IDLE="60s")
    bare.start_all()
    fill(bare, PEOPLE)
    sms = bare.processes["sms"]
    sms.popen.send_signal(signal.SIGSTOP)
    pay(bare, 100)
    wait_until(lambda: bare.redis("XLEN", "queue:sms") == 100 and database.ended("email") == 100, 20, "a backlog")
    bare.redis("CONFIG", "SET", "maxmemory-policy", "noeviction")
    bare.redis("CONFIG", "SET", "maxmemory", "1mb")
    sms.popen.send_signal(signal.SIGCONT)
    wait_until(lambda: "lease.failed" in sms.log(), 20, "a lease that was refused")
    bare.redis("CONFIG", "SET", "maxmemory", "0")
    wait_until(lambda: database.ended("sms") == 100, 20, "all of them")


def test_a_redis_that_lost_its_last_seconds_loses_no_message_and_repeats_none_that_had_ended(redis_suite, database):
    kept = os.path.join(redis_suite.folder, "appendonlydir")
    redis_suite.fault("email", hang=True)
    pay(redis_suite, 40)
    wait_until(lambda: database.ended("sms") == database.ended("push") == database.head(), 30, "push and sms")
    shutil.copytree(kept, kept + ".old")
    redis_suite.fault("email")
    pay(redis_suite, 150)
    wait_all_ended(redis_suite, database)
    redis_suite.kill("redis")
    shutil.rmtree(kept)
    os.rename(kept + ".old", kept)
    redis_suite.start_redis()
    pay(redis_suite, 10)
    wait_all_ended(redis_suite, database)
    assert_delivered(redis_suite, database)
    assert found_by_sweep(redis_suite) == 0


@pytest.mark.parametrize("command", ["FLUSHALL", "FLUSHDB"])
def test_a_redis_wiped_under_live_connections_is_filled_again(redis_suite, database, command):
    admin = Redis(redis_suite.redis_path)
    with Paying(redis_suite, rate=200):
        for turn in range(10):
            fed = database.ended("push")
            wait_until(lambda n=fed: database.ended("push") > n + 20, 20, "deliveries between two wipes")
            for _ in range(1 + turn % 2):
                admin(command)
    admin.close()
    wait_all_ended(redis_suite, database)
    assert_delivered(redis_suite, database, repeats=None)
    assert found_by_sweep(redis_suite) == 0


def test_connections_that_are_cut_again_and_again_lose_and_repeat_nothing(redis_suite, database):
    admin = Redis(redis_suite.redis_path)
    with Paying(redis_suite, rate=200):
        for _ in until(4):
            admin("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            admin("CLIENT", "KILL", "TYPE", "pubsub")
    admin.close()
    wait_all_ended(redis_suite, database)
    assert_delivered(redis_suite, database)
    assert found_by_sweep(redis_suite) == 0


def client_id(admin, name):
    for line in admin("CLIENT", "LIST").splitlines():
        fields = dict(word.split("=", 1) for word in line.split())
        if fields["name"] == name:
            return fields["id"]
    return None


def test_acknowledgements_that_are_lost_with_their_connection_are_made_good(redis_suite, database):
    admin, acks, last = Redis(redis_suite.redis_path), "paybell-backend-acks", None
    with Paying(redis_suite, rate=300):
        for _ in range(5):
            ended = database.ended("push")
            wait_until(lambda n=ended: database.ended("push") > n, 20, "records on their way")
            wait_until(lambda: client_id(admin, acks) not in (None, last), 5, "a new connection")
            last = client_id(admin, acks)
            admin("CLIENT", "PAUSE", "300", "WRITE")
            time.sleep(0.05)  # what is acknowledged now waits, and goes with the connection
            admin("CLIENT", "KILL", "ID", last)
    admin.close()
    wait_all_ended(redis_suite, database)
    assert_delivered(redis_suite, database)
    assert found_by_sweep(redis_suite) == 0


def test_scripts_that_are_flushed_are_loaded_again(redis_suite, database):
    with Paying(redis_suite, rate=200):
        for _ in until(4):
            redis_suite.redis("SCRIPT", "FLUSH")
    wait_all_ended(redis_suite, database)
    assert_delivered(redis_suite, database)
    assert found_by_sweep(redis_suite) == 0


def test_a_group_that_is_destroyed_is_made_again(redis_suite, database):
    with Paying(redis_suite, rate=200):
        for _ in until(3):
            for name in WORKERS:
                redis_suite.redis("XGROUP", "DESTROY", f"queue:{name}", name)
            redis_suite.redis("XGROUP", "DESTROY", "attempts:log", "backend")
    wait_all_ended(redis_suite, database)
    assert_delivered(redis_suite, database)
    assert found_by_sweep(redis_suite) == 0


def test_a_stream_that_is_deleted_is_filled_again_by_the_sweep(redis_suite, database):
    redis_suite.fault("sms", latency_ms=300)
    with Paying(redis_suite, rate=200):
        for _ in range(5):
            wait_until(lambda: redis_suite.redis("XLEN", "queue:sms") > 20, 20, "a backlog")
            redis_suite.redis("DEL", *(f"queue:{name}" for name in WORKERS))
    redis_suite.fault("sms")
    wait_all_ended(redis_suite, database)
    assert_delivered(redis_suite, database, repeats=None)
    assert found_by_sweep(redis_suite) > 0


def test_a_redis_frozen_for_five_seconds_costs_no_payment(redis_suite, database):
    with Paying(redis_suite):
        wait_until(lambda: database.ended("sms") > 20, 20, "some deliveries")
        redis_suite.processes["redis"].popen.send_signal(signal.SIGSTOP)
        before = database.transactions()
        for _ in until(5):
            pass
        redis_suite.processes["redis"].popen.send_signal(signal.SIGCONT)
        assert database.transactions() > before + 300
    wait_all_ended(redis_suite, database)
    assert_delivered(redis_suite, database)
    assert found_by_sweep(redis_suite) == 0


def test_a_worker_that_is_away_costs_no_more_than_its_streams_bound(bare, database):
    bare.settings["QUEUE_MAX"] = "50"
    bare.start_all()
    fill(bare, PEOPLE)
    bare.stop("email")
    with Paying(bare, rate=100):
        for _ in until(3):
            assert max(bare.redis("XLEN", f"queue:{name}") for name in WORKERS) <= 50
    wait_until(lambda: database.ended("push") == database.ended("sms") == database.head(), 30, "the other channels")
    assert bare.redis("XLEN", "queue:email") == 50 and database.ended("email") == 0
    bare.start("email")

    def all_ended():
        assert bare.redis("XLEN", "queue:email") <= 50
        return database.ended("email") == database.head()
    wait_until(all_ended, 60, "what waited in the ledger")
    assert_delivered(bare, database)


def test_a_wait_of_ninety_seconds_is_the_ledgers_and_ends_when_it_is_due(redis_suite, database):
    suite = redis_suite
    suite.fault("sms", status=429, retry_after_s=90)
    pay(suite, 1)
    wait_until(lambda: database.deliveries().get(("sms", "retrying", "rate_limited")) == 1, 20, "a wait")
    wait_until(lambda: suite.redis("XLEN", "queue:sms") == 0, 10, "an entry that is acknowledged")
    row = database.rows("SELECT * FROM deliveries WHERE channel = 'sms'")[0]
    wait_s = row["next_at_us"] / 1e6 - time.time()
    assert 75 < wait_s < 105 and row["ended_us"] is None, dict(row)
    suite.fault("sms")
    pay(suite, 5)  # others do not wait for it, once the provider answers
    for _ in until(2):
        assert database.rows("SELECT attempts FROM deliveries WHERE channel = 'sms' AND sequence = 1")[0][0] == 1
    books = sqlite3.connect(suite.database, timeout=10)
    with books:
        books.execute("UPDATE deliveries SET next_at_us = ? WHERE next_at_us IS NOT NULL AND sequence = 1",
                      (time.time_ns() // 1000,))
    books.close()
    wait_until(lambda: database.rows("SELECT status FROM deliveries WHERE channel = 'sms' AND sequence = 1")[0][0]
               == "delivered", 20, "its second attempt")
    assert database.finals("sms")[0]["attempt"] == 2


def test_a_key_of_a_wrong_type_is_loud_costs_the_others_nothing_and_heals(redis_suite, database):
    pay(redis_suite, 5)
    wait_all_ended(redis_suite, database)
    redis_suite.redis("DEL", "queue:push")
    redis_suite.redis("SET", "queue:push", "not a stream")
    ended = database.ended("push")
    pay(redis_suite, 20)
    wait_until(lambda: database.ended("email") == database.ended("sms") == database.head(), 30, "the other channels")
    assert database.ended("push") == ended
    for name in ("backend", "push"):
        wait_until(lambda n=name: "WRONGTYPE" in redis_suite.processes[n].log(), 10, f"{name} that says so")
    redis_suite.check()
    redis_suite.redis("DEL", "queue:push")
    wait_all_ended(redis_suite, database)
    assert_delivered(redis_suite, database)
    assert found_by_sweep(redis_suite) == 0


def test_a_worker_whose_renewals_are_refused_stops_sending_and_goes_on_when_they_are_not(redis_suite, database):
    redis_suite.fault("sms", latency_ms=400)
    redis_suite.stop("sms")
    redis_suite.start("sms", CONNECTIONS=1, WINDOW=4)
    pay(redis_suite, 40)
    wait_until(lambda: database.ended("sms") > 2, 20, "some deliveries")
    redis_suite.redis("ACL", "SETUSER", "default", "-xclaim")
    log = redis_suite.processes["sms"].log
    wait_until(lambda: "worker.silence" in log(), 20, "the worker to stop")
    redis_suite.redis("ACL", "SETUSER", "default", "+xclaim")
    redis_suite.fault("sms")
    wait_all_ended(redis_suite, database)
    assert_delivered(redis_suite, database)
