"""paybell doctor, the sweep, and paybell ledger adopt: what is lost or wrong is named, and nothing else is."""
import json
import os
import sqlite3
import subprocess

import pytest

from database import Database
from harness import BIN, REPORT, WORKERS, Suite, environment, http_call, wait_until
from outcome import wait_all_ended
from paying import fill, load_result, load_start, pay_options

PAYBELL = os.path.join(BIN, "paybell")
PEOPLE = 100


def run(suite, *arguments, **more):
    settings = {"DATABASE": suite.database, "REDIS": suite.settings["REDIS"],
                "REDIS_PREFIX": suite.settings.get("REDIS_PREFIX", ""), **more}
    done = subprocess.run([PAYBELL, *arguments], env=environment(**settings), timeout=120, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)
    assert not REPORT.search(done.stderr), done.stderr
    return done


def doctor(suite, **more):
    """Its exit code, and {check: what --json says of it}."""
    done = run(suite, "doctor", "--json", **more)
    assert done.stdout, (done.returncode, done.stderr)
    answer = json.loads(done.stdout)
    assert answer["ok"] == (done.returncode == 0), done.stdout
    return done.returncode, {check["check"]: check for check in answer["checks"]}, answer


def findings(suite, **more):
    """{check: its findings}, of those that have some."""
    code, checks, _ = doctor(suite, **more)
    assert not [c for c in checks.values() if "could_not_look" in c], checks
    found = {name: check["findings"] for name, check in checks.items() if check["found"]}
    assert code == bool(found)
    return found


def write(suite, sql):
    ledger = sqlite3.connect(suite.database, timeout=20)
    try:
        with ledger:
            return ledger.execute(sql).rowcount
    finally:
        ledger.close()


def pay(suite, count):
    for i in range(count):
        assert suite.pay(None, f"u{i}", "1.00").status == 201


def metric(suite, name):
    text = http_call(suite.addresses["backend"]["admin"], "GET", "/metrics").body.decode()
    return {line.split()[0]: int(line.split()[1]) for line in text.splitlines() if line.startswith(name)}


@pytest.fixture(scope="module")
def quiet(shared):
    """With payments that have all ended."""
    fill(shared, 20, money="5.00")
    wait_all_ended(shared, Database(shared.database))
    return shared


# ---- all is well ----

def test_after_payments_all_is_well_and_the_numbers_are_shown(quiet, suite, database):
    done = run(suite, "doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1] == "all is well"
    assert lines[0].startswith(f"ledger {database.one('SELECT value FROM meta WHERE name = ?1', 'ledger_id')}")
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.split()[:1] and line.split()[0] in WORKERS}
    assert rows == {name: ["20", "20", "0", "0", "0", "0", "0"] for name in WORKERS}
    assert len([line for line in lines if line.startswith("ok ")]) == 9
    assert not suite.redis("KEYS", "audit:*")


def test_after_a_wipe_with_nothing_to_feed_all_is_well_again(own, database):
    fill(own, 5, money="5.00")
    wait_all_ended(own, database)
    own.redis("FLUSHALL")
    wait_until(lambda: run(own, "doctor").returncode == 0, 15, "doctor to find nothing")


def test_under_load_it_is_clean_every_time(own, database):
    fill(own, PEOPLE)
    paying = load_start(own, *pay_options(PEOPLE, "--rate", 150, "--seconds", 8, "--connections", 8))
    looked = 0
    try:
        while paying.poll() is None:
            _, _, answer = doctor(own)
            assert answer["ok"], answer
            looked += 1
    finally:
        assert set(load_result(paying)["statuses"]) == {"201"}
    assert looked >= 2
    wait_all_ended(own, database)
    assert findings(own) == {}


def test_a_database_or_a_redis_that_is_not_there_is_said(quiet, suite):
    done = run(suite, "doctor", DATABASE=suite.database + ".none")
    assert (done.returncode, done.stdout) == (1, "") and "PAYBELL_DATABASE" in done.stderr
    code, checks, _ = doctor(suite, REDIS="unix:/nowhere.sock")
    assert code == 1
    assert [n for n, c in checks.items() if "PAYBELL_REDIS" in c.get("could_not_look", "")] == [
        "placed", "cursors", "workers", "log", "pending"]
    assert run(suite, "doctor", "more").returncode == 2


# ---- something is not ----

@pytest.mark.parametrize("check, damage, repair, said", [
    ("money", "UPDATE accounts SET balance_minor = balance_minor + 7 WHERE user_id = 'u3'",
     "UPDATE accounts SET balance_minor = balance_minor - 7 WHERE user_id = 'u3'", "account u3 USD has 5.07, and 5.00"),
    ("money", "UPDATE accounts SET balance_minor = balance_minor - 1 WHERE user_id = ''",
     "UPDATE accounts SET balance_minor = balance_minor + 1 WHERE user_id = ''", "outside world"),
    ("money", "UPDATE transactions SET amount_minor = 501 WHERE key = 4",
     "UPDATE transactions SET amount_minor = 500 WHERE key = 4", "event 4: u"),
    ("money", "UPDATE events SET previous = 2 WHERE sequence = 9",
     "UPDATE events SET previous = 0 WHERE sequence = 9", "event 9: its previous one is 2, and should be 0"),
    ("finals", "UPDATE attempts SET final = 0 WHERE sequence = 5 AND channel = 'sms'",
     "UPDATE attempts SET final = 1 WHERE sequence = 5 AND channel = 'sms' AND device_id = ''", "event 5, sms"),
    ("counts", "UPDATE deliveries SET status = 'sent' WHERE sequence = 6 AND channel = 'email'",
     "UPDATE deliveries SET status = 'delivered' WHERE sequence = 6 AND channel = 'email'", "event 6, email"),
], ids=["account", "world", "amount", "chain", "final", "status"])
def test_a_row_that_was_altered_by_hand_is_named(quiet, suite, check, damage, repair, said):
    assert write(suite, damage) == 1
    try:
        found = findings(suite)
        assert check in found and any(said in line for line in found[check]), found
    finally:
        assert write(suite, repair) == 1
    assert findings(suite) == {}


def test_events_that_are_not_there_are_named(own, database):
    fill(own, 20, money="5.00")
    wait_all_ended(own, database)
    assert write(own, "DELETE FROM events WHERE sequence IN (11, 12)") == 2
    found = findings(own)
    assert found["sequence"] == ["events 11 to 12 are not there"]
    assert len([line for line in found["money"] if "its newest event" in line]) == 2


def test_a_stopped_worker_with_a_backlog_is_named_and_more_than_twenty_are_counted(own, database):
    fill(own, PEOPLE)
    own.stop("email")
    pay(own, 30)
    wait_until(lambda: own.redis("XLEN", "queue:email") == 30, 10, "the backlog")
    assert findings(own) == {"workers": ["email: 30 entries in the stream, and no worker lives"]}
    for entry, _ in own.redis("XRANGE", "queue:email", "-", "+"):
        own.redis("XDEL", "queue:email", entry)
    done = run(own, "doctor")
    assert done.returncode == 1 and done.stdout.splitlines()[-1] == "30 findings"
    assert done.stdout.count(", email: open, and neither in the stream") == 20
    assert "      and 10 more\n" in done.stdout


def test_records_that_no_backend_takes_in_are_named(own):
    fill(own, PEOPLE)
    own.stop("backend")
    own.redis("XGROUP", "DESTROY", "attempts:log", "backend")
    own.redis("XADD", "attempts:log", "*", "attempt", "{}")
    code, checks, _ = doctor(own)
    assert code == 1
    assert checks["log"]["findings"] == ["1 entries with attempt records, and no backend has asked for them"]
    assert "takes no attempt records in" in checks["placed"]["could_not_look"]


# ---- the sweep ----

@pytest.fixture
def sweeping():
    """Sweeps every second, under a prefix."""
    suite = Suite(SWEEP_EVERY="1s", REDIS_PREFIX="x:")
    try:
        suite.start_all()
    except BaseException:
        suite.close()
        raise
    yield suite
    suite.close()


def test_an_entry_that_was_deleted_by_hand_is_fed_again_and_delivered(sweeping):
    database = Database(sweeping.database)
    fill(sweeping, PEOPLE)
    sweeping.stop("sms")
    pay(sweeping, 10)
    wait_until(lambda: sweeping.redis("XLEN", "x:queue:sms") == 10, 10, "the backlog")
    for entry, _ in sweeping.redis("XRANGE", "x:queue:sms", "-", "+", "COUNT", 3):
        sweeping.redis("XACK", "x:queue:sms", "sms", entry)
        assert sweeping.redis("XDEL", "x:queue:sms", entry) == 1

    def fed():
        return metric(sweeping, "paybell_sweep_refed_total")['paybell_sweep_refed_total{channel="sms"}'] == 3
    wait_until(fed, 20, "the sweep")
    assert sweeping.redis("XLEN", "x:queue:sms") == 10
    assert sweeping.processes["backend"].log().count("msg=sweep.refed channel=sms sequence=") == 3
    sweeping.start("sms")
    wait_until(lambda: database.ended("sms") == 10, 30, "the end")
    assert database.deliveries()[("sms", "delivered", "")] == 10
    assert findings(sweeping) == {}


def test_under_load_with_waits_and_wipes_the_sweep_finds_nothing_that_is_not_lost(sweeping):
    database = Database(sweeping.database)
    fill(sweeping, PEOPLE)
    before = metric(sweeping, "paybell_sweeps_total")["paybell_sweeps_total"]
    paying = load_start(sweeping, *pay_options(PEOPLE, "--rate", 150, "--seconds", 8, "--connections", 8))
    try:
        sweeping.fault("email", error_rate=0.3)
        wait_until(lambda: database.head() > 600, 20, "payments")
        sweeping.redis("FLUSHALL")
        answer = load_result(paying)
    finally:
        paying.kill()
    assert set(answer["statuses"]) == {"201"}, answer
    sweeping.fault("email")
    wait_until(lambda: metric(sweeping, "paybell_sweeps_total")["paybell_sweeps_total"] > before + 2, 60, "sweeps")
    assert set(metric(sweeping, "paybell_sweep_refed_total").values()) == {0}


# ---- adopt ----

def adopt(suite, *arguments):
    done = run(suite, "ledger", "adopt", *arguments)
    return done.returncode, done.stdout


def test_redis_of_another_ledger_is_refused_named_and_adopted(own, database):
    fill(own, PEOPLE)
    assert adopt(own) == adopt(own, "--yes")
    assert adopt(own)[0] == 0 and adopt(own)[1].endswith("nothing to adopt\n")
    own.stop("email")
    pay(own, 10)
    wait_until(lambda: database.ended() == 20, 20, "push and sms")
    own.stop("backend")
    assert write(own, "UPDATE meta SET value = 'ffffffffffffffffffffffffffffffff' WHERE name = 'ledger_id'") == 1
    own.start("backend", wait="up")
    wait_until(lambda: "feed.foreign_cursor" in own.processes["backend"].log(), 20, "the refusal")
    ready = http_call(own.addresses["backend"]["admin"], "GET", "/readyz")
    assert ready.status == 503 and b"another ledger" in ready.body
    assert len(findings_of(own, "cursors")) == 4
    code, said = adopt(own)
    assert code == 1 and said.endswith("4 cursors would be deleted, with the stream; --yes does it\n")
    assert own.redis("XLEN", "queue:email") == 10
    code, said = adopt(own, "--yes")
    assert code == 0 and said.count("deleted") == 4, said
    own.processes["backend"].wait_working()
    own.start("email")
    pay(own, 1)
    wait_all_ended(own, database)
    assert database.deliveries() == {(name, "delivered", ""): 11 for name in WORKERS}
    assert findings(own) == {}
    assert adopt(own, "--yes")[1].endswith("nothing to adopt\n")


def findings_of(suite, check):
    return doctor(suite)[1][check]["findings"]


def test_a_cursor_ahead_of_the_ledger_is_adopted_too_and_the_others_stay(own, database):
    fill(own, PEOPLE)
    pay(own, 5)
    wait_all_ended(own, database)
    ledger = database.one("SELECT value FROM meta WHERE name = 'ledger_id'")
    own.stop("backend")
    own.redis("SET", "cursor:push", f"{ledger}:99")
    assert "the cursor is at 99, and the ledger ends at 5" in findings_of(own, "cursors")[0]
    code, said = adopt(own, "--yes")
    assert code == 0 and said.count("deleted") == 1, said
    assert own.redis("GET", "cursor:push") is None
    assert own.redis("GET", "cursor:email") == f"{ledger}:5"
    own.start("backend")
    pay(own, 1)
    wait_all_ended(own, database)
    assert findings(own) == {}
