"""A raw Engine.IO v4 and Socket.IO v5 client: it also does what the real one never would."""
import collections
import json

from websocket import Closed, WebSocket, dial

BINARY, TEXT, CLOSE, PING, PONG = 2, 1, 8, 9, 10
PATH = "/socket.io/"
SEPARATOR = "\x1e"

Reply = collections.namedtuple("Reply", "status fields body")


class Http:
    """One connection for requests, one after the other, as a browser keeps it."""

    def __init__(self, address, timeout=20):
        self.address = address
        self.socket = dial(address, timeout)
        self.file = self.socket.makefile("rb")

    def send(self, method, path, body=None, **fields):
        """A request, and no look at its answer. Fields as Content_Type="…"."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.address}"]
        if body is not None:
            fields.setdefault("Content_Length", len(body))
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + (body or b""))
        return self

    def answer(self):
        line = self.file.readline()
        if not line:
            raise Closed(None)
        fields = {}
        while (field := self.file.readline().strip()):
            name, value = field.decode().split(":", 1)
            fields[name.lower()] = value.strip()
        body = self.file.read(int(fields.get("content-length", 0))).decode()
        return Reply(int(line.split()[1]), fields, body)

    def ask(self, method, path, body=None, **fields):
        return self.send(method, path, body, **fields).answer()

    def close(self):
        self.file.close()
        self.socket.close()


class Polling:
    """An Engine.IO session over long polls: GETs on one connection, POSTs on another."""
    kind = "polling"

    def __init__(self, address, **fields):
        self.address, self.fields = address, fields
        self.down, self.up = Http(address), Http(address)
        self.sid = None
        self.waiting = []  # packets that came and were not taken yet
        try:
            reply = self.down.ask("GET", self.path(), **fields)
            if reply.status != 200:
                raise ConnectionError(f"{reply.status} {reply.body}")
        except BaseException:
            self.close()
            raise
        opened, *self.waiting = reply.body.split(SEPARATOR)
        self.opened = json.loads(opened[1:])
        self.sid = self.opened["sid"]

    def path(self, transport="polling"):
        return f"{PATH}?EIO=4&transport={transport}" + (f"&sid={self.sid}" if self.sid else "")

    def get(self):
        """What one poll brings."""
        reply = self.down.ask("GET", self.path(), **self.fields)
        if reply.status != 200:
            raise ConnectionError(f"{reply.status} {reply.body}")
        return reply.body.split(SEPARATOR)

    def post(self, *packets):
        return self.up.ask("POST", self.path(), SEPARATOR.join(packets).encode(), **self.fields)

    def put(self, packet):
        reply = self.post(packet)
        assert (reply.status, reply.body) == (200, "ok"), reply

    def packet(self):
        """The next packet; pings are answered, noops passed over."""
        while True:
            while not self.waiting:
                self.waiting = self.get()
            packet = self.waiting.pop(0)
            if packet == "2":
                self.put("3")
            elif packet == "1":
                raise Closed(None)
            elif packet != "6":
                return packet

    def close(self):
        self.down.close()
        self.up.close()


class Socket(WebSocket):
    """An Engine.IO session over a WebSocket, or the WebSocket that one of polls goes over to."""
    kind = "websocket"

    def __init__(self, address, sid=None, **options):
        path = f"{PATH}?EIO=4&transport=websocket" + (f"&sid={sid}" if sid else "")
        super().__init__(address, path, **options)
        self.address = address
        self.waiting = []  # what polls brought before, and nobody has taken yet
        self.opened = None if sid else json.loads(self.packet()[1:])
        self.sid = sid or self.opened["sid"]

    def put(self, packet):
        """Text, or bytes as a binary message."""
        self.send(packet.encode() if isinstance(packet, str) else packet, TEXT if isinstance(packet, str) else BINARY)

    def raw(self):
        """The next packet, whatever it is."""
        while True:
            opcode, payload = self.frame()
            if opcode == TEXT:
                return payload.decode()
            if opcode == BINARY:
                return payload
            if opcode == PING:
                self.send(payload, PONG)
            if opcode == CLOSE:
                raise Closed(int.from_bytes(payload[:2], "big") if payload else None)

    def packet(self):
        """The next one that is not about the connection itself; pings are answered."""
        while True:
            packet = self.waiting.pop(0) if self.waiting else self.raw()
            if packet == "2":
                self.put("3")
            elif packet == "1":
                raise Closed(None)
            elif packet != "6":
                return packet


TRANSPORTS = {"websocket": Socket, "polling": Polling}


class ConnectError(Exception):
    """CONNECT was refused; .said is what came with it."""

    def __init__(self, said):
        super().__init__(f"refused: {said}")
        self.said = said


class Client:
    """A Socket.IO client in the main namespace. What happens, in order, is what next() returns: ("event", name, arguments),
    ("ack", id, arguments), ("disconnect",), ("close", code)."""

    def __init__(self, transport, **auth):
        self.transport = transport
        self.asked = 0
        self.kept = []  # what came while an answer was waited for
        transport.put("40" + json.dumps(auth))
        packet = transport.packet()
        if packet.startswith("44"):
            raise ConnectError(json.loads(packet[2:]))
        assert packet.startswith("40"), packet
        said = json.loads(packet[2:])
        self.sid, self.pid = said["sid"], said["pid"]

    def probe(self):
        """A WebSocket that has tried itself out and may take over from the polls."""
        over = Socket(self.transport.address, sid=self.transport.sid)
        over.put("2probe")
        assert over.raw() == "3probe"
        return over

    def go_over(self, over=None):
        over = over or self.probe()
        over.put("5")
        over.waiting = self.transport.waiting
        self.transport.close()
        self.transport = over

    def _read(self):
        try:
            packet = self.transport.packet()
        except Closed as closed:
            return ("close", closed.code)
        if packet.startswith("42"):
            name, *arguments = json.loads(packet[2:])
            return ("event", name, arguments)
        if packet.startswith("43"):
            number, arguments = packet[2:].split("[", 1)
            return ("ack", int(number), json.loads("[" + arguments))
        assert packet == "41", packet
        return ("disconnect",)

    def next(self):
        return self.kept.pop(0) if self.kept else self._read()

    def event(self, name):
        """The arguments of the next event, which must have that name; delivery statuses come when they like."""
        while True:
            said = self.next()
            if said[:2] != ("event", "delivery") or name == "delivery":
                assert said[:2] == ("event", name), said
                return said[2]

    def ask(self, *words):
        """The acknowledgement of an event; what comes before it is kept."""
        self.asked += 1
        self.transport.put(f"42{self.asked}" + json.dumps(words))
        while True:
            said = self._read()
            if said[:2] == ("ack", self.asked):
                return said[2][0]
            self.kept.append(said)
            assert said[0] not in ("close", "disconnect"), said

    def close(self):
        self.transport.close()
