"""A WebSocket client (RFC 6455), as much of it as the tests need."""
import base64
import hashlib
import hmac
import json
import os
import socket
import struct
import time

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


def token(secret, user, seconds=600, **claims):
    """A user's token, signed as the backend does (JWT, HS256)."""
    def part(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=")
    body = {"sub": user, "aud": "paybell", "exp": int(time.time()) + seconds, **claims}
    signed = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(json.dumps(body).encode())
    return (signed + b"." + part(hmac.new(secret.encode(), signed, hashlib.sha256).digest())).decode()


class Closed(Exception):
    """The other end has closed; .code says why (None: without a close frame)."""

    def __init__(self, code):
        super().__init__(f"closed: {code}")
        self.code = code


def dial(address, timeout=20, receive_buffer=None):
    """A connection to host:port or [v6]:port."""
    host, port = address.rsplit(":", 1)
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    connection = socket.socket(family)
    connection.settimeout(timeout)
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    try:
        connection.connect((host.strip("[]"), int(port)))
    except OSError:
        connection.close()
        raise
    return connection


class WebSocket:
    def __init__(self, address, path="/ws", protocols=(), timeout=20, fields=(), receive_buffer=None):
        """fields: more lines of the head; receive_buffer: bytes that the kernel keeps for a reader that is slow."""
        self.socket = dial(address, timeout, receive_buffer)
        self.pending = b""
        fields = [f"GET {path} HTTP/1.1", f"Host: {address}", "Upgrade: websocket", "Connection: Upgrade",
                  f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}", "Sec-WebSocket-Version: 13", *fields]
        if protocols:
            fields.append(f"Sec-WebSocket-Protocol: {', '.join(protocols)}")
        self.socket.sendall(("\r\n".join(fields) + "\r\n\r\n").encode())
        while b"\r\n\r\n" not in self.pending:
            self._more()
        head, self.pending = self.pending.split(b"\r\n\r\n", 1)
        self.status = int(head.split()[1])
        if self.status != 101:
            self.socket.close()
            raise ConnectionError(head.decode())

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise Closed(None)
        self.pending += data

    def _take(self, count):
        while len(self.pending) < count:
            self._more()
        taken, self.pending = self.pending[:count], self.pending[count:]
        return taken

    def frame(self):
        """The next frame: its opcode and payload."""
        first, length = self._take(2)
        if length == 126:
            length = struct.unpack("!H", self._take(2))[0]
        elif length == 127:
            length = struct.unpack("!Q", self._take(8))[0]
        return first & 15, self._take(length)

    def send(self, payload, opcode=TEXT):
        payload = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        mask = os.urandom(4)
        size = struct.pack("!B", 128 | len(payload)) if len(payload) < 126 else struct.pack("!BH", 254, len(payload))
        self.socket.sendall(bytes([128 | opcode]) + size + mask +
                            bytes(b ^ mask[i % 4] for i, b in enumerate(payload)))

    def receive(self):
        """The next text frame, parsed; pings are answered."""
        while True:
            opcode, payload = self.frame()
            if opcode == TEXT:
                return json.loads(payload)
            if opcode == PING:
                self.send(payload, PONG)
            if opcode == CLOSE:
                raise Closed(struct.unpack("!H", payload[:2])[0] if payload else None)

    def receive_type(self, kind):
        """The next frame of that type; the others are passed over."""
        while True:
            frame = self.receive()
            if frame["type"] == kind:
                return frame

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
