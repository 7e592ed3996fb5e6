"""One part stopped, slow or wiped: nobody else notices, and nothing is lost."""
import signal
import threading
import time

from harness import WORKERS, http_call, wait_until


def prepare(suite):
    for user in ("alice", "bob"):
        suite.add_user(user)
    assert suite.pay(None, "alice", "100000.00").status == 201


def pay_many(suite, count, first=0):
    for n in range(first, first + count):
        answer = suite.pay("alice", "bob", "1.00", description=f"number {n}")
        assert answer.status == 201, answer


def wait_ended(database, *channels):
    head = database.head()
    for channel in channels:
        wait_until(lambda c=channel: database.ended(c) == head, 60, f"{head} deliveries on {channel}")


def assert_all_delivered(suite, database):
    head = database.head()
    assert database.deliveries() == {(channel, "delivered", ""): head for channel in WORKERS}
    assert database.final_counts() == {1: head * len(WORKERS)}
    for channel in WORKERS:
        assert len(suite.inbox(channel)) == head, channel


def test_a_stopped_worker_costs_the_others_nothing_and_catches_up(own, database):
    prepare(own)
    wait_ended(database, *WORKERS)
    own.stop("email")
    before = database.ended("email")
    pay_many(own, 50)
    wait_ended(database, "push", "sms")
    assert database.ended("email") == before
    assert own.redis("XLEN", "queue:email") == database.head() - before
    own.start("email")
    wait_ended(database, "email")
    assert_all_delivered(own, database)


def test_a_killed_worker_loses_nothing(own, database):
    prepare(own)
    own.fault("sms", latency_ms=200)
    pay_many(own, 20)
    own.kill("sms")
    wait_ended(database, "push", "email")
    own.fault("sms")
    own.start("sms")
    wait_ended(database, "sms")
    head = database.head()
    assert database.final_counts() == {1: head * len(WORKERS)}
    texts = {m["body"] if isinstance(m["body"], str) else str(m["body"]) for m in own.inbox("sms")}
    assert len(texts) >= 21
    assert len(own.inbox("sms")) >= head  # what was in flight may repeat


def test_a_worker_that_stood_still_goes_on_and_spins_on_no_retry(bare, database):
    """SIGSTOP for longer than its claim lives, then errors enough that retries fall due
    together: each message still arrives, and the worker answers its operator."""
    bare.settings["CLAIM_IDLE"] = "3s"
    bare.start_all()
    prepare(bare)
    bare.fault("sms", latency_ms=300)
    pay_many(bare, 20)
    worker = bare.processes["sms"]
    worker.popen.send_signal(signal.SIGSTOP)
    time.sleep(4)  # the claim's age is what is tested: there is nothing to poll for
    worker.popen.send_signal(signal.SIGCONT)
    bare.fault("sms", error_rate=0.3)
    pay_many(bare, 20, first=20)
    wait_ended(database, *WORKERS)
    assert database.final_counts() == {1: database.head() * len(WORKERS)}
    assert http_call(bare.addresses["sms"]["admin"], "GET", "/readyz", timeout=5).status == 200


def test_redis_stopped_means_201_all_the_same_and_everything_arrives(own, database):
    prepare(own)
    wait_ended(database, *WORKERS)
    own.stop("redis")
    pay_many(own, 50)
    assert database.ended("push") < database.head()
    own.start_redis()
    wait_ended(database, *WORKERS)
    assert_all_delivered(own, database)


def test_a_wiped_redis_is_filled_again_from_the_ledger(own, database):
    prepare(own)
    wait_ended(database, *WORKERS)
    for name in WORKERS:
        own.stop(name)
    pay_many(own, 30)
    wait_until(lambda: all(own.redis("XLEN", f"queue:{c}") == 60 for c in WORKERS), 20, "the feed")
    own.redis("FLUSHALL")
    wait_until(lambda: all(own.redis("XLEN", f"queue:{c}") == 60 for c in WORKERS), 20, "the feed again")
    pay_many(own, 5, first=30)
    for name in WORKERS:
        own.start(name)
    wait_ended(database, *WORKERS)
    assert_all_delivered(own, database)


def test_a_killed_backend_loses_nothing_that_it_answered(own, database):
    prepare(own)
    accepted, stop = [], threading.Event()

    def payer():
        n = 0
        while not stop.is_set():
            n += 1
            try:
                if own.pay("alice", "bob", "1.00", description=f"number {n}", timeout=5).status == 201:
                    accepted.append(n)
            except OSError:
                return

    threads = [threading.Thread(target=payer) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(accepted) > 40, 20, "some payments")
    own.kill("backend")
    stop.set()
    for thread in threads:
        thread.join()
    own.start("backend")
    assert 1 + len(accepted) <= database.transactions() <= 1 + len(accepted) + len(threads)
    assert database.totals() == {"USD": 0}
    assert database.integrity() == "ok"
    wait_ended(database, *WORKERS)
    assert database.final_counts() == {1: database.head() * len(WORKERS)}


def test_a_provider_that_hangs_costs_the_other_channels_nothing(own, database):
    prepare(own)
    own.fault("email", hang=True)
    pay_many(own, 30)
    wait_ended(database, "push", "sms")
    assert database.ended("email") < database.head()
    own.fault("email")


def test_a_provider_that_fails_for_a_while_is_asked_again(own, database):
    prepare(own)
    wait_ended(database, *WORKERS)
    own.fault("sms", error_rate=0.3)
    pay_many(own, 20)
    wait_ended(database, *WORKERS)
    own.fault("sms")
    head = database.head()
    assert database.deliveries() == {(channel, "delivered", ""): head for channel in WORKERS}
    assert max(row["attempt"] for row in database.finals("sms")) > 1
    assert len(own.inbox("sms")) == head


def test_suppressed_says_why(own, database):
    own.add_user("bare", devices=0, email=None, phone=None)
    own.add_user("quiet", preferences={c: {"enabled": False} for c in WORKERS})
    own.add_user("rich", preferences={"sms": {"min_amount": {"amount": "50.00", "currency": "USD"}}})
    for user, amount in (("bare", "1.00"), ("quiet", "1.00"), ("rich", "49.99"), ("rich", "50.00"), ("rich", "1.000")):
        assert own.pay(None, user, amount, "KWD" if amount == "1.000" else "USD").status == 201
    wait_ended(database, *WORKERS)
    why = {(row["user_id"], c): [] for c in WORKERS for row in database.finals(c)}
    for channel in WORKERS:
        for row in database.finals(channel):
            why[(row["user_id"], channel)].append(row["reason"] or row["status"])
    for channel in WORKERS:
        assert why[("bare", channel)] == ["no_address"]
        assert why[("quiet", channel)] == ["channel_disabled"]
    assert why[("rich", "sms")] == ["below_min_amount", "delivered", "delivered"]
    assert why[("rich", "push")] == why[("rich", "email")] == ["delivered"] * 3
