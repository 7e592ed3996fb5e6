"""deploy/demo: it works, twice at once, and leaves nothing behind."""
import os
import re
import signal
import subprocess
import tempfile

import pytest

from harness import BIN, ROOT, environment, http_call, wait_until
from websocket import WebSocket

DEMO_S = 90


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="paybell-d-") as path:
        yield path


def start(folder, *arguments):
    return subprocess.Popen([os.path.join(ROOT, "deploy", "demo"), "--bin", BIN, *arguments],
                            env={**environment(), "TMPDIR": folder}, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def pids(text):
    return [int(pid) for pid in re.findall(r"^  \w+, pid (\d+)$", text, re.M)]


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_delivers_all_six_twice_at_once(folder):
    both = [start(folder, "--once") for _ in range(2)]
    for demo in both:
        text = demo.communicate(timeout=DEMO_S)[0]
        assert demo.returncode == 0, text
        assert len(re.findall(r"─ (?:push|email|sms) +✓ delivered ", text)) == 6, text
        assert text.endswith("The payment rang in a WebSocket. All six were delivered.\n")
        assert len(pids(text)) == 7 and not [pid for pid in pids(text) if alive(pid)], text
    assert os.listdir(folder) == []


def test_it_stays_and_ends_with_all_it_started(folder):
    demo = start(folder)
    text = ""
    for line in demo.stdout:
        text += line
        if "DELETE" in line:
            break
    links = re.findall(r"^  (\w+): +http://(\S+)/#token=(\S+)$", text, re.M)
    assert [name for name, _, _ in links] == ["alice", "bob"], text
    for name, address, given in links:
        assert b"<title>Paybell</title>" in http_call(address, "GET", "/").body
        with WebSocket(address, "/ws?after=0", ["paybell.v1", f"token.{given}"], fields=[f"Origin: http://{address}"]) as page:
            assert page.receive_type("event")["event"]["subject"] == name
    worker = int(re.search(r"^  kill (\d+);", text, re.M)[1])
    os.kill(worker, signal.SIGTERM)
    assert demo.stdout.readline().startswith("demo: email ended"), text
    assert demo.poll() is None and [pid for pid in pids(text) if alive(pid)]
    demo.send_signal(signal.SIGINT)
    demo.stdout.read()
    assert demo.wait(DEMO_S) == 0
    wait_until(lambda: not [pid for pid in pids(text) if alive(pid)], 10, "the end of all processes")
    assert os.listdir(folder) == []


def test_what_goes_wrong_is_shown_with_its_log(folder):
    broken = os.path.join(folder, "bin")
    os.mkdir(broken)
    for name in os.listdir(BIN):
        os.symlink(os.path.join(os.path.abspath(BIN), name), os.path.join(broken, name))
    os.remove(os.path.join(broken, "paybell-sms"))
    with open(os.path.join(broken, "paybell-sms"), "w", encoding="utf-8") as script:
        script.write("#!/bin/sh\necho 'this is why' >&2\nexit 3\n")
    os.chmod(os.path.join(broken, "paybell-sms"), 0o755)
    demo = start(folder, "--once", "--bin", broken)
    text = demo.communicate(timeout=DEMO_S)[0]
    assert demo.returncode == 1
    assert "demo: sms does not start" in text and "this is why" in text
    assert not [pid for pid in pids(text) if alive(pid)]
    assert os.listdir(folder) == ["bin"]
