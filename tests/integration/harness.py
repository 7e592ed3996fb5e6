"""Runs the suite for the tests: real processes, a real Redis, one temporary folder.

Nothing here sleeps and hopes: a process has started when it says so on --ready-fd, a
condition is polled until it holds or its time is over, and every process that was started
is ended by its pid. A process that dies unasked, or writes a sanitizer's report, fails
the test that used it.
"""
import hashlib
import http.client
import json
import os
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("PAYBELL_BIN", os.path.join(ROOT, "build", "address", "bin"))
LOAD = os.path.join(os.path.dirname(os.path.abspath(BIN)), "tests", "load")
WORKERS = ["push", "email", "sms"]
SERVICES = ["sandbox", "backend"] + WORKERS
KEYS = ["paybell-test-key", "paybell-test-key-2"]
REPORT = re.compile(r"(ERROR|WARNING|SUMMARY): \w*Sanitizer|runtime error:")
START_S = 20
STOP_S = 20


def wait_until(condition, timeout=10.0, what="the condition"):
    """Polls until condition() is true and returns what it returned."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {timeout} s (last: {value!r})")
        time.sleep(0.02)


class Answer:
    """An HTTP answer; .json is the parsed body, or None."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body
        kind = headers.get("Content-Type", "")
        self.json = json.loads(body) if "json" in kind and body else None

    @property
    def problem(self):
        """The last segment of a problem's type: "insufficient-funds"."""
        if self.headers.get("Content-Type") != "application/problem+json":
            return None
        return self.json["type"].rsplit(":", 1)[1]

    def __repr__(self):
        return f"<{self.status} {self.body[:400]!r}>"


def http_call(address, method, path, body=None, headers=None, timeout=30):
    connection = http.client.HTTPConnection(address, timeout=timeout)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def api_requests(admin):
    """How many requests the backend's API has taken, from its metrics."""
    text = http_call(admin, "GET", "/metrics").body.decode()
    values = [line.split()[-1] for line in text.splitlines() if line.startswith("paybell_http_requests_total ")]
    return int(values[0])


def free_address():
    """Below the range that the kernel takes outgoing ports from: while a process is away its port is nobody's, and
    some connection's own end could come to sit there."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as known:
        lowest = int(known.read().split()[0])
    while True:
        port = random.randrange(10000, lowest)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return f"127.0.0.1:{port}"


class Redis:
    """As much of RESP as the tests need, over a unix socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(path)
        self.file = self.socket.makefile("rb")

    def __call__(self, *words):
        parts = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        head = b"*%d\r\n" % len(parts)
        self.socket.sendall(head + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
        return self.read()

    def read(self):
        line = self.file.readline()
        if not line:
            raise ConnectionError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2].decode()
        return None if rest == b"-1" else [self.read() for _ in range(int(rest))]

    def close(self):
        self.file.close()
        self.socket.close()


class Process:
    """One process: its log, what it said on --ready-fd, and how it ended."""

    def __init__(self, name, argv, environment, log_path, ready=True):
        self.name, self.log_path = name, log_path
        self.fields = {}
        self.asked_to_end = False
        self.ready_file = None
        argv, pass_fds = list(argv), ()
        if ready:
            read_fd, write_fd = os.pipe()
            self.ready_file = os.fdopen(read_fd, "rb", buffering=0)
            argv += ["--ready-fd", str(write_fd)]
            pass_fds = (write_fd,)
        with open(log_path, "ab") as log:
            self.popen = subprocess.Popen(argv, env=environment, stdin=subprocess.DEVNULL,
                                          stdout=log, stderr=log, pass_fds=pass_fds)
        if ready:
            os.close(write_fd)

    @property
    def pid(self):
        return self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def _line(self, deadline):
        """The next line on the ready pipe; "" when the process closed it."""
        line = b""
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.ready_file], [], [], left)[0]:
                raise AssertionError(f"{self.name} did not get ready in time:\n{self.tail()}")
            byte = self.ready_file.read(1)
            if not byte:
                break
            line += byte
        return line.decode().strip()

    def wait_up(self):
        """Until all its addresses answer; they are in .fields then."""
        line = self._line(time.monotonic() + START_S)
        if not line.startswith("READY"):
            raise AssertionError(f"{self.name} did not start (said {line!r}):\n{self.tail()}")
        self.fields = dict(word.split("=", 1) for word in line.split()[1:])
        return self

    def wait_working(self):
        """Until what it depends on is there too."""
        line = self._line(time.monotonic() + START_S)
        if line != "WORKING":
            raise AssertionError(f"{self.name} did not begin to work (said {line!r}):\n{self.tail()}")
        return self

    def tell(self, number):
        """Once: a second signal would mean "at once"."""
        if self.alive() and (not self.asked_to_end or number == signal.SIGKILL):
            self.popen.send_signal(number)
        self.asked_to_end = True

    def end(self, number=signal.SIGTERM, timeout=STOP_S):
        """Asks it to end; the exit code (minus the signal's number when that ended it)."""
        self.tell(number)
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise AssertionError(f"{self.name} did not end within {timeout} s:\n{self.tail()}") from None
        finally:
            self.close()

    def close(self):
        if self.ready_file is not None:
            self.ready_file.close()
            self.ready_file = None

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def tail(self, lines=40):
        return "\n".join(self.log().splitlines()[-lines:])


def environment(**settings):
    """What a process of ours gets: nothing of the tests' own environment but the path."""
    clean = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TZ": "UTC",
             "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99:handle_abort=1",
             "UBSAN_OPTIONS": "print_stacktrace=1:exitcode=99",
             "TSAN_OPTIONS": "exitcode=99"}
    clean.update({f"PAYBELL_{name}": str(value) for name, value in settings.items()})
    return clean


class Suite:
    """A whole installation in a folder of its own, on a private Redis and picked ports."""

    def __init__(self, **settings):
        self.folder = tempfile.mkdtemp(prefix="paybell-")
        self.keep = self.keep_faulty = False  # the folder: in any case, when the end itself went wrong
        self.processes = {}
        self.ended = []
        self.environments = {}  # what a process gets besides its settings
        self.redis_path = os.path.join(self.folder, "redis.sock")
        self.database = os.path.join(self.folder, "paybell.db")
        self.addresses = {}  # as bound the first time: a restart comes back there
        self.settings = {
            "DATABASE": self.database,
            "REDIS": f"unix:{self.redis_path}",
            "API_KEYS": ",".join(hashlib.sha256(key.encode()).hexdigest() for key in KEYS),
            "JWT_SECRET": "a-secret-of-the-tests-0123456789abcdef",
            "SANDBOX_DIR": os.path.join(self.folder, "inbox"),
            "SANDBOX_TWILIO_SID": "AC" + "0" * 32,
            "SANDBOX_TWILIO_TOKEN": "twilio-token",
            "SANDBOX_FCM_PROJECT": "paybell-test",
            "SANDBOX_FCM_TOKEN": "fcm-token",
            "SANDBOX_SMTP_USER": "paybell",
            "SANDBOX_SMTP_PASSWORD": "smtp-password",
            "SMTP_USER": "paybell",
            "SMTP_PASSWORD": "smtp-password",
            "MAIL_FROM": "payments@paybell.example",
            "TWILIO_SID": "AC" + "0" * 32,
            "TWILIO_TOKEN": "twilio-token",
            "TWILIO_FROM": "+15005550006",
            "FCM_PROJECT": "paybell-test",
            "FCM_TOKEN": "fcm-token",
            "TEMPLATES": os.path.join(ROOT, "templates"),
            "DRAIN_TIMEOUT": "15s",
        }
        self.settings.update(settings)

    # ---- processes ----

    def start_redis(self, *options, wait=True):
        """Keeps what it holds over a stop, as an installation's does."""
        process = Process("redis", [
            "redis-server", "--port", "0", "--unixsocket", self.redis_path, "--dir", self.folder,
            "--save", "", "--appendonly", "yes", "--appendfsync", "everysec", *options,
        ], environment(), os.path.join(self.folder, "redis.log"), ready=False)
        self.processes["redis"] = process
        if not wait:
            return
        wait_until(lambda: not process.alive() or self.redis_answers(), START_S, "Redis")
        assert process.alive(), f"redis-server ended:\n{process.tail()}"

    def redis_answers(self):
        try:
            client = Redis(self.redis_path)
            try:
                return client("PING") == "PONG"
            finally:
                client.close()
        except (OSError, RuntimeError):
            return False

    def redis(self, *words):
        """One command on a connection of its own."""
        client = Redis(self.redis_path)
        try:
            return client(*words)
        finally:
            client.close()

    def _listening(self, name, as_name=None):
        """The settings that say where this process listens."""
        as_name = as_name or name
        known = self.addresses.get(as_name, {})
        settings = {"ADMIN": known.get("admin", "127.0.0.1:0")}
        if name == "backend":
            settings["LISTEN"] = known.get("api", "127.0.0.1:0")
        if name == "gateway":
            settings["GATEWAY_LISTEN"] = known.get("ws", "127.0.0.1:0")
        if name == "sandbox":
            settings["SANDBOX_LISTEN"] = known.get("http", "127.0.0.1:0")
            settings["SANDBOX_SMTP"] = known.get("smtp", "127.0.0.1:0")
            settings["ADMIN"] = "off"
        if name in WORKERS and "sandbox" in self.addresses:
            sandbox = self.addresses["sandbox"]
            settings.update(SMTP_URL=f"smtp://{sandbox['smtp']}", TWILIO_URL=f"http://{sandbox['http']}",
                            FCM_URL=f"http://{sandbox['http']}", INSTANCE=f"test-{as_name}")
        return settings

    def start(self, name, wait="working", as_name=None, **settings):
        """Starts one of SERVICES, or the gateway; waits until it is "up" or "working", or for nothing (None). as_name: what it goes by
        here, when it is not the only one of its kind."""
        as_name = as_name or name
        assert as_name not in self.processes, f"{as_name} is running"
        everything = {**self.settings, **self._listening(name, as_name), **settings}
        process = Process(as_name, [os.path.join(BIN, f"paybell-{name}")],
                          {**environment(**everything), **self.environments.get(as_name, {})}, os.path.join(self.folder, f"{as_name}.log"))
        self.processes[as_name] = process
        if wait is None:
            return process
        process.wait_up()
        self.addresses[as_name] = process.fields
        if wait == "working":
            process.wait_working()
        return process

    def pin_addresses(self):
        """For tests that start processes again and again: where each of them listens is settled before."""
        self.addresses = {name: {"admin": free_address()} for name in SERVICES}
        self.addresses["backend"]["api"] = free_address()
        self.addresses["sandbox"].update(http=free_address(), smtp=free_address())

    def start_all(self):
        self.start_redis()
        for name in SERVICES:
            self.start(name)
        return self

    def stop(self, name):
        """SIGTERM; it must drain and end with 0."""
        process = self.processes.pop(name)
        code = process.end()
        self.ended.append(process)
        assert code == 0, f"{name} ended with {code}:\n{process.tail()}"

    def kill(self, name):
        """kill -9, as a crash does."""
        process = self.processes.pop(name)
        process.end(signal.SIGKILL)
        self.ended.append(process)

    def check(self):
        """Fails when a process died unasked or a sanitizer had something to say."""
        for process in self.processes.values():
            assert process.alive(), \
                f"{process.name} died with {process.popen.returncode}:\n{process.tail(80)}"
        for process in list(self.processes.values()) + self.ended:
            found = REPORT.search(process.log())
            assert not found, f"{process.name}:\n{process.log()[max(0, found.start() - 200):][:8000]}"

    def close(self):
        """Ends everything in the order of a shutdown and judges how it went."""
        faults = []
        try:
            self.check()
        except AssertionError as fault:
            faults.append(str(fault))
        last = ["backend", "sandbox", "redis"]
        for name in [n for n in self.processes if n not in last] + last:
            process = self.processes.pop(name, None)
            if process is None:
                continue
            was_alive = process.alive()
            try:
                code = process.end()
                if was_alive and code != 0:
                    faults.append(f"{name} ended with {code}:\n{process.tail()}")
            except AssertionError as fault:
                faults.append(str(fault))
            self.ended.append(process)
        try:
            self.check()
        except AssertionError as fault:
            if str(fault) not in faults:
                faults.append(str(fault))
        if os.environ.get("PAYBELL_KEEP") or self.keep or (faults and self.keep_faulty):
            print(f"kept: {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
        assert not faults, "\n\n".join(faults)

    # ---- talking to it ----

    def api(self, method, path, body=None, headers=None, key=KEYS[0], timeout=30):
        """One call of the backend's API. body: bytes as they are, anything else as JSON."""
        everything = {"Authorization": f"Bearer {key}"} if key else {}
        if body is not None:
            everything["Content-Type"] = "application/json"
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        everything.update(headers or {})
        everything = {name: value for name, value in everything.items() if value is not None}
        return http_call(self.addresses["backend"]["api"], method, path, body, everything, timeout)

    def pay(self, sender, receiver, amount, currency="USD", description=None, **options):
        body = {"amount": amount, "currency": currency}
        if sender:
            body["from"] = sender
        if receiver:
            body["to"] = receiver
        if description is not None:
            body["description"] = description
        return self.api("POST", "/transactions", body, **options)

    def add_user(self, user, devices=1, **fields):
        """A user whom every channel reaches, unless fields say otherwise (None: without)."""
        number = int(hashlib.sha256(user.encode()).hexdigest()[:8], 16) % 10 ** 7
        body = {"name": user.capitalize(), "email": f"{user}@mail.example.com", "phone": f"+43660{number:07d}"}
        body.update(fields)
        body = {name: value for name, value in body.items() if value is not None}
        answer = self.api("PUT", f"/users/{user}", body)
        assert answer.status in (200, 201), answer
        for index in range(devices):
            token = {"kind": "fcm", "token": f"{user}_{index}:APA91b" + "x" * 100}
            answer = self.api("POST", f"/users/{user}/devices", token)
            assert answer.status == 201, answer
        return body

    def sandbox(self, method, path, body=None):
        headers = {"Content-Type": "application/json"} if body is not None else {}
        body = json.dumps(body).encode() if body is not None else None
        return http_call(self.addresses["sandbox"]["http"], method, path, body, headers)

    def inbox(self, channel):
        """All messages that the channel's provider accepted, in order."""
        messages, after = [], 0
        while True:
            answer = self.sandbox("GET", f"/inbox?channel={channel}&after={after}&limit=1000")
            assert answer.status == 200, answer
            page = answer.json["messages"]
            if not page:
                return messages
            messages += page
            after = page[-1]["n"]

    def fault(self, channel, **fault):
        """Makes a provider fail; without a fault: makes it well again."""
        method, body = ("PUT", fault) if fault else ("DELETE", None)
        answer = self.sandbox(method, f"/faults/{channel}", body)
        assert answer.status in (200, 204), answer

    def load(self, *options, timeout=300):
        """Runs the load program against the backend; its result."""
        argv = [LOAD, "--url", f"http://{self.addresses['backend']['api']}/transactions", "--json", *options]
        done = subprocess.run(argv, env=environment(), capture_output=True, timeout=timeout, check=False)
        assert done.returncode == 0, done.stderr.decode()
        assert not REPORT.search(done.stderr.decode()), done.stderr.decode()
        return json.loads(done.stdout)
