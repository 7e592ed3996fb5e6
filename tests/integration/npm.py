"""What the tests have from npm, and the scripts that run on it.

The packages are not in the repository: npm puts each into a folder of the user's cache, once. Where node, npm or
their registry is not to be had the tests that need them are skipped and say so.
"""
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time

import pytest

from harness import ROOT, environment

BROWSER = os.path.join(ROOT, "tests", "browser")
SOCKET_IO = "socket.io-client@4.8.1"  # brings ws, too
WS = "ws@8.23.0"
PLAYWRIGHT = "playwright-core@1.64.1"
ANSWER_S = 15


def folder_of(package):
    """The node_modules that has it: name@version."""
    for program in ("node", "npm"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    cache = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache"), "paybell-tests")
    folder = os.path.join(cache, package)
    found = os.path.join(folder, "node_modules")
    if not os.path.exists(os.path.join(found, package.split("@")[0], "package.json")):
        os.makedirs(cache, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as new:  # whole, or not there: another run may look for it, too
            _install(new, package)
            shutil.rmtree(folder, ignore_errors=True)
            os.rename(os.path.join(new, "it"), folder)
    return found


def _install(folder, package):
    done = subprocess.run(["npm", "install", "--silent", "--no-save", "--ignore-scripts", "--prefix", os.path.join(folder, "it"), package],
                          capture_output=True, timeout=180, check=False)
    if done.returncode != 0:
        pytest.skip(f"npm cannot install {package}: {done.stderr.decode()[-300:]}")


def node_path(*packages):
    """What node finds them by (NODE_PATH)."""
    return ":".join(folder_of(package) for package in packages)


class Script:
    """A script of tests/browser that speaks a line of JSON a time: what it said, in order, and what it is told to do."""

    def __init__(self, path, script, *arguments):
        self.process = subprocess.Popen(
            ["node", os.path.join(BROWSER, script), *[word if isinstance(word, str) else json.dumps(word) for word in arguments]],
            env={**environment(), "NODE_PATH": path}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        self.seen = []  # taken off the queue, and not looked at yet
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def tell(self, *words):
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()

    def next(self, kind, *, skip=(), within_s=ANSWER_S):
        """The next thing that happens must be of this kind, but for those of `skip`."""
        deadline = time.monotonic() + within_s
        while True:
            try:
                line = self.seen.pop(0) if self.seen else \
                    self.lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {kind} came within {within_s} s") from None
            if line[0] == kind:
                return line[1:]
            assert line[0] in skip, f"{kind} was expected, and {line} came"

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(ANSWER_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
