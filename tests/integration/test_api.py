"""Every call of the backend's API: what it answers, and how it says no."""
import base64
import hashlib
import hmac
import json
import sqlite3
import threading
import time

import pytest

from harness import KEYS, api_requests, http_call, wait_until


@pytest.fixture(scope="module", autouse=True)
def people(shared):
    for user in ("alice", "bob", "carol"):
        shared.add_user(user)
    assert shared.pay(None, "alice", "1000.00").status == 201
    return shared


def assert_problem(answer, status, problem, field=None):
    assert answer.status == status, answer
    assert answer.problem == problem, answer
    assert answer.json["status"] == status
    assert answer.json["title"] and answer.json["detail"]
    if field is not None:
        assert answer.json["field"] == field, answer


# ---- POST /transactions ----

def test_a_payment_answers_201_with_its_location(suite):
    answer = suite.pay("alice", "bob", "15", description="Lunch")
    assert answer.status == 201
    made = answer.json
    assert made["id"].startswith("txn_")
    assert answer.headers["Location"] == f"/transactions/{made['id']}"
    assert (made["from"], made["to"], made["amount"], made["currency"]) == ("alice", "bob", "15.00", "USD")
    assert made["description"] == "Lunch" and made["status"] == "completed"
    assert made["created_at"].endswith("Z")


def test_metadata_comes_back_as_it_was_given(suite):
    body = {"to": "bob", "amount": "1.00", "currency": "USD", "metadata": {"order": "42", "größe": "x"}}
    assert_problem(suite.api("POST", "/transactions", body), 422, "validation")
    body["metadata"] = {"order": "42", "note": "日本 \"<&>"}
    answer = suite.api("POST", "/transactions", body)
    assert answer.status == 201
    told = suite.api("GET", answer.headers["Location"]).json
    assert told["metadata"] == body["metadata"]


@pytest.mark.parametrize("change,field", [
    ({"amount": 15.0}, "amount"), ({"amount": "-1.00"}, "amount"), ({"amount": "0"}, "amount"),
    ({"amount": "1.001"}, "amount"), ({"amount": None}, "amount"), ({"currency": "XXX"}, "currency"),
    ({"currency": "usd"}, "currency"), ({"currency": None}, "currency"), ({"to": "alice"}, "to"),
    ({"from": "a b"}, "from"), ({"to": 5}, "to"), ({"description": "a\r\nb"}, "description"),
    ({"description": "x" * 256}, "description"), ({"metadata": []}, "metadata"),
    ({"metadata": {"k": 5}}, "metadata.k"), ({"tip": "1.00"}, "tip"),
])
def test_an_invalid_payment_names_the_field(suite, database, change, field):
    before = database.transactions()
    body = {"from": "alice", "to": "bob", "amount": "1.00", "currency": "USD", **change}
    assert_problem(suite.api("POST", "/transactions", body), 422, "validation", field)
    assert database.transactions() == before


def test_an_overdraft_is_refused_and_changes_nothing(suite, database):
    before = database.balances(), database.transactions()
    assert_problem(suite.pay("carol", "bob", "0.01"), 422, "insufficient-funds", "amount")
    assert (database.balances(), database.transactions()) == before


def test_an_unknown_user_is_named(suite):
    assert_problem(suite.pay("alice", "nobody", "1.00"), 422, "unknown-user", "to")
    assert_problem(suite.pay("nobody", "alice", "1.00"), 422, "unknown-user", "from")


@pytest.mark.parametrize("raw", [b"", b"{", b"{}{}", b"\xff", b"[" * 1000, b'{"a":"\\ud800"}'])
def test_what_is_not_json_is_malformed(suite, raw):
    assert_problem(suite.api("POST", "/transactions", raw), 400, "malformed")


def test_a_body_over_the_limit_is_refused_whole(suite):
    body = b'{"to":"bob","amount":"1.00","currency":"USD"}'
    assert suite.api("POST", "/transactions", body.ljust(16384)).status == 201
    assert_problem(suite.api("POST", "/transactions", body.ljust(16385)), 413, "too-large")


def test_another_content_type_is_refused(suite):
    for kind in ("text/plain", "application/x-www-form-urlencoded", None):
        answer = suite.api("POST", "/transactions", b'{"to":"bob","amount":"1.00","currency":"USD"}',
                           headers={"Content-Type": kind})
        assert_problem(answer, 415, "unsupported-media-type")


# ---- keys ----

@pytest.mark.parametrize("value", [None, "Bearer", "Bearer wrong", f"Basic {KEYS[0]}", KEYS[0], f"Bearer {KEYS[0]}x"])
def test_without_a_valid_key_nothing_is_told(suite, value):
    for method, path in (("POST", "/transactions"), ("GET", "/users/alice"), ("GET", "/nowhere")):
        answer = suite.api(method, path, b"{}" if method == "POST" else None, {"Authorization": value}, key=None)
        assert_problem(answer, 401, "unauthorized")
        assert answer.headers.get("WWW-Authenticate", "Bearer").startswith("Bearer")


def test_unknown_paths_and_methods_are_told_apart(suite):
    assert_problem(suite.api("GET", "/nowhere"), 404, "not-found")
    assert_problem(suite.api("DELETE", "/transactions"), 405, "method-not-allowed")
    assert_problem(suite.api("GET", "/transactions/txn_00000000000000000000000000"), 404, "not-found")


# ---- Idempotency-Key ----

def test_the_same_request_gets_the_same_answer(suite, database):
    first = suite.pay("alice", "bob", "2.00", headers={"Idempotency-Key": "same"})
    count = database.transactions()
    again = suite.pay("alice", "bob", "2.00", headers={"Idempotency-Key": "same"})
    assert first.status == again.status == 201
    assert again.body == first.body
    assert first.headers.get("Idempotent-Replayed") is None
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Location"] == first.headers["Location"]
    assert database.transactions() == count


def test_another_request_under_the_key_is_refused(suite):
    assert suite.pay("alice", "bob", "2.00", headers={"Idempotency-Key": "other"}).status == 201
    answer = suite.pay("alice", "bob", "3.00", headers={"Idempotency-Key": "other"})
    assert_problem(answer, 422, "key-reused")
    assert answer.headers.get("Idempotent-Replayed") is None


def test_a_business_refusal_is_kept(suite):
    first = suite.pay("carol", "bob", "5.00", "EUR", headers={"Idempotency-Key": "poor"})
    assert_problem(first, 422, "insufficient-funds")
    assert suite.pay(None, "carol", "5.00", "EUR").status == 201
    again = suite.pay("carol", "bob", "5.00", "EUR", headers={"Idempotency-Key": "poor"})
    assert again.status == 422 and again.headers["Idempotent-Replayed"] == "true"
    assert again.json == first.json


def test_a_validation_error_is_not_kept(suite):
    headers = {"Idempotency-Key": "corrected"}
    assert suite.pay("alice", "bob", "-5", headers=headers).status == 422
    assert suite.pay("alice", "bob", "5", headers=headers).status == 201


def test_keys_belong_to_the_api_key(suite):
    headers = {"Idempotency-Key": "shared"}
    first = suite.pay("alice", "bob", "1.00", headers=headers, key=KEYS[0])
    other = suite.pay("alice", "bob", "1.00", headers=headers, key=KEYS[1])
    assert first.status == other.status == 201
    assert first.json["id"] != other.json["id"]


def test_keys_outlive_a_restart(suite):
    headers = {"Idempotency-Key": "restart"}
    first = suite.pay("alice", "bob", "1.00", headers=headers)
    suite.stop("backend")
    suite.start("backend")
    again = suite.pay("alice", "bob", "1.00", headers=headers)
    assert again.status == 201 and again.body == first.body


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_that_cannot_be_kept_is_refused(suite, key):
    answer = suite.pay("alice", "bob", "1.00", headers={"Idempotency-Key": key})
    assert_problem(answer, 422, "validation", "Idempotency-Key")


def test_a_request_under_a_key_in_flight_gets_409(suite, database):
    """The test holds the database's write lock, so the first one waits for its commit."""
    lock = sqlite3.connect(database.path, isolation_level=None, timeout=10)
    lock.execute("BEGIN IMMEDIATE")
    answers, admin = [], suite.addresses["backend"]["admin"]
    before = api_requests(admin)
    first = threading.Thread(target=lambda: answers.append(
        suite.pay("alice", "bob", "4.00", headers={"Idempotency-Key": "flight"})))
    first.start()
    try:
        wait_until(lambda: api_requests(admin) > before, 3, "the first request")
        answer = suite.pay("alice", "bob", "4.00", headers={"Idempotency-Key": "flight"}, timeout=3)
        assert_problem(answer, 409, "in-progress", "Idempotency-Key")
        assert int(answer.headers["Retry-After"]) >= 1
    finally:
        lock.execute("ROLLBACK")
        lock.close()
        first.join(15)
    assert answers[0].status == 201
    again = suite.pay("alice", "bob", "4.00", headers={"Idempotency-Key": "flight"})
    assert again.status == 201 and again.json["id"] == answers[0].json["id"]


# ---- reading ----

def test_a_transaction_tells_its_whole_timeline(suite):
    made = suite.pay("alice", "bob", "7.00", description="Tell me").json

    def ended():
        told = suite.api("GET", f"/transactions/{made['id']}").json
        states = [c["status"] for e in told["events"] for c in e["channels"].values()]
        # When it was published is noted some 20 ms later, which may be after the last delivery.
        return told if states == ["delivered"] * 6 and "published_us" in told["timeline"] else None

    told = wait_until(ended, 20, "six deliveries and the time of publishing")
    times = told["timeline"]
    assert made["created_us"] == times["accepted_us"]
    assert times["accepted_us"] <= times["committed_us"] <= times["published_us"]
    assert [e["user_id"] for e in told["events"]] == ["alice", "bob"]
    assert [e["direction"] for e in told["events"]] == ["debit", "credit"]
    for event in told["events"]:
        for channel, state in event["channels"].items():
            final = [a for a in state["attempts"] if a.get("final") and "device_id" not in a]
            assert len(final) == 1 and final[0]["channel"] == channel, state
            assert final[0]["started_us"] >= times["accepted_us"]
        assert any("device_id" in a for a in event["channels"]["push"]["attempts"])


def test_transactions_are_listed_newest_first_page_by_page(suite):
    suite.add_user("lister")
    made = [suite.pay(None, "lister", f"{n}.00").json["id"] for n in range(1, 8)]
    suite.pay(None, "lister", "9", "JPY")
    listed, cursor, pages = [], None, 0
    while True:
        query = f"/transactions?user_id=lister&limit=3" + (f"&cursor={cursor}" if cursor else "")
        page = suite.api("GET", query).json
        listed += [t["id"] for t in page["transactions"]]
        assert len(page["transactions"]) <= 3
        pages += 1
        cursor = page.get("next_cursor")
        if cursor is None:
            break
    assert listed[1:] == list(reversed(made)) and len(listed) == 8 and pages == 3
    assert suite.api("GET", "/transactions?user_id=stranger").json["transactions"] == []


def test_bad_queries_name_the_parameter(suite):
    assert_problem(suite.api("GET", "/transactions"), 422, "validation", "user_id")
    assert_problem(suite.api("GET", "/transactions?user_id=bob&limit=0"), 422, "validation", "limit")
    assert_problem(suite.api("GET", "/transactions?user_id=bob&limit=x"), 422, "validation", "limit")
    assert_problem(suite.api("GET", "/transactions?user_id=bob&cursor=abc"), 422, "validation", "cursor")
    assert_problem(suite.api("GET", "/users/bob/events?after=-1"), 422, "validation", "after")


def test_a_users_events_come_in_order_and_resume(suite):
    suite.add_user("reader")
    for n in range(1, 6):
        suite.pay(None, "reader", f"{n}.00", description=f"number {n}")
    first = suite.api("GET", "/users/reader/events?limit=2").json["events"]
    assert [e["data"]["description"] for e in first] == ["number 1", "number 2"]
    event = first[0]
    assert event["specversion"] == "1.0" and event["type"] == "transaction.completed"
    assert event["subject"] == "reader" and event["data"]["balance"] == "1.00"
    assert event["data"]["direction"] == "credit" and "counterparty" not in event["data"]
    for after in (first[-1]["sequence"], str(int(first[-1]["sequence"]))):
        rest = suite.api("GET", f"/users/reader/events?after={after}&limit=100").json["events"]
        assert [e["data"]["balance"] for e in rest] == ["6.00", "10.00", "15.00"]


def test_the_balance_has_one_line_a_currency(suite):
    suite.add_user("saver")
    for amount, currency in (("1.50", "USD"), ("200", "JPY"), ("0.125", "KWD"), ("2", "USD")):
        assert suite.pay(None, "saver", amount, currency).status == 201
    told = suite.api("GET", "/users/saver/balance").json
    assert {b["currency"]: b["amount"] for b in told["balances"]} == {
        "USD": "3.50", "JPY": "200", "KWD": "0.125"}
    assert_problem(suite.api("GET", "/users/nobody/balance"), 404, "not-found")


# ---- users and devices ----

def test_a_user_is_made_shown_replaced_and_erased(suite, database):
    body = {"name": "Dora", "email": "dora@mail.example.com", "phone": "+436601234567", "locale": "de-AT",
            "timezone": "Europe/Vienna", "preferences": {"sms": {"enabled": False}}}
    assert suite.api("PUT", "/users/dora", body).status == 201
    shown = suite.api("GET", "/users/dora").json
    assert {k: shown[k] for k in body} == body
    assert suite.api("PUT", "/users/dora", {"name": "Dora"}).status == 200
    assert "email" not in suite.api("GET", "/users/dora").json
    suite.api("PUT", "/users/dora", body)
    assert suite.pay(None, "dora", "1.00").status == 201
    assert suite.api("DELETE", "/users/dora").status == 204
    assert_problem(suite.api("GET", "/users/dora"), 404, "not-found")
    assert_problem(suite.api("DELETE", "/users/dora"), 404, "not-found")
    assert_problem(suite.pay(None, "dora", "1.00"), 422, "unknown-user", "to")
    assert database.addresses()["dora"] == (None, None)
    assert database.balances()[("dora", "USD")] == 100


@pytest.mark.parametrize("change,field", [
    ({"name": ""}, "name"), ({"name": "a\r\nBcc: x"}, "name"), ({"name": None}, "name"),
    ({"email": "no-at"}, "email"), ({"email": "a@b\r\nBcc: c@d"}, "email"), ({"phone": "12345"}, "phone"),
    ({"phone": "+43 660"}, "phone"), ({"locale": "english"}, "locale"), ({"timezone": "Europe Vienna"}, "timezone"),
    ({"preferences": {"Push": {}}}, "preferences.Push"), ({"preferences": []}, "preferences"),
    ({"preferences": {"push": {"enabled": "no"}}}, "preferences.push.enabled"),
    ({"preferences": {"sms": {"min_amount": {"amount": 5, "currency": "USD"}}}}, "preferences.sms.min_amount.amount"),
    ({"fax": "1"}, "fax"),
])
def test_an_invalid_user_names_the_field(suite, change, field):
    body = {"name": "Eve", **change}
    assert_problem(suite.api("PUT", "/users/eve", body), 422, "validation", field)
    assert suite.api("GET", "/users/eve").status == 404


def test_an_id_with_other_characters_is_refused(suite):
    for user in ("a%20b", "a@b", "x" * 65):
        assert suite.api("PUT", f"/users/{user}", {"name": "x"}).status in (404, 422)


def test_devices_come_and_go_and_never_show_their_token(suite):
    suite.add_user("gadget", devices=0)
    token = "secret-token-" + "x" * 100 + "TAIL"
    made = suite.api("POST", "/users/gadget/devices", {"kind": "fcm", "token": token})
    assert made.status == 201 and made.json["id"].startswith("dev_")
    assert token not in made.body.decode() and made.json["token_tail"] == "TAIL"
    again = suite.api("POST", "/users/gadget/devices", {"kind": "fcm", "token": token})
    assert again.status == 200 and again.json["id"] == made.json["id"]
    assert_problem(suite.api("POST", "/users/gadget/devices", {"kind": "pager", "token": "x"}), 422, "validation", "kind")
    assert_problem(suite.api("POST", "/users/gadget/devices", {"kind": "fcm"}), 422, "validation", "token")
    assert suite.api("POST", "/users/nobody/devices", {"kind": "fcm", "token": token}).status == 404
    assert suite.api("DELETE", f"/users/gadget/devices/{made.json['id']}").status == 204
    assert suite.api("DELETE", f"/users/gadget/devices/{made.json['id']}").status == 404


def test_a_user_has_at_most_sixteen_devices(suite):
    suite.add_user("hoarder", devices=16)
    answer = suite.api("POST", "/users/hoarder/devices", {"kind": "fcm", "token": "one-too-many"})
    assert answer.status in (409, 422), answer


def test_a_token_is_a_short_lived_jwt_of_that_user(suite):
    answer = suite.api("POST", "/users/alice/tokens")
    assert answer.status in (200, 201)
    head, claims, signature = answer.json["token"].split(".")

    def decoded(part):
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))

    secret = suite.settings["JWT_SECRET"].encode()
    assert hmac.new(secret, f"{head}.{claims}".encode(), hashlib.sha256).digest() == decoded(signature)
    claims = json.loads(decoded(claims))
    assert json.loads(decoded(head))["alg"] == "HS256"
    assert claims["sub"] == "alice"
    assert time.time() < claims["exp"] <= time.time() + 24 * 3600
    assert suite.api("POST", "/users/nobody/tokens").status == 404


@pytest.mark.parametrize("body", [None, {}, {"ttl_s": None}])
def test_a_token_lives_for_an_hour_when_nothing_else_is_asked_for(suite, body):
    answer = suite.api("POST", "/users/alice/tokens", body)
    assert answer.status == 201 and abs(answer.json["expires_us"] / 1e6 - time.time() - 3600) < 60, answer


# ---- the operator's side ----

def test_every_process_answers_its_operator(suite):
    for name in ("backend", "push", "email", "sms"):
        admin = suite.addresses[name]["admin"]
        assert http_call(admin, "GET", "/healthz").status == 200
        assert http_call(admin, "GET", "/readyz").json == {"ready": True}
        metrics = http_call(admin, "GET", "/metrics")
        assert metrics.status == 200 and b"# HELP paybell_" in metrics.body
        assert http_call(admin, "GET", "/nothing").status == 404


def test_the_api_serves_health_without_a_key(suite):
    assert suite.api("GET", "/healthz", key=None).status == 200
    assert suite.api("GET", "/readyz", key=None).status == 200
