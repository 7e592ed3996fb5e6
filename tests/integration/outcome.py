"""What tests of crashes ask at the end: has everything ended, and what did the providers get?"""
import os
import secrets
import sys

from harness import ROOT, WORKERS, http_call, wait_until

sys.path.insert(0, os.path.join(ROOT, "tests", "crash"))

from counting import Inbox, missing_messages  # noqa: E402

STREAMS = [f"queue:{name}" for name in WORKERS] + ["attempts:log"]


def payment():
    """A load's body; what is paid in it is named like nothing in any other load, for an SMS is known by that."""
    return f'{{"to":"u{{a}}","amount":"0.01","currency":"USD","description":"pay-{secrets.token_hex(4)}-{{n}}"}}'


def wait_all_ended(suite, database, timeout=90):
    """Every event, on every channel, and nothing is left in Redis."""
    want = {name: database.head() for name in WORKERS}
    wait_until(lambda: database.ended_by_channel() == want, timeout, f"the end of {want}")
    wait_until(lambda: not any(suite.redis("XLEN", stream) for stream in STREAMS), 10, "empty streams")


def found_by_sweep(suite):
    """Deliveries that had to be fed again because nothing else would have brought them."""
    text = http_call(suite.addresses["backend"]["admin"], "GET", "/metrics").body.decode()
    found = [line.split()[-1] for line in text.splitlines() if line.startswith("paybell_sweep_refed_total{")]
    assert len(found) == len(WORKERS), found
    return sum(map(int, found))


def assert_delivered(suite, database, repeats=0):
    """Each has its message; of the messages at most so many came twice (None: any number)."""
    assert database.deliveries() == {(name, "delivered", ""): database.head() for name in WORKERS}
    inboxes = {name: Inbox(suite.folder, name) for name in WORKERS}
    assert missing_messages(database, inboxes) == dict.fromkeys(WORKERS, 0)
    again = {name: len(inbox.repeats) for name, inbox in inboxes.items()}
    if repeats is not None:
        assert max(again.values()) <= repeats, again
    assert database.totals() == {"USD": 0}
