"""What a crash leaves behind is taken up, all of it: counted, not hoped."""
import signal

from harness import WORKERS, wait_until
from paying import fill, load, load_result, load_start, pay_options

PEOPLE = 400


def everything_ended(database, count):
    """Each event has ended on each channel: as many as were accepted."""
    ended = database.rows("SELECT channel, count(*) FROM deliveries WHERE ended_us IS NOT NULL GROUP BY channel")
    return {row[0]: row[1] for row in ended} == {name: count for name in WORKERS}


def test_a_killed_worker_takes_up_more_than_a_window_of_what_it_held(own, database):
    fill(own, PEOPLE)
    assert own.sandbox("PUT", "/faults/sms", {"hang": True}).status == 200
    answer = load(own, *pay_options(PEOPLE, "--count", 1500, "--connections", 16))
    assert answer["statuses"] == {"201": 1500}, answer

    def held():
        return own.redis("XPENDING", "queue:sms", "sms")[0] >= 256
    wait_until(held, 20, "a window of deliveries that hang")
    own.kill("sms")
    assert own.sandbox("DELETE", "/faults/sms").status == 204
    own.start("sms")
    wait_until(lambda: everything_ended(database, 1500), 90, "all deliveries to end")


def test_nothing_is_lost_when_everything_is_killed_and_redis_is_wiped(own, database):
    fill(own, PEOPLE)
    paying = load_start(own, *pay_options(PEOPLE, "--rate", 150, "--seconds", 10, "--connections", 16, "--retry",
                                          "--timeout-ms", 30000, "--idempotency-keys"))
    try:
        for name in WORKERS:
            own.kill(name)
            own.start(name, wait="up")
        own.redis("FLUSHALL")
        own.kill("backend")
        own.start("backend", wait="up")
        redis = own.processes.pop("redis")
        redis.end(signal.SIGKILL)
        own.start_redis()
        own.redis("FLUSHALL")
        answer = load_result(paying, 120)
    finally:
        paying.kill()
    accepted = answer["statuses"].get("201", 0)
    assert answer["errors"] == 0 and answer["statuses"] == {"201": 1500}, answer
    assert accepted == database.rows("SELECT count(*) FROM transactions")[0][0]
    wait_until(lambda: everything_ended(database, accepted), 90, "all deliveries to end")
    counts = own.sandbox("GET", "/inbox/count").json
    for name in WORKERS:
        assert counts[name] >= accepted, counts


def test_a_device_that_the_provider_does_not_know_any_more_is_forgotten(own, database):
    own.add_user("bob", devices=1)
    assert own.api("POST", "/users/bob/devices", {"kind": "fcm", "token": "unregistered-" + "x" * 40}).status == 201
    assert own.pay(None, "bob", "1.00").status == 201
    wait_until(lambda: database.ended("push") == 1, 20, "push to end")
    devices = own.api("GET", "/users/bob/devices").json["devices"]
    assert len(devices) == 1
    assert database.rows("SELECT status FROM deliveries WHERE channel = 'push'")[0][0] == "delivered"
