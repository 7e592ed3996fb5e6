"""What hostile clients do, as data: the scripts that the program `hostile` plays, and how the gateway has to end them."""
import os
import re
import struct
from typing import NamedTuple

KEY = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
UPGRADE = "Upgrade: websocket\r\nConnection: Upgrade\r\n" + KEY
SIO = "/socket.io/?EIO=4&transport="
PAGES_S = 10         # for a request to the HTTP server on the gateway's port
UNFINISHED = 990000  # bytes of a message of a million that never ends
FOREVER = -1


class Attack(NamedTuple):
    name: str
    first: bytes = b""
    then: bytes = b""
    connections: int = 200   # at a time
    rate: int = 1000         # new ones a second
    total: int = 10 ** 6     # in one go
    times: int = 1           # `then` is sent
    piece: int = 0           # bytes
    every_ms: int = 0
    finish: str = "stay"
    mute: bool = False
    ends: tuple = ()         # how each has to end; "open" where it may stay
    within_s: float = 0      # of the handshake's or the token's time; 0: at once
    memory_kb: float = 16    # at most, of the gateway's, for one that is there

    def argv(self, folder, to, source, seconds):
        paths, mine = [], re.sub(r"\W+", "-", self.name)
        for name, content in (("first", self.first), ("then", self.then)):
            path = os.path.join(folder, f"{mine}.{name}")
            with open(path, "wb") as out:
                out.write(content)
            paths += [f"--{name}", path]
        options = {"to": to, "from": source, "seconds": seconds, "connections": self.connections, "rate": self.rate,
                   "total": self.total, "times": self.times, "piece": self.piece, "every-ms": self.every_ms, "finish": self.finish}
        return paths + [word for name, value in options.items() for word in (f"--{name}", str(value))] + ["--mute"] * self.mute


def get(path, fields="", end="\r\n"):
    return f"GET {path} HTTP/1.1\r\nHost: paybell\r\n{fields}{end}".encode()


def socket(path="/ws", token=None, fields=""):
    if token:
        fields += f"Sec-WebSocket-Protocol: paybell.v1, token.{token}\r\n"
    return get(path, UPGRADE + fields)


def frame(payload, opcode=1, final=True, claimed=None):
    """Masked with zeros; claimed: the length that its header says."""
    length = len(payload) if claimed is None else claimed
    if length < 126:
        size = struct.pack("!B", 128 | length)
    else:
        size = struct.pack("!BH", 254, length) if length < 65536 else struct.pack("!BQ", 255, length)
    return bytes([128 * final | opcode]) + size + bytes(4) + payload


def attacks(user_token, ops_token, handshake_s, auth_s):
    """user_token: of a user with a long past."""
    gone = ("closed", "reset", "status 408")
    poll = get(SIO + "polling")
    post = get(SIO + "polling&sid={sid}", "Content-Length: 16000\r\n").replace(b"GET", b"POST", 1)
    slow = {"connections": 1000, "within_s": handshake_s, "ends": gone}
    unknown = {"within_s": auth_s}
    return [
        Attack("half-open handshakes", get("/ws", UPGRADE, end=""), **slow),
        Attack("handshakes of one byte a second", socket(), piece=1, every_ms=1000, **slow),
        Attack("connections that say nothing", **{**slow, "ends": (*gone, "open")}),
        Attack("half of a request for a page", get("/index.html", end=""), **{**slow, "within_s": PAGES_S}),
        Attack("heads byte for byte, as fast as they go", socket(fields="X: " + "x" * 7000 + "\r\n"), piece=1, every_ms=1, connections=30,
               within_s=handshake_s, ends=gone),
        Attack("heads of 9 KB", socket(fields="X: " + "x" * 9000 + "\r\n"), ends=("status 431",)),
        Attack("ten thousand bad tokens", socket(token="x.y.z"), total=10000, rate=2000, ends=("close 4401",)),
        Attack("no token at all", socket(), connections=1000, ends=("close 4401",), **unknown),
        Attack("resets after the request", socket(token=user_token), rate=2000, finish="reset", ends=("finished",)),
        Attack("resets while a long past is read", socket("/ws?after=1", user_token), rate=2000, finish="reset-answered",
               ends=("finished",)),
        Attack("half-closed", socket(token=user_token), finish="half", ends=("closed", "reset", "status", "close")),
        Attack("never reading, of everybody's events", socket(token=ops_token), mute=True, connections=20, memory_kb=200,
               ends=("close 1013", "closed", "reset")),
        Attack("never reading, of a long past", socket("/ws?after=1", user_token), mute=True, memory_kb=700,
               ends=("close 1013", "open")),
        Attack("pings, 10,000 a second", socket(token=user_token), frame(b"", 9) * 100, times=FOREVER, every_ms=10, connections=20,
               ends=("close 1008", "reset")),
        Attack("pings, never reading", socket(), frame(b"x" * 125, 9) * 500, times=FOREVER, mute=True, connections=100, memory_kb=300,
               ends=("close 1008", "close 1013", "reset", "closed")),
        Attack("messages, 10,000 a second", socket(token=user_token), frame(b'{"type":"ping"}') * 100, times=FOREVER, every_ms=10,
               connections=20, ends=("close 1008", "reset")),
        Attack("fragments without end", socket(token=user_token), frame(b"", 0, False) * 100, times=FOREVER, every_ms=10, connections=20,
               ends=("close 1002", "close 1008", "reset")),
        Attack("a message of fragments without end", socket(token=user_token), frame(b"x", 1, False) + frame(b"", 0, False) * 20000,
               every_ms=10, piece=700, connections=20, ends=("close 1008", "close 1009", "reset", "open")),
        Attack("frames that claim 2^40 bytes", socket(token=user_token), frame(b"", claimed=2 ** 40), ends=("close 1009",)),
        Attack("unmasked frames", socket(token=user_token), b"\x81\x01x", ends=("close 1002",)),
        Attack("Socket.IO: messages of 1 MB that never end", get(SIO + "websocket", UPGRADE),
               frame(b"4" + b"x" * UNFINISHED, claimed=UNFINISHED + 9), ends=("close 1009", "close 1005", "reset")),
        Attack("Socket.IO: messages of 16 KB that never end", get(SIO + "websocket", UPGRADE), frame(b"4" + b"x" * 15000, claimed=16000),
               memory_kb=40, ends=("closed", "close 1005", "reset"), **unknown),
        Attack("Socket.IO: namespaces", get(SIO + "websocket", UPGRADE), frame(b'40/n,{"token":"x"}') * 100, times=FOREVER, every_ms=10,
               connections=20, ends=("close 1008", "closed", "close 1005", "reset")),
        Attack("polling: bodies of 100 bytes a second", poll, post + b"4" + b"x" * 15999, piece=100, every_ms=1000, connections=500,
               memory_kb=40, ends=("closed", "reset", "status"), **unknown),
        Attack("polling: sessions that are left alone", poll, rate=2000, finish="reset-answered", ends=("finished",)),
        Attack("polling: requests without a pause", poll, poll * 100, times=FOREVER, every_ms=10, connections=20,
               ends=("status 429", "status 503", "closed", "reset")),
    ]
