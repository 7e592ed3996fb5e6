"""People with an address for every channel, and the load program that pays them."""
import json
import os
import subprocess

from harness import KEYS, LOAD, REPORT, environment

HEAD = {"Authorization": f"Bearer {KEYS[0]}", "Content-Type": "application/json"}
ONE_SIDED = '{"to":"u{a}","amount":"0.01","currency":"USD","description":"Lunch {n}"}'


def fill(suite, people, money=None):
    """Registers u0, u1, … with e-mail, phone and one device each; money: what each begins with."""
    path = os.path.join(suite.folder, "people.jsonl")
    lines = 0
    with open(path, "w", encoding="utf-8") as out:
        for i in range(people):
            user = {"name": f"User {i}", "email": f"u{i}@mail.example.com", "phone": f"+43660{1000000 + i}"}
            calls = [("PUT", f"/users/u{i}", user),
                     ("POST", f"/users/u{i}/devices", {"kind": "fcm", "token": f"u{i}:APA91b" + "x" * 40})]
            if money is not None:
                calls.append(("POST", "/transactions", {"to": f"u{i}", "amount": money, "currency": "USD"}))
            for method, where, body in calls:
                out.write(json.dumps({"conn": i % 8, "method": method, "path": where, "headers": HEAD,
                                      "body": json.dumps(body)}) + "\n")
            lines += len(calls)
    answer = load(suite, "--requests", path)
    assert answer["statuses"] == {"201": lines}, answer


def load_argv(suite, *options):
    return [LOAD, "--url", f"http://{suite.addresses['backend']['api']}/transactions", "--json", *map(str, options)]


def load(suite, *options):
    """Runs the load program to its end; its result."""
    return load_result(load_start(suite, *options))


def load_start(suite, *options):
    return subprocess.Popen(load_argv(suite, *options), env=environment(), stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def load_result(process, timeout=300):
    try:
        out, said = process.communicate(timeout=timeout)
    finally:
        process.kill()
    assert process.returncode == 0 and not REPORT.search(said.decode()), said.decode()
    return json.loads(out)


def pay_options(people, *more, body=ONE_SIDED):
    return ["--users", people, "--body", body, *more,
            *(word for name, value in HEAD.items() for word in ("--header", f"{name}: {value}"))]
