"""A provider that is slow, refuses, breaks off or is away: everything arrives once it is well again, and what can never
arrive ends at once, saying why."""

import pytest
from database import Database
from harness import WORKERS, Suite, wait_until

PEOPLE = 16
SETTINGS = {
    "RETRY_MIN": "20ms", "RETRY_MAX": "100ms", "RETRY_RATE": 1000, "ATTEMPTS_MAX": 40, "SEND_TIMEOUT": "1s",
    "PROBE_MIN": "50ms", "PROBE_MAX": "200ms",
}


@pytest.fixture(scope="module")
def shared():
    suite = Suite(**SETTINGS)
    try:
        suite.start_all()
        for number in range(PEOPLE):
            suite.add_user(f"u{number}")
    except BaseException:
        suite.close()
        raise
    yield suite
    suite.close()


class Since:
    """What became of the payments that are made from now on."""

    def __init__(self, suite):
        self.suite = suite
        self.database = Database(suite.database)
        self.head = self.database.head()
        self.newest = suite.sandbox("GET", "/inbox/count").json["newest"]

    def pay(self, *users):
        for user in users or [f"u{number}" for number in range(PEOPLE)]:
            answer = self.suite.pay(None, user, "1.00")
            assert answer.status == 201, answer

    def attempts(self, channel, *fields):
        """In the order in which they were made; of push only what is about the device."""
        rows = self.database.rows(
            f"SELECT {', '.join(fields)} FROM attempts WHERE sequence > ?1 AND channel = ?2 AND (device_id != '') = ?3 "
            "ORDER BY sequence, started_us", self.head, channel, channel == "push")
        return [tuple(row) for row in rows]

    def kinds(self, channel):
        return set(self.attempts(channel, "status", "reason"))

    def outcomes(self, channel):
        return [tuple(row) for row in self.database.rows(
            "SELECT status, reason, attempts FROM deliveries WHERE sequence > ?1 AND channel = ?2 AND ended_us IS NOT NULL "
            "ORDER BY sequence", self.head, channel)]

    def wait_ended(self, *channels, timeout=30):
        count = self.database.head() - self.head
        for channel in channels or WORKERS:
            wait_until(lambda c=channel: len(self.outcomes(c)) == count, timeout, f"the end of {count} on {channel}")

    def inbox(self, channel):
        page = self.suite.sandbox("GET", f"/inbox?channel={channel}&after={self.newest}&limit=1000")
        return page.json["messages"]


@pytest.fixture
def since(suite):
    yield Since(suite)
    for channel in WORKERS:
        suite.fault(channel)


def message_key(channel, message):
    """What says that two messages are the same one: SMS have no field for it."""
    return (message["to"], message["body"]) if channel == "sms" else message["key"]


# ---- while it lasts, and after it ----

RETRYING = ("retrying", "provider_error")
FAULTS = {
    "latency": ({"latency_ms": 300}, None),
    "50 % 500": ({"error_rate": 0.5, "status": 500}, RETRYING),
    "429": ({"status": 429, "retry_after_s": 1}, ("retrying", "rate_limited")),
    "hang": ({"hang": True}, ("ambiguous", "timeout")),
    "reset": ({"reset": True}, ("ambiguous", "connection_lost")),
    "outage": ({"outage": True}, None),
}
MAIL = {"50 % 500": ({"error_rate": 0.5, "status": 450}, RETRYING), "429": ({"status": 450}, RETRYING)}
MAY_COME_TWICE = ("reset",)


@pytest.mark.parametrize("name", FAULTS)
def test_everything_arrives_when_the_fault_is_over(since, name):
    for channel in WORKERS:
        since.suite.fault(channel, **of(name, channel)[0])
    since.pay()
    for channel in WORKERS:
        wait_until(lambda c=channel: was_met(since, name, c), 10, f"{name} on {channel}")
    for channel in WORKERS:
        since.suite.fault(channel)
    since.wait_ended()
    for channel in WORKERS:
        assert {row[0] for row in since.outcomes(channel)} == {"delivered"}, channel
        keys = [message_key(channel, message) for message in since.inbox(channel)]
        assert len(set(keys)) == PEOPLE, channel
        assert name in MAY_COME_TWICE or len(keys) == PEOPLE, channel


def of(name, channel):
    """The fault as this channel's provider has it, and what is recorded of it."""
    return MAIL[name] if channel == "email" and name in MAIL else FAULTS[name]


def was_met(since, name, channel):
    kind = of(name, channel)[1]
    if name == "latency":
        return since.suite.sandbox("GET", f"/faults/{channel}").json["judged"] >= 3
    return kind in since.kinds(channel) if kind else len(since.kinds(channel)) > 0


def test_a_provider_that_fails_every_second_time_gets_everything_once(since):
    for channel in WORKERS:
        since.suite.fault(channel, **of("50 % 500", channel)[0])
    since.pay()
    since.pay()
    since.wait_ended()
    for channel in WORKERS:
        assert {row[0] for row in since.outcomes(channel)} == {"delivered"}
        assert len(since.inbox(channel)) == 2 * PEOPLE
        refused = since.suite.sandbox("GET", f"/faults/{channel}").json["refused"]
        assert refused > PEOPLE / 2
        assert [row[0] for row in since.attempts(channel, "status")].count("retrying") == refused


def test_a_429_waits_as_long_as_told_in_seconds_and_as_a_date(since):
    since.suite.fault("sms", status=429, retry_after_s=1)
    since.suite.fault("push", status=429, retry_after_s=1, retry_after_date=True)
    since.pay("u0", "u1", "u2")
    for channel in ("sms", "push"):
        wait_until(lambda c=channel: len(since.attempts(c, "status")) >= 3, 10, "first attempts")
        since.suite.fault(channel)
    since.wait_ended()
    for channel, least_s, most_s in (("sms", 1, 1.1), ("push", 1, 2.2)):
        rows = since.attempts(channel, "sequence", "status", "started_us", "took_us")
        assert [row[1] for row in rows] == ["retrying", "delivered"] * 3
        for first, second in zip(rows[::2], rows[1::2]):
            waited_s = (second[2] - first[2] - first[3]) / 1e6
            assert least_s <= waited_s < most_s + 0.5, f"{channel} waited {waited_s} s"


# ---- nobody knows whether it was done ----


def test_what_was_cut_off_is_ambiguous_and_goes_again_under_its_key(since):
    for channel in WORKERS:
        since.suite.fault(channel, reset=True)
    since.pay("u0")
    for channel in WORKERS:
        wait_until(lambda c=channel: since.attempts(c, "status"), 10, f"an attempt on {channel}")
        since.suite.fault(channel)
    since.wait_ended()
    for channel in WORKERS:
        rows = since.attempts(channel, "status", "reason")
        assert rows[0] == ("ambiguous", "connection_lost") and rows[-1] == ("delivered", None), channel
        messages = since.inbox(channel)
        assert len(messages) == len(rows) >= 2, channel
        assert len({message_key(channel, message) for message in messages}) == 1, channel


@pytest.mark.parametrize("fault, reason", [({"reset": True}, "connection_lost"), ({"hang": True}, "timeout")])
def test_an_sms_that_may_not_come_twice_fails_instead(since, fault, reason):
    restart_sms(since.suite, SMS_AMBIGUOUS="fail")
    try:
        since.suite.fault("sms", **fault)
        since.pay("u0")
        since.wait_ended("sms")
        assert since.outcomes("sms") == [("failed", reason, 1)]
        assert len(since.inbox("sms")) == (1 if "reset" in fault else 0)
    finally:
        restart_sms(since.suite)


def restart_sms(suite, **settings):
    suite.stop("sms")
    suite.start("sms", **settings)


# ---- for good, and not ----


def test_smtp_tells_4yz_from_5yz(since):
    for status, kind in ((421, RETRYING), (450, RETRYING), (451, RETRYING), (452, RETRYING)):
        begun = Since(since.suite)
        since.suite.fault("email", status=status)
        begun.pay("u0")
        wait_until(lambda b=begun: len(b.attempts("email", "status")) >= 2, 10, f"a second attempt after {status}")
        since.suite.fault("email")
        begun.wait_ended("email")
        rows = begun.attempts("email", "status", "reason", "code")
        assert rows[0] == (*kind, status) and rows[-1] == ("delivered", None, 250)
    for status, reason in ((550, "bad_address"), (551, "bad_address"), (552, "rejected"), (553, "bad_address"),
                           (554, "rejected")):
        begun = Since(since.suite)
        since.suite.fault("email", status=status)
        begun.pay("u0")
        begun.wait_ended("email")
        since.suite.fault("email")
        assert begun.attempts("email", "status", "reason", "code") == [("failed", reason, status)]
        assert begun.inbox("email") == []


def test_what_can_never_arrive_ends_at_once_and_says_why(since):
    never = {"+15005550001": "bad_address", "+15005550009": "bad_address", "+15005550004": "rejected"}
    for phone in never:
        since.suite.add_user(f"never{phone[1:]}", devices=0, phone=phone, email="unknown@mail.example.com")
        answer = since.suite.api("POST", f"/users/never{phone[1:]}/devices",
                                 {"kind": "fcm", "token": f"unregistered-{phone[1:]}" + "x" * 40})
        assert answer.status == 201, answer
    since.pay(*(f"never{phone[1:]}" for phone in never), "u0")
    since.wait_ended()
    for channel, reasons in (("sms", list(never.values())), ("email", ["bad_address"] * 3), ("push", ["bad_address"] * 3)):
        assert since.outcomes(channel) == [("failed", reason, 1) for reason in reasons] + [("delivered", None, 1)], channel
        assert len(since.inbox(channel)) == 1, channel


def test_a_request_that_the_provider_rejects_ends_at_once(since):
    since.suite.fault("sms", status=405)
    since.suite.fault("push", status=400)
    since.pay("u0")
    since.wait_ended()
    assert since.outcomes("sms") == [("failed", "rejected", 1)]
    assert since.outcomes("push") == [("failed", "rejected", 1)]
