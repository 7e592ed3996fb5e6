"""Plain HTTP on the gateway's port: what is neither a socket nor a poll."""
import contextlib
import email.utils
import json
import os
import socket
import time

import pytest

from harness import Suite, http_call, wait_until
from websocket import WebSocket, token

IDLE_S, MOST = 10, 500  # services/gateway/web.h
FILE_MAX = 4 << 20      # services/gateway/pages.h


# ---- a gateway with pages ----

def write(folder, name, content="x"):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as out:
        out.write(content if isinstance(content, bytes) else content.encode())
    return path


def make_pages(suite):
    """A folder of pages, and beside it what nobody may see."""
    pages = os.path.join(suite.folder, "pages")
    write(pages, "index.html", "<title>here</title>")
    write(pages, "app/index.html", "the app")
    write(pages, "app/main.js", "let a;")
    write(pages, "a b+ü.txt", "odd")
    write(pages, ".hidden", "hidden")
    write(pages, ".git/config", "hidden")
    write(pages, "most.bin", b"m" * FILE_MAX)
    write(pages, "more.bin", b"m" * (FILE_MAX + 1))
    os.mkfifo(os.path.join(pages, "pipe"))
    secret = write(suite.folder, "secret.txt", "secret")
    write(suite.folder, "beside/secret.txt", "secret")
    links = {"inside.html": "index.html", "app/up.html": "../index.html", "out.txt": "../secret.txt", "absolute.txt": secret,
             "beside": "../beside", "app/etc": "/etc", "self": "/proc/self", "round": "round"}
    for name, target in links.items():
        os.symlink(target, os.path.join(pages, name))
    return pages


@pytest.fixture(scope="module")
def served():
    suite = Suite(GATEWAY_RESTART_SPREAD="0s")
    try:
        suite.settings["GATEWAY_PAGES"] = make_pages(suite)
        suite.start_redis()
        suite.start("backend")
        suite.start("gateway")
        suite.start("gateway", as_name="open", GATEWAY_METRICS="on", GATEWAY_PAGES="")
        yield suite
    finally:
        suite.close()


@pytest.fixture
def at(served):
    yield served.addresses["gateway"]["ws"]
    served.check()


def dial(address, timeout=20):
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout)


def read_to_end(connection):
    data = b""
    try:
        while piece := connection.recv(65536):
            data += piece
    except ConnectionResetError:
        pass
    connection.close()
    return data


def raw(address, request):
    """Status, fields and body of the answer to these bytes; the connection must be closed after it."""
    connection = dial(address)
    connection.sendall(request)
    answer = read_to_end(connection)
    assert answer, "closed without an answer"
    head, body = answer.split(b"\r\n\r\n", 1)
    lines = head.decode().split("\r\n")
    fields = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
    return int(lines[0].split()[1]), fields, body


def get(address, path, method="GET", **fields):
    extra = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return raw(address, f"{method} {path} HTTP/1.1\r\nHost: x\r\n{extra}\r\n".encode())


@contextlib.contextmanager
def gateway_beside(suite, name, **settings):
    """A gateway of a test's own; its address."""
    suite.start("gateway", wait="up", as_name=name, **settings)
    yield suite.addresses[name]["ws"]
    suite.stop(name)


# ---- health ----

def test_health_and_readiness_are_answered_as_on_the_admin_port(served, at):
    admin = served.addresses["gateway"]["admin"]
    for path in ("/healthz", "/readyz"):
        status, fields, body = get(at, path)
        assert status == 200 and json.loads(body) == http_call(admin, "GET", path).json
        assert fields["cache-control"] == "no-store"
        status, fields, body = get(at, path, method="HEAD")
        assert status == 200 and body == b"" and int(fields["content-length"]) > 0
        status, fields, body = get(at, path, method="POST")
        assert status == 405 and fields["allow"] == "GET, HEAD" and json.loads(body)["status"] == 405


def test_a_gateway_that_cannot_work_is_alive_and_not_ready(served):
    with gateway_beside(served, "lonely", REDIS="unix:/nowhere/redis.sock") as address:
        assert get(address, "/healthz")[0] == 200
        status, _, body = get(address, "/readyz")
        assert status == 503 and json.loads(body)["ready"] is False and json.loads(body)["reason"]


def test_metrics_are_answered_only_where_a_setting_allows_it(served, at):
    status, fields, body = get(at, "/metrics")
    assert status == 404 and fields["content-type"] == "application/problem+json"
    assert json.loads(body)["type"] == "urn:paybell:problem:not-found"
    status, fields, body = get(served.addresses["open"]["ws"], "/metrics")
    assert status == 200 and b"paybell_gateway_http_requests_total" in body
    assert fields["content-type"].startswith("text/plain; version=0.0.4")


def test_without_a_folder_there_are_no_pages(served):
    for path in ("/", "/index.html", "//", "/../secret.txt"):
        assert get(served.addresses["open"]["ws"], path)[0] == 404


def test_a_folder_that_is_not_there_is_refused_with_its_name(served):
    process = served.start("gateway", wait=None, as_name="homeless", GATEWAY_PAGES="/no/such/folder")
    assert process.popen.wait(20) == 1
    served.processes.pop("homeless").close()
    assert "PAYBELL_GATEWAY_PAGES: /no/such/folder" in process.log()


# ---- files ----

def test_a_file_comes_with_its_type_and_may_be_asked_for_by_its_head(at):
    status, fields, body = get(at, "/")
    assert status == 200 and body == b"<title>here</title>"
    assert fields["content-type"] == "text/html; charset=utf-8" and fields["x-content-type-options"] == "nosniff"
    assert fields["cache-control"] == "no-cache" and fields["content-length"] == str(len(body))
    assert get(at, "/index.html?v=1")[2] == body
    assert get(at, "/app/")[2] == b"the app"
    status, fields, body = get(at, "/app/main.js")
    assert status == 200 and body == b"let a;" and fields["content-type"] == "text/javascript; charset=utf-8"
    status, fields, body = get(at, "/app/main.js", method="HEAD")
    assert status == 200 and body == b"" and fields["content-length"] == "6" and fields["etag"]
    assert get(at, "/inside.html")[2] == get(at, "/app/up.html")[2] == get(at, "/")[2]


def test_a_name_may_be_percent_encoded(at):
    for path in ("/a%20b+%C3%BC.txt", "/%61%20b%2B%c3%bc.txt", "/a%20b+\u00fc.txt"):
        status, fields, body = get(at, path)
        assert (status, body, fields["content-type"]) == (200, b"odd", "text/plain; charset=utf-8"), path
    assert get(at, "/app%2Fmain.js")[2] == b"let a;"


def test_a_client_that_has_a_file_already_is_told_so(served, at):
    path = write(served.settings["GATEWAY_PAGES"], "changing.css", "a{}")
    _, fields, _ = get(at, "/changing.css")
    tag, since = fields["etag"], fields["last-modified"]
    assert email.utils.parsedate_to_datetime(since).timestamp() == int(os.stat(path).st_mtime)
    early = email.utils.formatdate(os.stat(path).st_mtime - 60, usegmt=True)
    for known in ({"If_None_Match": tag}, {"If_None_Match": f'"other" , W/{tag}'}, {"If_None_Match": "*"},
                  {"If_Modified_Since": since}, {"If_None_Match": tag, "If_Modified_Since": early}):
        status, fields, body = get(at, "/changing.css", **known)
        assert status == 304 and body == b"" and fields["etag"] == tag and "content-type" not in fields, known
        assert fields.get("content-length") in (None, "3")
    for unknown in ({"If_None_Match": '"other"'}, {"If_None_Match": tag[:-1]}, {"If_None_Match": tag[1:-1]},
                    {"If_None_Match": '"other"', "If_Modified_Since": since}, {"If_Modified_Since": early},
                    {"If_Modified_Since": "yesterday"}, {"If_None_Match": ""}, {"If_None_Match": ",,W/"}):
        status, _, body = get(at, "/changing.css", **unknown)
        assert status == 200 and body == b"a{}", unknown
    write(served.settings["GATEWAY_PAGES"], "changing.css", "b{}")
    status, fields, body = get(at, "/changing.css", If_None_Match=tag)
    assert status == 200 and body == b"b{}" and fields["etag"] != tag


def test_a_folder_may_be_replaced_while_it_runs(served):
    pages = os.path.join(served.folder, "deployed")
    write(pages, "index.html", "one")
    with gateway_beside(served, "deploying", GATEWAY_PAGES=pages) as address:
        assert get(address, "/")[2] == b"one"
        os.rename(pages, pages + ".old")
        assert get(address, "/")[0] == 404
        write(pages, "index.html", "two")
        assert get(address, "/")[2] == b"two"


def test_the_largest_file_comes_whole_and_a_larger_one_not_at_all(at):
    status, fields, body = get(at, "/most.bin")
    assert status == 200 and body == b"m" * FILE_MAX and fields["content-type"] == "application/octet-stream"
    assert get(at, "/more.bin")[0] == 404


OUTSIDE = [
    "/../secret.txt", "/app/../../secret.txt", "/app/../index.html", "/./index.html", "/app/./main.js", "/..", "/.", "/app/..",
    "/%2e%2e/secret.txt", "/%2E%2E%2fsecret.txt", "/..%2fsecret.txt", "/app/%2e%2e/%2e%2e/secret.txt", "/%2e/index.html",
    "/%252e%252e/secret.txt", "/..%c0%afsecret.txt", "/%c0%ae%c0%ae/secret.txt", "/..\\secret.txt", "/..%5csecret.txt",
    "//index.html", "//", "/app//main.js", "/app/main.js/", "/index.html/", "//etc/passwd", "/%2fetc/passwd", "/etc/passwd",
    "/out.txt", "/absolute.txt", "/beside/secret.txt", "/beside/", "/app/etc/passwd", "/self/environ", "/round", "/round/",
    "/.hidden", "/.git/config", "/.git/", "/%2egit/config", "/pipe", "/app", "/beside", "/nothing", "/nothing/",
    "/index.html%00", "/%00", "/index.html%00.txt", "/index.html%0a", "/index.html%20", "/INDEX.HTML", "/" + "a" * 300,
    "/" + "a/" * 500, "/" + "a" * 1025, "/" + "app/" * 2000, "/;/index.html", "/~root", "/index.html;x",
]


@pytest.mark.parametrize("path", OUTSIDE, ids=[path[:40] for path in OUTSIDE])
def test_nothing_but_the_folders_own_files_is_served(at, path):
    status, fields, body = get(at, path)
    assert status == 404 and fields["content-type"] == "application/problem+json", (status, body[:200])
    assert json.loads(body)["status"] == 404


@pytest.mark.parametrize("target", ["index.html", "*", "http://x/../secret.txt", "http:///secret.txt", "?", "#", "/\x7f", "/a\\b"])
def test_a_target_that_is_no_path_is_refused(at, target):
    status, _, body = get(at, target)
    assert status in (400, 404) and b"secret" not in body.replace(b"secret.txt", b"")


def test_other_methods_are_refused(at):
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"):
        status, fields, body = raw(at, f"{method} /index.html HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab".encode())
        assert status == 405 and fields["allow"] == "GET, HEAD", (method, body)
        assert raw(at, f"{method} /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())[0] == 404
    assert raw(at, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n")[0] == 413


def test_every_answer_ends_its_connection(at):
    """A proxy that kept one would send the next request, perhaps an upgrade, to the wrong side. raw() waits for the end."""
    keep = b"Host: x\r\nConnection: keep-alive\r\n\r\n"
    tag = get(at, "/")[1]["etag"].encode()
    requests = [b"GET / HTTP/1.1\r\n" + keep, b"HEAD / HTTP/1.1\r\n" + keep, b"GET /healthz HTTP/1.1\r\n" + keep,
                b"GET /nothing HTTP/1.1\r\n" + keep, b"DELETE / HTTP/1.1\r\n" + keep, b"GET / HTTP/1.0\r\n" + keep,
                b"GET / HTTP/1.1\r\nIf-None-Match: " + tag + b"\r\n" + keep, b"GET / HTTP/2.0\r\n" + keep,
                b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n" + keep,
                b"GET / HTTP/1.1\r\n" + keep + b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n" + keep]
    for request in requests:
        _, fields, body = raw(at, request)
        assert fields["connection"].lower() == "close", request
        assert b"HTTP/1.1" not in body, "a second request was answered"


# ---- who means no good ----

def test_half_a_request_is_timed_out_and_nobody_waits_for_it(served, at):
    started = time.monotonic()
    halves = [dial(at) for _ in range(20)]
    for index, half in enumerate(halves):
        half.sendall([b"GET /half HTTP/1.1\r\nHo", b"GET / HTTP/1.1\r\nHost: x\r\n", b"GET /a",
                      b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"][index % 4])
    assert get(at, "/")[0] == 200 and time.monotonic() - started < IDLE_S / 2
    for half in halves:
        assert not read_to_end(half).startswith(b"HTTP/1.1 2")
    assert IDLE_S - 1 < time.monotonic() - started < IDLE_S + 5


def test_a_crowd_is_closed_at_its_limit_and_costs_the_sockets_nothing(served, at):
    served.add_user("crowded", devices=0)
    given = token(served.settings["JWT_SECRET"], "crowded")
    with WebSocket(at, protocols=["paybell.v1", f"token.{given}"]) as client:
        client.receive_type("hello")
        held = descriptors(served.processes["gateway"])
        crowd = [dial(at) for _ in range(MOST + 100)]
        for one in crowd:
            one.sendall(b"POST /crowd HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
        wait_until(lambda: "paybell_gateway_http_refused_total 100\n" in metrics(served), 10, "the refusal of what is too many")
        assert served.pay(None, "crowded", "1.00").status == 201
        started = time.monotonic()
        assert client.receive_type("event")["event"]["data"]["amount"] == "1.00"
        assert time.monotonic() - started < 2
        for one in crowd:
            one.close()
        wait_until(lambda: descriptors(served.processes["gateway"]) <= held, IDLE_S - 4, "the end of the crowd")
        assert answers(at)


def test_a_crowd_of_half_requests_keeps_nobody_from_an_answer(served, at):
    crowd = [dial(at) for _ in range(MOST + 100)]
    for one in crowd:
        one.sendall(b"GET /crowd HTTP/1.1\r\n")
    for _ in range(5):
        assert answers(at)
    for one in crowd:
        one.close()


def descriptors(process):
    return len(os.listdir(f"/proc/{process.pid}/fd"))


def metrics(served):
    return http_call(served.addresses["gateway"]["admin"], "GET", "/metrics").body.decode()


def answers(address):
    connection = dial(address)
    try:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    except OSError:
        pass
    return read_to_end(connection).startswith(b"HTTP/1.1 200 ")


def processor_s(process):
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_slow_readers_of_large_files_cost_neither_memory_nor_processor(served, at):
    def resident():
        with open(f"/proc/{served.processes['gateway'].pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    before, slow = resident(), []
    for _ in range(40):
        connection = dial(at)
        connection.sendall(b"GET /most.bin HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 200"
        slow.append(connection)
    assert get(at, "/")[0] == 200
    used = processor_s(served.processes["gateway"])
    time.sleep(1)  # a measurement, not a wait
    assert processor_s(served.processes["gateway"]) - used < 0.3
    assert resident() - before < 16 << 20, "40 files of 4 MiB are in memory"
    for connection in slow[1:]:
        connection.close()
    assert len(read_to_end(slow[0])) > FILE_MAX


def test_it_ends_at_once_with_all_sorts_of_connections_open(served):
    with gateway_beside(served, "ending") as address:
        left = [dial(address) for _ in range(30)]
        for index, one in enumerate(left):
            one.sendall([b"GET /half", b"GET /most.bin HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\n"][index % 3])
        assert get(address, "/")[0] == 200
        started = time.monotonic()
    assert time.monotonic() - started < 10  # the handshake timeout and what may still leave
    for one in left:
        read_to_end(one)


# ---- beside it ----

def test_sockets_and_polls_stay_what_they_are(served, at):
    served.add_user("beside", devices=0)
    given = token(served.settings["JWT_SECRET"], "beside")
    with WebSocket(at, protocols=["paybell.v1", f"token.{given}"]) as client:
        assert client.receive_type("hello")
    answer = http_call(at, "GET", "/socket.io/?EIO=4&transport=polling")
    assert answer.status == 200 and answer.body.startswith(b"0{")
