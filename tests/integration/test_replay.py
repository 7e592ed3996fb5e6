"""Dead letters come back: an operator's replay opens them again, and nothing loses it."""
import json
import time

from harness import WORKERS, http_call, wait_until


def sequence_of(answer, suite):
    """The event of a payment to one user."""
    return suite.api("GET", f"/transactions/{answer.json['id']}").json["events"][0]


def pay(suite, user, description="Lunch"):
    answer = suite.pay(None, user, "1.00", description=description)
    assert answer.status == 201, answer
    return sequence_of(answer, suite)["event_id"]


def delivery(suite, event, channel):
    answer = suite.api("GET", f"/deliveries/{event}/{channel}")
    assert answer.status == 200, answer
    return answer.json


def wait_for(suite, event, channel, status, timeout=20):
    def stands():
        got = delivery(suite, event, channel)
        return got if got["status"] == status else None
    return wait_until(stands, timeout, f"{channel} to be {status}")


def retry(suite, event, channel):
    return suite.api("POST", f"/deliveries/{event}/{channel}/retry")


def dead_letter(suite, channel="sms", user="bob"):
    """The event of a payment that this channel's provider has rejected."""
    suite.fault(channel, status=550 if channel == "email" else 400)
    event = pay(suite, user)
    wait_for(suite, event, channel, "failed")
    suite.fault(channel)
    return event


def wait_below_the_floor(database, channel):
    """Everything has a row, and the floor is above it."""
    wait_until(lambda: database.one("SELECT reported_through FROM channels WHERE channel = ?1", channel) == database.head(),
               20, "the floor to rise")


def handed_out(suite, database, channel):
    """It is in the stream, and the ledger does not list it as waiting any more."""
    return suite.redis("XLEN", f"queue:{channel}") == 1 and \
        database.one("SELECT count(*) FROM deliveries WHERE next_at_us IS NOT NULL") == 0


def invalid_records(suite):
    text = http_call(suite.addresses["backend"]["admin"], "GET", "/metrics").body.decode()
    return next(int(line.split()[-1]) for line in text.splitlines() if line.startswith("paybell_attempt_records_invalid_total "))


def test_what_a_provider_rejected_is_listed_replayed_and_delivered(own):
    own.add_user("bob")
    event = dead_letter(own)
    listed = own.api("GET", "/deliveries").json["deliveries"]
    assert [(d["event_id"], d["channel"], d["status"], d["reason"], d["attempts"]) for d in listed] == \
        [(event, "sms", "failed", "bad_address", 1)]
    assert listed[0]["user_id"] == "bob" and listed[0]["amount"] == "1.00" and listed[0]["currency"] == "USD"
    assert "@" not in json.dumps(listed) and "+43" not in json.dumps(listed)

    answer = retry(own, event, "sms")
    assert answer.status == 202, answer
    assert (answer.json["status"], answer.json["attempts"]) == ("retrying", 0)
    assert answer.json["replayed_us"] == answer.json["next_at_us"] and "ended_us" not in answer.json
    after = wait_for(own, event, "sms", "delivered")
    assert after["attempts"] == 1 and after["replayed_us"] == answer.json["replayed_us"]
    assert len(own.inbox("sms")) == 1
    assert own.api("GET", "/deliveries").json == {"deliveries": []}

    timeline = own.api("GET", f"/transactions/{after['transaction_id']}").json["events"][0]["channels"]["sms"]
    assert timeline["status"] == "delivered" and timeline["replayed_us"] == after["replayed_us"]
    lives = [(a["status"], a["attempt"], a["started_us"] >= timeline["replayed_us"]) for a in timeline["attempts"]]
    assert lives == [("failed", 1, False), ("delivered", 1, True)]
    assert timeline["attempts"][1]["late"] is True


def test_a_replay_does_not_wait_for_the_next_second(own):
    own.add_user("bob")
    events = [dead_letter(own) for _ in range(8)]
    began = time.monotonic()
    for event in events:  # one after the other: each would wait for a tick of its own
        assert retry(own, event, "sms").status == 202
        wait_for(own, event, "sms", "delivered")
    assert time.monotonic() - began < 6, "a second each"


def test_a_replay_is_fed_again_after_redis_was_wiped_as_often_as_it_is(own, database):
    own.add_user("bob")
    event = dead_letter(own)
    for number in range(3):
        pay(own, "bob", f"Later {number}")
    wait_below_the_floor(database, "sms")
    own.stop("sms")
    assert retry(own, event, "sms").status == 202
    wait_until(lambda: handed_out(own, database, "sms"), 10, "the hand-out")
    for _ in range(3):
        own.redis("FLUSHALL")
        wait_until(lambda: own.redis("XLEN", "queue:sms") == 1, 10, "the stream to be filled again")
    own.start("sms")
    wait_for(own, event, "sms", "delivered")
    assert len(own.inbox("sms")) == 4


def test_a_replay_survives_a_crash_of_the_backend_right_after_its_answer(own, database):
    own.add_user("bob")
    events = [dead_letter(own) for _ in range(3)]
    wait_below_the_floor(database, "sms")
    for event in events:
        assert retry(own, event, "sms").status == 202
        own.kill("backend")
        own.start("backend")
        wait_for(own, event, "sms", "delivered")
    assert len(own.inbox("sms")) >= 3


def test_a_replay_survives_a_crash_of_everything_and_an_empty_redis(own, database):
    own.add_user("bob")
    event = dead_letter(own)
    pay(own, "bob", "Later")
    wait_below_the_floor(database, "sms")
    own.stop("sms")
    assert retry(own, event, "sms").status == 202
    own.kill("backend")
    own.redis("FLUSHALL")
    own.start("backend", wait="up")
    own.start("sms")
    wait_for(own, event, "sms", "delivered")
    assert len(own.inbox("sms")) == 2


def test_a_device_that_failed_before_a_replay_is_tried_again_also_by_a_worker_that_knows_only_the_ledger(own, database):
    own.add_user("bob")
    event = dead_letter(own, "push")
    own.fault("push", status=500)
    assert retry(own, event, "push").status == 202
    wait_until(lambda: delivery(own, event, "push")["attempts"] >= 1, 20, "an attempt of the second life")
    own.kill("push")
    own.fault("push")
    own.start("push", wait="up")
    wait_for(own, event, "push", "delivered", 60)
    assert len(own.inbox("push")) == 1
    devices = database.rows("SELECT status FROM attempts WHERE channel = 'push' AND device_id <> '' AND final = 1 ORDER BY started_us")
    assert [row[0] for row in devices] == ["failed", "delivered"]


def test_what_was_suppressed_can_be_replayed_when_the_reason_is_gone(own):
    own.add_user("eve", email=None)
    event = pay(own, "eve")
    assert wait_for(own, event, "email", "suppressed")["reason"] == "no_address"
    suppressed = own.api("GET", "/deliveries?status=suppressed").json["deliveries"]
    assert [(d["event_id"], d["channel"]) for d in suppressed] == [(event, "email")]
    own.add_user("eve", devices=0)
    assert retry(own, event, "email").status == 202
    wait_for(own, event, "email", "delivered")
    assert len(own.inbox("email")) == 1


def test_what_fails_again_is_a_dead_letter_again_and_can_be_replayed_again(own):
    own.add_user("bob")
    event = dead_letter(own)
    first = delivery(own, event, "sms")
    own.fault("sms", status=400)
    assert retry(own, event, "sms").status == 202
    again = wait_for(own, event, "sms", "failed")
    assert again["ended_us"] > first["ended_us"] and again["attempts"] == 1
    own.fault("sms")
    assert retry(own, event, "sms").status == 202
    wait_for(own, event, "sms", "delivered")


def test_what_cannot_be_replayed_is_refused_and_says_why(own):
    own.add_user("bob")
    event = pay(own, "bob")
    for channel in WORKERS:
        wait_for(own, event, channel, "delivered")
    answer = retry(own, event, "sms")
    assert (answer.status, answer.problem) == (409, "conflict") and "twice" in answer.json["detail"]
    own.stop("sms")
    waiting = pay(own, "bob")
    answer = retry(own, waiting, "sms")
    assert (answer.status, answer.problem) == (409, "conflict") and "open" in answer.json["detail"]
    answer = retry(own, event, "fax")
    assert (answer.status, answer.problem, answer.json["field"]) == (404, "not-found", "channel")
    for unknown in ("evt_none", event[:-1] + ("0" if event[-1] != "0" else "1"), event + "0", "x" * 100):
        answer = retry(own, unknown, "sms")
        assert (answer.status, answer.problem, answer.json["field"]) == (404, "not-found", "event_id"), unknown
    assert own.api("GET", f"/deliveries/{event}/sms/retry").status == 405
    assert retry(own, event, "sms").status == 409
    for query in ("status=dead", "status=", "channel=fax", "limit=0", "limit=1001", "limit=x", "cursor=x", "cursor=.sms",
                  "cursor=12345678901234567.sms", "cursor=1042.abcdefghijklmnopq"):
        answer = own.api("GET", f"/deliveries?{query}")
        assert (answer.status, answer.problem, answer.json["field"]) == (422, "validation", query.split("=")[0]), query
        assert "must be" in answer.json["detail"]


def test_pages_of_open_deliveries_lead_through_all_of_them(own, database):
    own.add_user("bob")
    for name in WORKERS:
        own.stop(name)
    events = [pay(own, "bob", f"Open {number}") for number in range(7)]
    seen, cursor = [], ""
    while True:
        page = own.api("GET", f"/deliveries?status=open&limit=4{cursor}").json
        assert len(page["deliveries"]) <= 4
        seen += [(d["event_id"], d["channel"]) for d in page["deliveries"]]
        assert {d["status"] for d in page["deliveries"]} <= {"open"}
        if "next_cursor" not in page:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [(event, channel) for event in reversed(events) for channel in ("sms", "push", "email")]


def test_a_record_of_another_ledger_is_dropped_and_counted(own):
    own.add_user("bob")
    own.stop("sms")
    event = pay(own, "bob")
    record = {"event_id": event, "sequence": delivery(own, event, "sms")["sequence"], "user_id": "bob", "channel": "sms",
              "attempt": 1, "status": "delivered", "final": True, "provider": "twilio", "started_us": 1, "took_us": 1, "worker": "w"}
    other = dict(record, event_id=event[:12] + "0" * 6 + event[18:])  # same row, as another database would have named it
    assert other["event_id"] != event
    before = invalid_records(own)
    own.redis("XADD", "attempts:log", "*", "attempt", json.dumps(other))
    wait_until(lambda: invalid_records(own) == before + 1, 10, "the record to be counted")
    assert delivery(own, event, "sms")["status"] == "open"
    own.redis("XADD", "attempts:log", "*", "attempt", json.dumps(record))
    wait_for(own, event, "sms", "delivered")
    assert invalid_records(own) == before + 1


def test_an_older_cursor_feeds_nothing_that_has_ended(own, database):
    own.add_user("bob")
    for number in range(5):
        pay(own, "bob", f"Lunch {number}")
    wait_until(lambda: database.ended() == 15, 20, "everything to end")
    own.stop("sms")
    missed = pay(own, "bob", "Missed")
    wait_until(lambda: own.redis("XLEN", "queue:sms") == 1, 10, "the feed")
    ledger, newest = own.redis("GET", "cursor:sms").split(":")

    def added():
        info = own.redis("XINFO", "STREAM", "queue:sms")
        return info[info.index("entries-added") + 1]
    before = added()
    own.redis("SET", "cursor:sms", f"{ledger}:{int(newest) - 4}")
    wait_until(lambda: own.redis("GET", "cursor:sms") == f"{ledger}:{newest}", 10, "the cursor to catch up")
    assert added() == before + 1, "only what is open comes twice into the stream"
    own.start("sms")
    wait_for(own, missed, "sms", "delivered")
    assert len(own.inbox("sms")) == 6


def test_a_replay_that_came_twice_into_the_stream_is_sent_once(own):
    own.add_user("bob")
    event = dead_letter(own)
    assert retry(own, event, "sms").status == 202
    sequence = int(wait_for(own, event, "sms", "delivered")["sequence"])
    # As a backend leaves it that died between the stream and the ledger.
    own.redis("XADD", "queue:sms", "*", "s", sequence, "replay", 1)
    wait_until(lambda: own.redis("XLEN", "queue:sms") == 0, 10, "the entry to be acknowledged")
    assert len(own.inbox("sms")) == 1
    assert delivery(own, event, "sms")["attempts"] == 1
