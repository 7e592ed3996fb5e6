"""A backlog of 20,000 push messages: one worker against a bare loop of libcurl's.

The backlog is made once, and the requests that a worker makes of it are written down by a recorder in the sandbox's place.
Then each round sends the very same requests three times to the sandbox: by the bare loop, by the worker with the backend
stopped, by the worker with the backend taking the attempts in; the stream and the database are put back before each.
The time is the sandbox's own: from the first message that it received to the last. Bare loop and worker step back by the
same nice(2), since the worker does so by default.
"""
import asyncio
import os
import resource
import shutil
import sqlite3
import statistics
import threading

from stand import ONE_SIDED, TESTS, Bench, fill, load, row, run_json, say, wait_until

MESSAGES = 20000
CONNECTIONS = 32
NICE = 5
ROUNDS = 3
ALLOWED = {"backend stopped": 1.3, "backend taking in": 1.8}


class Recorder(asyncio.Protocol):
    """Answers like FCM, and keeps what it was sent."""
    requests = []

    def connection_made(self, transport):
        self.transport, self.pending = transport, b""

    def data_received(self, data):
        self.pending += data
        while (end := self.pending.find(b"\r\n\r\n")) >= 0:
            head = self.pending[:end].decode()
            length = next(int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length:"))
            if len(self.pending) < end + 4 + length:
                return
            Recorder.requests.append((head, self.pending[end + 4:end + 4 + length]))
            self.pending = self.pending[end + 4 + length:]
            answer = b'{"name":"projects/paybell-test/messages/%d"}' % len(Recorder.requests)
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                                 % (len(answer), answer))


def record(suite):
    """Lets a worker send the backlog to a recorder; the requests' heads and bodies."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(Recorder, "127.0.0.1", 0))
    port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        suite.start("push", FCM_URL=f"http://127.0.0.1:{port}", CONNECTIONS=CONNECTIONS)
        wait_until(lambda: suite.redis("XLEN", "queue:push") == 0, 120, "the backlog recorded")
        suite.stop("push")
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.close()
    return Recorder.requests


def write_requests(path, requests):
    """The form that bare_drain.c reads; the address it is to be sent to."""
    heads = {"\r\n".join(line for line in head.split("\r\n") if not line.startswith(("Content-Length:", "Host:")))
             for head, _ in requests}
    assert len(heads) == 1 and len({body for _, body in requests}) == MESSAGES, heads
    first, *headers = heads.pop().split("\r\n")
    with open(path, "wb") as out:
        out.write("".join(line + "\n" for line in headers).encode() + b"\n")
        for _, body in requests:
            assert b"\n" not in body
            out.write(body + b"\n")
    return first.split(" ")[1]


# ---- one run ----


class Backlog:
    """Redis' stream and the database as they were before anything was sent."""

    def __init__(self, suite):
        self.suite = suite
        self.saved = os.path.join(suite.folder, "saved.db")
        suite.redis("COPY", "queue:push", "saved:push")
        source, target = sqlite3.connect(suite.database), sqlite3.connect(self.saved)
        with target:
            source.backup(target)
        source.close()
        target.close()

    def put_back(self):
        for end in ("", "-wal", "-shm"):
            if os.path.exists(self.suite.database + end):
                os.unlink(self.suite.database + end)
        shutil.copy(self.saved, self.suite.database)
        # A reader that comes before the backend finds no journal to share: made here.
        sqlite3.connect(self.suite.database).execute("SELECT count(*) FROM events").connection.close()
        self.suite.redis("COPY", "saved:push", "queue:push", "REPLACE")
        self.suite.redis("XTRIM", "attempts:log", "MAXLEN", 0)
        answer = self.suite.sandbox("DELETE", "/inbox")
        assert answer.status == 204, answer


def received(suite):
    """Seconds from the first of all messages to the last, by the sandbox's clock."""
    count = suite.sandbox("GET", "/inbox/count").json
    assert count["push"] == MESSAGES, count
    ends = [suite.sandbox("GET", f"/inbox?channel=push&after={after}&limit=1").json["messages"][0]
            for after in (count["newest"] - MESSAGES, count["newest"] - 1)]
    return (ends[1]["received_us"] - ends[0]["received_us"]) / 1e6


def run_bare(suite, backlog, path, requests):
    backlog.put_back()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = run_json(["nice", "-n", str(NICE), os.path.join(TESTS, "bare-drain"),
                       f"http://{suite.addresses['sandbox']['http']}{path}", requests, str(CONNECTIONS)])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert result["requests"] == MESSAGES, result
    return {"seconds": received(suite), "sender": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}


def run_worker(suite, backlog, backend):
    backlog.put_back()
    names = ["sandbox", "redis"]
    if backend:
        suite.start("backend")
        names.append("backend")
    cpu = {name: suite.cpu_s(name) for name in names}
    suite.start("push", wait="up", CONNECTIONS=CONNECTIONS, NICE=NICE)
    wait_until(lambda: suite.redis("XLEN", "queue:push") == 0, 120, "the backlog sent")
    result = {"seconds": received(suite), "sender": suite.cpu_s("push")}
    if backend:
        wait_until(suite.intake_done, 120, "the attempts taken in")
    result.update({name: suite.cpu_s(name) - cpu[name] for name in names})
    suite.stop("push")
    if backend:
        suite.stop("backend")
    return result


class DrainBench(Bench):
    def intake_done(self):
        return self.open_records() == 0


def make_backlog(suite):
    suite.start_redis()
    suite.start("sandbox")
    suite.start("backend")
    fill(suite)
    suite.start("push")
    suite.drained()
    suite.stop("push")
    result = load(suite, ONE_SIDED, "--connections", 64, "--count", MESSAGES)
    assert result["statuses"] == {"201": MESSAGES}, result
    wait_until(lambda: suite.redis("XLEN", "queue:push") == MESSAGES, 60, "the backlog")
    suite.stop("backend")
    return Backlog(suite)


def part_drain():
    say(f"## A backlog of {MESSAGES:,} push messages: one worker and a bare curl-multi loop\n")
    suite = DrainBench(CHANNELS="push")
    try:
        backlog = make_backlog(suite)
        requests = os.path.join(suite.folder, "requests")
        path = write_requests(requests, record(suite))
        runs = {"bare loop": [], "backend stopped": [], "backend taking in": []}
        for _ in range(ROUNDS):
            runs["bare loop"].append(run_bare(suite, backlog, path, requests))
            runs["backend stopped"].append(run_worker(suite, backlog, False))
            runs["backend taking in"].append(run_worker(suite, backlog, True))
    finally:
        suite.close()
    show(runs)


def show(runs):
    base = statistics.median(r["seconds"] for r in runs["bare loop"])
    row("sender", "seconds, each run", "messages/s (median)", "of the bare loop's time", "allowed",
        "CPU a message: sender", "redis", "backend")
    row(*["---"] * 8)
    for name, results in runs.items():
        seconds = statistics.median(r["seconds"] for r in results)
        cpu = [statistics.median(r.get(who, 0) for r in results) * 1e6 / MESSAGES for who in ("sender", "redis", "backend")]
        row(name if name == "bare loop" else f"worker, {name}", " ".join(f"{r['seconds']:.2f}" for r in results),
            f"{MESSAGES / seconds:,.0f}", f"{seconds / base:.2f}", ALLOWED.get(name, ""), *(f"{us:.0f} µs" for us in cpu))
    say()
