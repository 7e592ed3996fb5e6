"""One provider suffers, the others must not notice: push and email beside an sms provider that is slow, fails or is away.

Each fault is put on sms while payments flow, and right before it the same load runs undisturbed; both over and over again.
What is compared is the p99 from the event's time to the provider's receipt. After each fault everything has to end; how
long that takes is measured too. Half an hour of trouble is compressed into minutes, so the sms worker's times are shorter
than its defaults.
"""
import statistics
import subprocess
import time

from stand import ONE_SIDED, Bench, arrivals, fill, load, load_argv, percentile, row, say, wait_until

from database import Database  # stand.py says where

RATE = 200
UNDISTURBED_S, DISTURBED_S = 2.5, 3
ROUNDS = 5
OTHERS = ("push", "email")
COMPRESSED = {"SEND_TIMEOUT": "3s", "RETRY_MAX": "3s", "RETRY_RATE": 200, "PROBE_MAX": "2s", "ATTEMPTS_MAX": 30}
FAULTS = {
    "latency of 2 s": {"latency_ms": 2000},
    "50 % answered 500": {"error_rate": 0.5, "status": 500},
    "429, Retry-After 2": {"status": 429, "retry_after_s": 2},
    "no answer": {"hang": True},
    "broken off in the answer": {"reset": True},
    "outage, over halfway": {"outage": True},
}


def allowed_us(undisturbed_us):
    return max(1.2 * undisturbed_us, undisturbed_us + 2000)


class Phase:
    """A load, and what it took push and email to bring its messages to their providers."""

    def __init__(self, suite, seconds):
        self.suite, self.seconds = suite, seconds
        self.database = Database(suite.database)
        self.head = self.database.head()
        self.newest = suite.sandbox("GET", "/inbox/count").json["newest"]

    def run(self, halfway=None):
        argv = load_argv(self.suite, ONE_SIDED, "--connections", 16, "--rate", RATE, "--count", int(RATE * self.seconds))
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        if halfway:
            time.sleep(self.seconds / 2)  # the load goes by the clock
            halfway()
        assert process.wait(60) == 0
        return self

    def p99_us(self):
        """{channel: microseconds}; waits until both have everything."""
        wait_until(lambda: not any(self.suite.redis("XLEN", f"queue:{name}") for name in OTHERS), 60, "push and email")
        began = {int(row["description"].split()[1]): row["created_us"] for row in self.database.rows(
            "SELECT description, created_us FROM transactions WHERE first_event > ?1", self.head)}
        assert len(began) == int(RATE * self.seconds), "payments were not taken"
        result = {}
        for name in OTHERS:
            took = [at - began[number] for number, at in arrivals(self.suite, name, self.newest)]
            assert len(took) == len(began), f"{len(took)} of {len(began)} on {name}"
            result[name] = percentile(took, 0.99)
        return result


class Result:
    """Of one fault, a number from each round."""

    def __init__(self):
        self.undisturbed = {name: [] for name in OTHERS}
        self.disturbed = {name: [] for name in OTHERS}
        self.recovery_s = []

    def add(self, undisturbed, disturbed, recovery_s):
        for name in OTHERS:
            self.undisturbed[name].append(undisturbed[name])
            self.disturbed[name].append(disturbed[name])
        self.recovery_s.append(recovery_s)

    def cells(self):
        cells, within = [], True
        for name in OTHERS:
            a, b = statistics.median(self.undisturbed[name]), statistics.median(self.disturbed[name])
            within = within and b <= allowed_us(a)
            cells += [f"{a / 1000:.2f} ms", f"{b / 1000:.2f} ms", f"{allowed_us(a) / 1000:.2f} ms"]
        return cells + ["yes" if within else "NO", f"{statistics.median(self.recovery_s):.1f} s", f"{max(self.recovery_s):.1f} s"]


def one_round(suite, fault, result):
    undisturbed = Phase(suite, UNDISTURBED_S).run().p99_us()
    suite.drained(60)
    suite.fault("sms", **fault)
    phase = Phase(suite, DISTURBED_S).run((lambda: suite.fault("sms")) if "outage" in fault else None)
    if "outage" not in fault:
        assert suite.redis("XLEN", "queue:sms") > 0, "sms did not suffer at all"
    suite.fault("sms")
    well = time.monotonic()
    suite.drained(60)
    result.add(undisturbed, phase.p99_us(), time.monotonic() - well)


def installation():
    suite = Bench()
    try:
        suite.start_redis()
        for name in ("sandbox", "backend", "push", "email"):
            suite.start(name)
        suite.start("sms", **COMPRESSED)
        fill(suite)
        suite.drained()
        load(suite, ONE_SIDED, "--connections", 16, "--rate", RATE, "--seconds", 2)
        suite.drained()
        return suite
    except BaseException:
        suite.close()
        raise


def show(results, suite):
    row("fault of sms", *(f"{name} p99 {what}" for name in OTHERS for what in ("undisturbed", "beside it", "allowed")), "within",
        "all ended after", "at most")
    row(*["---"] * 10)
    for name, result in results.items():
        row(name, *result.cells())
    database = Database(suite.database)
    ended, head = database.deliveries(), database.head()
    assert {kind: count for kind, count in ended.items() if kind[1] != "delivered"} == {}, ended
    assert set(ended.values()) == {head} and len(ended) == 3, ended
    texts = suite.sandbox("GET", "/inbox/count").json["sms"]
    say(f"\nOf {head} events every one ended on every channel, all delivered; {texts - head} SMS came twice (their answers had "
        "been broken off or did not come).\n")


def part_faults(rounds=ROUNDS):
    say(f"## A provider in trouble: {RATE} payments/s, {rounds} alternating runs of each, medians\n")
    say(f"sms: {', '.join(f'{name}={value}' for name, value in COMPRESSED.items())}; the others at their defaults.\n")
    suite = installation()
    try:
        results = {name: Result() for name in FAULTS}
        for _ in range(rounds):
            for name, fault in FAULTS.items():
                one_round(suite, fault, results[name])
        show(results, suite)
    finally:
        suite.close()
