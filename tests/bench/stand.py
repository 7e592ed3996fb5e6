"""What the parts of the bench stand on: an installation with 500 people, the load program, and how long messages took."""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))

from harness import BIN, KEYS, LOAD, WORKERS, Suite, http_call, wait_until  # noqa: E402

TESTS = os.path.dirname(LOAD)
PEOPLE = 500
BODY = '{"from":"u{a}","to":"u{b}","amount":"0.01","currency":"USD","description":"Lunch {n}"}'
ONE_SIDED = '{"to":"u{a}","amount":"0.01","currency":"USD","description":"Lunch {n}"}'


def admin(suite, service, path):
    return http_call(suite.addresses[service]["admin"], "GET", path).body.decode()


def say(text=""):
    print(text, flush=True)


def run_json(argv):
    return json.loads(subprocess.run(argv, check=True, stdout=subprocess.PIPE, timeout=700).stdout)


def load_argv(suite, body, *options):
    return [LOAD, "--url", f"http://{suite.addresses['backend']['api']}/transactions", "--users", str(PEOPLE), "--json",
            "--header", f"Authorization: Bearer {KEYS[0]}", "--header", "Content-Type: application/json", "--body", body,
            *map(str, options)]


def load(suite, body, *options):
    return run_json(load_argv(suite, body, *options))


def fill(suite):
    """500 people with an address for every channel, and money."""
    lines = []
    for i in range(PEOPLE):
        head = {"Authorization": f"Bearer {KEYS[0]}", "Content-Type": "application/json"}
        user = {"name": f"User {i}", "email": f"u{i}@mail.example.com", "phone": f"+43660{1000000 + i}"}
        for method, path, body in (("PUT", f"/users/u{i}", user),
                                   ("POST", f"/users/u{i}/devices", {"kind": "fcm", "token": f"u{i}:APA91b" + "x" * 100}),
                                   ("POST", "/transactions", {"to": f"u{i}", "amount": "1000000.00", "currency": "USD"})):
            lines.append(json.dumps({"conn": i % 16, "method": method, "path": path, "headers": head, "body": json.dumps(body)}))
    path = os.path.join(suite.folder, "fill.jsonl")
    with open(path, "w", encoding="utf-8") as out:
        out.write("\n".join(lines) + "\n")
    answer = run_json([LOAD, "--url", f"http://{suite.addresses['backend']['api']}/", "--requests", path, "--json"])
    assert answer["statuses"] == {"201": 3 * PEOPLE}, answer


def metric(suite, name, service="backend", label=""):
    text = admin(suite, service, "/metrics")
    for line in text.splitlines():
        if line.startswith(name) and label in line and line[len(name)] in " {":
            return float(line.rsplit(" ", 1)[1])
    return 0.0


class Bench(Suite):
    def begin(self, workers=True, **settings):
        self.start_redis()
        if workers:
            self.start("sandbox")
        self.start("backend", **settings)
        if workers:
            for name in WORKERS:
                self.start(name)
        fill(self)
        if workers:
            self.drained()
        return self

    def backlog(self):
        return {name: self.redis("XLEN", f"queue:{name}") for name in WORKERS}

    def open_records(self):
        return self.redis("XLEN", "attempts:log")

    def drained(self, timeout=300):
        wait_until(lambda: not any(self.backlog().values()) and self.open_records() == 0, timeout, "everything delivered")

    def resident_mb(self, name):
        with open(f"/proc/{self.processes[name].pid}/status", encoding="utf-8") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024

    def cpu_s(self, name):
        with open(f"/proc/{self.processes[name].pid}/stat", encoding="utf-8") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def installation(**options):
    suite = Bench()
    try:
        return suite.begin(**options)
    except BaseException:
        suite.close()
        raise


def row(*cells):
    say("| " + " | ".join(str(c) for c in cells) + " |")


def ms(us):
    return f"{us / 1000:.1f} ms"


# ---- from the POST to the provider ----


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0


def deliver_latency(suite, rate, seconds):
    """From the moment a POST was due to the provider's receipt, per channel: the number in the description joins them."""
    out = os.path.join(suite.folder, "records.csv")
    after = suite.sandbox("GET", "/inbox/count").json["newest"]
    result = load(suite, ONE_SIDED, "--connections", 64, "--rate", rate, "--seconds", seconds, "--out", out)
    assert set(result["statuses"]) == {"201"}, result
    starts = {}
    with open(out, encoding="utf-8") as lines:
        for line in lines:
            index, _status, start_us = line.split(",")[:3]
            starts[int(index)] = int(start_us)
    return result, starts, after


def arrivals(suite, name, after):
    while True:
        page = suite.sandbox("GET", f"/inbox?channel={name}&after={after}&limit=1000").json["messages"]
        if not page:
            return
        for message in page:
            text = json.dumps(message, ensure_ascii=False)
            at = text.find("Lunch ")
            if at >= 0:
                number = ""
                for c in text[at + 6:at + 16]:
                    if not c.isdigit():
                        break
                    number += c
                yield int(number), message["received_us"]
        after = page[-1]["n"]
