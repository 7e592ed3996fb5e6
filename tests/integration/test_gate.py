"""What keeps a worker from its provider: outages, the rate, the retry budget, and age."""
import time

from harness import http_call, wait_until


def metric(suite, service, name):
    text = http_call(suite.addresses[service]["admin"], "GET", "/metrics").body.decode()
    return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name + "{"))


def restart(suite, service, **settings):
    suite.stop(service)
    suite.start(service, **settings)


def pay_many(suite, user, count):
    for number in range(count):
        answer = suite.pay(None, user, "1.00", description=f"Payment {number}")
        assert answer.status == 201, answer


def attempts(database, *statuses):
    return [tuple(row) for row in database.rows(
        "SELECT sequence, attempt, reason, started_us FROM attempts WHERE channel = 'sms' AND status IN "
        f"({','.join('?' * len(statuses))}) ORDER BY started_us", *statuses)]


def open_attempts(database):
    return attempts(database, "retrying", "ambiguous")


def outcomes(database):
    return [tuple(row) for row in database.rows(
        "SELECT status, reason, attempts FROM deliveries WHERE channel = 'sms' AND ended_us IS NOT NULL")]


def test_an_outage_longer_than_all_attempts_would_last_costs_nobody_a_message(own, database):
    restart(own, "sms", RETRY_MIN="20ms", RETRY_MAX="40ms", ATTEMPTS_MAX=25, PROBE_MIN="100ms", PROBE_MAX="200ms")
    for name in ("ann", "bob", "cid"):
        own.add_user(name)
    own.fault("sms", outage=True)
    for name in ("ann", "bob", "cid"):
        pay_many(own, name, 10)
    wait_until(lambda: metric(own, "sms", "paybell_breaker_open") == 1, 20, "the breaker to open")
    before = len(open_attempts(database))
    probes = 12
    # 30 messages with 25 attempts each, 40 ms apart, would be through all of them by then.
    wait_until(lambda: len(open_attempts(database)) >= before + probes, 20, "probes")
    rows = open_attempts(database)[-probes + 4:]  # what was under way when it opened is older
    gaps = [later[3] - earlier[3] for earlier, later in zip(rows, rows[1:])]
    assert min(gaps) >= 95_000, f"probes follow each other too fast: {gaps}"
    own.fault("sms")
    wait_until(lambda: len(outcomes(database)) == 30, 30, "everything to end")
    assert {row[0] for row in outcomes(database)} == {"delivered"}
    assert {row[1] for row in attempts(database, "delivered")} == {1}, "what failed in the outage counts"
    assert metric(own, "sms", "paybell_breaker_open") == 0
    assert metric(own, "sms", "paybell_outages_total") == 1
    assert len(own.inbox("sms")) == 30


def test_one_sick_message_is_no_outage_and_uses_its_attempts_up(own, database):
    restart(own, "sms", RETRY_MIN="10ms", RETRY_MAX="20ms", ATTEMPTS_MAX=25)
    own.add_user("ann")
    own.fault("sms", status=500)
    assert own.pay(None, "ann", "1.00").status == 201
    wait_until(lambda: outcomes(database) == [("failed", "attempts_exhausted", 25)], 20, "the end of its attempts")
    assert metric(own, "sms", "paybell_outages_total") == 0


def test_refused_credentials_are_an_outage_and_fail_nobody(own, database):
    restart(own, "sms", RETRY_MIN="10ms", RETRY_MAX="20ms", ATTEMPTS_MAX=30, PROBE_MIN="50ms", PROBE_MAX="50ms",
            TWILIO_TOKEN="wrong")
    own.add_user("ann")
    pay_many(own, "ann", 3)
    wait_until(lambda: metric(own, "sms", "paybell_breaker_open") == 1, 20, "the breaker to open")
    wait_until(lambda: len(attempts(database, "retrying")) > 40, 20, "many probes")
    assert outcomes(database) == []
    restart(own, "sms")
    wait_until(lambda: len(outcomes(database)) == 3, 20, "everything to end")
    assert {row[0] for row in outcomes(database)} == {"delivered"}


def test_the_rate_holds_and_the_burst_may_go_at_once(own, database):
    restart(own, "sms", RATE=20, RATE_BURST=5)
    own.add_user("ann")
    own.add_user("bob")
    for number in range(15):
        assert own.pay(None, "ann", f"{number + 1}.00").status == 201
        assert own.pay(None, "bob", f"{number + 1}.00").status == 201
    wait_until(lambda: len(outcomes(database)) == 30, 20, "everything to end")
    started = [row[3] for row in attempts(database, "delivered")]
    for first in range(len(started)):
        # What left within any second: the burst and what the rate adds (and timers' milliseconds).
        within = sum(1 for at in started[first:] if at < started[first] + 1_000_000)
        assert within <= 5 + 20 + 1, f"{within} messages within a second"
    assert started[-1] - started[0] >= 1_150_000, "25 messages at 20 a second take longer"


def test_the_retry_budget_holds_retries_back_and_not_first_attempts(own, database):
    restart(own, "sms", RETRY_MIN="1ms", RETRY_MAX="2ms", RETRY_SHARE=0, RETRY_RATE=3, ATTEMPTS_MAX=50)
    for number in range(15):
        own.add_user(f"u{number}")
    own.fault("sms", status=429, retry_after_s=0)  # no outage: the provider lives
    for number in range(15):
        assert own.pay(None, f"u{number}", "1.00").status == 201
    wait_until(lambda: len({row[0] for row in attempts(database, "retrying")}) == 15, 10, "all first attempts")
    retries = [row for row in attempts(database, "retrying") if row[1] > 1]
    began = attempts(database, "retrying")[0][3]
    wait_until(lambda: len([r for r in attempts(database, "retrying") if r[1] > 1]) > 33, 20, "retries")
    retries = [row for row in attempts(database, "retrying") if row[1] > 1]
    passed_s = (retries[-1][3] - began) / 1e6
    assert len(retries) <= 30 + 3 * passed_s + 1, f"{len(retries)} retries within {passed_s} s"
    assert metric(own, "sms", "paybell_retries_due") >= 0
    own.fault("sms")
    assert own.pay(None, "u7", "2.00").status == 201  # behind its own user's first, for a minute at most
    assert own.pay(None, "ann", "2.00").status == 422
    wait_until(lambda: len(outcomes(database)) == 16, 60, "everything to end")


def test_what_is_too_old_is_not_sent(own, database):
    own.stop("sms")
    own.add_user("ann")
    assert own.pay(None, "ann", "1.00").status == 201
    time.sleep(1.2)  # the message's age is the point
    own.start("sms", EXPIRES="1s")
    wait_until(lambda: outcomes(database) == [("failed", "expired", 0)], 20, "the end")
    assert own.inbox("sms") == []
    assert own.pay(None, "ann", "2.00").status == 201
    wait_until(lambda: len(own.inbox("sms")) == 1, 20, "the fresh one")


def test_a_user_who_left_during_an_outage_is_sent_nothing_after_it(own, database):
    restart(own, "sms", PROBE_MIN="50ms", PROBE_MAX="2s", RETRY_MIN="10ms", RETRY_MAX="20ms")
    for number in range(30):
        own.add_user(f"u{number}")
    own.fault("sms", outage=True)
    for number in range(30):
        assert own.pay(None, f"u{number}", "1.00").status == 201
    wait_until(lambda: metric(own, "sms", "paybell_breaker_open") == 1, 20, "the breaker to open")
    time.sleep(1.1)  # longer than what was read with the entry counts as fresh
    assert own.api("DELETE", "/users/u29").status == 204
    own.fault("sms")
    wait_until(lambda: len(outcomes(database)) == 30, 30, "everything to end")
    assert sorted(row[0] for row in outcomes(database)) == ["delivered"] * 29 + ["suppressed"]
    assert len(own.inbox("sms")) == 29
