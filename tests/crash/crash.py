#!/usr/bin/python3
"""make crash: payments without a pause while everything is killed, Redis is wiped, and then it is counted.

    crash.py [--kills N] [--seconds S] [--rate R] [--seed N] [--wipes N] [--pauses N] [--people N]

Two loads run: payments from outside to one user, and a tenth of the rate between users who soon have no money
left. Each request carries an Idempotency-Key, and one whose connection was cut is asked again with it. Meanwhile
a random process is killed with kill -9 every 50 to 500 ms and started again at once; Redis is wiped, under live
connections and with its files deleted, frozen and stopped. Then everything runs undisturbed until all deliveries
have ended, and the books, the providers' messages and Redis are compared.

Exit: 0 nothing was lost and nothing was booked twice, 1 otherwise; the folder is kept then.
"""
import argparse
import os
import random
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))

from harness import BIN, WORKERS, Suite, environment  # noqa: E402
from paying import fill, load_result, load_start, pay_options  # noqa: E402
from database import Database  # noqa: E402
from chaos import DELETE, FLUSH, FREEZE, KILL, PAUSE, STOP, VICTIMS, WIPE, Chaos  # noqa: E402
from verdict import Verdict  # noqa: E402
from counting import Answers, Books, Inbox, missing_messages, most_repeats, unexplained_repeats  # noqa: E402

MONEY = "20.00"
CONNECTIONS = 32  # of a worker, as its setting says by default
FROM_OUTSIDE = '{{"to":"u{{a}}","amount":"0.01","currency":"USD","description":"{prefix}-{{n}}"}}'
BETWEEN_USERS = '{{"from":"u{{a}}","to":"u{{b}}","amount":"3.00","currency":"USD","description":"{prefix}-{{n}}"}}'
LOADS = {"pay-out": (FROM_OUTSIDE, 0.9, 64), "pay-in": (BETWEEN_USERS, 0.1, 16)}
ANSWER_WITHIN_MS = 180000
LOAD_SECONDS = 600  # the load program's own bound
REQUIRED_RATE = 1000


class Run(Verdict):
    def __init__(self, options):
        super().__init__()
        self.options = options
        # Nothing may end as failed because its provider was killed too often, and who is killed every two seconds
        # cannot take ten of them to look through its database first.
        self.suite = Suite(ATTEMPTS_MAX=1000, RETRY_MAX="2s", CONNECTIONS=CONNECTIONS, CHECK_WAIT="50ms")
        self.suite.pin_addresses()
        self.database = Database(self.suite.database)

    # ---- the storm ----

    def records(self, prefix):
        return os.path.join(self.suite.folder, f"{prefix}.csv")

    def start_loads(self):
        return {prefix: load_start(self.suite, *pay_options(
            self.options.people, "--rate", max(1, round(self.options.rate * share)), "--seconds", LOAD_SECONDS,
            "--connections", connections, "--retry", "--timeout-ms", ANSWER_WITHIN_MS, "--seed", self.options.seed,
            f"--idempotency-keys={prefix}", "--out", self.records(prefix), body=body.format(prefix=prefix)))
            for prefix, (body, share, connections) in LOADS.items()}

    def storm(self):
        o = self.options
        chaos = Chaos(self.suite, self.database, random.Random(o.seed), o.kills, {
            FLUSH: o.wipes - o.wipes // 2, DELETE: o.wipes // 2, FREEZE: o.pauses - o.pauses // 2, STOP: o.pauses // 2,
        })
        loads = self.start_loads()
        begun = time.monotonic()
        try:
            while not chaos.done or time.monotonic() - begun < o.seconds:
                if time.monotonic() - begun > LOAD_SECONDS - 60:
                    self.faults.append("the faults took longer than the load")
                    break
                chaos.turn()
            storm_s = time.monotonic() - begun
            chaos.settle()
            for load in loads.values():
                load.terminate()
            self.results = {prefix: load_result(load, ANSWER_WITHIN_MS / 1000) for prefix, load in loads.items()}
        finally:
            for load in loads.values():
                load.kill()
        self.loaded_s = max(r["took_us"] for r in self.results.values()) / 1e6
        self.chaos, self.storm_s = chaos, storm_s

    def calm(self):
        """Undisturbed until everything has ended, as long as it goes on."""
        begun = time.monotonic()
        # The bell's cursor is written with the next event: a wipe may have been the last thing that happened.
        last = self.suite.pay(None, "u0", "0.01", description="pay-last-0")
        self.row("a payment after it all", last.status, 201, last.status == 201)
        want = {name: self.database.head() for name in WORKERS}
        while self.chaos.look() != want or self.left_in_redis() > 0:
            self.calm_s = time.monotonic() - begun
            if self.calm_s > self.options.calm:
                self.faults.append(f"not all has ended after {self.options.calm} s: {self.chaos.look()} of {want}, "
                                   f"in Redis {self.left_in_redis()}")
                break
            time.sleep(0.5)
        self.calm_s = time.monotonic() - begun

    def left_in_redis(self):
        streams = [f"queue:{name}" for name in WORKERS] + ["attempts:log"]
        return sum(self.suite.redis("XLEN", stream) for stream in streams)

    # ---- the judgement ----

    def count_storm(self):
        chaos = self.chaos
        self.row("seed", self.options.seed)
        self.row("kill -9", ", ".join(f"{name} {chaos.count(KILL, name)}" for name in VICTIMS)
                 + f": {chaos.count(KILL)} in {self.storm_s:.0f} s",
                 f">= {self.options.kills}", chaos.count(KILL) >= self.options.kills)
        self.row("Redis wiped", f"{chaos.count(WIPE, FLUSH)} under live connections, "
                 f"{chaos.count(WIPE, DELETE)} with its files deleted",
                 f">= {self.options.wipes}", chaos.count(WIPE) >= self.options.wipes)
        self.row("Redis away for seconds", f"{chaos.count(PAUSE, FREEZE)} frozen, {chaos.count(PAUSE, STOP)} stopped")
        self.none("processes that ended by themselves", len(chaos.deaths))
        self.faults += chaos.deaths

    def count_payments(self):
        books, answered, missing, extra, unbooked = Books(self.database), 0, 0, 0, 0
        statuses = {}
        for prefix in LOADS:
            answers = Answers(self.records(prefix))
            answered += len(answers.ids)
            missing += len(books.missing(prefix, answers))
            extra += len(set(answers.ids.values())) != len(answers.ids)
            unbooked += len(books.unanswered(prefix, answers))
            for status, count in answers.statuses.items():
                statuses[status] = statuses.get(status, 0) + count
        alive_s = self.loaded_s - self.chaos.backend_down_s
        rate = answered / alive_s
        required = min(REQUIRED_RATE, 0.8 * self.options.rate)
        self.row("payments answered 201", f"{answered} in {self.loaded_s:.0f} s: {answered / self.loaded_s:.0f}/s; "
                 f"{rate:.0f}/s of the {alive_s:.0f} s that the backend was there", f">= {required:.0f}/s",
                 rate >= required)
        self.row("all answers", ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items())),
                 "201, 422", set(statuses) <= {201, 422})
        self.row("connections cut and asked again", sum(r["retries"] for r in self.results.values()))
        self.none("answered 201 and not in the database", missing)
        self.none("keys booked twice", books.repeated + extra)
        self.none("booked and not answered so", unbooked)

    def count_deliveries(self):
        head, by_status = self.database.head(), {}
        for (channel, status, reason), count in self.database.deliveries().items():
            by_status.setdefault(status, []).append(f"{channel} {count}" + (f" ({reason})" if reason else ""))
        ended = self.database.ended()
        self.row("events x channels ended", f"{ended} of {head * len(WORKERS)}, {self.calm_s:.0f} s after the last fault",
                 "all", ended == head * len(WORKERS))
        for status, counts in by_status.items():
            self.row(f"  {status}", ", ".join(counts), None if status == "delivered" else 0, status == "delivered")
        self.none("entries left in Redis", self.left_in_redis())

    def count_messages(self):
        inboxes = {name: Inbox(self.suite.folder, name) for name in WORKERS}
        missing = missing_messages(self.database, inboxes)
        most = most_repeats(self.chaos.faults, inboxes, CONNECTIONS)
        for name in WORKERS:
            inbox = inboxes[name]
            self.none(f"{name}: delivered without a message", missing[name])
            self.row(f"{name}: messages", f"{len(inbox.first_us) + len(inbox.repeats)}, of these repeats "
                     f"{len(inbox.repeats)}", f"<= {most[name]} repeats", len(inbox.repeats) <= most[name])
            self.none(f"{name}: repeats that no fault explains",
                      unexplained_repeats(self.chaos.faults, inbox, name))

    def count_money(self):
        balances = self.database.balances()
        self.none("users below zero", sum(1 for (user, _), minor in balances.items() if user and minor < 0))
        self.none("currencies that do not sum to zero", sum(1 for total in self.database.totals().values() if total))
        self.none("balances that are not the sum of their postings",
                  int(balances != self.database.balances_by_postings()))
        self.row("integrity_check", self.database.integrity(), "ok", self.database.integrity() == "ok")

    def count_doctor(self):
        tool = os.path.join(BIN, "paybell")
        settings = {name: self.suite.settings[name] for name in ("DATABASE", "REDIS")}
        known = subprocess.run([tool, "--help"], env=environment(), capture_output=True, text=True, check=False)
        if "doctor" not in known.stdout:
            return
        done = subprocess.run([tool, "doctor"], env=environment(**settings), capture_output=True, text=True,
                              timeout=300, check=False)
        self.row("paybell doctor", f"exit {done.returncode}", "exit 0", done.returncode == 0)
        if done.returncode:
            self.faults.append(done.stdout + done.stderr)

    # ---- all of it ----

    def go(self):
        try:
            self.suite.start_all()
            fill(self.suite, self.options.people, MONEY)
            self.storm()
            self.calm()
            for count in (self.count_storm, self.count_payments, self.count_deliveries, self.count_doctor,
                          self.count_messages, self.count_money):
                count()
            self.suite.ended += self.chaos.ended.values()
        except AssertionError as fault:
            self.faults.append(str(fault))
        finally:
            self.close(self.suite)
        return not self.faults


def options(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--kills", type=int, default=240, help="at least so many (default 240)")
    parser.add_argument("--seconds", type=int, default=90, help="at least so long (default 90)")
    parser.add_argument("--rate", type=int, default=1250, help="requests a second (default 1250)")
    parser.add_argument("--people", type=int, default=400)
    parser.add_argument("--wipes", type=int, default=12)
    parser.add_argument("--pauses", type=int, default=6)
    parser.add_argument("--calm", type=int, default=300, help="seconds until all must have ended (default 300)")
    parser.add_argument("--seed", type=int, default=None)
    chosen = parser.parse_args(argv)
    if chosen.seed is None:
        chosen.seed = random.SystemRandom().randrange(1 << 31)
    return chosen


def main():
    chosen = options()
    print(f"crash: seed {chosen.seed}, {chosen.kills} kills, {chosen.rate} requests/s", flush=True)
    run = Run(chosen)
    well = run.go()
    print(run.text(), flush=True)
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
