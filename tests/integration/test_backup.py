"""paybell backup: a copy of the ledger under load, and what comes of it when it is put back."""
import csv
import json
import os
import pty
import re
import resource
import select
import signal
import sqlite3
import subprocess
import time

import pytest

from database import Database
from harness import BIN, REPORT, WORKERS, environment, http_call, wait_until
from paying import fill, load_result, load_start, pay_options

PEOPLE = 200
PAYBELL = os.path.join(BIN, "paybell")
COMPANIONS = ("-wal", "-shm", "-journal")


def backup(suite, *arguments, **options):
    done = subprocess.run([PAYBELL, "backup", *arguments], env=environment(DATABASE=suite.database), timeout=120,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **options)
    assert not REPORT.search(done.stderr), done.stderr
    return done


def copy_of(suite):
    return os.path.join(suite.folder, "copy.db")


def nothing_left(path):
    return not [name for name in (path, path + ".partial") for end in ("",) + COMPANIONS if os.path.exists(name + end)]


def grow(suite, megabytes):
    """Makes the database large without paying: nobody else has it open."""
    ledger = sqlite3.connect(suite.database)
    ledger.execute("CREATE TABLE filler (bytes BLOB)")
    ledger.execute("WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ?1) "
                   "INSERT INTO filler SELECT randomblob(4000) FROM n", (megabytes * 256,))
    ledger.commit()
    ledger.close()


def started(suite):
    suite.start_redis()
    suite.start("backend")
    return suite


# ---- under load ----

def answered_before(path, at_us):
    """The transactions whose 201 had come by then."""
    with open(path, encoding="utf-8", newline="") as records:
        return {row[4].rsplit("/", 1)[1] for row in csv.reader(records)
                if row[1] == "201" and int(row[2]) + int(row[3]) < at_us}


def test_a_backup_under_load_has_all_that_was_answered_before_it_and_is_exact(bare, database):
    started(bare)
    fill(bare, PEOPLE)
    bare.stop("backend")
    grow(bare, 40)  # more than a few steps
    bare.start("backend")
    records = os.path.join(bare.folder, "records.csv")
    paying = load_start(bare, *pay_options(PEOPLE, "--seconds", 60, "--connections", 16, "--out", records))
    try:
        wait_until(lambda: database.transactions() > 300, 20, "payments")
        before, began_us = database.head(), time.time_ns() // 1000
        done = backup(bare, copy_of(bare), "--json")
        ended_us = time.time_ns() // 1000
        assert paying.poll() is None, "the load was over before the backup was"
    finally:
        paying.send_signal(signal.SIGTERM)
        answer = load_result(paying)
    assert done.returncode == 0, done.stderr
    assert set(answer["statuses"]) == {"201"} and answer["errors"] == 0, answer
    said, copy = json.loads(done.stdout), Database(copy_of(bare))
    assert copy.integrity() == "ok"
    assert copy.head() == said["events"] == copy.one("SELECT count(*) FROM events")
    assert before <= said["events"] < database.head()
    assert began_us <= said["snapshot_us"] <= ended_us
    assert said["bytes"] == os.path.getsize(copy_of(bare))
    known = {row[0] for row in copy.rows("SELECT id FROM transactions")}
    sure = answered_before(records, began_us)
    assert len(sure) > 200 and sure <= known
    # Exactly the ledger's beginning, and in itself exact.
    assert copy.events() == database.events()[:said["events"]]
    assert copy.balances() == copy.balances_by_postings() and set(copy.totals().values()) == {0}
    ids = [each.one("SELECT value FROM meta WHERE name = 'ledger_id'") for each in (copy, database)]
    assert ids[0] == said["ledger_id"] != ids[1]


def test_a_backup_is_one_file_for_its_owner_and_group(bare):
    started(bare)
    done = backup(bare, copy_of(bare))
    assert done.returncode == 0, done.stderr
    assert re.search(r"copy\.db  0 events, as of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC\n"
                     r"  \d+\.\d MB in [\d.]+ m?s \(copied with \d+ MB/s\), checked\n"
                     r"  ledger [0-9a-f]{32}, its own\n$", done.stdout), done.stdout
    assert os.stat(copy_of(bare)).st_mode & 0o7777 == 0o640
    assert Database(copy_of(bare)).integrity() == "ok"
    assert [name for name in os.listdir(bare.folder) if name.startswith("copy.db")] == ["copy.db"]


# ---- put back ----

def put_back(suite, copy):
    for end in ("",) + COMPANIONS:
        if os.path.exists(suite.database + end):
            os.remove(suite.database + end)
    os.rename(copy, suite.database)


def ready(suite):
    answer = http_call(suite.addresses["backend"]["admin"], "GET", "/readyz")
    return answer.status, answer.body.decode()


def test_a_restored_ledger_is_foreign_to_the_redis_of_before_and_works_with_an_empty_one(own, database):
    own.add_user("alice")
    for _ in range(3):
        assert own.pay(None, "alice", "1.00").status == 201
    wait_until(lambda: database.ended() == 9, 30, "deliveries to end")
    assert backup(own, copy_of(own)).returncode == 0
    for name in WORKERS + ["backend"]:
        own.stop(name)
    put_back(own, copy_of(own))

    own.start("backend", wait="up")
    wait_until(lambda: "feed.foreign_cursor" in own.processes["backend"].log(), 20, "the refusal")
    status, said = ready(own)
    assert status == 503, said
    assert own.redis("XLEN", "queue:push") == 0
    own.stop("backend")

    own.redis("FLUSHALL")
    for name in ["backend"] + WORKERS:
        own.start(name)
    assert ready(own)[0] == 200
    assert database.transactions() == 3
    assert own.pay(None, "alice", "1.00").status == 201
    wait_until(lambda: database.ended() == 12, 30, "deliveries to end")
    assert set(database.deliveries()) == {(name, "delivered", "") for name in WORKERS}
    assert database.balances()[("alice", "USD")] == 400


# ---- refusals and interruptions ----

def test_a_file_that_is_there_is_kept_unless_forced(bare):
    started(bare)
    with open(copy_of(bare), "w", encoding="ascii") as out:
        out.write("mine")
    done = backup(bare, copy_of(bare))
    assert done.returncode == 1 and "--force" in done.stderr, done
    assert os.path.getsize(copy_of(bare)) == 4
    assert backup(bare, copy_of(bare), "--force").returncode == 0
    assert Database(copy_of(bare)).integrity() == "ok"
    done = backup(bare, bare.database, "--force")
    assert done.returncode == 1 and "the database itself" in done.stderr, done


@pytest.mark.parametrize("arguments, code, said", [
    ((), 2, "backup needs more"),
    (("one", "two"), 2, "one argument too many"),
    (("/nowhere/copy.db",), 1, "name a file in a folder that is there"),
    (("copy.db", "--database", "/nowhere/paybell.db"), 1, "PAYBELL_DATABASE"),
    (("copy.db", "--database", "/dev/null"), 1, "database /dev/null"),
])
def test_what_cannot_be_done_is_said_with_what_to_do(bare, arguments, code, said):
    started(bare)
    done = backup(bare, *arguments, cwd=bare.folder)
    assert done.returncode == code, done
    assert done.stderr.startswith("paybell: ") and done.stderr.count("\n") == 1 and said in done.stderr, done
    assert nothing_left(copy_of(bare))


def small_files():
    """As a disk that takes no more: SQLite finds it out in the middle."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8 << 20, 8 << 20))


def test_a_target_that_takes_no_more_leaves_nothing(bare):
    started(bare)
    bare.stop("backend")
    grow(bare, 24)
    done = backup(bare, copy_of(bare), preexec_fn=small_files)
    assert done.returncode == 1 and "elsewhere" in done.stderr, done
    assert nothing_left(copy_of(bare))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_that_is_interrupted_leaves_nothing(bare, number):
    started(bare)
    bare.stop("backend")
    grow(bare, 100)
    with subprocess.Popen([PAYBELL, "backup", copy_of(bare)], env=environment(DATABASE=bare.database),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: os.path.exists(copy_of(bare) + ".partial"), 20, "the partial file")
        process.send_signal(number)
        out, said = process.communicate(timeout=20)
    assert process.returncode == 1 and out == "", (out, said)
    assert "stopped" in said and not REPORT.search(said), said
    assert nothing_left(copy_of(bare))


def test_its_progress_is_for_terminals(bare):
    started(bare)
    bare.stop("backend")
    grow(bare, 100)
    main, side = pty.openpty()
    with subprocess.Popen([PAYBELL, "backup", copy_of(bare)], env=environment(DATABASE=bare.database),
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=side) as process:
        os.close(side)
        text = b""
        while select.select([main], [], [], 20)[0]:
            try:
                text += os.read(main, 65536)
            except OSError:  # EIO: nobody has the other side open
                break
        os.close(main)
    assert process.returncode == 0
    assert re.search(rb"paybell: \d+ of 1\d\d MB copied, Ctrl-C stops it", text), text
    assert text.endswith(b"\r\x1b[K"), text
    assert backup(bare, copy_of(bare), "--force").stderr == ""
