#!/usr/bin/env python3
"""Hostile clients beside good ones: `make bench-gateway PARTS=hostile`.

A hundred good clients hear of payments at a fixed rate. Undisturbed and beside each attack in turn, over and over again: their time from
an event's commit to the client, and what the gateway's memory did. The attackers are one process (hostile.c) that steps back by nice(19):
their own work is not the gateway's. Prints Markdown, which docs/benchmarks.md keeps. Exit code 1 when anything is not as asked.

    hostile.py [--rounds N] [PART OF AN ATTACK'S NAME …]
"""
import argparse
import bisect
import json
import os
import statistics
import subprocess
import sys
import threading
import time

from gateway_stand import GatewayBench
from hostile_attacks import attacks
from stand import TESTS, load_argv, percentile, row, say

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "crash"))

from database import Database  # noqa: E402  (stand.py says where)
from harness import wait_until  # noqa: E402
from hearing import Heard, Ledger, compare, total  # noqa: E402
from returning import Crowd  # noqa: E402
from websocket import WebSocket, token  # noqa: E402

HOSTILE = os.path.join(TESTS, "hostile")
PEOPLE = 50        # as many as stand.py's load draws from
CLIENTS = 100
RATE = 200         # payments a second
ONE_SIDED = '{"to":"u{a}","amount":"0.01","currency":"USD","description":"Lunch {n}"}'
CALM_S, ATTACK_S = 4, 6
BEGINS_S = 0.5     # of an attack: not counted
HANDSHAKE_S = AUTH_S = 2
SLACK_S = 2.5      # seconds are looked at once a second, and the machine is busy
SLACK_MB = 8
QUEUE_MAX = 65536
ATTACKER = "127.0.0.2"
RATIO_MAX = 1.5
SETTINGS = {"GATEWAY_HANDSHAKE_TIMEOUT": f"{HANDSHAKE_S}s", "GATEWAY_AUTH_TIMEOUT": f"{AUTH_S}s", "GATEWAY_QUEUE_MAX": QUEUE_MAX,
            "GATEWAY_MAX_OF_USER": 10000}


class Memory:
    """The resident size of a process, looked at all the time."""

    def __init__(self, pid):
        self.pid, self.peak, self.stopping = pid, 0.0, False
        self.before = self.after = self.peak = self.now()
        self.thread = threading.Thread(target=self._watch)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.thread.join()
        self.after = self.now()

    def now(self):
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2 ** 20

    def _watch(self):
        while not self.stopping:
            self.peak = max(self.peak, self.now())
            time.sleep(0.02)


def play(bench, attack, seconds, gateway="gateway"):
    """Starts it; its result is read by ended()."""
    argv = attack.argv(bench.folder, bench.addresses[gateway]["ws"], ATTACKER, seconds)
    return subprocess.Popen(["nice", "-n", "19", HOSTILE, *argv], stdout=subprocess.PIPE)


def ended(process):
    try:
        out, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, f"hostile ended with {process.returncode}"
    return json.loads(out)


def add_up(results):
    """How they ended in all rounds: {how: (count, most ms)}."""
    ends = {}
    for result in results:
        for how, end in result["ends"].items():
            count, most = ends.get(how, (0, 0))
            ends[how] = (count + end["count"], max(most, end["most_ms"]))
    return ends


def wrong_ends(attack, ends, slack_s):
    """Those that it does not allow, or that took too long. "open" is right for who came shortly before the end."""
    found, limit_ms = [], (attack.within_s + slack_s) * 1000
    for how, (count, most_ms) in ends.items():
        if how == "open":
            if most_ms > limit_ms and "open" not in attack.ends:
                found.append(f"open for {most_ms / 1000:.1f} s")
        elif not how.startswith(attack.ends):
            found.append(f"{count} {how}")
        elif attack.within_s and most_ms > limit_ms:
            found.append(f"{how} after {most_ms / 1000:.1f} s")
    return found


class Result:
    """calm, beside: a p99 in milliseconds of each round."""

    def __init__(self, attack):
        self.attack, self.calm, self.beside, self.results, self.cpu = attack, [], [], [], []
        self.counts = None  # of the good clients

    def judge(self, memory):
        """The row of the table, and what is wrong."""
        ends = add_up(self.results)
        calm, beside = statistics.median(self.calm), statistics.median(self.beside)
        allowed = self.attack.connections * self.attack.memory_kb / 1024 + SLACK_MB
        wrong = wrong_ends(self.attack, ends, SLACK_S)
        if beside > RATIO_MAX * calm:
            wrong.append(f"p99 {beside / calm:.2f} times")
        if memory.peak - memory.before > allowed:
            wrong.append(f"{memory.peak - memory.before:.0f} MB")
        if self.counts.missing or self.counts.repeated or self.counts.foreign:
            wrong.append(f"good clients: {self.counts}")
        how_they_ended = ", ".join(f"{how} {count}" + (f" (at most {most / 1000:.1f} s)" if self.attack.within_s else "")
                                   for how, (count, most) in sorted(ends.items(), key=lambda end: -end[1][0]))
        cells = (self.attack.name, sum(result["opened"] for result in self.results), how_they_ended, f"{calm:.2f} ms", f"{beside:.2f} ms",
                 f"{beside / calm:.2f}", f"{100 * statistics.median(self.cpu):.0f} %", f"{memory.before:.0f}", f"{memory.peak:.0f}",
                 f"{memory.after:.0f}", f"{memory.before + allowed:.0f}", "yes" if not wrong else "NO: " + "; ".join(wrong))
        return cells, wrong


def p99s(heard, batches, windows):
    """Milliseconds from commit to client, at p99, of the events that were committed within each of the windows (UTC us)."""
    ends, found = [last for last, _ in batches], [[] for _ in windows]
    for sequence, received_us in heard.received_us:
        at = bisect.bisect_left(ends, sequence)
        committed_us = batches[at][1] if at < len(batches) else 0
        for took, (begin, end) in zip(found, windows):
            if begin <= committed_us < end:
                took.append(received_us - committed_us)
    return [percentile(took, 0.99) / 1000 for took in found]


def utc_us():
    return time.time_ns() // 1000


def settled(crowd):
    """Until nothing has come for a second and more."""
    events = -1
    while events != crowd.events:
        events = crowd.events
        time.sleep(1.5)
        crowd.look()


def one_attack(bench, attack, rounds):
    result, calm, beside = Result(attack), [], []
    database = Database(bench.database)
    crowd = Crowd(bench, ["gateway"], clients=CLIENTS, users=PEOPLE, drops=0, seconds=600)
    payments = subprocess.Popen([*load_argv(bench, ONE_SIDED, "--rate", RATE, "--seconds", 600, "--connections", 8), "--users", str(PEOPLE)],
                                stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: crowd.has_said("connected"), 30, "the good clients")
        time.sleep(BEGINS_S)
        with Memory(bench.processes["gateway"].pid) as memory:
            for _ in range(rounds):
                calm.append((utc_us(), utc_us() + CALM_S * 10 ** 6))
                time.sleep(CALM_S)
                cpu_s = bench.cpu_s("gateway")
                process = play(bench, attack, ATTACK_S)
                beside.append((utc_us() + int(BEGINS_S * 1e6), utc_us() + ATTACK_S * 10 ** 6))
                result.results.append(ended(process))
                result.cpu.append((bench.cpu_s("gateway") - cpu_s) / ATTACK_S)
                time.sleep(1)
        payments.terminate()
        payments.wait(30)
        settled(crowd)
        crowd.end()
    finally:
        payments.kill()
        crowd.kill()
    bench.check()
    heard, ledger = Heard(crowd.path), Ledger(database)
    result.counts = total([compare(client, ledger) for client in heard.clients.values()])
    batches = [(r[0], r[1]) for r in database.rows("SELECT last_event, committed_us FROM batches ORDER BY 1")]
    result.calm, result.beside = p99s(heard, batches, calm), p99s(heard, batches, beside)
    return result.judge(memory)


def begin(bench):
    bench.begin_gateways(18000, **SETTINGS)
    bench.register(PEOPLE)
    bench.register(1, "eve")
    past = [*load_argv(bench, '{"to":"eve0","amount":"0.01","currency":"USD","description":"' + "x" * 200 + '"}',
                       "--count", 3000, "--connections", 64)]
    subprocess.run(past, check=True, stdout=subprocess.DEVNULL, timeout=120)


def run(chosen=(), rounds=3):
    """What is wrong, a line each."""
    say(f"## Hostile clients: {CLIENTS} good ones beside them, {RATE} payments/s, {rounds} alternating runs of each\n")
    say(f"{', '.join(f'{name}={value}' for name, value in SETTINGS.items())}.\n")
    bench = GatewayBench(CHANNELS="push")
    faults = []
    try:
        begin(bench)
        secret = bench.settings["JWT_SECRET"]
        row("attack", "connections", "ended", "p99 undisturbed", "beside it", "ratio", "gateway's CPU", "MB before", "at most", "after", "allowed", "as asked")
        row(*["---"] * 12)
        for attack in attacks(token(secret, "eve0", 3600), token(secret, "ops", 3600, scope="ops"), HANDSHAKE_S, AUTH_S):
            if chosen and not any(part in attack.name for part in chosen):
                continue
            cells, wrong = one_attack(bench, attack, rounds)
            row(*cells)
            faults += [f"{attack.name}: {what}" for what in wrong]
    finally:
        bench.close()
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("attacks", nargs="*", help="parts of their names; none: all of them")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    faults = run(options.attacks, options.rounds)
    say()
    for fault in faults:
        say(f"NOT AS ASKED {fault}")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
