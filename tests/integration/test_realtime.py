"""The client that docs/realtime.md tells people to copy, as it stands there, over a gateway that is killed."""
import os
import re
import subprocess

from harness import ROOT, environment, wait_until
from test_socketio import modules  # noqa: F401  (a fixture: the folder of socket.io-client, which brings ws)
from websocket import token


def plain_client():
    with open(os.path.join(ROOT, "docs", "realtime.md"), encoding="utf-8") as page:
        return re.search(r"```js\n(.*?)```", page.read(), re.S)[1]


def start_client(modules, suite, user):
    source = plain_client().replace("wss://live.example.com", "ws://" + suite.addresses["gateway"]["ws"])
    given = token(suite.settings["JWT_SECRET"], user)
    path = os.path.join(suite.folder, "client.js")
    with open(path, "w", encoding="utf-8") as out:
        out.write('globalThis.WebSocket = require("ws");\n' + source.replace("wait = 500;\n", "wait = 50;\n", 1) +
                  # What the ws package asks for and a browser does not: somebody who hears that a connection failed.
                  '\nprocess.on("uncaughtException", () => {});\n'
                  # It is told what happens after its hello: a test has to wait for that.
                  f'const greeted = setInterval(() => {{ if (!ledger) return; clearInterval(greeted); '
                  f'require("fs").writeFileSync("{suite.folder}/greeted", ""); }}, 20);\n'
                  f'listen(async () => "{given}", (event) => console.log(event.sequence), () => {{}});\n')
    log = open(os.path.join(suite.folder, "client.log"), "wb")
    return subprocess.Popen(["node", path], env={**environment(), "NODE_PATH": modules}, stdout=log, stderr=log), log


def lines(folder):
    with open(os.path.join(folder, "client.log"), encoding="utf-8") as log:
        return log.read().split()


def test_the_documented_client_misses_nothing_while_its_gateway_is_killed(modules, own):  # noqa: F811
    own.add_user("ann")
    own.start("gateway")
    process, log = start_client(modules, own, "ann")
    paid = 0
    try:
        wait_until(lambda: os.path.exists(os.path.join(own.folder, "greeted")), 15, "the client's hello")
        for _ in range(3):
            paid += 5
            for _ in range(5):
                assert own.pay(None, "ann", "1.00").status == 201
            wait_until(lambda count=paid: len(lines(own.folder)) >= count, 20, f"{paid} events")
            own.kill("gateway")
            paid += 3
            for _ in range(3):
                assert own.pay(None, "ann", "1.00").status == 201
            own.start("gateway")
            wait_until(lambda count=paid: len(lines(own.folder)) >= count, 20, f"{paid} events after a kill")
    finally:
        process.kill()
        process.wait()
        log.close()
    assert [int(line) for line in lines(own.folder)] == list(range(1, paid + 1))
