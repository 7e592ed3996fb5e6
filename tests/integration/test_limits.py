"""At each stated maximum: a clear refusal or a wait, never growth without end, and nothing lost."""
import json
import os
import sqlite3
import subprocess

from harness import BIN, KEYS, LOAD, environment, http_call, wait_until

HEAD = ["--header", f"Authorization: Bearer {KEYS[0]}", "--header", "Content-Type: application/json"]
BODY = '{"to":"bob","amount":"0.01","currency":"USD","description":"Lunch {n}"}'


def load(suite, *options):
    argv = [LOAD, "--url", f"http://{suite.addresses['backend']['api']}/transactions", "--json", *HEAD, "--body", BODY,
            *map(str, options)]
    return json.loads(subprocess.run(argv, check=True, stdout=subprocess.PIPE, timeout=300).stdout)


def test_a_full_commit_queue_is_a_503_with_retry_after_and_stores_nothing(bare, database):
    bare.start_redis()
    bare.start("backend", COMMIT_QUEUE_MAX=4, BATCH_MAX=4)
    bare.add_user("bob")
    answer = load(bare, "--connections", 128, "--count", 3000)
    statuses = answer["statuses"]
    assert set(statuses) == {"201", "503"} and answer["errors"] == 0, answer
    assert database.transactions() == statuses["201"]
    assert bare.pay(None, "bob", "1.00").status == 201


def test_a_stream_stops_at_its_bound_and_the_ledger_keeps_the_rest(bare, database):
    bare.start_redis()
    bare.start("sandbox")
    bare.start("backend", QUEUE_MAX=100)
    bare.start("push")
    bare.start("email")
    bare.add_user("bob")
    assert load(bare, "--connections", 8, "--count", 700)["statuses"] == {"201": 700}
    delivered = "SELECT count(*) FROM deliveries WHERE channel = ? AND status = 'delivered'"
    for name in ("push", "email"):
        wait_until(lambda n=name: database.one(delivered, n) == 700, 60, f"{name} to go on")
    assert bare.redis("XLEN", "queue:sms") == 100
    bare.start("sms")
    wait_until(lambda: database.one(delivered, "sms") == 700, 60, "sms to catch up")


def refused(suite):
    load(suite, "--connections", 16, "--count", 500)
    answer = suite.pay(None, "bob", "1.00")
    return answer if answer.status == 503 else None


def test_the_log_of_the_database_stays_within_its_bound(bare):
    """A reader that keeps an old snapshot keeps the log from being started again: at twice its maximum payments are refused, and
    go on when the reader has gone."""
    bare.start_redis()
    bare.start("backend", WAL_MAX="1M")
    bare.add_user("bob")
    reader = sqlite3.connect(f"file:{bare.database}?mode=ro", uri=True, isolation_level=None)
    try:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM users").fetchall()
        refusal = wait_until(lambda: refused(bare), 60, "a refusal")
        assert refusal.problem == "overloaded" and int(refusal.headers["Retry-After"]) > 0
        size = os.path.getsize(bare.database + "-wal")
    finally:
        reader.close()
    wait_until(lambda: bare.pay(None, "bob", "1.00").status == 201, 30, "payments to go on")
    for _ in range(5):
        load(bare, "--connections", 16, "--count", 1000)
    assert os.path.getsize(bare.database + "-wal") < size + (16 << 20)


def test_a_second_backend_on_the_same_database_is_refused(suite):
    settings = {**suite.settings, "LISTEN": "127.0.0.1:0", "ADMIN": "off"}
    answer = subprocess.run([os.path.join(BIN, "paybell-backend")], env=environment(**settings), stderr=subprocess.PIPE, timeout=30,
                            check=False)
    assert answer.returncode == 1
    assert b"another backend" in answer.stderr


def test_another_ledgers_cursor_is_refused_loudly_and_nothing_is_fed(own, database):
    own.add_user("bob")
    assert own.pay(None, "bob", "1.00").status == 201
    wait_until(lambda: database.ended("sms") == 1, 20, "the first to be delivered")
    mine = own.redis("GET", "cursor:sms")
    own.redis("SET", "cursor:sms", "f" * 32 + ":1")

    def refused():
        answer = http_call(own.addresses["backend"]["admin"], "GET", "/readyz")
        return answer.status == 503 and b"another ledger" in answer.body
    wait_until(refused, 10, "the backend to refuse")
    assert own.pay(None, "bob", "1.00").status == 201
    wait_until(lambda: database.ended("push") == 2, 20, "the other channels to go on")
    assert database.ended("sms") == 1 and own.redis("XLEN", "queue:sms") == 0
    own.redis("SET", "cursor:sms", mine)
    wait_until(lambda: database.ended("sms") == 2, 20, "sms to go on")


def test_names_in_redis_hold_no_contact_data(suite):
    suite.add_user("carol", email="very-secret@mail.example.com")
    suite.pay(None, "carol", "3.00")
    dump = []
    for key in suite.redis("KEYS", "*"):
        kind = suite.redis("TYPE", key)
        dump.append(str(suite.redis("XRANGE", key, "-", "+") if kind == "stream" else suite.redis("GET", key)))
    assert "very-secret" not in "".join(dump)


def test_a_removed_channel_ends_what_is_open_and_a_new_one_begins_at_the_newest(bare, database):
    bare.start_redis()
    bare.start("backend", CHANNELS="push,email")
    bare.add_user("bob")
    for _ in range(3):
        assert bare.pay(None, "bob", "1.00").status == 201
    wait_until(lambda: bare.redis("XLEN", "queue:email") == 3, 20, "email's stream to be fed")
    bare.stop("backend")
    bare.start("backend", CHANNELS="push,sms")
    assert bare.pay(None, "bob", "1.00").status == 201
    wait_until(lambda: bare.redis("XLEN", "queue:sms") == 1, 20, "sms to be fed")
    assert bare.redis("XLEN", "queue:push") == 4
    assert bare.redis("EXISTS", "queue:email", "cursor:email") == 0
    ended = database.rows("SELECT reason, count(*) FROM deliveries WHERE channel = 'email' AND status = 'failed' GROUP BY reason")
    assert [tuple(row) for row in ended] == [("channel_removed", 3)]
