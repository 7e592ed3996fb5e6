"""The command line, as an operator uses it, against a running installation."""
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import threading
import time
from contextlib import contextmanager

import pytest

from harness import BIN, KEYS, REPORT, environment, wait_until

TXN = re.compile(r"txn_[0-9A-Z]{26}")
TRIES_S = 40  # all tries of one call, with their waits


def settings(suite, **more):
    return environment(**{"API": f"http://{suite.addresses['backend']['api']}", "API_KEY": KEYS[0],
                          "REDIS": suite.settings["REDIS"], **more})


def run(suite, *arguments, timeout=60, **more):
    done = subprocess.run([os.path.join(BIN, "paybell"), *arguments], env=settings(suite, **more), timeout=timeout,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert not REPORT.search(done.stderr), done.stderr
    return done


def good(suite, *arguments, **more):
    done = run(suite, *arguments, **more)
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    return done.stdout


@pytest.fixture(scope="module")
def people(shared):
    for user in ("alice", "bob"):
        shared.add_user(user)
    assert shared.pay(None, "alice", "1000.00").status == 201
    return shared


@pytest.fixture
def cli(people, suite):
    return suite


# ---- pay and show ----

def test_a_payment_is_shown_as_a_tree_when_all_of_it_has_ended(cli):
    lines = good(cli, "pay", "alice", "bob", "15.00", "USD", "Grüße, שלום 🍕", "--wait").splitlines()
    assert TXN.match(lines[0]) and lines[0].endswith('alice → bob  15.00 USD  "Grüße, שלום 🍕"')
    assert re.match(r"├─ accepted \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC → committed \+[\d.]+ m?s → "
                    r"published \+[\d.]+ m?s$", lines[1]), lines[1]
    assert lines[2].startswith("├─ alice  debit  evt_")
    assert [line for line in lines if line.startswith("└─ bob  credit  evt_")]
    for channel, provider in (("push", "fcm"), ("email", "smtp 250"), ("sms", "twilio 201")):
        found = [line for line in lines
                 if re.search(rf"─ {channel} +✓ delivered +\+[\d.]+ m?s +1 attempt +{provider}$", line)]
        assert len(found) == 2, (channel, lines)
    assert len([line for line in lines if re.search(r"└─ dev_\w{26}  ✓ delivered .* fcm 200$", line)]) == 2
    assert "\x1b" not in "".join(lines)


def test_json_is_the_answer_of_the_api(cli):
    paid = json.loads(good(cli, "pay", "alice", "bob", "1.00", "USD", "--json"))
    assert paid["amount"] == "1.00" and "timeline" not in paid
    shown = json.loads(good(cli, "show", paid["id"], "--wait", "--json"))
    assert shown == cli.api("GET", f"/transactions/{paid['id']}").json
    assert {channel["status"] for event in shown["events"] for channel in event["channels"].values()} == {"delivered"}


def test_a_dash_is_the_outside_world(cli):
    assert "(outside) → bob  3 JPY" in good(cli, "pay", "-", "bob", "3", "JPY")
    assert "bob → (outside)  2 JPY" in good(cli, "pay", "bob", "-", "2", "JPY")


def test_waiting_ends_in_time_and_says_what_is_open(own):
    own.add_user("alice")
    own.stop("email")
    done = run(own, "pay", "-", "alice", "5.00", "USD", "--wait", "--timeout", "1s")
    assert done.returncode == 1
    assert "1 delivery has not ended in time" in done.stderr
    assert re.search(r"─ email +… open$", done.stdout, re.M), done.stdout
    own.start("email")
    assert re.search(r"─ email +✓ delivered", good(own, "show", TXN.search(done.stdout)[0], "--wait"))


def test_what_failed_while_waited_for_is_a_failure(own):
    own.add_user("alice")
    own.fault("sms", status=400)
    done = run(own, "pay", "-", "alice", "5.00", "USD", "--wait")
    assert done.returncode == 1, done
    assert "1 delivery failed" in done.stderr
    assert re.search(r"─ sms +✗ failed .* twilio 400 \w+$", done.stdout, re.M), done.stdout


# ---- a payment is made once ----

class Road:
    """A road to the backend with something wrong on it: `plan` has a word for each connection."""

    def __init__(self, target, plan):
        host, port = target.split(":")
        self.target, self.plan, self.connections = (host, int(port)), list(plan), 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            with client:
                self._one(client, self.plan.pop(0) if self.plan else "pass")

    def _one(self, client, what):
        request = self._read(client)
        if what == "busy":
            body = b'{"type":"urn:paybell:problem:overloaded","title":"Too busy","status":503}'
            client.sendall(b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Type: application/problem+json\r\n"
                           b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        if what not in ("lost", "pass"):
            return
        with socket.create_connection(self.target) as server:
            server.sendall(request)
            answer = self._read(server)
        if what == "pass":
            client.sendall(answer.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))

    @staticmethod
    def _read(peer):
        data = b""
        while b"\r\n\r\n" not in data:
            more = peer.recv(65536)
            if not more:
                return data
            data += more
        head, body = data.split(b"\r\n\r\n", 1)
        length = re.search(rb"content-length: *(\d+)", head, re.I)
        while length and len(body) < int(length[1]):
            body += peer.recv(65536)
        return head + b"\r\n\r\n" + body

    def close(self):
        self.listener.close()


@contextmanager
def road(suite, *plan):
    built = Road(suite.addresses["backend"]["api"], plan)
    try:
        yield built
    finally:
        built.close()


def balance(suite, user, currency):
    rows = suite.api("GET", f"/users/{user}/balance").json["balances"]
    return {row["currency"]: row["amount"] for row in rows}[currency]


def test_a_payment_whose_answer_is_lost_is_made_once(cli):
    with road(cli, "lost", "lost", "closed") as way:
        done = run(cli, "pay", "-", "bob", "7.000", "KWD", API=way.url)
        assert done.returncode == 0, done.stderr
        assert way.connections == 4
    assert done.stderr.count("asking again in") == 3
    assert balance(cli, "bob", "KWD") == "7.000"


def test_a_busy_backend_is_asked_again_after_as_long_as_it_says(cli):
    with road(cli, "busy") as way:
        began = time.monotonic()
        done = run(cli, "pay", "-", "bob", "1.00", "CHF", API=way.url)
        assert done.returncode == 0, done.stderr
        assert time.monotonic() - began >= 1
        assert way.connections == 2
    assert "Too busy (503 overloaded); asking again in" in done.stderr
    assert balance(cli, "bob", "CHF") == "1.00"


def test_when_nobody_knows_the_key_is_told_and_makes_it_once(cli):
    with road(cli, *["lost"] * 20) as way:
        done = run(cli, "pay", "-", "bob", "1.00", "NOK", API=way.url, timeout=TRIES_S)
        assert done.returncode == 1
        assert 2 <= way.connections <= 6
    key = re.search(r"repeat the command with --key (\S+)", done.stderr)[1]
    assert TXN.match(good(cli, "pay", "-", "bob", "1.00", "NOK", "--key", key))
    assert balance(cli, "bob", "NOK") == "1.00"


def test_a_payment_waits_for_a_backend_that_restarts(own):
    own.add_user("alice")
    own.stop("backend")
    with subprocess.Popen([os.path.join(BIN, "paybell"), "pay", "-", "alice", "5.00", "USD"], env=settings(own),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert "asking again" in process.stderr.readline()
        own.start("backend")
        out, err = process.communicate(timeout=TRIES_S)
    assert process.returncode == 0, err
    assert TXN.match(out)
    assert balance(own, "alice", "USD") == "5.00"


# ---- mistakes ----

@pytest.mark.parametrize("arguments, said", [
    (("pay", "alice", "bob", "1.001", "USD"), "field amount, 422 validation"),
    (("pay", "alice", "bob", "-1", "USD"), "field amount, 422 validation"),
    (("pay", "alice", "bob", "1", "XXX"), "field currency, 422 validation"),
    (("pay", "alice", "bob", "1", "USD", "two\nlines"), "field description, 422 validation"),
    (("pay", "alice", "bob", "999999", "USD"), "field amount, 422 insufficient-funds"),
    (("pay", "alice", "nobody", "1", "USD"), "field to, 422 unknown-user"),
    (("pay", "-", "-", "1", "USD"), "422 validation"),
    (("show", "txn_0"), "404 not-found"),
    (("show", "../users/alice"), "404 not-found"),
    (("user", "show", "nobody"), "404 not-found"),
    (("user", "add", "carl"), "field name, 422 validation"),
    (("user", "add", "carl", "--name", "Carl", "--email", "carl"), "field email, 422 validation"),
])
def test_a_refusal_is_one_sentence_that_names_the_field(cli, arguments, said):
    done = run(cli, *arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("paybell: ") and done.stderr.count("\n") == 1, done.stderr
    assert said in done.stderr


@pytest.mark.parametrize("arguments, more", [
    ((), {}),
    (("fly",), {}),
    (("pay", "alice"), {}),
    (("show", "txn_0", "--wait", "--timeout", "5"), {}),
    (("pay", "alice", "bob", "1", "USD", "--timeout", "soon"), {}),
    (("user", "add", "x", "--name", "X", "--device", "token"), {}),
    (("user", "add", "x", "--name", "X", "--disable", "p\"ush"), {}),
    (("token", "alice", "--ttl", "long"), {}),
    (("show", "txn_0"), {"API_KEY": ""}),
    (("show", "txn_0"), {"API": "ftp://127.0.0.1"}),
    (("show", "txn_0"), {"APY": "x"}),
    (("watch",), {"REDIS": "ftp://x"}),
])
def test_wrong_use_is_exit_code_2_and_does_nothing(cli, arguments, more):
    done = run(cli, *arguments, **more)
    assert done.returncode == 2, done
    assert done.stdout == "" and done.stderr.startswith("paybell: "), done
    assert cli.api("GET", "/users/x").status == 404


def test_a_wrong_key_is_a_refusal(cli):
    done = run(cli, "user", "balance", "alice", API_KEY="wrong")
    assert done.returncode == 1 and "401 unauthorized" in done.stderr


def test_an_answer_of_something_else_is_no_answer(cli):
    sandbox = cli.addresses["sandbox"]["http"]
    done = run(cli, "show", "txn_0", API=f"http://{sandbox}")
    assert done.returncode == 1 and "404" in done.stderr, done


def test_every_command_has_its_help(cli):
    overview = good(cli, "--help")
    for command in ("pay", "show", "watch", "user add", "user show", "user delete", "user balance",
                    "user list-events", "token", "dead list", "dead show", "dead retry", "backup"):
        assert f"\n  {command} " in overview
        told = good(cli, *command.split(), "--help")
        assert told.startswith(f"Usage: paybell {command} ") and "--json" in told and "PAYBELL_API_KEY" in told
    assert re.fullmatch(r"paybell \d+\.\d+\.\d+\n", good(cli, "--version"))


# ---- people ----

def test_a_person_is_added_shown_and_deleted(cli):
    added = good(cli, "user", "add", "dora", "--name", "Dóra", "--email", "dora@example.com", "--phone",
                 "+436601234567", "--locale", "de-AT", "--timezone", "Europe/Vienna", "--disable", "sms",
                 "--disable", "email", "--device", "fcm:dora-1234567890abcdef", "--device", "fcm:dora-2-34567890abcdef")
    assert added.splitlines()[0] == "dora"
    shown = good(cli, "user", "show", "dora")
    assert shown == added
    for line in ("  name        Dóra", "  phone       +436601234567", "  sms         off", "  email       off"):
        assert line in shown.splitlines()
    assert shown.count("  fcm …cdef\n") == 2
    user, devices = map(json.loads, good(cli, "user", "show", "dora", "--json").splitlines())
    assert user == cli.api("GET", "/users/dora").json and len(devices["devices"]) == 2
    paid = json.loads(good(cli, "pay", "-", "dora", "1.00", "USD", "--wait", "--json"))
    assert {name: c["status"] for name, c in paid["events"][0]["channels"].items()} == {
        "push": "delivered", "email": "suppressed", "sms": "suppressed"}
    assert good(cli, "user", "delete", "dora").startswith("dora deleted")
    assert run(cli, "user", "show", "dora").returncode == 1


def test_balances_are_lined_up(cli):
    cli.add_user("rich")
    for amount, currency in (("1234567.00", "USD"), ("5", "JPY")):
        assert cli.pay(None, "rich", amount, currency).status == 201
    lines = good(cli, "user", "balance", "rich").splitlines()
    assert sorted(line.split() for line in lines) == [["1234567.00", "USD"], ["5", "JPY"]]
    assert len({line.rindex(" ") for line in lines}) == 1
    assert json.loads(good(cli, "user", "balance", "rich", "--json"))["user_id"] == "rich"


def test_events_come_in_pages(cli):
    cli.add_user("busy")
    for number in range(5):
        assert cli.pay(None, "busy", f"{number + 1}.00", description=f"number {number}").status == 201
    seen, after = [], []
    for _ in range(3):
        done = run(cli, "user", "list-events", "busy", "--limit", "2", *after)
        assert done.returncode == 0, done.stderr
        seen += done.stdout.splitlines()
        more = re.search(r"--after (\d{16})", done.stderr)
        after = ["--after", more[1]] if more else []
    assert [line.rsplit('"', 2)[1] for line in seen] == [f"number {n}" for n in range(5)]
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}  busy +payment +\+1\.00 USD from \(outside\), "
                    r"balance 1\.00  txn_", seen[0]), seen[0]
    page = json.loads(good(cli, "user", "list-events", "busy", "--json"))
    assert len(page["events"]) == 5


def test_a_token_stands_alone(cli):
    token = good(cli, "token", "alice")
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", token)
    assert set(json.loads(good(cli, "token", "alice", "--ttl", "60", "--json"))) == {"token", "expires_us"}


# ---- watch ----

class Watch:
    def __init__(self, suite, *arguments):
        self.process = subprocess.Popen([os.path.join(BIN, "paybell"), "watch", *arguments], env=settings(suite),
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.lines, self.notes = [], []
        for pipe, kept in ((self.process.stdout, self.lines), (self.process.stderr, self.notes)):
            threading.Thread(target=self._read, args=(pipe, kept), daemon=True).start()
        self.said("watching")

    @staticmethod
    def _read(pipe, kept):
        for line in pipe:
            kept.append(line.decode())

    def said(self, words):
        wait_until(lambda: any(words in note for note in self.notes), 20, f"the note {words!r}")

    def saw(self, pattern, count=1):
        wait_until(lambda: sum(bool(re.search(pattern, line)) for line in self.lines) >= count, 20,
                   f"{count} times {pattern!r} in {self.lines}")

    def end(self):
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(10) == 0, self.notes
        assert not REPORT.search("".join(self.notes)), self.notes


@pytest.fixture
def watch():
    """Starts a watch; one that a failed test left is ended."""
    started = []
    yield lambda suite, *arguments: started.append(Watch(suite, *arguments)) or started[-1]
    for watching in started:
        watching.process.kill()
        watching.process.wait()


def test_watch_shows_payments_and_attempts_as_they_happen(cli, watch):
    watching = watch(cli)
    assert cli.pay("alice", "bob", "4.20", description="\u202eLunch").status == 201
    watching.saw(r"^\d\d:\d\d:\d\d\.\d{3}  alice +payment +-4\.20 USD to bob, balance [\d.]+  txn_\w+  "
              r'"\\u\{202e\}Lunch"$')
    watching.saw(r"  bob +payment +\+4\.20 USD from alice")
    for channel in ("push", "email", "sms"):
        watching.saw(rf"  (alice|bob) +{channel} +✓ delivered +in [\d.]+ m?s  \w+", 2)
    watching.end()


def test_watch_can_be_for_one_person_and_for_machines(cli, watch):
    watching = watch(cli, "--user", "bob", "--json")
    assert cli.pay("alice", "bob", "1.00").status == 201
    watching.saw('"channel":"email".*"status":"delivered"')
    watching.saw('"channel":"sms".*"status":"delivered"')
    watching.saw('"channel":"push".*"status":"delivered"', 2)
    watching.end()
    seen = [json.loads(line) for line in watching.lines]
    events = [message for message in seen if "specversion" in message]
    assert [event["data"]["amount"] for event in events] == ["1.00"]
    assert {m["subject"] if "specversion" in m else m["user_id"] for m in seen} == {"bob"}


def test_watch_comes_back_after_redis(own, watch):
    own.add_user("alice")
    watching = watch(own)
    own.stop("redis")
    watching.said("no connection to Redis")
    own.start_redis()
    watching.said("watching again")
    assert own.pay(None, "alice", "2.00").status == 201
    watching.saw(r"alice +payment +\+2\.00 USD")
    watching.end()


# ---- the terminal ----

def on_a_terminal(suite, *arguments, **variables):
    """What it writes to a terminal."""
    everything = {**settings(suite), "TERM": "xterm", **variables}
    main, side = pty.openpty()
    with subprocess.Popen([os.path.join(BIN, "paybell"), *arguments], env=everything, stdin=side, stdout=side,
                          stderr=subprocess.DEVNULL) as process:
        os.close(side)
        text = b""
        while select.select([main], [], [], 20)[0]:
            try:
                more = os.read(main, 65536)
            except OSError:  # EIO: nobody has the other side open
                break
            text += more
        os.close(main)
    assert process.returncode == 0
    return text.decode()


def test_colours_are_for_terminals_that_want_them(cli):
    payment = TXN.match(good(cli, "pay", "alice", "bob", "1.00", "USD", "--wait"))[0]
    assert "\x1b[32mdelivered\x1b[0m" in on_a_terminal(cli, "show", payment)
    assert "\x1b" not in on_a_terminal(cli, "show", payment, NO_COLOR="1")
    assert "\x1b" not in on_a_terminal(cli, "show", payment, TERM="dumb")
    assert "\x1b" not in on_a_terminal(cli, "show", payment, "--json")
    assert "\x1b" in on_a_terminal(cli, "show", payment, NO_COLOR="")


def test_a_reader_that_goes_ends_watch(cli):
    with subprocess.Popen([os.path.join(BIN, "paybell"), "watch"], env=settings(cli), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        assert "watching" in process.stderr.readline()
        process.stdout.close()
        assert cli.pay("alice", "bob", "1.00").status == 201
        try:
            assert process.wait(20) == 1
        finally:
            process.kill()
