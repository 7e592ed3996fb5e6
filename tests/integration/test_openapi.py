"""schema/openapi.yaml is the contract: the routes are the same, and live answers fit its schemas.

The schema checker here knows the words of JSON Schema that the document uses, and fails
on one that it does not know: a word that nobody checks would be decoration.
"""
import json
import os
import re

import pytest

from harness import ROOT, Suite, http_call, wait_until

DOCUMENT = os.path.join(ROOT, "schema", "openapi.yaml")
EXAMPLES = os.path.join(ROOT, "schema", "examples")
ANNOTATIONS = {"description", "examples", "default", "title", "format"}


def load():
    with open(DOCUMENT, encoding="utf-8") as file:
        return json.load(file)


API = load()


def resolve(schema):
    while "$ref" in schema:
        target = API
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        schema = target
    return schema


TYPES = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
}
BOUNDS = {
    "const": lambda v, want: v == want and isinstance(v, bool) == isinstance(want, bool),
    "enum": lambda v, want: v in want,
    "type": lambda v, want: TYPES[want](v),
    "pattern": lambda v, want: not isinstance(v, str) or re.search(want, v) is not None,
    "minLength": lambda v, want: not isinstance(v, str) or len(v) >= want,
    "maxLength": lambda v, want: not isinstance(v, str) or len(v) <= want,
    "minimum": lambda v, want: not isinstance(v, int) or v >= want,
    "maximum": lambda v, want: not isinstance(v, int) or v <= want,
    "minItems": lambda v, want: not isinstance(v, list) or len(v) >= want,
    "maxItems": lambda v, want: not isinstance(v, list) or len(v) <= want,
    "maxProperties": lambda v, want: not isinstance(v, dict) or len(v) <= want,
    "required": lambda v, want: not isinstance(v, dict) or set(want) <= set(v),
}


def faults(value, schema, at="$"):
    """What is wrong with the value, as "path: why" texts."""
    schema = resolve(schema)
    for word, want in schema.items():
        if word in BOUNDS:
            if not BOUNDS[word](value, want):
                yield f"{at}: {value!r} against {word} {want!r}"
        elif word == "anyOf":
            if all(list(faults(value, s, at)) for s in want):
                yield f"{at}: none of anyOf"
        elif word == "items":
            for i, item in enumerate(value if isinstance(value, list) else ()):
                yield from faults(item, want, f"{at}[{i}]")
        elif word in ("properties", "additionalProperties", "propertyNames"):
            pass
        else:
            assert word in ANNOTATIONS, f"{at}: the checker does not know {word!r}"
    if isinstance(value, dict):
        yield from object_faults(value, schema, at)


def object_faults(value, schema, at):
    known, rest = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name, item in value.items():
        if "propertyNames" in schema:
            yield from faults(name, schema["propertyNames"], f"{at} (name)")
        if name in known:
            yield from faults(item, known[name], f"{at}.{name}")
        elif rest is False:
            yield f"{at}: {name!r} is not in the document"
        elif isinstance(rest, dict):
            yield from faults(item, rest, f"{at}.{name}")


def operation(method, path):
    """The operation that a request belongs to."""
    bare = path.split("?")[0]
    for pattern, item in API["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), bare) and method.lower() in item:
            return item[method.lower()]
    raise AssertionError(f"{method} {path} is not in the document")


def fits(answer, method, path):
    """The answer is one that the document describes."""
    described = operation(method, path)["responses"]
    assert str(answer.status) in described, f"{method} {path}: {answer!r}"
    response = resolve(described[str(answer.status)])
    for name, header in response.get("headers", {}).items():
        value = answer.headers.get(name)
        assert value is not None or not header.get("required"), f"{name} is missing: {answer!r}"
        if value is not None and header["schema"].get("type") != "integer":
            assert not list(faults(value, header["schema"], name))
    if "content" not in response:
        assert answer.body == b"" or answer.status == 503
        return answer
    kind = answer.headers["Content-Type"].split(";")[0]
    assert kind in response["content"], f"{method} {path} came as {kind}"
    if "json" in kind:
        assert list(faults(answer.json, response["content"][kind]["schema"])) == [], f"{method} {path}"
    return answer


# ---- the document by itself ----

def routes_of_the_source():
    with open(os.path.join(ROOT, "services", "backend", "api.c"), encoding="utf-8") as file:
        table = re.search(r"ROUTES\[\] = \{\n(.*?)\n\};", file.read(), re.S)[1]
    found = re.findall(r'\{"([A-Z]+)",\s*"([^"]+)",\s*\w+\}', table)
    assert len(found) == table.count('{"'), "a row of the table is written otherwise"
    return set(found)


def test_every_route_is_in_the_document_and_the_other_way_round():
    documented = {(method.upper(), re.sub(r"\{\w+\}", "*", path))
                  for path, item in API["paths"].items() for method in item if method != "parameters"}
    operation_paths = {("GET", p) for p in ("/healthz", "/readyz", "/metrics", "/openapi.json")}
    assert documented - operation_paths == routes_of_the_source()
    assert operation_paths <= documented


def test_every_reference_leads_somewhere_and_every_schema_is_used():
    text = json.dumps(API)
    referenced = set(re.findall(r'"\$ref": "#/components/(\w+/\w+)"', text))
    present = {f"{kind}/{name}" for kind in ("schemas", "responses", "parameters") for name in API["components"][kind]}
    assert referenced == present


def test_the_words_are_those_of_the_source():
    """Problem types and reasons are closed lists: the document has all of them and no other."""
    with open(os.path.join(ROOT, "lib", "wire", "problem.c"), encoding="utf-8") as file:
        kinds = set(re.findall(r'\[PROBLEM_\w+\] = \{\d+, "([a-z-]+)"', re.sub(r'\s+', " ", file.read())))
    problem = API["components"]["schemas"]["Problem"]["properties"]["type"]["enum"]
    assert set(problem) == {f"urn:paybell:problem:{kind}" for kind in kinds}
    with open(os.path.join(ROOT, "lib", "wire", "attempt.c"), encoding="utf-8") as file:
        reasons = set(re.findall(r'\[REASON_\w+\] = "(\w+)"', file.read()))
    assert set(API["components"]["schemas"]["Reason"]["enum"]) == reasons


@pytest.mark.parametrize("folder,name,schema", [
    ("transaction", "lunch", "TransactionRequest"), ("transaction", "from-the-outside", "TransactionRequest"),
    ("user", "alice", "UserRequest"), ("user", "least", "UserRequest"), ("user", "preferences", "Preferences"),
    ("device", "fcm", "DeviceRequest"), ("attempt", "delivered", "Attempt"), ("attempt", "retrying", "Attempt"),
    ("attempt", "suppressed", "Attempt"), ("event", "credit", "Event"), ("event", "debit-to-the-outside", "Event"),
])
def test_an_example_fits_its_schema(folder, name, schema):
    with open(os.path.join(EXAMPLES, folder, f"{name}.json"), encoding="utf-8") as file:
        assert list(faults(json.load(file), {"$ref": f"#/components/schemas/{schema}"})) == []


def test_what_the_backend_refuses_does_not_fit_either():
    request = {"$ref": "#/components/schemas/TransactionRequest"}
    with open(os.path.join(EXAMPLES, "transaction", "refused-amount-is-a-number.json"), encoding="utf-8") as file:
        assert list(faults(json.load(file), request))
    assert list(faults({"amount": "1.00", "currency": "USD"}, request)), "nobody pays nobody"
    assert list(faults({"to": "bob", "amount": "1.00", "currency": "USD", "extra": "x"}, request))


# ---- live ----

class Client:
    def __init__(self, suite):
        self.suite = suite

    def __call__(self, method, path, body=None, key="paybell-test-key", **headers):
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if key:
            sent["Authorization"] = f"Bearer {key}"
        if body is not None:
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        return fits(http_call(self.suite.addresses["backend"]["api"], method, path, body, sent), method, path)


@pytest.fixture(scope="module")
def call():
    suite = Suite()
    try:
        suite.start_redis()
        suite.start("backend")
        yield Client(suite)
        suite.check()
    finally:
        suite.close()


@pytest.fixture(scope="module")
def paid(call):
    """Alice and Bob, and a payment between them."""
    with open(os.path.join(EXAMPLES, "user", "alice.json"), encoding="utf-8") as file:
        assert call("PUT", "/users/alice", json.load(file)).status == 201
    assert call("PUT", "/users/bob", {"name": "Bob"}).status == 201
    assert call("POST", "/transactions", {"to": "alice", "amount": "100.00", "currency": "USD"}).status == 201
    return call("POST", "/transactions", {"from": "alice", "to": "bob", "amount": "15.00", "currency": "USD",
                                          "description": "Lunch", "metadata": {"order": "A-1042"}}).json


def test_payments_answer_as_described(call, paid):
    first = call("POST", "/transactions", {"to": "bob", "amount": "1", "currency": "JPY"}, Idempotency_Key="k1")
    again = call("POST", "/transactions", {"to": "bob", "amount": "1", "currency": "JPY"}, Idempotency_Key="k1")
    assert (first.status, again.status, again.headers["Idempotent-Replayed"]) == (201, 201, "true")
    assert first.headers["Location"] == f"/transactions/{first.json['id']}"
    other = call("POST", "/transactions", {"to": "bob", "amount": "2", "currency": "JPY"}, Idempotency_Key="k1")
    assert (other.status, other.problem) == (422, "key-reused")


@pytest.mark.parametrize("body,status,problem", [
    (b"{", 400, "malformed"),
    ({"from": "alice", "to": "bob", "amount": 15, "currency": "USD"}, 422, "validation"),
    ({"from": "alice", "to": "bob", "amount": "9999999.00", "currency": "USD"}, 422, "insufficient-funds"),
    ({"from": "nobody-here", "to": "bob", "amount": "1.00", "currency": "USD"}, 422, "unknown-user"),
    (b"x" * 20000, 413, "too-large"),
])
def test_refusals_answer_as_described(call, paid, body, status, problem):
    answer = call("POST", "/transactions", body)
    assert (answer.status, answer.problem) == (status, problem)


def test_what_every_route_refuses_answers_as_described(call, paid):
    assert call("POST", "/transactions", {}, key=None).status == 401
    assert call("POST", "/transactions", b"{}", Content_Type="text/plain").status == 415
    assert call("GET", "/transactions?user_id=alice&limit=0").status == 422
    assert call("GET", "/transactions/txn_none").status == 404
    assert call("GET", "/users/nobody").status == 404
    assert call("PUT", "/users/bad%20id", {"name": "X"}).status == 422
    assert call("DELETE", "/users/nobody").status == 404
    assert call("POST", "/users/nobody/tokens", {}).status == 404
    assert call("POST", "/users/nobody/devices", {"kind": "fcm", "token": "x" * 20}).status == 404
    assert call("GET", "/users/nobody/balance").status == 404
    assert call("GET", "/users/alice/events?after=x").status == 422


def test_what_is_read_answers_as_described(call, paid):
    assert call("GET", "/transactions?user_id=alice").json["transactions"][0]["id"] == paid["id"]
    assert "next_cursor" in call("GET", "/transactions?user_id=alice&limit=1").json
    timeline = wait_until(
        lambda: (lambda t: "published_us" in t["timeline"] and t)(call("GET", f"/transactions/{paid['id']}").json),
        what="the bell")
    assert [event["direction"] for event in timeline["events"]] == ["debit", "credit"]
    assert call("GET", "/users/alice").json["preferences"]["sms"]["enabled"] is False
    assert call("GET", "/users/alice/balance").json["balances"] == [{"currency": "USD", "amount": "85.00"}]
    page = call("GET", "/users/alice/events?limit=1").json
    assert page["more"] and call("GET", f"/users/alice/events?after={page['next_after']}").json["events"]


def test_users_devices_and_tokens_answer_as_described(call, paid):
    assert call("PUT", "/users/bob", {"name": "Bob B."}).status == 200
    device = {"kind": "fcm", "token": "a-token-of-bobs-telephone"}
    made = call("POST", "/users/bob/devices", device)
    assert (made.status, call("POST", "/users/bob/devices", device).status) == (201, 200)
    assert [d["id"] for d in call("GET", "/users/bob/devices").json["devices"]] == [made.json["id"]]
    assert call("DELETE", f"/users/bob/devices/{made.json['id']}").status == 204
    assert call("DELETE", f"/users/bob/devices/{made.json['id']}").status == 404
    assert call("POST", "/users/bob/tokens", {"ttl_s": 60}).headers["Cache-Control"] == "no-store"
    assert call("PUT", "/users/carol", {"name": "Carol"}).status == 201
    assert call("DELETE", "/users/carol").status == 204


def test_deliveries_answer_as_described(call, paid):
    page = call("GET", "/deliveries?status=open&channel=sms&limit=1").json
    assert len(page["deliveries"]) == 1
    assert call("GET", f"/deliveries?status=open&channel=sms&cursor={page['next_cursor']}").json["deliveries"]
    assert call("GET", "/deliveries").json == {"deliveries": []}
    event = page["deliveries"][0]["event_id"]
    assert call("GET", f"/deliveries/{event}/sms").json == page["deliveries"][0]
    assert call("POST", f"/deliveries/{event}/sms/retry").status == 409
    assert call("POST", f"/deliveries/{event}/fax/retry").status == 404
    assert call("POST", "/deliveries/evt_none/sms/retry").status == 404
    assert call("GET", "/deliveries/evt_none/sms").status == 404
    for bad in ("status=dead", "channel=fax", "limit=0", "limit=1001", "cursor=1042"):
        assert call("GET", f"/deliveries?{bad}").json["field"] == bad.split("=")[0]


def test_operation_paths_need_no_key(call):
    assert call("GET", "/healthz", key=None).status == 200
    assert call("GET", "/readyz", key=None).status in (200, 503)
    assert b"paybell_" in call("GET", "/metrics", key=None).body


def test_the_document_is_served_as_it_stands(call):
    with open(DOCUMENT, "rb") as file:
        text = file.read()
    assert call("GET", "/openapi.json", key=None).body == text
    admin = http_call(call.suite.addresses["backend"]["admin"], "GET", "/openapi.json")
    assert (admin.status, admin.body) == (200, text)
