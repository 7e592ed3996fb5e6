#!/usr/bin/python3
"""make crash-gateway: a crowd that loses its connections again and again, over two gateways on a bad day; then it is counted.

    gateways.py [--clients N] [--drops N] [--users N] [--rate R] [--outages N] [--seed N]

So many clients of each gateway are dropped so many times each (closed, reset, with bytes unread, between two frames), for 0
to 2 s, and come back on any of the two with what they have. Payments flow meanwhile; Redis is restarted, killed, frozen and
wiped, gateways are killed, frozen and drained. Some users only receive, and some have no event at all before their
clients were dropped. Then everything runs undisturbed, and what each client was told is compared with the database:
every event of its user once, in order, and nobody else's.

Exit: 0 all of it is as promised, 1 otherwise; the folder is kept then.
"""
import argparse
import json
import os
import random
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))

from harness import Suite, wait_until  # noqa: E402
from paying import HEAD, load, load_result, load_start, pay_options  # noqa: E402
from database import Database  # noqa: E402
from returning import Crowd  # noqa: E402
from hearing import Counts, Heard, Ledger, compare, total  # noqa: E402
from outages import GATEWAYS, KILL, KINDS, WIPES, Outages  # noqa: E402
from verdict import Verdict  # noqa: E402

MONEY = "100000.00"
FROM_OUTSIDE = '{"to":"u{a}","amount":"0.01","currency":"USD","description":"Out {n}"}'
BETWEEN_USERS = '{"from":"u{a}","to":"u{b}","amount":"0.01","currency":"USD","description":"In {n}"}'
LOAD_SECONDS = 600  # the load program's own bound
OPS = 20            # clients that hear everything
LATE_PAYMENTS = 3   # to each of those who have no event before


class Run(Verdict):
    def __init__(self, options):
        super().__init__()
        self.options = options
        self.random = random.Random(options.seed)
        # No worker runs: what is to be delivered by others than the gateways just stays in the streams.
        self.suite = Suite(CHANNELS="push", GATEWAY_MAX_OF_USER=100, GATEWAY_RESTART_SPREAD="1s", CHECK_WAIT="50ms")
        self.database = Database(self.suite.database)
        self.late = max(1, options.users // 15)    # have no event before their clients were dropped
        self.payers = max(2, options.users * 2 // 3)  # the others only receive

    # ---- people ----

    def call_all(self, name, calls):
        """calls: (method, path, body) each; over eight connections."""
        path = os.path.join(self.suite.folder, name)
        with open(path, "w", encoding="utf-8") as out:
            for i, (method, where, body) in enumerate(calls):
                out.write(json.dumps({"conn": i % 8, "method": method, "path": where, "headers": HEAD,
                                      "body": json.dumps(body)}) + "\n")
        answer = load(self.suite, "--requests", path)
        assert answer["statuses"] == {"201": len(calls)}, answer

    def fill(self):
        self.call_all("people", [("PUT", f"/users/u{i}", {"name": f"User {i}"}) for i in range(self.options.users)])
        self.call_all("money", [("POST", "/transactions", {"to": f"u{i}", "amount": MONEY, "currency": "USD"})
                                for i in range(self.payers)])

    def pay_late(self):
        self.call_all("late", [("POST", "/transactions", {"to": f"u{i}", "amount": "1.00", "currency": "USD"})
                               for i in range(self.options.users - self.late, self.options.users)])

    def start_loads(self):
        rate, seed = self.options.rate, self.options.seed
        receivers = self.options.users - self.late
        return [load_start(self.suite, *pay_options(
            people, "--rate", max(1, share), "--seconds", LOAD_SECONDS, "--connections", 16, "--seed", seed, body=body))
            for people, share, body in ((receivers, rate * 2 // 3, FROM_OUTSIDE), (self.payers, rate // 3, BETWEEN_USERS))]

    # ---- the storm ----

    def storm(self):
        """Outages and payments to the late ones, spread over the time that the drops should take."""
        o = self.options
        estimate_s = o.drops * (o.here_ms / 2000 + 1.2)
        outages_at = sorted(self.random.uniform(0.5, estimate_s) for _ in range(o.outages))
        late_at = [estimate_s * (i + 1) / (LATE_PAYMENTS + 1) for i in range(LATE_PAYMENTS)]
        begun = time.monotonic()
        self.crowd.tell("go")
        while not self.crowd.has_said("dropped") or outages_at or late_at:
            now_s = time.monotonic() - begun
            assert now_s < LOAD_SECONDS - 30, f"not all were dropped {o.drops} times: {sorted(self.crowd.said)}"
            if late_at and now_s >= late_at[0] and self.crowd.has_said("dropped once"):
                late_at.pop(0)
                self.pay_late()
            elif outages_at and now_s >= outages_at[0]:
                outages_at.pop(0)
                self.outages.next()
            else:
                time.sleep(0.02)
            self.suite.check()
        self.storm_s = time.monotonic() - begun

    def go_through(self):
        o = self.options
        self.crowd = Crowd(self.suite, GATEWAYS, clients=2 * o.clients, users=o.users, ops=OPS, drops=o.drops, here_ms=o.here_ms,
                           seconds=LOAD_SECONDS + 300, seed=o.seed)
        loads = []
        try:
            wait_until(lambda: self.crowd.has_said("connected"), 60, "everybody connected")
            self.outages = Outages(self.suite, self.random, self.options.outages)
            loads = self.start_loads()
            self.storm()
            for process in loads:
                process.terminate()
            self.paid = [load_result(process, 60) for process in loads]
            self.calm()
            self.said = self.crowd.end()
        finally:
            for process in loads:
                process.kill()
            self.crowd.kill()

    def calm(self):
        """Undisturbed until nothing has come for three seconds; what is missing then is missing for good."""
        assert self.suite.pay(None, "u0", "0.01").status == 201  # whatever the last outage was: a bell after it
        begun = still = time.monotonic()
        events = -1
        while time.monotonic() - still < 3:
            if self.crowd.events != events:
                events, still = self.crowd.events, time.monotonic()
            assert time.monotonic() - begun < self.options.calm, f"events still come after {self.options.calm} s"
            time.sleep(0.1)
            self.crowd.look()
        self.calm_s = still - begun

    # ---- the judgement ----

    def count_storm(self):
        o, said = self.options, self.said
        everybody = 2 * o.clients + OPS
        self.row("seed", o.seed)
        self.row("clients", f"{o.clients} of each gateway, of {o.users} users; and {OPS} that hear everybody's")
        self.row("dropped", f"{said['drops']} times in {self.storm_s:.0f} s: {said['resets']} by a reset, {said['unread']} with bytes "
                 f"unread, {said['between_frames']} behind a frame", everybody * o.drops, said["drops"] == everybody * o.drops)
        self.row("by the server, by code", ", ".join(f"{code}: {count}" for code, count in said["closed"].items()) or "none")
        for kind in KINDS:
            self.row(f"  {kind}", self.outages.done[kind])
        if o.outages >= len(KINDS):
            self.row("Redis wiped, gateways killed", f"{self.outages.count(WIPES)}, {self.outages.done[KILL]}", "> 0 each",
                     self.outages.count(WIPES) > 0 and self.outages.done[KILL] > 0)
        statuses = {}
        for result in self.paid:
            for status, count in result["statuses"].items():
                statuses[status] = statuses.get(status, 0) + count
        self.row("payments", ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items())), "201 alone",
                 set(statuses) == {"201"})

    def count_clients(self):
        heard, ledger = Heard(self.crowd.path), Ledger(self.database)
        counts = {number: compare(client, ledger) for number, client in heard.clients.items()}
        late = {f"u{i}" for i in range(self.options.users - self.late, self.options.users)}
        first_events = [counts[number] for number, client in heard.clients.items() if client.user in late]
        all_of_it = total(list(counts.values()))
        self.row("clients with a hello", len(counts), 2 * self.options.clients + OPS,
                 len(counts) == 2 * self.options.clients + OPS)
        self.row("events in the database", len(ledger.events), "> 0", len(ledger.events) > 0)
        self.row("due to all clients", all_of_it.due, "> 0", all_of_it.due > 0)
        self.row("  told", f"{all_of_it.heard}, the last {self.calm_s:.1f} s after the storm")
        self.row("clients without an event before their first drop", f"{len(first_events)}, told {total(first_events).heard}",
                 f"{LATE_PAYMENTS} each", all(c.due == c.heard == LATE_PAYMENTS for c in first_events) and len(first_events) > 0)
        for field in Counts._fields[2:]:
            wrong = [number for number in counts if getattr(counts[number], field)]
            self.none({"disordered": "out of order", "foreign": "other users' events", "unknown": "not as the database has them",
                       "unasked": "older than the first hello", "resyncs": "told to begin anew"}.get(field, field),
                      getattr(all_of_it, field))
            if wrong:
                self.faults.append(f"{field}: {len(wrong)} clients, " + "; ".join(
                    f"client {n} ({heard.clients[n].user}): {counts[n]}" for n in wrong[:5]))
        self.none("events before a hello", heard.before_hello)

    # ---- all of it ----

    def go(self):
        try:
            self.suite.start_redis()
            self.suite.start("backend")
            self.fill()
            for name in GATEWAYS:
                self.suite.start("gateway", as_name=name, INSTANCE=name)
            self.go_through()
            self.count_storm()
            self.count_clients()
        except AssertionError as fault:
            self.faults.append(str(fault))
        finally:
            self.close(self.suite)
        return not self.faults


def options(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--clients", type=int, default=2000, help="of each gateway (default 2000)")
    parser.add_argument("--drops", type=int, default=100, help="of each client (default 100)")
    parser.add_argument("--users", type=int, default=None, help="default: three of eight clients")
    parser.add_argument("--rate", type=int, default=150, help="payments a second (default 150)")
    parser.add_argument("--outages", type=int, default=4 * len(KINDS), help=f"default {4 * len(KINDS)}")
    parser.add_argument("--here-ms", type=int, default=2000, help="at most, between two drops (default 2000)")
    parser.add_argument("--calm", type=int, default=120, help="seconds until all must have come (default 120)")
    parser.add_argument("--seed", type=int, default=None)
    chosen = parser.parse_args(argv)
    if chosen.seed is None:
        chosen.seed = random.SystemRandom().randrange(1 << 31)
    if chosen.users is None:
        chosen.users = max(15, chosen.clients * 3 // 4)
    return chosen


def main():
    chosen = options()
    print(f"crash-gateway: seed {chosen.seed}, 2 x {chosen.clients} clients, {chosen.drops} drops each", flush=True)
    run = Run(chosen)
    well = run.go()
    print(run.text(), flush=True)
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
