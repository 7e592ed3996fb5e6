"""The program `returning`, for those who drive it: what it says, line by line, and what it is told."""
import json
import os
import queue
import subprocess
import threading

from harness import LOAD, REPORT, environment

RETURNING = os.path.join(os.path.dirname(LOAD), "returning")


class Crowd:
    """options: its own, as in users=20 or here_ms=1000; `path` is what it writes everything to that it is told."""

    def __init__(self, suite, gateways, **options):
        self.path = os.path.join(suite.folder, "heard")
        argv = [RETURNING, "--secret", suite.settings["JWT_SECRET"], "--out", self.path]
        for name in gateways:
            argv += ["--gateway", suite.addresses[name]["ws"]]
        for name, value in options.items():
            argv += ["--" + name.replace("_", "-"), str(value)]
        self.process = subprocess.Popen(argv, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.said, self.events, self.open = set(), 0, 0
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.strip())

    def look(self):
        """Takes in what it has said by now."""
        while not self.lines.empty():
            line = self.lines.get()
            if line.startswith("progress"):
                fields = dict(word.split("=") for word in line.split()[1:])
                self.open, self.events = int(fields["open"]), int(fields["events"])
            else:
                self.said.add(line)
        assert self.process.poll() is None, self.process.stderr.read()

    def has_said(self, line):
        self.look()
        return line in self.said

    def tell(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def end(self):
        """Its counts."""
        self.tell("end")
        code = self.process.wait(60)
        said = self.process.stderr.read()
        assert code == 0 and not REPORT.search(said), said
        counts = None
        while counts is None:
            line = self.lines.get(timeout=10)
            counts = json.loads(line) if line.startswith("{") else None
        return counts

    def kill(self):
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()
