#!/usr/bin/python3
"""Makes the real input: 500 people, 10,000 payments, and what must come of them.

    generate.py --out DIR [--seed N]

writes three files, the same bytes for the same seed:

    users.jsonl     PUT /users and POST devices, in the form of tests/bench/load --requests
    requests.jsonl  10,000 times POST /transactions, in the same form, on 64 connections
    expected.json   the answer to each, the counts, balances, events and deliveries

No outcome depends on the order in which the connections get on:
  * what somebody pays stands on that person's connection, behind the funding that covers
    all of it; what they receive is never needed;
  * overdrafts are of people who never receive anything;
  * a repeated key stands behind its first use on the same connection.
"""
import argparse
import base64
import json
import os
import random

from people import BAD_LINES, DESCRIPTIONS, NAMES

CONNECTIONS = 64
PEOPLE = 500
POOR = 20
REQUESTS = 10000
KEYS = ["paybell-test-key", "paybell-test-key-2"]
DECIMALS = {"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3}
CURRENCIES = list(DECIMALS)
CHANNELS = ["push", "email", "sms"]
BODY_MAX = 16384
MIN_AMOUNT = {"amount": "50.00", "currency": "USD"}
MIN_MINOR = 5000


def text_of(minor, currency):
    """1500 USD -> "15.00"."""
    places = DECIMALS[currency]
    sign, digits = ("-" if minor < 0 else ""), str(abs(minor)).rjust(places + 1, "0")
    if places == 0:
        return sign + digits
    return f"{sign}{digits[:-places]}.{digits[-places:]}"


def shortest(text, rng):
    """Sometimes as people write it: "5", "5.5" instead of "5.00", "5.50"."""
    if "." not in text or rng.random() < 0.7:
        return text
    whole, part = text.split(".")
    part = part.rstrip("0")
    return f"{whole}.{part}" if part else whole


class Person:
    def __init__(self, number, rng):
        self.number = number
        self.id = self.make_id(number)
        self.poor = number < POOR
        self.connection = number % CONNECTIONS
        self.currencies = ["USD"] + rng.sample(CURRENCIES[1:], rng.randrange(0, 3))
        self.name = NAMES[number % len(NAMES)]
        self.email = f"person+{number}@mail{number % 7}.example.com"
        self.phone = f"+43660{number:07d}"
        self.devices = 1
        self.preferences = {}
        self.choose_gaps(rng)

    @staticmethod
    def make_id(number):
        styles = ["p{:03d}", "user.{:03d}", "Some-One_{:03d}", "{:03d}", "long-" + "x" * 56 + "{:03d}"]
        return styles[number % 11 if number % 11 < len(styles) else 0].format(number)

    def choose_gaps(self, rng):
        """At most one reason a channel, so that each has one right answer."""
        self.devices = rng.choice([0, 1, 1, 1, 1, 1, 1, 1, 2, 3])
        if rng.random() < 0.10:
            self.email = None
        if rng.random() < 0.15:
            self.phone = None
        has = {"push": self.devices > 0, "email": self.email, "sms": self.phone}
        for channel in CHANNELS:
            dice = rng.random()
            if not has[channel]:
                continue
            if dice < 0.08:
                self.preferences[channel] = {"enabled": False}
            elif dice < 0.13:
                self.preferences[channel] = {"min_amount": MIN_AMOUNT}
            elif dice < 0.20:
                self.preferences[channel] = {"enabled": True}

    def suppressed(self, channel, minor, currency):
        """Why this person gets no message about it on that channel; None: gets one."""
        has = {"push": self.devices > 0, "email": self.email, "sms": self.phone}[channel]
        wish = self.preferences.get(channel, {})
        if not has:
            return "no_address"
        if wish.get("enabled") is False:
            return "channel_disabled"
        if "min_amount" in wish and currency == "USD" and minor < MIN_MINOR:
            return "below_min_amount"
        return None

    def messages(self, channel):
        return self.devices if channel == "push" else 1

    def body(self, rng):
        body = {"name": self.name}
        if self.email:
            body["email"] = self.email
        if self.phone:
            body["phone"] = self.phone
        locale = rng.choice([None, "en", "de", "de-AT", "ja", "ar", "zh-Hant-TW"])
        if locale:
            body["locale"] = locale
        if rng.random() < 0.5:
            body["timezone"] = rng.choice(["Europe/Vienna", "Asia/Tokyo", "UTC"])
        if self.preferences:
            body["preferences"] = self.preferences
        return body

    def token(self, index, rng):
        alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
        tail = "".join(rng.choice(alphabet) for _ in range(120))
        return f"d{self.number:03d}_{index}:APA91b{tail}"


class Request:
    """One POST /transactions and the answer that it must get."""

    def __init__(self, connection, body, status, problem=None, field=None, headers=None,
                 key=None, replayed=False, api_key=0):
        self.connection = connection
        self.body = body  # bytes
        self.headers = {"Content-Type": "application/json",
                        "Authorization": f"Bearer {KEYS[api_key]}"}
        if key is not None:
            self.headers["Idempotency-Key"] = key
        for name, value in (headers or {}).items():
            self.headers[name] = value
            if value is None:
                del self.headers[name]
        self.status, self.problem, self.field, self.replayed = status, problem, field, replayed
        self.payment = None  # what it moves, when it moves something
        self.after = None    # the request of the same connection that must come first
        self.first = False   # funding: at the head of its connection

    def line(self):
        line = {"conn": self.connection, "method": "POST", "path": "/transactions",
                "headers": self.headers}
        try:
            line["body"] = self.body.decode("utf-8")
        except UnicodeDecodeError:
            line["body_base64"] = base64.b64encode(self.body).decode("ascii")
        return line


class Payment:
    def __init__(self, sender, receiver, minor, currency):
        self.sender, self.receiver, self.minor, self.currency = sender, receiver, minor, currency


class Maker:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.people = [Person(i, self.rng) for i in range(PEOPLE)]
        self.rich = [p for p in self.people if not p.poor]
        self.poor = [p for p in self.people if p.poor]
        self.requests = []
        self.spent = {}  # (person, currency) -> minor
        self.next_key = 0

    # ---- pieces ----

    def key(self):
        self.next_key += 1
        return f"key-{self.next_key:05d}-{self.rng.getrandbits(64):016x}"

    def encode(self, obj):
        """JSON as different clients write it."""
        style = self.rng.randrange(3)
        if style == 0:
            return json.dumps(obj, ensure_ascii=True).encode()
        if style == 1:
            return json.dumps(obj, ensure_ascii=False, separators=(",", ":")).encode()
        return ("\n" + json.dumps(obj, ensure_ascii=False, indent=2) + "\n").encode()

    def amount(self, currency):
        units = self.rng.choice([1, 5, 20, 100, 250])
        minor = max(1, int(units * self.rng.random() * 10 ** DECIMALS[currency]))
        return minor if currency != "JPY" else minor * 100

    def payment_body(self, payment, decorate=True):
        body = {}
        if payment.sender:
            body["from"] = payment.sender.id
        if payment.receiver:
            body["to"] = payment.receiver.id
        body["amount"] = shortest(text_of(payment.minor, payment.currency), self.rng)
        body["currency"] = payment.currency
        if decorate:
            description = self.rng.choice(DESCRIPTIONS)
            if description is not None:
                body["description"] = description
            if self.rng.random() < 0.1:
                body["metadata"] = {"order": str(self.rng.randrange(10 ** 6)), "note": "日本 <&>\""}
        return body

    def anybody(self):
        """A valid body to spoil, and a connection for it."""
        a, b = self.rng.sample(self.rich, 2)
        body = {"from": a.id, "to": b.id, "amount": "5.00", "currency": "USD"}
        return body, self.rng.randrange(CONNECTIONS)

    def add(self, request):
        self.requests.append(request)
        return request

    # ---- the good ones ----

    def pay(self, key=None, payment=None, **options):
        if payment is None:
            sender, receiver = self.rng.sample(self.rich, 2)
            currency = self.rng.choice(sender.currencies)
            if self.rng.random() < 0.04:
                receiver = None  # to the outside world
            payment = Payment(sender, receiver, self.amount(currency), currency)
        request = Request(payment.sender.connection, self.encode(self.payment_body(payment)),
                          201, key=key, **options)
        request.payment = payment
        spender = (payment.sender, payment.currency)
        self.spent[spender] = self.spent.get(spender, 0) + payment.minor
        return self.add(request)

    def fund_all(self):
        for person in self.rich:
            for currency in person.currencies:
                minor = self.spent.get((person, currency), 0) + self.amount(currency)
                payment = Payment(None, person, minor, currency)
                request = Request(person.connection,
                                  self.encode(self.payment_body(payment)), 201, key=self.key())
                request.payment = payment
                request.first = True
                self.add(request)

    def funding_count(self):
        return sum(len(p.currencies) for p in self.rich)

    def at_the_limit(self):
        """Bodies of exactly the most bytes, and of content types that are JSON too."""
        for _ in range(10):
            request = self.pay()
            request.body = request.body + b" " * (BODY_MAX - len(request.body))
        for name in ["application/json; charset=utf-8", "Application/JSON"]:
            for _ in range(10):
                self.pay(headers={"Content-Type": name})

    # ---- idempotency ----

    def again(self, first, body=None, status=None, problem=None, field=None, replayed=True):
        """The same key once more, behind the first."""
        request = Request(first.connection, body or first.body, status or first.status,
                          problem=problem, field=field, replayed=replayed)
        request.headers = dict(first.headers)
        request.after = first
        return self.add(request)

    def repeat_keys(self):
        for _ in range(250):
            self.again(self.pay(key=self.key()))
        for _ in range(25):
            first = self.pay(key=self.key())
            self.again(self.again(first))
        for _ in range(100):
            first = self.pay(key=self.key())
            other = json.loads(first.body)
            other["amount"] = "1"
            other["description"] = "another request under the same key"
            self.again(first, body=self.encode(other), status=422, problem="key-reused",
                       field="Idempotency-Key", replayed=False)
        for _ in range(40):
            first = self.overdraft(key=self.key())
            self.again(first, problem=first.problem, field=first.field)
        for _ in range(20):
            first = self.unknown_user(key=self.key())
            self.again(first, problem=first.problem, field=first.field)
        for _ in range(20):
            # A validation error is not kept: the corrected request may have the key.
            good = self.pay(key=self.key())
            bad = Request(good.connection, b'{"from":"x","amount":5}', 422, problem="validation",
                          field="amount")
            bad.headers = dict(good.headers)
            good.after = self.add(bad)
        for _ in range(10):
            # Another API key has its own keys.
            first = self.pay(key=self.key())
            self.pay(key=first.headers["Idempotency-Key"], payment=first.payment, api_key=1)

    # ---- the bad ones ----

    def overdraft(self, key=None):
        sender, receiver = self.rng.choice(self.poor), self.rng.choice(self.rich)
        currency = self.rng.choice(CURRENCIES)
        payment = Payment(sender, receiver if self.rng.random() < 0.9 else None,
                          self.amount(currency), currency)
        return self.add(Request(sender.connection, self.encode(self.payment_body(payment)), 422,
                                problem="insufficient-funds", field="amount", key=key))

    def unknown_user(self, key=None):
        body, connection = self.anybody()
        side = self.rng.choice(["from", "to"])
        body[side] = f"nobody-{self.rng.randrange(10 ** 6)}"
        return self.add(Request(connection, self.encode(body), 422, problem="unknown-user",
                                field=side, key=key))

    def bad_fields(self):
        """(field that the answer must name, what to change in a valid body)."""
        gone = object()
        cases = []
        for bad in ["-5.00", "-0.01", "0", "0.00", "1.001", "1e3", "+5.00", "007.00", " 5.00",
                    "5.00 ", "", "1,00", "5.", ".50", "1.2.3", "0x10", "١٢.٠٠", "５.00", "NaN",
                    "Infinity", "five", "9223372036854775808", "10000000000000.01",
                    "99999999999999999999999999999999999999", "1" * 200, 15, 15.0, -1, 0, None,
                    True, [], {}, ["5.00"], {"value": "5.00"}, 10 ** 30, gone]:
            cases.append(("amount", {"amount": bad}))
        cases.append(("amount", {"amount": "1.5", "currency": "JPY"}))
        cases.append(("amount", {"amount": "100.00", "currency": "JPY"}))
        cases.append(("amount", {"amount": "1.0001", "currency": "KWD"}))
        for bad in ["XXX", "XTS", "usd", "US", "USDX", "DOGE", "", "€", "U$D", 840, None, gone, ["USD"]]:
            cases.append(("currency", {"currency": bad}))
        for bad in ["bob smith", "../../etc/passwd", "x" * 65, "alice@example.com", "ünïcödé", 42,
                    True, ["p100"], {"id": "p100"}]:
            cases.append(("from", {"from": bad}))
            cases.append(("to", {"to": bad}))
        cases.append(("from", {"from": gone, "to": gone}))
        cases.append(("to", {"from": "p100", "to": "p100"}))
        for bad in BAD_LINES + ["x" * 256, "\U0001f600" * 256, 5, ["Lunch"], {"text": "Lunch"}, False]:
            cases.append(("description", {"description": bad}))
        for bad in [[], "text", 5, {str(i): "v" for i in range(17)}]:
            cases.append(("metadata", {"metadata": bad}))
        for bad in [{"k": 5}, {"k": None}, {"k": {"deeper": "x"}}, {"k": "v" * 201}]:
            cases.append(("metadata.k", {"metadata": bad}))
        cases.append(("note", {"note": "nobody knows this field"}))
        cases.append(("Amount", {"Amount": "5.00"}))
        return gone, cases

    def invalid_fields(self, count):
        gone, cases = self.bad_fields()
        for i in range(count):
            field, change = cases[i % len(cases)]
            body, connection = self.anybody()
            for name, value in change.items():
                body[name] = value
                if value is gone:
                    del body[name]
            self.add(Request(connection, self.encode(body), 422, problem="validation", field=field))

    def not_objects(self):
        for raw in [b"[]", b'"text"', b"5", b"true", b"null", b"[{}]"] * 3:
            self.add(Request(self.rng.randrange(CONNECTIONS), raw, 422, problem="validation", field="body"))

    def malformed(self):
        good = json.dumps(self.anybody()[0]).encode()
        raws = [b"", b" ", b"{", b"}", good[:-1], good + b"}", good + good, b"\xef\xbb\xbf" + good,
                good.replace(b'"USD"', b"USD"), good.replace(b'"', b"'"), b"amount=5.00&currency=USD",
                good[:-1] + b",}", b"/* c */" + good, good[:-1] + b',"amount":"6.00"}',
                good[:-1] + b',"description":"\xff\xfe"}', good[:-1] + b',"description":"\xc0\xaf"}',
                good[:-1] + b',"description":"\xed\xa0\x80"}', good[:-1] + b',"description":"\\ud800"}',
                good[:-1] + b',"description":"a\\u0000b"}', good[:-1] + b',"description":"a\x00b"}',
                good[:-1] + b',"description":"raw\nline"}', good.replace(b'"5.00"', b"NaN"),
                good.replace(b'"5.00"', b"1e999"), good.replace(b'"5.00"', b"05"), b"<xml/>", b"\x00" * 16,
                b"[" * 17 + b"]" * 17, b"[" * 5000, b'{"a":' * 2000 + b"1" + b"}" * 2000,
                good[:-1] + b',"metadata":' + b'{"a":' * 30 + b"1" + b"}" * 31]
        for raw in raws * 5:
            self.add(Request(self.rng.randrange(CONNECTIONS), raw, 400, problem="malformed"))

    def too_large(self):
        for i in range(20):
            body, connection = self.anybody()
            size = [BODY_MAX + 1, 20000, 32768, 60000][i % 4]
            raw = json.dumps(body).encode()
            self.add(Request(connection, raw + b" " * (size - len(raw)), 413, problem="too-large"))

    def wrong_type(self):
        for name in ["text/plain", "application/x-www-form-urlencoded", "text/json", "application/xml",
                     "application/jsonp", "json", None] * 6:
            body, connection = self.anybody()
            self.add(Request(connection, self.encode(body), 415, problem="unsupported-media-type",
                             headers={"Content-Type": name}))

    def wrong_key(self):
        for value in [None, "Bearer wrong", "Bearer", "Basic YTpi", KEYS[0], f"Bearer {KEYS[0]}x",
                      f"Token {KEYS[0]}"] * 6:
            body, connection = self.anybody()
            self.add(Request(connection, self.encode(body), 401, problem="unauthorized",
                             headers={"Authorization": value}))

    # ---- all of it ----

    def make(self):
        self.repeat_keys()
        self.at_the_limit()
        for _ in range(150):
            self.overdraft()
        for _ in range(80):
            self.unknown_user()
        self.invalid_fields(500)
        self.not_objects()
        self.malformed()
        self.too_large()
        self.wrong_type()
        self.wrong_key()
        while len(self.requests) < REQUESTS - self.funding_count():
            self.pay(key=self.key() if self.rng.random() < 0.5 else None)
        self.fund_all()
        self.order()

    def order(self):
        """Funding, then the rest in any order that keeps each repeat behind its first;
        then the connections' lines shuffled into one file."""
        queues = []
        for connection in range(CONNECTIONS):
            mine = [r for r in self.requests if r.connection == connection]
            first = [r for r in mine if r.first]
            rest = [r for r in mine if not r.first]
            place = {}
            for request in rest:
                after = place[request.after] if request.after in place else 0.0
                place[request] = after + self.rng.random() * (1.0 - after)
            # a predecessor that was added later than its successor
            for request in rest:
                if request.after is not None and place[request] <= place[request.after]:
                    place[request] = place[request.after] + self.rng.random() * (1.0 - place[request.after])
            rest.sort(key=place.get)
            self.rng.shuffle(first)
            queues.append(first + rest)
        slots = [i for i, queue in enumerate(queues) for _ in queue]
        self.rng.shuffle(slots)
        iterators = [iter(queue) for queue in queues]
        self.requests = [next(iterators[i]) for i in slots]

    # ---- what must come of it ----

    def expected(self):
        out = {"api_keys": KEYS, "requests": len(self.requests), "statuses": {}, "problems": {},
               "replayed": 0, "answers": [], "transactions": 0, "events": 0, "events_of": {},
               "balances": {}, "world": {}, "deliveries": {}, "messages": {}}
        for channel in CHANNELS:
            out["deliveries"][channel] = {"delivered": 0, "suppressed": {}}
            out["messages"][channel] = 0
        balances = {}
        for request in self.requests:
            self.expect_answer(out, request)
            if request.payment is not None:
                out["transactions"] += 1
                self.expect_payment(out, balances, request.payment)
        for (user, currency), minor in sorted(balances.items()):
            if user == "":
                out["world"][currency] = minor
            else:
                out["balances"].setdefault(user, {})[currency] = text_of(minor, currency)
        return out

    @staticmethod
    def expect_answer(out, request):
        count(out["statuses"], str(request.status))
        if request.problem:
            count(out["problems"], request.problem)
        out["replayed"] += request.replayed
        out["answers"].append({"status": request.status, "problem": request.problem,
                               "field": request.field, "replayed": request.replayed})

    @staticmethod
    def expect_payment(out, balances, payment):
        for person, sign in ((payment.sender, -1), (payment.receiver, 1)):
            account = (person.id if person else "", payment.currency)
            balances[account] = balances.get(account, 0) + sign * payment.minor
            if person is None:
                continue
            out["events"] += 1
            count(out["events_of"], person.id)
            for channel in CHANNELS:
                reason = person.suppressed(channel, payment.minor, payment.currency)
                if reason:
                    count(out["deliveries"][channel]["suppressed"], reason)
                else:
                    out["deliveries"][channel]["delivered"] += 1
                    out["messages"][channel] += person.messages(channel)

    def user_lines(self):
        for person in self.people:
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEYS[0]}"}
            common = {"conn": person.number % 8, "headers": headers}
            yield {**common, "method": "PUT", "path": f"/users/{person.id}",
                   "body": json.dumps(person.body(self.rng), ensure_ascii=False)}
            for index in range(person.devices):
                yield {**common, "method": "POST", "path": f"/users/{person.id}/devices",
                       "body": json.dumps({"kind": "fcm", "token": person.token(index, self.rng)})}


def count(counts, name):
    counts[name] = counts.get(name, 0) + 1


def write_lines(path, lines):
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        for line in lines:
            out.write(json.dumps(line, ensure_ascii=True) + "\n")


def generate(folder, seed=2026):
    """Writes the three files into folder; returns what expected.json holds."""
    os.makedirs(folder, exist_ok=True)
    maker = Maker(seed)
    maker.make()
    expected = maker.expected()
    write_lines(os.path.join(folder, "users.jsonl"), maker.user_lines())
    write_lines(os.path.join(folder, "requests.jsonl"), (r.line() for r in maker.requests))
    with open(os.path.join(folder, "expected.json"), "w", encoding="utf-8") as out:
        json.dump(expected, out, ensure_ascii=False)
    return expected


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--out", required=True, help="the folder for the three files")
    parser.add_argument("--seed", type=int, default=2026)
    options = parser.parse_args()
    expected = generate(options.out, options.seed)
    print(json.dumps({k: v for k, v in expected.items() if k not in ("answers", "balances", "events_of")}))


if __name__ == "__main__":
    main()
