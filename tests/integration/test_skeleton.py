"""What every process has in common: the command line, the settings, the end."""
import os
import signal
import sqlite3
import subprocess
import threading

import pytest

from harness import BIN, SERVICES, api_requests, environment, http_call, wait_until

PROGRAMS = [f"paybell-{name}" for name in SERVICES]


def run(program, *arguments, **settings):
    return subprocess.run([os.path.join(BIN, program), *arguments], env=environment(**settings),
                          capture_output=True, text=True, timeout=30, check=False, stdin=subprocess.DEVNULL)


@pytest.fixture
def settings(bare):
    """A full and valid environment, as one file for all programs has it."""
    bare.addresses["sandbox"] = {"http": "127.0.0.1:1", "smtp": "127.0.0.1:2"}
    return {**bare.settings, **bare._listening("push"), "LISTEN": "127.0.0.1:0"}


@pytest.mark.parametrize("program", PROGRAMS + ["paybell"])
def test_help_tells_and_exits_0(program):
    done = run(program, "--help")
    assert done.returncode == 0 and program in done.stdout and not done.stderr


@pytest.mark.parametrize("program", PROGRAMS + ["paybell"])
def test_version_is_one_line(program):
    done = run(program, "--version")
    assert done.returncode == 0 and done.stdout.count("\n") == 1 and program in done.stdout


@pytest.mark.parametrize("program", PROGRAMS)
def test_check_accepts_one_environment_for_all(program, settings):
    done = run(program, "--check", **settings)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_unknown_setting_is_refused_with_the_nearest(program, settings):
    done = run(program, "--check", LOG_LEVLE="info", **settings)
    assert done.returncode == 2
    assert "PAYBELL_LOG_LEVLE" in done.stderr and "PAYBELL_LOG_LEVEL" in done.stderr


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("change,named", [
    ({"DRAIN_TIMEOUT": "5"}, "PAYBELL_DRAIN_TIMEOUT"), ({"DRAIN_TIMEOUT": "5 parsecs"}, "PAYBELL_DRAIN_TIMEOUT"),
    ({"LOG_LEVEL": "loud"}, "PAYBELL_LOG_LEVEL"), ({"DRAIN_TIMEOUT": "-1s"}, "PAYBELL_DRAIN_TIMEOUT"),
])
def test_a_wrong_value_is_refused_by_name(program, settings, change, named):
    done = run(program, "--check", **{**settings, **change})
    assert done.returncode == 2 and named in done.stderr


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_unknown_flag_is_bad_usage(program, settings):
    done = run(program, "--no-such-flag", "1", **settings)
    assert done.returncode == 2 and "no-such-flag" in done.stderr


def test_a_secret_may_stand_in_a_file(settings, tmp_path):
    path = tmp_path / "keys"
    path.write_text(settings.pop("API_KEYS") + "\n")
    assert run("paybell-backend", "--check", **settings).returncode == 2
    done = run("paybell-backend", "--check", API_KEYS_FILE=str(path), **settings)
    assert done.returncode == 0, done.stderr
    both = run("paybell-backend", "--check", API_KEYS_FILE=str(path), API_KEYS="0" * 64, **settings)
    assert both.returncode == 2 and "PAYBELL_API_KEYS" in both.stderr


def test_a_secret_never_shows(settings):
    secret = settings["JWT_SECRET"]
    for arguments in (["--help"], ["--check"]):
        done = run("paybell-backend", *arguments, **settings)
        assert secret not in done.stdout + done.stderr


def test_an_address_in_use_is_exit_code_1(bare):
    bare.start_redis()
    backend = bare.start("backend")
    done = run("paybell-backend", "--listen", backend.fields["api"], "--database",
               os.path.join(bare.folder, "other.db"), "--admin", "off",
               **{k: v for k, v in bare.settings.items() if k != "DATABASE"})
    assert done.returncode == 1, done.stderr
    assert "use" in done.stderr.lower()


def test_a_database_that_is_taken_is_exit_code_1(bare):
    bare.start_redis()
    bare.start("backend")
    done = run("paybell-backend", "--listen", "127.0.0.1:0", "--admin", "off", **bare.settings)
    assert done.returncode == 1 and "lock" in done.stderr.lower(), done.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_sigterm_ends_it_with_0(own, name):
    own.stop(name)
    assert own.ended[-1].popen.returncode == 0


def test_the_backend_finishes_what_it_took_before_it_ends(own):
    """A POST that is on its way when SIGTERM comes is answered."""
    own.add_user("alice")
    admin = own.addresses["backend"]["admin"]
    before = api_requests(admin)
    lock = sqlite3.connect(own.database, isolation_level=None, timeout=10)
    lock.execute("BEGIN IMMEDIATE")
    answers = []
    payer = threading.Thread(target=lambda: answers.append(own.pay(None, "alice", "1.00")))
    payer.start()
    wait_until(lambda: api_requests(admin) > before, 5, "the request")
    own.processes["backend"].tell(signal.SIGTERM)
    lock.execute("ROLLBACK")
    lock.close()
    payer.join(15)
    own.stop("backend")
    assert answers and answers[0].status == 201


def test_workers_wait_for_the_database_and_redis(bare):
    """Started first, they are up, not working, and begin when the rest is there."""
    bare.addresses["sandbox"] = {"http": "127.0.0.1:1", "smtp": "127.0.0.1:2"}
    push = bare.start("push", wait="up")
    assert http_call(push.fields["admin"], "GET", "/healthz").status == 200
    answer = http_call(push.fields["admin"], "GET", "/readyz")
    assert answer.status == 503 and answer.json["ready"] is False and answer.json["reason"]
    bare.start_redis()
    bare.start("backend")
    push.wait_working()
    assert http_call(push.fields["admin"], "GET", "/readyz").status == 200


def test_the_ready_pipe_says_the_addresses_and_closes(bare):
    bare.start_redis()
    backend = bare.start("backend")
    assert set(backend.fields) >= {"admin", "api"}
    assert backend.ready_file.read() == b""


def test_two_installations_stand_side_by_side(own, bare):
    bare.start_all()
    for suite in (own, bare):
        suite.add_user("alice")
        assert suite.pay(None, "alice", "1.00").status == 201
        wait_until(lambda s=suite: len(s.inbox("sms")) == 1, 20, "the message")
