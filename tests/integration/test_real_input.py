"""Ten thousand payments as people really write them, from POST to every inbox."""
import email
import email.policy
import html
import json
import os
from collections import Counter

import pytest

from generate import CHANNELS, generate
from harness import wait_until
from database import Database


# Embeddings, overrides and isolates: messages carry none of people's, and isolates of ours.
TURNING = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])


def plain(text):
    return text.translate(TURNING).strip()


class RealInput:
    """The input, posted once; what the answers were; the installation behind it."""

    def __init__(self, suite):
        folder = os.path.join(suite.folder, "input")
        self.suite = suite
        self.database = Database(suite.database)
        self.expected = generate(folder)
        self.inboxes = {}
        users = os.path.join(folder, "users.jsonl")
        self.users = suite.load("--requests", users)
        self.answers_path = os.path.join(folder, "answers.jsonl")
        self.report = suite.load("--requests", os.path.join(folder, "requests.jsonl"),
                                 "--timeout-ms", "60000", "--seconds", "300", "--out", self.answers_path)
        with open(self.answers_path, encoding="utf-8") as lines:
            answers = [json.loads(line) for line in lines]
        self.answers = sorted(answers, key=lambda a: a["index"])

    def inbox(self, channel):
        """What that provider accepted, read once for all tests."""
        if channel not in self.inboxes:
            self.inboxes[channel] = self.suite.inbox(channel)
        return self.inboxes[channel]

    def wait_for_deliveries(self):
        wanted = self.expected["events"] * len(CHANNELS)
        wait_until(lambda: self.database.ended() >= wanted, 450, f"the end of {wanted} deliveries")


@pytest.fixture(scope="module")
def posted(shared):
    return RealInput(shared)


@pytest.fixture(scope="module")
def delivered(posted):
    posted.wait_for_deliveries()
    return posted


def test_all_users_and_devices_are_taken(posted):
    assert set(posted.users["statuses"]) == {"201"}, posted.users
    assert posted.users["errors"] == 0


def test_each_status_comes_exactly_as_often_as_expected(posted):
    assert posted.report["errors"] == 0, posted.report
    assert posted.report["statuses"] == posted.expected["statuses"]


def test_each_request_gets_its_own_answer(posted):
    wrong = []
    for wanted, got in zip(posted.expected["answers"], posted.answers, strict=True):
        body = json.loads(got["body"]) if got["body"] else {}
        seen = {
            "status": got["status"],
            "problem": body.get("type", "").rsplit(":", 1)[-1] or None,
            "field": body.get("field") if wanted["field"] else None,
            "replayed": "idempotent-replayed: true" in got["head"].lower(),
        }
        if seen != wanted:
            wrong.append((got["index"], wanted, seen, body.get("detail")))
    assert not wrong, f"{len(wrong)} wrong, such as {wrong[:10]}"


def test_each_problem_type_comes_as_often_as_expected(posted):
    types = Counter(json.loads(a["body"])["type"].rsplit(":", 1)[1] for a in posted.answers
                    if a["status"] != 201)
    assert dict(types) == posted.expected["problems"]


def test_a_replayed_answer_is_the_first_answer(posted):
    """Same key, same request: the very same transaction."""
    first, replays = {}, 0
    path = os.path.join(os.path.dirname(posted.answers_path), "requests.jsonl")
    with open(path, encoding="utf-8") as lines:
        requests = [json.loads(line)["headers"] for line in lines]
    for headers, wanted, got in zip(requests, posted.expected["answers"], posted.answers):
        key = (headers.get("Authorization"), headers.get("Idempotency-Key"))
        if wanted["status"] != 201 or key[1] is None:
            continue
        identity = json.loads(got["body"])["id"]
        if wanted["replayed"]:
            replays += 1
            assert first[key] == identity
        else:
            first[key] = identity
    assert replays >= 300


def test_nothing_but_the_accepted_payments_is_stored(posted):
    assert posted.database.transactions() == posted.expected["transactions"]
    assert posted.database.head() == posted.expected["events"]
    of = Counter(row["user_id"] for row in posted.database.events())
    assert of == posted.expected["events_of"]


def test_every_balance_is_as_expected(posted):
    from generate import text_of
    balances = {}
    for (user, currency), minor in posted.database.balances().items():
        if user != "":
            balances.setdefault(user, {})[currency] = text_of(minor, currency)
    assert balances == posted.expected["balances"]
    world = {c: m for (u, c), m in posted.database.balances().items() if u == ""}
    assert world == posted.expected["world"]


def test_the_ledger_sums_to_zero_in_each_currency(posted):
    assert posted.database.totals() == {"USD": 0, "EUR": 0, "JPY": 0, "KWD": 0}
    assert posted.database.balances() == posted.database.balances_by_postings()
    assert posted.database.integrity() == "ok"


def test_the_api_tells_the_same_balances(posted):
    for user in list(posted.expected["balances"])[::25]:
        answer = posted.suite.api("GET", f"/users/{user}/balance")
        assert answer.status == 200
        told = {row["currency"]: row["amount"] for row in answer.json["balances"]}
        assert told == posted.expected["balances"][user]


def test_each_event_and_channel_has_exactly_one_final_record(delivered):
    wanted = delivered.expected["events"] * len(CHANNELS)
    assert delivered.database.final_counts() == {1: wanted}


def test_each_delivery_ends_as_expected(delivered):
    wanted = {}
    for channel, counts in delivered.expected["deliveries"].items():
        wanted[(channel, "delivered", "")] = counts["delivered"]
        for reason, count in counts["suppressed"].items():
            wanted[(channel, "suppressed", reason)] = count
    assert delivered.database.deliveries() == wanted


def test_the_email_inbox_and_the_database_agree_message_by_message(delivered):
    addresses = delivered.database.addresses()
    wanted = Counter((row["event_id"] + ".email", addresses[row["user_id"]][0])
                     for row in delivered.database.finals("email") if row["status"] == "delivered")
    got = Counter((m["key"].split("@")[0].strip("<>"), m["to"]) for m in delivered.inbox("email"))
    assert sum(got.values()) == delivered.expected["messages"]["email"]
    assert got == wanted


def test_the_sms_inbox_and_the_database_agree_message_by_message(delivered):
    addresses = delivered.database.addresses()
    wanted = Counter((row["provider_id"], addresses[row["user_id"]][1])
                     for row in delivered.database.finals("sms") if row["status"] == "delivered")
    got = Counter((m["id"], m["to"]) for m in delivered.inbox("sms"))
    assert sum(got.values()) == delivered.expected["messages"]["sms"]
    assert got == wanted


def test_the_push_inbox_and_the_database_agree_message_by_message(delivered):
    wanted = Counter((row["provider_id"], row["token"]) for row in delivered.database.delivered_to_devices())
    got = Counter((m["id"], m["to"]) for m in delivered.inbox("push"))
    assert sum(got.values()) == delivered.expected["messages"]["push"]
    assert got == wanted


def test_no_text_breaks_out_of_an_email(delivered):
    """Every mail parses without a defect, and has one recipient and our headers only."""
    known = {"date", "from", "to", "subject", "message-id", "mime-version", "content-type", "content-language",
             "auto-submitted", "content-transfer-encoding", "reply-to", "list-id", "precedence",
             "x-auto-response-suppress", "user-agent", "x-mailer"}
    addresses = {address for address, _ in delivered.database.addresses().values()}
    for message in delivered.inbox("email")[::7]:
        parsed = email.message_from_string(message["raw"], policy=email.policy.SMTP)
        assert {name.lower() for name in parsed.keys()} <= known, parsed.keys()
        assert len(parsed["To"].addresses) == 1, parsed["To"]
        assert parsed["To"].addresses[0].addr_spec in addresses
        assert not parsed.defects
        kinds = [part.get_content_type() for part in parsed.walk()]
        assert kinds == ["multipart/alternative", "text/plain", "text/html"], kinds


def test_a_description_arrives_as_it_was_written(delivered):
    """In the mail's text but for the characters that turn text round, in its HTML escaped."""
    described = {row["id"]: row["description"] for row in delivered.database.events() if row["description"]}
    checked = set()
    for message in delivered.inbox("email"):
        event = message["key"].split("@")[0].strip("<>").rsplit(".", 1)[0]
        description = described.get(event)
        if description is None or description in checked:
            continue
        checked.add(description)
        parsed = email.message_from_string(message["raw"], policy=email.policy.SMTP)
        text = parsed.get_body(("plain",)).get_content()
        page = parsed.get_body(("html",)).get_content()
        assert plain(description) in plain(text), (description, text)
        assert html.escape(plain(description), quote=False) in plain(page).replace("&quot;", '"').replace("&#39;", "'"), page
        assert "<script>" not in page and "</td></tr><tr><td>" not in page, (description, page)
    assert len(checked) > 50


def test_no_process_carries_contact_data_in_redis_or_in_its_log(delivered):
    """Addresses live in the database only."""
    for name, process in delivered.suite.processes.items():
        log = process.log()
        assert "@mail" not in log and "+43660" not in log and "APA91b" not in log, name
    assert delivered.suite.redis("XLEN", "attempts:log") == 0
    for channel in CHANNELS:
        assert delivered.suite.redis("XLEN", f"queue:{channel}") == 0
