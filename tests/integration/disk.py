"""A disk that fails on demand under one backend: tests/faults/storage_faults.c, and what a power cut would leave of it."""
import errno
import mmap
import os
import shutil
import struct

from harness import BIN, environment

LIBRARY = os.path.join(os.path.dirname(os.path.abspath(BIN)), "tests", "storage-faults.so")
CALLS = ["write", "sync", "truncate", "allocate", "open"]
TARGETS = {"database": 1, "log": 2, "shared": 4, "lock": 8}
HOW = {"not done": 0, "done": 1, "short": 2}
FOR_EVER = -1
WORDS = 8


class Disk:
    def __init__(self, suite):
        assert os.path.exists(LIBRARY), f"{LIBRARY} is missing: make integration-tests builds it"
        self.suite = suite
        self.name = os.path.basename(suite.database)
        self.folder = os.path.join(suite.folder, "disk")
        os.mkdir(self.folder)
        self.control = os.path.join(suite.folder, "faults")
        with open(self.control, "wb") as file:
            file.write(bytes(8 * WORDS * len(CALLS)))
        with open(self.control, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 0)
        suite.environments["backend"] = {
            "LD_PRELOAD": LIBRARY, "STORAGE_FAULTS": self.control, "STORAGE_FAULTS_NAME": self.name,
            "STORAGE_FAULTS_DISK": self.folder,
            "ASAN_OPTIONS": environment()["ASAN_OPTIONS"] + ":verify_asan_link_order=0"}

    def _word(self, call, index, value=None):
        at = 8 * (WORDS * CALLS.index(call) + index)
        if value is not None:
            self.map[at:at + 8] = struct.pack("=q", value)
        return struct.unpack("=q", self.map[at:at + 8])[0]

    def fail(self, call, error=errno.EIO, times=FOR_EVER, how="not done", on=("database", "log")):
        """From now on that many such calls fail. how: what happens before the failure is reported."""
        self._word(call, 1, 0)
        for index, value in ((0, error), (2, HOW[how]), (3, sum(TARGETS[target] for target in on)), (4, 0), (1, times)):
            self._word(call, index, value)

    def heal(self):
        for call in CALLS:
            self._word(call, 1, 0)

    def failures(self, call):
        """How many calls have failed since fail()."""
        return self._word(call, 4)

    def calls(self, call):
        return self._word(call, 5)

    def cut_power(self):
        """kill -9, when it still runs, and of the database stays what has reached the disk."""
        if "backend" in self.suite.processes:
            self.suite.kill("backend")
        for suffix in ("", "-wal"):
            shutil.copyfile(os.path.join(self.folder, self.name + suffix), self.suite.database + suffix)
            with open(os.path.join(self.folder, self.name + suffix + ".dirty"), "r+b") as dirty:
                size = os.path.getsize(dirty.name)
                dirty.write(bytes(size))
        if os.path.exists(self.suite.database + "-shm"):
            os.unlink(self.suite.database + "-shm")
        self.heal()
