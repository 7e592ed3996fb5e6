"""What is measured of gateways, however many they are: broadcasts, bursts, one user's event, memory."""
import bisect
import os
import random
import sqlite3
import statistics
import time

from gateway_stand import FRAME_BYTES, machine, record
from stand import ONE_SIDED, load, percentile, row, say, wait_until

BURST = 500  # records in one write


# ---- broadcasts ----


def all_complete(crowd, began, timeout=120):
    """The time from `began` to the last client; all of them had every byte, or this fails."""
    last = 0
    for one in crowd:
        answer = one.hear("complete", timeout)
        assert answer["clients"] == one.count and answer["wrong"] == 0, answer
        last = max(last, answer["last_us"])
    return last - began


def one_broadcast(bench, crowd, records, count=1, timeout=120):
    bodies = records.make(count)
    for one in crowd:
        one.expect(records.path)
    return all_complete(crowd, bench.publish(bodies), timeout)


def bare_broadcast(bare, beside, records):
    """The same bytes as the newest broadcast of the gateway."""
    beside.expect(records.path)
    return all_complete([beside], bare.round(records.path)["began_us"])


def broadcasts(bench, crowd, records, rounds, bare, beside):
    """Times in us, both senders in turn; the first of each is not counted."""
    times = {"gateway": [], "bare": []}
    for _ in range(rounds + 1):
        times["gateway"].append(one_broadcast(bench, crowd, records))
        times["bare"].append(bare_broadcast(bare, beside, records))
    return {name: took[1:] for name, took in times.items()}


def broadcast_row(name, connections, times):
    median = statistics.median(times)
    row(name, f"{median / 1000:.1f} ms", f"{min(times) / 1000:.1f}", f"{max(times) / 1000:.1f}", f"{connections * 1e6 / median:.0f}")


def joined(bench, crowd, records, bursts=3):
    """Many records at once, which the gateway may send together: their count, and the time until the last client had all, each time."""
    return BURST, [one_broadcast(bench, crowd, records, BURST) for _ in range(bursts)]


# ---- one user's event ----


class Arrivals:
    """What single users are told, from now on until count() of it has come: who had which sequence, and when."""

    def __init__(self, bench, crowd):
        self.crowd = crowd
        self.paths = [os.path.join(bench.folder, f"arrivals-{i}.csv") for i in range(len(crowd))]
        for one, path in zip(crowd, self.paths):
            one.tell(f"events {path}")
            one.hear("writing")
        self.before = self._frames()

    def _frames(self):
        return sum(one.report()["frames"] for one in self.crowd)

    def count(self, count):
        """[(sequence, utc_us)], in no order."""
        wait_until(lambda: self._frames() - self.before >= count, 30, f"{count} frames at their users")
        for one in self.crowd:
            one.tell("end")
            one.hear("written")
        return [(int(sequence), int(at_us)) for path in self.paths for _client, sequence, at_us in self._lines(path)]

    @staticmethod
    def _lines(path):
        with open(path, encoding="ascii") as lines:
            for line in lines:
                yield line.split(",")


class Moments:
    """When an event was accepted, committed and published: one row a batch in the database."""

    def __init__(self, path):
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
        self.accepted = dict(database.execute("SELECT first_event, created_us FROM transactions"))
        self.batches = {table: list(zip(*database.execute(f"SELECT last_event, {column} FROM {table} ORDER BY last_event"))) or [(0,), (0,)]
                        for table, column in (("batches", "committed_us"), ("publications", "published_us"))}
        database.close()

    def _of(self, table, sequence):
        last, at_us = self.batches[table]
        return at_us[bisect.bisect_left(last, sequence)]

    def committed(self, sequence):
        return self._of("batches", sequence)

    def published(self, sequence):
        return self._of("publications", sequence)


def head(bench):
    database = sqlite3.connect(f"file:{bench.database}?mode=ro", uri=True, timeout=10)
    try:
        return database.execute("SELECT coalesce(max(sequence), 0) FROM events").fetchone()[0]
    finally:
        database.close()


def cpu(bench, crowd):
    """Seconds of processor time so far."""
    names = ["backend", "redis", *bench.names]
    spent = {name.split("-")[0]: 0.0 for name in names}
    for name in names:
        spent[name.split("-")[0]] += bench.cpu_s(name)
    spent["listeners"] = 0.0
    for one in crowd:
        with open(f"/proc/{one.popen.pid}/stat", encoding="utf-8") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        spent["listeners"] += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return spent


def one_user(bench, crowd, users, rate, seconds):
    """Payments to random ones of these users, open loop; every event must arrive once, at its user. Times in us by hop."""
    arrivals = Arrivals(bench, crowd)
    first, before = head(bench), cpu(bench, crowd)
    result = load(bench, ONE_SIDED, "--users", users, "--connections", 32, "--rate", rate, "--seconds", seconds)
    assert set(result["statuses"]) == {"201"}, result
    spent = {name: (now - before[name]) / seconds for name, now in cpu(bench, crowd).items()}
    events = head(bench) - first
    arrived = arrivals.count(events)
    assert sorted(s for s, _ in arrived) == list(range(first + 1, first + events + 1)), "an event came twice, or not at all"
    # The publication is noted after the bell.
    wait_until(lambda: Moments(bench.database).batches["publications"][0][-1] >= first + events, 30, "the publications noted")
    moments = Moments(bench.database)
    hops = {
        "accepted to committed": [moments.committed(s) - moments.accepted[s] for s, _ in arrived],
        "committed to published, as the backend notes it": [moments.published(s) - moments.committed(s) for s, _ in arrived],
        "committed to client": [at - moments.committed(s) for s, at in arrived],
        "accepted to client": [at - moments.accepted[s] for s, at in arrived],
    }
    return {"hops": hops, "post": result["latency_us"], "rate": result["requests_per_s"], "cpu": spent}


def publish_to_client(bench, crowd, users, count=1000, pause_s=0.002):
    """Delivery statuses of single users, published here one at a time: times in us through Redis and gateway alone."""
    arrivals, published = Arrivals(bench, crowd), {}
    for number in range(1, count + 1):
        body, _ = record(number, f"u{random.randrange(users)}", FRAME_BYTES + 50)
        published[number] = time.time_ns() // 1000
        bench.publish([body])
        time.sleep(pause_s)
    return [at - published[sequence] for sequence, at in arrivals.count(count)]


def say_times(name, took):
    row(name, *(f"{percentile(took, share) / 1000:.2f} ms" for share in (0.5, 0.9, 0.99, 1)))


def say_latency(connections, rate, latency, alone):
    say(f"\n### One event to one user among {connections}, {rate} events/s\n")
    row("from … to", "p50", "p90", "p99", "max")
    row(*["---"] * 5)
    for name, took in latency["hops"].items():
        say_times(name, took)
    say_times("published to client, nothing else going on", alone)
    post = latency["post"]
    row("the POST itself", f"{post['p50'] / 1000:.2f} ms", f"{post['p90'] / 1000:.2f} ms", f"{post['p99'] / 1000:.2f} ms",
        f"{post['max'] / 1000:.2f} ms")
    say(f"\n{'Asked: p99 of at most 3 ms from commit to client. ' if rate == 1000 else ''}Processor time, of one core: "
        f"{', '.join(f'{name} {100 * share:.0f} %' for name, share in latency['cpu'].items())}.")


# ---- memory ----


def memory_row(bench):
    return {"private": bench.private(), **machine(), "at": time.monotonic()}


def open_sockets():
    """TCP sockets of this network that are not closed."""
    with open("/proc/net/sockstat", encoding="ascii") as stat:
        words = next(line for line in stat if line.startswith("TCP:")).split()
    return int(words[words.index("inuse") + 1])
