"""SIGTERM under load: what was begun is finished and recorded, and the next start goes on from there."""
import signal
import socket
import time

import pytest
from harness import WORKERS, http_call, wait_until
from outcome import assert_delivered, payment, wait_all_ended
from paying import fill, load_result, load_start, pay_options

PEOPLE = 50


@pytest.fixture
def paid(bare):
    """Everything running, with people, on addresses that stay over a restart."""
    bare.pin_addresses()
    bare.start_all()
    fill(bare, PEOPLE)
    return bare


def paying(suite, *options):
    return load_start(suite, *pay_options(PEOPLE, "--rate", 100, "--seconds", 60, "--connections", 8,
                                          "--timeout-ms", 20000, *options, body=payment()))


def stop_paying(process):
    process.terminate()
    return load_result(process, 60)


def in_flight(suite, name):
    text = http_call(suite.addresses[name]["admin"], "GET", "/metrics").body.decode()
    return sum(int(line.split()[-1]) for line in text.splitlines() if line.startswith("paybell_in_flight{"))


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_finishes_and_acknowledges_what_is_at_the_provider(paid, database, name):
    paid.fault(name, latency_ms=500)
    process = paying(paid)
    wait_until(lambda: in_flight(paid, name) > 8, 20, "deliveries at the provider")
    paid.stop(name)
    assert "drain_timeout" not in paid.ended[-1].log()
    # What the provider has was recorded before the worker left, so the ledger knows it.
    messages = len(paid.inbox(name))
    assert messages > 0
    wait_until(lambda: database.ended(name) == messages, 10, "each message's record")
    paid.fault(name)
    paid.start(name)
    assert set(stop_paying(process)["statuses"]) == {"201"}
    wait_all_ended(paid, database)
    assert_delivered(paid, database)


def test_a_backend_answers_what_it_has_booked(paid, database):
    process = paying(paid)
    wait_until(lambda: database.transactions() > 100, 20, "payments")
    paid.stop("backend")
    paid.start("backend")
    answer = stop_paying(process)
    assert set(answer["statuses"]) <= {"201", "503"}, answer
    assert database.transactions() == answer["statuses"]["201"]
    wait_all_ended(paid, database)
    assert_delivered(paid, database)


def test_a_provider_that_is_restarted_gets_nothing_twice(paid, database):
    process = paying(paid)
    wait_until(lambda: database.ended("sms") > 50, 20, "deliveries")
    paid.stop("sandbox")
    paid.start("sandbox")
    assert set(stop_paying(process)["statuses"]) == {"201"}
    wait_all_ended(paid, database)
    assert_delivered(paid, database)


def test_a_second_sigterm_ends_a_worker_at_once_and_loses_nothing(paid, database):
    paid.fault("sms", hang=True)
    process = paying(paid)
    wait_until(lambda: in_flight(paid, "sms") > 8, 20, "deliveries at the provider")
    worker = paid.processes.pop("sms")
    worker.tell(signal.SIGTERM)
    wait_until(lambda: "service.drain" in worker.log(), 5, "the first SIGTERM's effect")
    begun = time.monotonic()
    worker.popen.send_signal(signal.SIGTERM)
    assert worker.popen.wait(5) == 1
    assert time.monotonic() - begun < 2
    paid.ended.append(worker)
    paid.fault("sms")
    paid.start("sms")
    assert set(stop_paying(process)["statuses"]) == {"201"}
    wait_all_ended(paid, database)
    assert_delivered(paid, database)


def test_a_second_sigterm_ends_a_backend_at_once_and_loses_nothing(paid, database):
    process = paying(paid, "--retry", "--idempotency-keys")
    wait_until(lambda: database.transactions() > 50, 20, "payments")
    host, port = paid.addresses["backend"]["api"].rsplit(":", 1)
    with socket.create_connection((host, int(port))) as half:
        half.sendall(b"POST /transactions HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\n{")
        backend = paid.processes.pop("backend")
        for _ in range(2):
            if backend.alive():
                backend.popen.send_signal(signal.SIGTERM)
            wait_until(lambda: "service.drain" in backend.log(), 5, "the first SIGTERM's effect")
        backend.asked_to_end = True
        assert backend.popen.wait(5) == 1  # it would have waited for the rest of the request
    paid.ended.append(backend)
    paid.start("backend")
    answer = stop_paying(process)
    assert set(answer["statuses"]) == {"201"} and answer["errors"] == 0, answer
    assert database.transactions() == answer["statuses"]["201"]
    wait_all_ended(paid, database)
    assert_delivered(paid, database)
