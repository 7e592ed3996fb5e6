"""What the gateway's measurements stand on: listeners, the bare loop, several gateways, records to publish, memory."""
import fcntl
import json
import math
import os
import resource
import selectors
import socket
import struct
import subprocess
import sys
import time

from stand import KEYS, LOAD, TESTS, Bench, run_json, wait_until

from harness import Redis  # stand has set the path

OF_PROCESS = 18000  # connections; a process may have 20,000 descriptors on the usual machine
ONE_PROCESS = 15000  # connections: more are spread over processes
UNDER_WAY = 1000  # handshakes at a time, of all listeners together: well below the backlog


def mono_us():
    return time.monotonic_ns() // 1000


# ---- a network of its own ----


def enter_namespace():
    """Starts this program again in a network namespace, which is gone when the last process in it is. Returns when that may not be."""
    unshare = ["unshare", "--net", *(["--map-root-user"] if os.geteuid() != 0 else [])]
    try:
        subprocess.run([*unshare, "true"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return
    os.execvpe(unshare[0], [*unshare, sys.executable, *sys.argv], {**os.environ, "PAYBELL_BENCH_NAMESPACE": "1"})


def in_namespace():
    return os.environ.get("PAYBELL_BENCH_NAMESPACE") == "1"


def set_up_namespace():
    """The loopback device up, and what a namespace may have for itself."""
    with socket.socket() as any_socket:
        request = struct.pack("16sh", b"lo", 0x1 | 0x40)  # IFF_UP | IFF_RUNNING
        fcntl.ioctl(any_socket, 0x8914, request)  # SIOCSIFFLAGS
    for name, value in (("core/somaxconn", "4096"), ("ipv4/tcp_max_syn_backlog", "4096"), ("ipv4/ip_local_port_range", "10240 65000")):
        try:
            with open(f"/proc/sys/net/{name}", "w", encoding="ascii") as knob:
                knob.write(value)
        except OSError as e:
            print(f"{name} stays as it is: {e}", file=sys.stderr)


def raise_descriptors():
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


# ---- programs that are told on stdin and answer in lines of JSON ----


class Told:
    def __init__(self, argv):
        self.popen = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.answers = b""

    def tell(self, line):
        self.popen.stdin.write(line.encode() + b"\n")
        self.popen.stdin.flush()

    def _take(self, what):
        """The first answer of that sort which has come, or None; what came before it is passed over."""
        while b"\n" in self.answers:
            line, self.answers = self.answers.split(b"\n", 1)
            answer = json.loads(line)
            if answer["what"] == what:
                return answer
        return None

    def hear(self, what, timeout=60):
        deadline = time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(self.popen.stdout, selectors.EVENT_READ)
            while True:
                answer = self._take(what)
                if answer:
                    return answer
                left = deadline - time.monotonic()
                if left <= 0 or not selector.select(left):
                    raise AssertionError(f"{self.popen.args[0]} did not say {what} within {timeout} s")
                some = os.read(self.popen.stdout.fileno(), 65536)
                if not some:
                    raise AssertionError(f"{self.popen.args[0]} ended: {self.popen.wait()}")
                self.answers += some

    def close(self):
        """Its exit code: 0 when it ended as it was asked to."""
        self.popen.stdin.close()
        try:
            self.popen.wait(60)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        self.popen.stdout.close()
        return self.popen.returncode


class Bare(Told):
    def __init__(self):
        super().__init__([os.path.join(TESTS, "bare-send"), "127.0.0.1:0"])
        self.address = self.hear("listening")["address"]

    def round(self, path):
        """Sends the file's bytes to everybody; when that began, monotonic."""
        self.tell(f"round {path}")
        sent = self.hear("sent")
        assert sent["failed"] == 0, sent
        return sent


class Listeners(Told):
    """One process of them; several, each with an address of its own, are a list of these."""

    def __init__(self, addresses, count, *options, source=0, under_way=200):
        self.count = count
        connect = [word for address in addresses for word in ("--connect", address)]
        super().__init__([os.path.join(TESTS, "listeners"), *connect, "--count", str(count), "--source", str(source),
                          "--under-way", str(under_way), "--seconds", "3600", *map(str, options)])

    def wait_open(self, timeout=120):
        answer = self.hear("open", timeout)
        assert answer["clients"] == self.count and answer["closed"] == 0, answer
        return answer

    def expect(self, path):
        self.tell(f"expect {path}")
        self.hear("expecting")

    def report(self):
        self.tell("report")
        return self.hear("report")

    def settled(self):
        """Nothing came that should not have."""
        report = self.report()
        assert report["open"] == self.count and report["wrong"] == 0 and report["foreign"] == 0, report
        return report


def split(count, parts):
    """count in nearly equal parts."""
    return [count // parts + (1 if i < count % parts else 0) for i in range(parts)]


def gateways_for(connections):
    return math.ceil(connections / OF_PROCESS)


# ---- what is broadcast ----

DELIVERY = '{"type":"delivery","delivery":%s}'
FRAME_BYTES = 250


def record(number, user="bob", frame_bytes=FRAME_BYTES):
    """An attempt record, and the frame that it makes: frame_bytes long with its header of 4 bytes."""
    text = ('{"event_id":"evt_01KF8E0AW000000012T9V6Q3NX","sequence":"%016d","user_id":"%s","channel":"push","attempt":1,'
            '"status":"delivered","provider":"fcm","started_us":%d,"took_us":1,"worker":"%s"}')
    bare = text % (number, user, 1768728600000000 + number, "")
    worker = "w" * (frame_bytes - 4 - len(DELIVERY % bare))
    assert worker, "the frame is too short for a record"
    body = text % (number, user, 1768728600000000 + number, worker)
    payload = (DELIVERY % body).encode()
    return body.encode(), b"\x81\x7e" + struct.pack("!H", len(payload)) + payload


class Records:
    """Records that were not used yet, and a file with the bytes that a client is to get of them."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "expected.bin")
        self.number = 0

    def make(self, count):
        bodies, frames = [], []
        for _ in range(count):
            self.number += 1
            body, frame = record(self.number)
            bodies.append(body)
            frames.append(frame)
        with open(self.path, "wb") as out:
            out.write(b"".join(frames))
        return bodies


# ---- memory ----


def private_bytes(pid):
    """What this process has for itself alone."""
    total = 0
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
        for line in rollup:
            if line.startswith(("Private_Clean", "Private_Dirty")):
                total += int(line.split()[1]) * 1024
    return total


def machine():
    """Bytes, of the whole machine: available, the kernel's own, and (only as a difference) used by all."""
    found = {}
    with open("/proc/meminfo", encoding="ascii") as info:
        for line in info:
            name, value = line.split(":")
            if name in ("MemAvailable", "MemFree", "Buffers", "Cached", "Slab"):
                found[name] = int(value.split()[0]) * 1024
    # What is available counts slabs of open sockets as if they could be had back.
    found["used"] = -sum(found.pop(name) for name in ("MemFree", "Buffers", "Cached"))
    with open("/proc/net/sockstat", encoding="ascii") as stat:
        words = next(line for line in stat if line.startswith("TCP:")).split()
    found["buffers"] = int(words[words.index("mem") + 1]) * os.sysconf("SC_PAGE_SIZE")
    return found


# ---- the installation ----


class GatewayBench(Bench):
    """Redis, the backend and any number of gateways; no workers."""

    publisher = None

    def begin_gateways(self, connections, gateways=1, **settings):
        self.start_redis()
        self.start("backend")
        self.publisher = Redis(self.redis_path)
        self.names = ["gateway"] + [f"gateway-{i}" for i in range(1, gateways)]
        self.gateway_settings = {"GATEWAY_MAX_CONNECTIONS": connections + 200, **settings}
        self.start_gateways()
        return self

    def start_gateways(self):
        for name in self.names:
            self.start("gateway", as_name=name, INSTANCE=name, **self.gateway_settings)

    def restart_gateways(self):
        for name in self.names:
            self.stop(name)
        self.start_gateways()

    def close(self):
        if self.publisher:
            self.publisher.close()
        super().close()

    def ws(self):
        return [self.addresses[name]["ws"] for name in self.names]

    def pids(self):
        return [self.processes[name].pid for name in self.names]

    def private(self):
        return sum(private_bytes(pid) for pid in self.pids())

    def listeners(self, count, *options, source=0):
        """count clients over as many processes as there are gateways, each on one gateway; users are on them in turn."""
        out, gateways = [], len(self.names)
        try:
            for i, (address, some) in enumerate(zip(self.ws(), split(count, gateways))):
                out.append(Listeners([address], some, "--secret", self.settings["JWT_SECRET"], "--first", i, "--stride", gateways,
                                     *options, source=source + i, under_way=max(10, UNDER_WAY // gateways)))
        except BaseException:
            close_all(out)
            raise
        return out

    def register(self, count, prefix="u"):
        """Users who can be paid."""
        head = {"Authorization": f"Bearer {KEYS[0]}", "Content-Type": "application/json"}
        path = os.path.join(self.folder, "users.jsonl")
        with open(path, "w", encoding="utf-8") as out:
            for i in range(count):
                out.write(json.dumps({"conn": i % 64, "method": "PUT", "path": f"/users/{prefix}{i}", "headers": head,
                                      "body": json.dumps({"name": f"User {i}"})}) + "\n")
        answer = run_json([LOAD, "--url", f"http://{self.addresses['backend']['api']}/", "--requests", path, "--json"])
        assert answer["statuses"] == {"201": count}, answer

    def wait_listening(self):
        """A gateway that was kept from its turn for seconds takes its silent subscription for dead and makes a new one."""
        wait_until(lambda: self.redis("PUBSUB", "NUMSUB", "deliveries")[1] == len(self.names), 60, "all gateways at Redis")

    def publish(self, bodies):
        """In one write; Redis has taken all of them when this returns. When it began, monotonic."""
        commands = b"".join(b"*3\r\n$7\r\nPUBLISH\r\n$10\r\ndeliveries\r\n$%d\r\n%s\r\n" % (len(b), b) for b in bodies)
        began = mono_us()
        self.publisher.socket.sendall(commands)
        for _ in bodies:
            heard = self.publisher.read()
            assert heard == len(self.names), f"{heard} gateways heard it"
        return began


def close_all(programs):
    """All at once: each has many sockets to close."""
    for program in programs:
        try:
            program.popen.stdin.close()
        except OSError:
            pass
    codes = [program.close() for program in programs]
    assert not any(codes), f"they ended with {codes}"


def settle(read, pause=0.3, timeout=15):
    """Waits until a number that is read again and again does not move any more, within a thousandth."""
    last = [read()]

    def still():
        time.sleep(pause)
        now = read()
        moved, last[0] = abs(now - last[0]), now
        return moved <= now / 1000
    wait_until(still, timeout, "the memory at rest")
    return last[0]
