"""What happens to two gateways and their Redis on a bad day, seeded: one thing after the other, each put right again.

Each kind comes as often as the others, in an order of the seed's.
"""
import os
import shutil
import signal
import time

from harness import START_S, wait_until

GATEWAYS = ("east", "west")
FLUSH, DELETE, RESTART, CRASH, FREEZE = ("Redis: FLUSHALL", "Redis: killed, its files deleted", "Redis: restarted",
                                         "Redis: killed", "Redis: frozen")
KILL, PAUSE, DRAIN, ALONE = "gateway: killed", "gateway: frozen", "gateway: drained", "gateway: started without Redis"
KINDS = (FLUSH, DELETE, RESTART, CRASH, FREEZE, KILL, PAUSE, DRAIN, ALONE)
WIPES = (FLUSH, DELETE)
AWAY_S = 2.0    # Redis or a killed gateway, at most
FROZEN_S = 1.0  # a gateway


class Outages:
    def __init__(self, suite, random, count, kinds=KINDS):
        self.suite, self.random = suite, random
        self.plan = [kinds[i % len(kinds)] for i in range(count)]
        random.shuffle(self.plan)
        self.done = {kind: 0 for kind in KINDS}

    def next(self):
        """Does the next one of the plan; all is up again when it returns."""
        kind = self.plan.pop()
        gateway = self.random.choice(GATEWAYS)
        {FLUSH: self._flush, DELETE: self._delete, RESTART: self._restart, CRASH: self._crash, FREEZE: self._freeze,
         KILL: lambda: self._kill(gateway), PAUSE: lambda: self._pause(gateway), DRAIN: lambda: self._drain(gateway),
         ALONE: lambda: self._alone(gateway)}[kind]()
        self.done[kind] += 1

    def count(self, kinds):
        return sum(self.done[kind] for kind in kinds)

    def _away(self, seconds=AWAY_S):
        time.sleep(self.random.uniform(0, seconds))

    def start_gateway(self, name, wait="working"):
        return self.suite.start("gateway", wait=wait, as_name=name, INSTANCE=name)

    # ---- Redis ----

    def _flush(self):
        self.suite.redis("FLUSHALL")

    def _delete(self):
        self.suite.kill("redis")
        shutil.rmtree(os.path.join(self.suite.folder, "appendonlydir"))
        self._away()
        self.suite.start_redis()

    def _restart(self):
        self.suite.stop("redis")
        self._away()
        self.suite.start_redis()

    def _crash(self):
        self.suite.kill("redis")
        self.suite.start_redis()

    def _freeze(self):
        redis = self.suite.processes["redis"].popen
        redis.send_signal(signal.SIGSTOP)
        try:
            self._away()
        finally:
            redis.send_signal(signal.SIGCONT)
        wait_until(self.suite.redis_answers, START_S, "Redis")

    # ---- gateways ----

    def _kill(self, name):
        self.suite.kill(name)
        self._away()
        self.start_gateway(name)

    def _pause(self, name):
        gateway = self.suite.processes[name].popen
        gateway.send_signal(signal.SIGSTOP)
        try:
            time.sleep(FROZEN_S)
        finally:
            gateway.send_signal(signal.SIGCONT)

    def _drain(self, name):
        self.suite.stop(name)
        self.start_gateway(name)

    def _alone(self, name):
        """Clients come to a gateway that has not found its Redis yet."""
        self.suite.kill(name)
        self.suite.stop("redis")
        gateway = self.start_gateway(name, wait="up")
        self._away()
        self.suite.start_redis()
        gateway.wait_working()
