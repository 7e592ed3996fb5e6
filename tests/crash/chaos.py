"""A bad day, seeded: processes are killed at random instants, Redis is wiped, frozen and stopped.

Every fault is noted (faults.csv) with its time and with how many deliveries had ended in the database just before
it: from that the repeats that it may have caused are counted later (counting.py).
"""
import os
import select
import shutil
import signal
import time
from typing import NamedTuple

from harness import START_S, WORKERS, wait_until

VICTIMS = ["backend", "sandbox", "redis"] + WORKERS
KILL, WIPE, PAUSE, LOOK = "kill", "wipe", "pause", "look"
FLUSH, DELETE, FREEZE, STOP = "flushed", "files deleted", "frozen", "stopped"
PAUSE_S = (1.0, 3.0)
EARLY = 0.25  # the share of kills that may hit a process which is not up again yet


class Fault(NamedTuple):
    at_us: int  # UTC
    kind: str
    name: str   # the process, or what was done to Redis; "" when it was only looked
    ended: dict  # {channel: deliveries that had ended in the database}


def utc_us():
    return time.time_ns() // 1000


class Chaos:
    """plan: kills in all, and how many of FLUSH, DELETE, FREEZE and STOP are strewn among them."""

    def __init__(self, suite, database, random, kills, specials, pause_s=PAUSE_S):
        self.suite, self.database, self.random = suite, database, random
        self.kills_wanted, self.pause_s = kills, pause_s
        self.specials = [name for name, count in specials.items() for _ in range(count)]
        random.shuffle(self.specials)
        self.specials_wanted = len(self.specials)
        self.faults, self.deaths, self.ended = [], [], {}
        self.down_since, self.backend_down_s = None, 0.0
        self.redis_back_at = None  # monotonic; while Redis is frozen or stopped

    # ---- what the run looks at ----

    def count(self, kind, name=None):
        return sum(1 for f in self.faults if f.kind == kind and name in (None, f.name))

    @property
    def done(self):
        return self.count(KILL) >= self.kills_wanted and not self.specials

    # ---- the loop's turn ----

    def turn(self):
        """One pause of 50 to 500 ms, then one fault."""
        until = time.monotonic() + self.random.uniform(0.05, 0.5)
        while time.monotonic() < until:
            self._tend()
            time.sleep(min(0.01, max(0.0, until - time.monotonic())))
        self._tend()
        behind = self.specials_wanted - len(self.specials) + 1
        due = self.count(KILL) >= self.kills_wanted * behind / (self.specials_wanted + 1)
        if self.specials and due and self.redis_back_at is None and self._redis_up():
            self._special(self.specials.pop())
        else:
            self._kill(self._victim())

    def settle(self):
        """Everything runs again, and nobody is hurt any more."""
        while self.redis_back_at is not None:
            self._tend()
            time.sleep(0.02)
        for name in VICTIMS:
            wait_until(lambda n=name: self._tend() or self._is_up(n), 3 * START_S, f"{name} up again")

    # ---- what is up ----

    def _redis_up(self):
        return self.redis_back_at is None and self.suite.redis_answers()

    def _is_up(self, name):
        if name == "redis":
            return self._redis_up()
        process = self.suite.processes[name]
        if not process.fields and process.alive() and select.select([process.ready_file], [], [], 0)[0]:
            try:
                process.wait_up()
            except AssertionError:
                return False  # it died; _tend() sees that
        return bool(process.fields)

    def _tend(self):
        """Starts again what died, and lets Redis come back when its time is over."""
        for name in list(self.suite.processes):
            process = self.suite.processes[name]
            if not process.alive():
                self.deaths.append(f"{name} ended with {process.popen.returncode} by itself:\n{process.tail(15)}")
                self._put_away(name)
                self._start(name)
        if self.redis_back_at is not None and time.monotonic() >= self.redis_back_at:
            self.redis_back_at = None
            if "redis" in self.suite.processes:
                self.suite.processes["redis"].popen.send_signal(signal.SIGCONT)
            else:
                self.suite.start_redis(wait=False)
        if self.down_since is not None and self._is_up("backend"):
            self.backend_down_s += time.monotonic() - self.down_since
            self.down_since = None

    def _victim(self):
        names = [n for n in VICTIMS if n != "redis" or self.redis_back_at is None]
        while True:
            name = self.random.choice(names)
            if self._is_up(name) or self.random.random() < EARLY:
                return name
            self._tend()
            time.sleep(0.005)

    # ---- faults ----

    def _note(self, kind, name, do):
        before = self.database.ended_by_channel()
        do()
        fault = Fault(utc_us(), kind, name, before)
        self.faults.append(fault)
        with open(os.path.join(self.suite.folder, "faults.csv"), "a", encoding="utf-8") as out:
            out.write(f"{fault.at_us},{kind},{name},{before}\n")

    def look(self):
        """No fault: how many have ended now."""
        self._note(LOOK, "", lambda: None)
        return self.faults[-1].ended

    def _put_away(self, name):
        """One ended process a name is kept for the judgement: they share a log."""
        process = self.suite.processes.pop(name)
        process.end(signal.SIGKILL)
        self.ended[name] = process

    def _start(self, name):
        if name == "redis":
            self.suite.start_redis(wait=False)
        else:
            self.suite.start(name, wait=None)

    def _kill(self, name):
        if name == "backend" and self.down_since is None:
            self.down_since = time.monotonic()
        self._note(KILL, name, lambda: self._put_away(name))
        self._start(name)

    def _special(self, name):
        if name == FLUSH:
            self._note(WIPE, name, lambda: self.suite.redis("FLUSHALL"))
        elif name == DELETE:
            self._note(WIPE, name, self._delete_files)
            self._start("redis")
        elif name == FREEZE:
            self._note(PAUSE, name, lambda: self.suite.processes["redis"].popen.send_signal(signal.SIGSTOP))
            self._pause()
        else:
            self._note(PAUSE, name, self._stop_redis)
            self._pause()

    def _pause(self):
        self.redis_back_at = time.monotonic() + self.random.uniform(*self.pause_s)

    def _delete_files(self):
        self._put_away("redis")
        shutil.rmtree(os.path.join(self.suite.folder, "appendonlydir"))

    def _stop_redis(self):
        process = self.suite.processes.pop("redis")
        process.end(signal.SIGTERM)
