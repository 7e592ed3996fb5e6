"""The disk fails, and of the books nothing is lost, nothing doubled and nothing half done: counted."""
import collections
import errno
import http.client
import json
import os
import re
import sqlite3
import subprocess
import tempfile
import threading
import time

import pytest

from database import Database
from disk import Disk
from harness import KEYS, REPORT, WORKERS, Suite, http_call, wait_until

PAYERS = 8
PEOPLE = 20
REMEDY = re.compile(r"database \S+ is damaged, stop here and restore a backup")


class Payers:
    """Some clients that pay one after the other, each payment under a key of its own, which is its description too. With retry a
    payment that was refused is asked for again, with its key, until it is made."""

    def __init__(self, suite, retry=True, name="pay"):
        self.suite, self.retry, self.name = suite, retry, name
        self.made = {}  # key: the transaction's id
        self.problems = collections.Counter()
        self.slowest = 0.0
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._run, args=(i,)) for i in range(PAYERS)]
        for thread in self.threads:
            thread.start()

    def _ask(self, connection, key, payer):
        body = json.dumps({"to": f"u{payer % PEOPLE}", "amount": "1.00", "currency": "USD", "description": key})
        head = {"Authorization": f"Bearer {KEYS[0]}", "Content-Type": "application/json", "Idempotency-Key": key}
        began = time.monotonic()
        connection.request("POST", "/transactions", body, head)
        answer = connection.getresponse()
        text = json.loads(answer.read())
        with self.lock:
            self.slowest = max(self.slowest, time.monotonic() - began)
            if answer.status == 201:
                self.made[key] = text["id"]
                return True
            self.problems[text["type"].rsplit(":", 1)[1]] += 1
        assert answer.status == 503 and int(answer.headers["Retry-After"]) > 0, text
        return False

    def _run(self, number):
        connection = http.client.HTTPConnection(self.suite.addresses["backend"]["api"], timeout=30)
        try:
            for i in range(1000000):
                while not self._ask(connection, f"{self.name}-{number}-{i}", number + i):
                    time.sleep(0.02)
                    if not self.retry:
                        break
                if self.stopping.is_set():
                    return
        except (OSError, http.client.HTTPException):
            pass  # the power was cut
        finally:
            connection.close()

    def wait_for(self, more):
        count = len(self.made) + more
        wait_until(lambda: len(self.made) >= count, 30, f"{more} payments more")

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive()
        return self


def add_people(suite):
    for i in range(PEOPLE):
        suite.add_user(f"u{i}", devices=0)


def the_books_are_right(database, *payers, more=0):
    """Each payment that was acknowledged is there once, and besides `more` at most nothing else is."""
    made = {key: made for p in payers for key, made in p.made.items()}
    there = {row["description"]: row["id"] for row in database.rows("SELECT id, description FROM transactions")}
    assert {key: there.get(key) for key in made} == made
    assert len(made) <= database.transactions() <= len(made) + more
    assert len(there) == database.transactions(), "a payment was booked twice"
    assert database.integrity() == "ok"
    assert database.balances() == database.balances_by_postings()
    assert database.totals() == {"USD": 0}
    assert database.one("SELECT count(*) FROM events") == database.transactions()


@pytest.fixture
def disk(bare):
    """A backend without anything else, on a disk that fails on demand."""
    disk = Disk(bare)
    bare.start("backend", wait="up")
    add_people(bare)
    return disk


def readiness(suite):
    return http_call(suite.addresses["backend"]["admin"], "GET", "/readyz").json


# ---- writes and syncs that fail ----

@pytest.mark.parametrize("call,error,how", [
    ("sync", errno.EIO, "not done"), ("sync", errno.EIO, "done"), ("write", errno.EIO, "not done"), ("write", errno.EIO, "done"),
    ("write", errno.EIO, "short"), ("write", errno.ENOSPC, "not done"), ("sync", errno.ENOSPC, "not done")])
def test_one_call_that_fails_costs_no_payment(disk, bare, database, call, error, how):
    payers = Payers(bare)
    for _ in range(5):
        payers.wait_for(40)
        disk.fail(call, error, times=1, how=how, on=["log"])
        wait_until(lambda: disk.failures(call) == 1, 10, "the failure")
    payers.wait_for(40)
    payers.stop()
    assert sum(payers.problems.values()) >= 1 or how == "short"
    assert set(payers.problems) <= {"storage"}, payers.problems
    the_books_are_right(database, payers)


@pytest.mark.parametrize("call,error,on", [
    ("sync", errno.EIO, ["log"]), ("write", errno.EIO, ["log", "database"]), ("write", errno.EROFS, ["log", "database"]),
    ("write", errno.ENOSPC, ["log", "database"]), ("open", errno.EROFS, ["log", "database", "shared"])])
def test_a_second_of_failures_is_overcome_with_everything_delivered_once(bare, database, call, error, on):
    disk = Disk(bare)
    bare.start_redis()
    bare.start("sandbox")
    bare.start("backend")
    add_people(bare)
    for name in WORKERS:
        bare.start(name)
    payers = Payers(bare)
    payers.wait_for(100)
    disk.fail(call, error, on=on)
    if call == "open":
        disk.fail("sync", errno.EIO, times=1, on=["log"])  # so that it is opened anew
    time.sleep(1)
    assert disk.failures(call) > 0
    disk.heal()
    payers.wait_for(200)
    payers.stop()
    the_books_are_right(database, payers)
    log = bare.processes["backend"].log()
    assert len(re.findall("msg=(commit|checkpoint)[.]", log)) < 20, log
    for name in ("email", "sms"):
        wait_until(lambda n=name: database.ended(n) == len(payers.made), 60, f"{name} to end")
    wait_until(lambda: database.final_counts() == {1: len(payers.made) * len(WORKERS)}, 30, "one end for each delivery")


def test_a_database_that_stays_away_is_said_and_nobody_waits_for_it(disk, bare, database):
    payers = Payers(bare)
    payers.wait_for(50)
    disk.fail("sync", errno.EIO)
    wait_until(lambda: payers.problems["storage"] > 20, 10, "refusals at once")
    state = readiness(bare)
    assert not state["ready"] and "the database is away" in state["reason"], state
    began = time.monotonic()
    answer = bare.pay(None, "u1", "1.00")
    assert answer.problem == "storage" and answer.headers["Retry-After"] == "1" and time.monotonic() - began < 1
    assert http_call(bare.addresses["backend"]["admin"], "GET", "/healthz").status == 200
    disk.heal()
    wait_until(lambda: "away" not in readiness(bare)["reason"], 5, "the database")
    payers.wait_for(100)
    payers.stop()
    assert payers.slowest < 8 and payers.problems["outcome-unknown"] <= PAYERS
    the_books_are_right(database, payers)


def test_a_backend_whose_database_is_away_can_be_stopped(disk, bare, database):
    payers = Payers(bare)
    payers.wait_for(50)
    disk.fail("sync", errno.EIO)
    wait_until(lambda: disk.failures("sync") > 2, 10, "failures")
    began = time.monotonic()
    bare.stop("backend")
    assert time.monotonic() - began < 10
    payers.stop()
    disk.heal()
    bare.start("backend", wait="up")
    assert "msg=check.passed" in bare.processes["backend"].log()
    the_books_are_right(database, payers, more=PAYERS)


# ---- what a failed sync leaves ----

def quiet(database, count):
    """The last batch's time is written: nothing more is committed by itself."""
    wait_until(lambda: database.one("SELECT count(*) FROM batches") == count, 10, "the batch's time")


@pytest.mark.parametrize("how", ["done", "not done"])
def test_what_was_answered_as_not_done_does_not_rise_from_the_log(disk, bare, database, how):
    assert bare.pay(None, "u1", "1.00", description="first").status == 201
    quiet(database, 1)
    disk.fail("sync", times=1, how=how, on=["log"])
    answer = bare.pay(None, "u1", "1.00", description="second", headers={"Idempotency-Key": "k"})
    assert answer.problem == "storage" and disk.failures("sync") == 1, answer
    bare.kill("backend")
    bare.start("backend", wait="up")
    assert [row["description"] for row in database.rows("SELECT description FROM transactions")] == ["first"]
    answer = bare.pay(None, "u1", "1.00", description="second", headers={"Idempotency-Key": "k"})
    assert answer.status == 201 and "Idempotent-Replayed" not in answer.headers
    assert database.transactions() == 2


def test_a_payment_without_a_key_is_told_that_nobody_knows(disk, bare, database):
    disk.fail("sync", times=1, on=["log"])
    assert bare.pay(None, "u1", "1.00").problem == "outcome-unknown"
    assert bare.pay(None, "u1", "1.00").status == 201
    assert database.transactions() == 1


def test_a_power_cut_takes_nothing_that_was_acknowledged(disk, bare, database):
    payers = Payers(bare)
    for _ in range(4):
        payers.wait_for(50)
        disk.fail("sync", times=1, on=["log"])
        wait_until(lambda: disk.failures("sync") == 1, 10, "the failure")
    payers.wait_for(50)
    disk.cut_power()
    payers.stop()
    bare.start("backend", wait="up")
    the_books_are_right(database, payers, more=PAYERS)
    again = Payers(bare, name="again")
    again.wait_for(50)
    again.stop()
    both = [payers, again]
    the_books_are_right(database, *both, more=PAYERS)


def test_what_the_kernel_only_pretends_to_have_written_is_written_after_a_crash(disk, bare, database):
    """fsync failed and the process died: the log reads well, but on the disk it has a hole. What is acknowledged behind that hole
    has to outlive a power cut."""
    assert bare.pay(None, "u1", "1.00", description="first").status == 201
    quiet(database, 1)
    disk.fail("sync", on=["log"])
    lost = threading.Thread(target=lambda: pytest.raises((OSError, http.client.HTTPException), bare.pay, None, "u2", "1.00",
                                                         description="in flight", headers={"Idempotency-Key": "k"}))
    lost.start()
    wait_until(lambda: disk.failures("sync") > 0, 10, "the failure")
    bare.kill("backend")
    lost.join()
    disk.heal()
    bare.start("backend", wait="up")
    answers = [bare.pay(None, "u3", "1.00", description=f"behind {i}") for i in range(5)]
    assert [answer.status for answer in answers] == [201] * 5
    disk.cut_power()
    bare.start("backend", wait="up")
    there = {row["id"] for row in database.rows("SELECT id FROM transactions")}
    assert {answer.json["id"] for answer in answers} <= there
    assert database.integrity() == "ok" and database.balances() == database.balances_by_postings()


def checkpoints(suite):
    text = http_call(suite.addresses["backend"]["admin"], "GET", "/metrics").body.decode()
    return int(re.search(r"^paybell_checkpoint_seconds_count (\d+)", text, re.M)[1])


def snapshot(suite):
    reader = sqlite3.connect(f"file:{suite.database}?mode=ro", uri=True, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM users").fetchall()
    return reader


def fail_a_checkpoint(disk, suite, payers):
    """One that comes after one which moved a part and did not sync it: as far as a reader let it, from where another one had."""
    readers = [snapshot(suite)]
    try:
        payers.wait_for(300)
        readers.append(snapshot(suite))
        payers.wait_for(20)
        readers.pop(0).close()
        count = checkpoints(suite)
        wait_until(lambda: checkpoints(suite) > count + 1, 10, "a checkpoint")
        disk.fail("sync", times=1, on=["database"])
        payers.stop()
    finally:
        for reader in readers:
            reader.close()
    wait_until(lambda: disk.failures("sync") == 1, 10, "the failure")


def test_a_checkpoint_whose_sync_failed_leaves_no_hole_in_the_database(disk, bare, database):
    """What the one before had moved is clean after the failure and not on the disk; then the log starts over."""
    payers = Payers(bare)
    fail_a_checkpoint(disk, bare, payers)
    synced = disk.calls("sync")
    wait_until(lambda: disk.calls("sync") > synced + 1, 10, "the next checkpoint")
    again = Payers(bare, name="again")
    again.wait_for(20)
    disk.cut_power()
    again.stop()
    bare.start("backend", wait="up")
    the_books_are_right(database, payers, again, more=PAYERS)


def test_a_stop_after_a_checkpoint_that_failed_keeps_the_log(disk, bare, database):
    payers = Payers(bare)
    fail_a_checkpoint(disk, bare, payers)
    bare.stop("backend")
    bare.start("backend", wait="up")
    assert bare.pay(None, "u1", "1.00", description="the log is written again").status == 201
    disk.cut_power()
    bare.start("backend", wait="up")
    the_books_are_right(database, payers, more=1)


# ---- a full disk ----

@pytest.fixture
def small_disk():
    """A file system of a few MB; the installation's folder is on it."""
    folder = tempfile.mkdtemp(prefix="paybell-full-")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=0755", "paybell-test", folder], capture_output=True, check=False)
    if mounted.returncode != 0:
        os.rmdir(folder)
        pytest.skip(f"a file system cannot be mounted here: {mounted.stderr.decode().strip()}")
    suite = Suite()
    suite.database = suite.settings["DATABASE"] = os.path.join(folder, "paybell.db")
    try:
        yield suite
    finally:
        try:
            suite.close()
        finally:
            subprocess.run(["umount", folder], check=True)
            os.rmdir(folder)


def fill(folder):
    path = os.path.join(folder, "ballast")
    with open(path, "wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(65536))
        except OSError as full:
            assert full.errno == errno.ENOSPC
    return path


def test_a_full_disk_refuses_payments_and_room_brings_them_back(small_disk):
    small_disk.start("backend", wait="up")
    database = Database(small_disk.database)
    add_people(small_disk)
    payers = Payers(small_disk, retry=False)
    payers.wait_for(100)
    ballast = fill(os.path.dirname(small_disk.database))
    wait_until(lambda: payers.problems["storage"] >= 100, 60, "refusals")
    refused = small_disk.pay(None, "u1", "1.00", description="full")
    state = readiness(small_disk)
    the_books_are_right(database, payers, more=PAYERS)
    os.unlink(ballast)
    payers.wait_for(100)
    payers.stop()
    assert set(payers.problems) == {"storage"}, payers.problems
    assert refused.problem == "storage" and int(refused.headers["Retry-After"]) > 0, refused
    assert not state["ready"] and "full" in state["reason"], state
    the_books_are_right(database, payers)
    log = small_disk.processes["backend"].log()
    assert len(re.findall("msg=commit.failed", log)) < 20, log


# ---- damage ----

def page_of(suite, name):
    connection = sqlite3.connect(suite.database)
    try:
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        return size, connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", [name]).fetchone()[0]
    finally:
        connection.close()


def flip(suite, name):
    """Bytes in the middle of the first page of a table or an index."""
    size, page = page_of(suite, name)
    with open(suite.database, "r+b") as file:
        file.seek((page - 1) * size)
        found = file.read(64)
        file.seek((page - 1) * size)
        file.write(bytes(byte ^ 0xff for byte in found))


def is_refused(suite):
    process = suite.start("backend", wait=None)
    code = process.popen.wait(30)
    suite.processes.pop("backend").close()
    assert code == 1 and REMEDY.search(process.log()), process.tail()
    assert not REPORT.search(process.log()), process.tail()


def filled(suite):
    suite.start("backend", wait="up")
    add_people(suite)
    for i in range(20):
        assert suite.pay(None, f"u{i}", "1.00", description=f"before {i}").status == 201
    suite.stop("backend")


@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_a_damaged_database_is_refused_at_start_and_the_remedy_is_named(bare, end):
    filled(bare)
    if end == "killed":
        bare.start("backend", wait="up")
        assert bare.pay(None, "u1", "1.00").status == 201
        bare.kill("backend")
    flip(bare, "users")
    is_refused(bare)
    is_refused(bare)


def test_a_file_that_is_no_database_is_refused_and_the_remedy_is_named(bare):
    filled(bare)
    with open(bare.database, "r+b") as file:
        file.write(b"\xff" * 100)
    is_refused(bare)


def said(suite, name):
    log = suite.processes["backend"].log()
    return log.count(f"msg={name}")


def test_only_a_stop_that_was_not_clean_costs_a_check(bare, database):
    filled(bare)
    bare.start("backend", wait="up")
    assert said(bare, "check.begins") == 0
    assert bare.pay(None, "u1", "1.00").status == 201
    bare.kill("backend")
    bare.start("backend", wait="up")
    assert said(bare, "check.begins") == said(bare, "check.passed") == 1
    assert bare.pay(None, "u1", "1.00").status == 201
    bare.stop("backend")
    copy = bare.database + ".copy"
    with open(bare.database, "rb") as source, open(copy, "wb") as target:
        target.write(source.read())
    os.rename(copy, bare.database)
    bare.start("backend", wait="up")
    assert said(bare, "check.begins") == said(bare, "check.passed") == 2
    assert database.transactions() == 22


def test_damage_that_is_met_later_ends_the_backend_with_the_remedy(bare):
    """Rot that no file's time tells of: the mark of the clean stop is made to fit."""
    filled(bare)
    flip(bare, "users")
    found = os.stat(bare.database)
    with open(bare.database + ".lock", "w", encoding="ascii") as mark:
        mark.write(f"clean {found.st_dev}:{found.st_ino} {found.st_size} "
                   f"{found.st_ctime_ns // 10**9}.{found.st_ctime_ns % 10**9:09d}\n")
    process = bare.start("backend", wait="up")
    assert said(bare, "check.begins") == 0
    answer = bare.pay(None, "u1", "1.00")
    assert answer.problem == "storage", answer
    assert process.popen.wait(20) == 1
    bare.processes.pop("backend").close()
    assert REMEDY.search(process.log()), process.tail()
    is_refused(bare)


def grow(suite, rows):
    connection = sqlite3.connect(suite.database)
    try:
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO idempotency "
            "SELECT 0, randomblob(16), randomblob(16), i, NULL FROM n", [rows])
        connection.commit()
    finally:
        connection.close()


def test_a_check_in_the_background_holds_up_no_payment(bare, database):
    filled(bare)
    grow(bare, 200000)
    bare.start("backend", wait="up", CHECK_WAIT="0s", WAL_MAX="1M")
    payers = Payers(bare)
    wait_until(lambda: said(bare, "check.passed") == 1, 60, "the end of the check")
    payers.wait_for(1)
    payers.stop()
    assert said(bare, "check.goes_on") == 1 and not payers.problems
    assert payers.slowest < 1, payers.slowest
    wait_until(lambda: os.path.getsize(bare.database + "-wal") < 16 << 20, 5, "a log that starts over")
    the_books_are_right(database, payers, more=20)
