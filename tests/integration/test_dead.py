"""paybell dead: what has failed is listed, shown and tried again."""
import http.server
import json
import os
import re
import subprocess
import threading
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from harness import BIN, KEYS, REPORT, environment, http_call, wait_until
from paying import fill, load, pay_options

PEOPLE = 50
EACH = 150  # deliveries that fail, on each of two channels
CONTACT = re.compile(r"@|\+43|APA91b")
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}  (evt_\w{26})  u\d+ +(\w+) +(\w+) +(\d+)$")


def run(suite, *arguments, **more):
    settings = {"API": f"http://{suite.addresses['backend']['api']}", "API_KEY": KEYS[0], **more}
    done = subprocess.run([os.path.join(BIN, "paybell"), "dead", *arguments], env=environment(**settings), timeout=120,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert not REPORT.search(done.stderr), done.stderr
    return done


def good(suite, *arguments, **more):
    done = run(suite, *arguments, **more)
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    return done.stdout


def listed(suite, *arguments):
    """The deliveries that the list has, as the API tells them."""
    return [json.loads(line) for line in good(suite, "list", "--limit", "1000", "--json", *arguments).splitlines()]


def ended(database, channel, status):
    return database.one("SELECT count(*) FROM deliveries WHERE channel = ?1 AND status = ?2", channel, status)


def fail(suite, database, count, **faults):
    """So many payments whose deliveries fail on these channels: {channel: what it answers}."""
    for channel, status in faults.items():
        suite.fault(channel, status=status)
    already = {channel: ended(database, channel, "failed") for channel in faults}
    answer = load(suite, *pay_options(PEOPLE, "--count", count, "--connections", 8))
    assert answer["statuses"] == {"201": count}, answer
    wait_until(lambda: all(ended(database, c, "failed") == already[c] + count for c in faults), 60, "deliveries to fail")


@pytest.fixture
def failed(own, database):
    """300 failed deliveries, and providers that are well again."""
    fill(own, PEOPLE)
    fail(own, database, EACH, email=554, sms=400)
    wait_until(lambda: ended(database, "push", "delivered") == EACH, 60, "push to end")
    for channel in ("email", "sms"):
        own.fault(channel)
    return own


# ---- list ----

def test_the_list_has_what_failed_newest_first_and_nobodys_address(failed):
    everything = listed(failed)
    assert len(everything) == 2 * EACH
    order = [(d["sequence"], d["channel"]) for d in everything]
    assert len(set(order)) == len(order)
    assert [sequence for sequence, _ in order] == sorted((sequence for sequence, _ in order), reverse=True)
    assert {(d["channel"], d["status"], d["reason"]) for d in everything} == {
        ("email", "failed", "rejected"), ("sms", "failed", "bad_address")}

    table = good(failed, "list", "--limit", "1000").splitlines()
    assert table[0].split() == ["FAILED", "(UTC)", "EVENT", "USER", "CHANNEL", "REASON", "ATTEMPTS"]
    rows = [LINE.match(line) for line in table[1:]]
    assert all(rows), table
    assert [row.groups() for row in rows] == [(d["event_id"], d["channel"], d["reason"], str(d["attempts"]))
                                              for d in everything]
    assert not CONTACT.search("\n".join(table)) and not CONTACT.search(json.dumps(everything))

    short = run(failed, "list", "--limit", "7")
    assert short.stdout.splitlines() == table[:8] and "--limit" in short.stderr
    assert "--limit" not in run(failed, "list", "--limit", "1000").stderr


def test_the_list_is_filtered_by_channel_reason_and_time(failed, database):
    assert len(listed(failed, "--channel", "sms")) == EACH
    assert len(listed(failed, "--channel", "push")) == 0
    assert {d["channel"] for d in listed(failed, "--reason", "rejected")} == {"email"}
    assert len(listed(failed, "--reason", "bad_address")) == EACH
    assert len(listed(failed, "--reason", "bad_address", "--channel", "email")) == 0
    assert len(listed(failed, "--reason", "expired")) == 0
    assert len(listed(failed, "--since", "1h")) == 2 * EACH
    times = sorted(row[0] for row in database.rows("SELECT ended_us FROM deliveries WHERE status = 'failed'"))
    middle = times[EACH]
    whole, rest = divmod(middle, 10 ** 6)
    text = database.one("SELECT strftime('%Y-%m-%dT%H:%M:%S', ?1, 'unixepoch')", whole)
    later = listed(failed, "--since", f"{text}.{rest:06d}Z")
    assert len(later) == sum(at >= middle for at in times) and min(d["ended_us"] for d in later) == middle
    assert len(listed(failed, "--since", "2040-01-01T00:00:00Z")) == 0


# ---- show and retry one ----

def test_one_is_shown_with_its_attempts_and_tried_again_once(failed, database):
    one = listed(failed, "--channel", "sms", "--limit", "1")[0]
    names = (one["event_id"], "sms")
    shown = good(failed, "show", *names).splitlines()
    assert shown[0].startswith(one["transaction_id"]) and len(shown) == 4, shown
    assert re.search(rf"└─ {one['user_id']}  credit  {one['event_id']}$", shown[2]), shown
    assert re.search(r"└─ sms +✗ failed +\+[\d.]+ m?s +1 attempt +twilio 400 bad_address$", shown[3]), shown
    assert not CONTACT.search("\n".join(shown))
    told = json.loads(good(failed, "show", *names, "--json"))
    assert told["status"] == "failed" and [a["code"] for a in told["attempts"]] == [400]
    assert told["transaction_id"] == one["transaction_id"]

    assert good(failed, "retry", *names) == f"{names[0]}  sms  is open again and will be tried\n"
    wait_until(lambda: ended(database, "sms", "delivered") == 1, 30, "the replay's delivery")
    told = json.loads(good(failed, "show", *names, "--json"))
    assert told["status"] == "delivered" and [a["status"] for a in told["attempts"]] == ["failed", "delivered"]
    done = run(failed, "retry", *names)
    assert done.returncode == 1 and "409 conflict" in done.stderr and done.stdout == "", done
    assert len(listed(failed)) == 2 * EACH - 1
    other = listed(failed, "--channel", "email", "--limit", "1")[0]
    assert json.loads(good(failed, "retry", other["event_id"], "email", "--json"))["event_id"] == other["event_id"]
    for nobody in (("evt_0", "sms"), (names[0], "fax"), ("../users", "sms")):
        for verb in ("show", "retry"):
            done = run(failed, verb, *nobody)
            assert done.returncode == 1 and "404 not-found" in done.stderr, done


# ---- retry all ----

def test_all_of_a_channel_are_tried_again_and_no_others(failed, database):
    done = run(failed, "retry", "--all", "--channel", "sms")
    assert done.returncode == 0 and done.stdout == f"{EACH} retried\n" and done.stderr == "", done
    wait_until(lambda: ended(database, "sms", "delivered") == EACH, 60, "the replays")
    assert ended(database, "email", "failed") == EACH
    assert failed.sandbox("GET", "/inbox/count").json["sms"] == EACH
    done = run(failed, "retry", "--all", "--reason", "expired")
    assert done.returncode == 0 and done.stdout == "0 retried\n", done
    lines = good(failed, "retry", "--all", "--since", "1h", "--json").splitlines()
    assert {json.loads(line)["channel"] for line in lines} == {"email"} and len(lines) == EACH
    wait_until(lambda: ended(database, "email", "delivered") == EACH, 60, "the replays")
    assert listed(failed) == []


class Between(http.server.BaseHTTPRequestHandler):
    """Hands everything on to the backend; the test's `meddle` sees it first and may answer itself."""

    def hand_on(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        headers = {"Authorization": self.headers["Authorization"]}
        target, meddle = self.server.way
        answer = meddle(self.command, self.path) or http_call(target, self.command, self.path, body, headers)
        status, kind, body = (answer if isinstance(answer, tuple) else
                              (answer.status, answer.headers["Content-Type"], answer.body))
        self.send_response(status)
        for name, value in (("Content-Type", kind), ("Content-Length", len(body)), ("Connection", "close")):
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = hand_on

    def log_message(self, *_):
        pass


@contextmanager
def between(suite, meddle):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Between)
    server.way = (suite.addresses["backend"]["api"], meddle)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


PROBLEM = "application/problem+json"
BUSY = b'{"type":"urn:paybell:problem:overloaded","title":"Too busy","status":503}'


def test_refusals_and_a_busy_backend_do_not_end_the_run(failed, database):
    """Three are retried by somebody else between the list and their turn; one is refused for being busy."""
    chosen = [(d["event_id"], d["channel"]) for d in listed(failed)[100:103]]
    posts, lock = {}, threading.Lock()

    def meddle(method, path):
        if method == "GET":
            return None
        place = tuple(urlsplit(path).path.split("/")[2:4])
        with lock:
            posts[place] = posts.get(place, 0) + 1
            first = len(posts) == 1 and posts[place] == 1
        if first:
            return 503, PROBLEM, BUSY
        if place in chosen:
            answer = failed.api("POST", path)
            assert answer.status == 202, answer
        return None

    with between(failed, meddle) as api:
        done = run(failed, "retry", "--all", API=api)
    assert done.returncode == 0, done
    assert done.stdout == f"{2 * EACH - 3} retried\n", done
    assert "3 were not failed any more" in done.stderr, done
    assert sorted(posts.values()) == [1] * (2 * EACH - 1) + [2]
    wait_until(lambda: database.one("SELECT count(*) FROM deliveries WHERE status = 'delivered'") == 3 * EACH, 60,
               "the replays")


def test_what_fails_again_meanwhile_is_tried_once_a_run(failed, database):
    """Each page is given out only when all that was retried so far has failed again."""
    for channel, status in (("email", 554), ("sms", 400)):
        failed.fault(channel, status=status)
    pages = []

    def meddle(method, _path):
        if method == "GET":
            pages.append(database.one("SELECT count(*) FROM deliveries WHERE replayed_us IS NOT NULL"))
            wait_until(lambda: ended(database, "sms", "failed") + ended(database, "email", "failed") == 2 * EACH, 60,
                       "all to fail again")

    with between(failed, meddle) as api:
        done = run(failed, "retry", "--all", API=api)
    assert done.returncode == 0 and done.stdout == f"{2 * EACH} retried\n" and done.stderr == "", done
    assert len(pages) > 3 and pages[0] == 0 and pages[-1] > EACH, pages
    wait_until(lambda: len(listed(failed)) == 2 * EACH, 60, "all to fail again")
    tried = database.rows("SELECT count(*) AS times FROM attempts WHERE channel <> 'push' AND device_id = '' "
                          "GROUP BY sequence, channel")
    assert [row["times"] for row in tried] == [2] * 2 * EACH


def test_an_answer_that_is_no_refusal_of_one_ends_the_run_and_says_how_far_it_came(failed):
    def meddle(method, _path):
        return (500, PROBLEM, b"{}") if method == "POST" and next(count) >= 40 else None

    count = iter(range(10 ** 6))
    with between(failed, meddle) as api:
        done = run(failed, "retry", "--all", API=api)
    assert done.returncode == 1 and "500" in done.stderr, done
    assert done.stdout == "40 retried\n", done


# ---- mistakes ----

@pytest.mark.parametrize("arguments", [
    ("retry",), ("retry", "evt_0"), ("retry", "evt_0", "sms", "--all"), ("retry", "evt_0", "sms", "--since", "2h"),
    ("retry", "--channel", "sms"), ("retry", "--all", "--since", "yesterday"), ("retry", "--all", "--reason", "bored"),
    ("list", "--since", "2"), ("list", "--limit", "0"), ("list", "--limit", "all"), ("list", "--reason", ""),
    ("show", "evt_0"), ("show",),
])
def test_wrong_use_is_exit_code_2_and_does_nothing(suite, arguments):
    done = run(suite, *arguments)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.startswith("paybell: "), done


def test_an_unknown_channel_is_refused_by_name(suite):
    done = run(suite, "list", "--channel", "fax")
    assert done.returncode == 1 and "field channel, 422 validation" in done.stderr and done.stdout == "", done
