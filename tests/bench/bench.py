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

from drain import part_drain
from faults import part_faults
from stand import (BIN, BODY, TESTS, WORKERS, arrivals, deliver_latency, installation, load, load_argv, metric, ms, percentile, row,
                   run_json, say, wait_until)


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
         "isolation": part_isolation, "drain": part_drain, "faults": part_faults}


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
