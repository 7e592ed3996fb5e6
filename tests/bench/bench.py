#!/usr/bin/env python3
"""What the suite does, as ratios against baselines of the same run: `make bench`.

Each part starts an installation of its own (release build, private Redis, temporary folder), puts a bounded load on it
and prints what it saw as Markdown, which docs/benchmarks.md keeps. `make bench PARTS="payments latency"` runs some of them.
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))

from harness import BIN, KEYS, LOAD, WORKERS, Suite, http_call, wait_until  # noqa: E402

TESTS = os.path.dirname(LOAD)
PEOPLE = 500
BODY = '{"from":"u{a}","to":"u{b}","amount":"0.01","currency":"USD","description":"Lunch {n}"}'
ONE_SIDED = '{"to":"u{a}","amount":"0.01","currency":"USD","description":"Lunch {n}"}'


def admin(suite, service, path):
    return http_call(suite.addresses[service]["admin"], "GET", path).body.decode()


def say(text=""):
    print(text, flush=True)


def run_json(argv):
    return json.loads(subprocess.run(argv, check=True, stdout=subprocess.PIPE, timeout=700).stdout)


def load_argv(suite, body, *options):
    return [LOAD, "--url", f"http://{suite.addresses['backend']['api']}/transactions", "--users", str(PEOPLE), "--json",
            "--header", f"Authorization: Bearer {KEYS[0]}", "--header", "Content-Type: application/json", "--body", body,
            *map(str, options)]


def load(suite, body, *options):
    return run_json(load_argv(suite, body, *options))


def fill(suite):
    """500 people with an address for every channel, and money."""
    lines = []
    for i in range(PEOPLE):
        head = {"Authorization": f"Bearer {KEYS[0]}", "Content-Type": "application/json"}
        user = {"name": f"User {i}", "email": f"u{i}@mail.example.com", "phone": f"+43660{1000000 + i}"}
        for method, path, body in (("PUT", f"/users/u{i}", user),
                                   ("POST", f"/users/u{i}/devices", {"kind": "fcm", "token": f"u{i}:APA91b" + "x" * 100}),
                                   ("POST", "/transactions", {"to": f"u{i}", "amount": "1000000.00", "currency": "USD"})):
            lines.append(json.dumps({"conn": i % 16, "method": method, "path": path, "headers": head, "body": json.dumps(body)}))
    path = os.path.join(suite.folder, "fill.jsonl")
    with open(path, "w", encoding="utf-8") as out:
        out.write("\n".join(lines) + "\n")
    answer = run_json([LOAD, "--url", f"http://{suite.addresses['backend']['api']}/", "--requests", path, "--json"])
    assert answer["statuses"] == {"201": 3 * PEOPLE}, answer


def metric(suite, name, service="backend", label=""):
    text = admin(suite, service, "/metrics")
    for line in text.splitlines():
        if line.startswith(name) and label in line and line[len(name)] in " {":
            return float(line.rsplit(" ", 1)[1])
    return 0.0


class Bench(Suite):
    def begin(self, workers=True, **settings):
        self.start_redis()
        if workers:
            self.start("sandbox")
        self.start("backend", **settings)
        if workers:
            for name in WORKERS:
                self.start(name)
        fill(self)
        if workers:
            self.drained()
        return self

    def backlog(self):
        return {name: self.redis("XLEN", f"queue:{name}") for name in WORKERS}

    def open_records(self):
        return self.redis("XLEN", "attempts:log")

    def drained(self, timeout=300):
        wait_until(lambda: not any(self.backlog().values()) and self.open_records() == 0, timeout, "everything delivered")

    def resident_mb(self, name):
        with open(f"/proc/{self.processes[name].pid}/status", encoding="utf-8") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024

    def cpu_s(self, name):
        with open(f"/proc/{self.processes[name].pid}/stat", encoding="utf-8") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def installation(**options):
    suite = Bench()
    try:
        return suite.begin(**options)
    except BaseException:
        suite.close()
        raise


def row(*cells):
    say("| " + " | ".join(str(c) for c in cells) + " |")


def ms(us):
    return f"{us / 1000:.1f} ms"


# ---- durable POST /transactions against a bare loop ----


def bare_loop(batch, seconds=4):
    with tempfile.TemporaryDirectory(prefix="paybell-bench-") as folder:
        return run_json([os.path.join(TESTS, "bare-ledger"), folder, str(batch), str(seconds)])


def durable(suite, connections, seconds=6):
    before = metric(suite, "paybell_commit_jobs_total"), metric(suite, "paybell_commit_batches_total")
    result = load(suite, BODY, "--connections", connections, "--seconds", seconds)
    assert set(result["statuses"]) == {"201"} and result["errors"] == 0, result
    jobs = metric(suite, "paybell_commit_jobs_total") - before[0]
    batches = metric(suite, "paybell_commit_batches_total") - before[1]
    return result, jobs / max(1, batches)


def part_payments():
    say("## Durable payments\n")
    suite = installation(workers=False)
    try:
        rows = []
        for connections in (64, 128, 256, 384, 512):
            result, batch = durable(suite, connections)
            rows.append((connections, result, batch))
            if connections == 64:
                base = bare_loop(max(1, round(batch)))
    finally:
        suite.close()
    single = installation(workers=False, BATCH_MAX=1)
    try:
        one, _ = durable(single, 64)
    finally:
        single.close()
    say(f"fdatasync of the disk: p50 {base['fdatasync_p50_us']} µs, p99 {base['fdatasync_p99_us']} µs. "
        f"Bare loop of the same statements at batch {base['batch']}: {base['payments_per_s']}/s.\n")
    row("connections", "payments/s", "of the bare loop", "mean batch", "p50", "p99", "max")
    row(*["---"] * 7)
    for connections, result, batch in rows:
        rate, lat = result["requests_per_s"], result["latency_us"]
        row(connections, f"{rate:.0f}", f"{100 * rate / base['payments_per_s']:.0f} %", f"{batch:.0f}", ms(lat["p50"]), ms(lat["p99"]),
            ms(lat["max"]))
    first = rows[0][1]["requests_per_s"]
    say(f"\nOne commit a request (BATCH_MAX=1, 64 connections): {one['requests_per_s']:.0f}/s; group commit is "
        f"{first / one['requests_per_s']:.1f} times that.\n")


def part_everything():
    say("## Everything running\n")
    suite = installation()
    try:
        result = load(suite, BODY, "--connections", 64, "--seconds", 6)
        lat = result["latency_us"]
        say(f"64 connections, closed loop, workers and sandbox on the same cores: {result['requests_per_s']:.0f} payments/s accepted "
            f"({set(result['statuses'])}), p50 {ms(lat['p50'])}, p99 {ms(lat['p99'])}.\n")
        began = time.monotonic()
        suite.drained()
        say(f"The backlog was gone {time.monotonic() - began:.1f} s later.\n")
    finally:
        suite.close()


# ---- kept pace with ----


def part_pace(rate=1500, seconds=20):
    say(f"## Kept pace with: {rate} payments/s, two people each, three channels\n")
    suite = installation()
    try:
        cpu_start = {name: suite.cpu_s(name) for name in WORKERS + ["backend", "sandbox", "redis"]}
        process = subprocess.Popen(load_argv(suite, BODY, "--connections", 64, "--rate", rate, "--seconds", seconds), stdout=subprocess.PIPE)
        seen, records = [], []
        for _ in range(seconds):
            time.sleep(1)
            seen.append(sum(suite.backlog().values()))
            records.append(suite.open_records())
        result = json.loads(process.communicate(timeout=60)[0])
        began = time.monotonic()
        suite.drained(60)
        tail = time.monotonic() - began
        lat = result["latency_us"]
        say(f"{result['requests_per_s']:.0f} payments/s ({result['statuses']}), {6 * result['requests_per_s']:.0f} deliveries/s; "
            f"POST p50 {ms(lat['p50'])}, p99 {ms(lat['p99'])}.\n")
        say(f"Entries waiting in the three streams, each second: {', '.join(map(str, seen))}. In attempts:log: "
            f"{', '.join(map(str, records))}. All gone {tail:.1f} s after the last payment.\n")
        row("process", "CPU, of one core", "resident")
        row("---", "---", "---")
        for name in ["backend"] + WORKERS + ["sandbox", "redis"]:
            row(name, f"{100 * (suite.cpu_s(name) - cpu_start[name]) / seconds:.0f} %", f"{suite.resident_mb(name):.0f} MB")
        say()
    finally:
        suite.close()


# ---- from the POST to the provider ----


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0


def deliver_latency(suite, rate, seconds):
    """From the moment a POST was due to the provider's receipt, per channel: the number in the description joins them."""
    out = os.path.join(suite.folder, "records.csv")
    after = suite.sandbox("GET", "/inbox/count").json["newest"]
    result = load(suite, ONE_SIDED, "--connections", 64, "--rate", rate, "--seconds", seconds, "--out", out)
    assert set(result["statuses"]) == {"201"}, result
    starts = {}
    with open(out, encoding="utf-8") as lines:
        for line in lines:
            index, _status, start_us = line.split(",")[:3]
            starts[int(index)] = int(start_us)
    return result, starts, after


def arrivals(suite, name, after):
    while True:
        page = suite.sandbox("GET", f"/inbox?channel={name}&after={after}&limit=1000").json["messages"]
        if not page:
            return
        for message in page:
            text = json.dumps(message, ensure_ascii=False)
            at = text.find("Lunch ")
            if at >= 0:
                number = ""
                for c in text[at + 6:at + 16]:
                    if not c.isdigit():
                        break
                    number += c
                yield int(number), message["received_us"]
        after = page[-1]["n"]


def part_latency(rate=1000, seconds=15):
    say(f"## From the POST to the provider: {rate} one-sided payments/s, open loop, three channels\n")
    suite = installation()
    try:
        idle = {name: suite.resident_mb(name) for name in ["backend"] + WORKERS + ["sandbox"]}
        deliver_latency(suite, rate, 3)
        suite.drained()
        result, starts, after = deliver_latency(suite, rate, seconds)
        loaded = {name: suite.resident_mb(name) for name in idle}
        suite.drained()
        lat = result["latency_us"]
        say(f"{result['requests_per_s']:.0f} payments/s; the POST itself: p50 {ms(lat['p50'])}, p99 {ms(lat['p99'])}.\n")
        row("channel", "messages", "p50", "p90", "p99", "max")
        row(*["---"] * 6)
        for name in WORKERS:
            took = [at - starts[n] for n, at in arrivals(suite, name, after) if n in starts]
            row(name, len(took), *(f"{percentile(took, s) / 1000:.2f} ms" for s in (0.5, 0.9, 0.99, 1)))
        say()
        row("process", "resident before", "resident under this load")
        row("---", "---", "---")
        for name in idle:
            row(name, f"{idle[name]:.1f} MB", f"{loaded[name]:.1f} MB")
        say()
    finally:
        suite.close()


# ---- one channel stopped ----


def channel_p99(suite, rate, seconds):
    result, starts, after = deliver_latency(suite, rate, seconds)
    wait_until(lambda: all(suite.redis("XLEN", f"queue:{n}") == 0 for n in ("push", "sms")), 60, "push and sms delivered")
    return {name: percentile([at - starts[n] for n, at in arrivals(suite, name, after) if n in starts], 0.99)
            for name in ("push", "sms")}


def part_isolation(rate=500, seconds=5, rounds=5):
    say(f"## Email stopped while {rate} payments/s flow\n")
    suite = installation()
    try:
        channel_p99(suite, rate, 3)
        suite.drained()
        undisturbed, disturbed = [], []
        for _ in range(rounds):
            undisturbed.append(channel_p99(suite, rate, seconds))
            suite.drained()
            suite.stop("email")
            disturbed.append(channel_p99(suite, rate, seconds))
            waiting = suite.redis("XLEN", "queue:email")
            assert waiting > 0, "email was not stopped at all"
            suite.start("email")
            suite.drained()
        row("channel", "p99 undisturbed (median of 5)", "p99 with email stopped (median of 5)", "ratio")
        row(*["---"] * 4)
        for name in ("push", "sms"):
            a = statistics.median(r[name] for r in undisturbed)
            b = statistics.median(r[name] for r in disturbed)
            row(name, f"{a / 1000:.2f} ms", f"{b / 1000:.2f} ms", f"{b / a:.2f}")
        count = suite.sandbox("GET", "/inbox/count").json
        say(f"\nStarted again each time, email caught up all of it: {count}.\n")
    finally:
        suite.close()


PARTS = {"payments": part_payments, "everything": part_everything, "pace": part_pace, "latency": part_latency,
         "isolation": part_isolation}


def main():
    names = sys.argv[1:] or list(PARTS)
    for name in names:
        if name not in PARTS:
            sys.exit(f"there is no part {name}: {' '.join(PARTS)}")
    say(f"Binaries: {os.path.relpath(BIN)}; {os.cpu_count()} cores, load program on the same machine.\n")
    for name in names:
        PARTS[name]()


if __name__ == "__main__":
    main()
