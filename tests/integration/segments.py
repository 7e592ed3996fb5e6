"""WebSocket frames as bytes, whole and broken ones, and a connection that sends them cut as one likes.

Nothing of it is a client: it says what it is told, and reads what comes until the other end has ended.
"""
import itertools
import random
import socket
import struct

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
NAMES = {TEXT: "text", BINARY: "binary", CLOSE: "close", PING: "ping", PONG: "pong"}
PATIENCE_S = 20
WHOLE_BYTES = 2000  # what is longer is cut one byte at a time at its ends only
MASKS = itertools.cycle([b"\x37\xfa\x21\x3d", b"\xff\x00\xff\x01", b"\x80\x7f\x0a\x0d", b"\x01\x02\x03\x04"])


def masked(payload, mask):
    whole = (mask * (len(payload) // 4 + 1))[:len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(whole, "big")).to_bytes(len(payload), "big")


def frame(opcode, payload=b"", fin=True, rsv=0, mask=None, masks=True, form=None, length=None):
    """One frame of a client. form: the bits of its length (7, 16, 64), else the shortest; length: what it says in place of the truth; masks
    False: not at all."""
    said = len(payload) if length is None else length
    form = form or (7 if said < 126 else 16 if said < 1 << 16 else 64)
    bit = 128 if masks else 0
    size = {7: struct.pack("!B", bit | said & 127), 16: struct.pack("!BH", bit | 126, said & 0xffff),
            64: struct.pack("!BQ", bit | 127, said)}[form]
    head = bytes([(128 if fin else 0) | rsv << 4 | opcode]) + size
    if not masks:
        return head + payload
    mask = mask or next(MASKS)
    return head + mask + masked(payload, mask)


def close(code=None, reason=b""):
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason)


def pieces_of(opcode, *parts, between=()):
    """One message in so many frames, and other frames between them."""
    frames = []
    for index, part in enumerate(parts):
        frames += [frame(opcode if index == 0 else CONTINUATION, part, fin=index == len(parts) - 1)]
        frames += list(between) if index < len(parts) - 1 else []
    return frames


# ---- how the bytes of a conversation are cut ----

def frame_by_frame(frames):
    return list(frames)


def all_at_once(frames):
    return [b"".join(frames)]


def byte_by_byte(frames):
    cut = []
    for one in frames:
        if len(one) <= WHOLE_BYTES:
            cut += [one[at:at + 1] for at in range(len(one))]
        else:
            cut += [one[at:at + 1] for at in range(20)] + [one[20:-4]]
            cut += [one[at:at + 1] for at in range(len(one) - 4, len(one))]
    return cut


def random_cuts(seed):
    def cut(frames):
        """Short pieces mostly: most of what can go wrong is in the headers."""
        dice, whole, at, found = random.Random(seed), b"".join(frames), 0, []
        while at < len(whole):
            size = dice.choice([1, 2, 3, 5, 8, 13, 40, len(whole) // 3 + 1])
            found.append(whole[at:at + size])
            at += size
        return found
    cut.__name__ = f"random_cuts_{seed}"
    return cut


CUTS = [frame_by_frame, all_at_once, byte_by_byte, random_cuts(1), random_cuts(2)]


class Arrivals:
    """How much of what was sent the other end's program has not read yet, as the kernel tells it (sock_diag(7)):
    the way to be sure that it gets one piece at a time."""
    SOCK_DIAG, REQUEST, BY_FAMILY, ERROR, TCP = 4, 1, 20, 2, 6

    def __init__(self, ours, theirs):
        address = [struct.pack("!HH", theirs[1], ours[1])]
        address += [socket.inet_aton(host).ljust(16, b"\0") for host in (theirs[0], ours[0])]
        request = struct.pack("=BBBBI", socket.AF_INET, self.TCP, 0, 0, 0xffffffff) + b"".join(address) + \
            struct.pack("=III", 0, 0xffffffff, 0xffffffff)
        self.question = struct.pack("=IHHII", 16 + len(request), self.BY_FAMILY, self.REQUEST, 1, 0) + request
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, self.SOCK_DIAG)
        self.socket.connect((0, 0))

    def unread(self):
        self.socket.send(self.question)
        answer = self.socket.recv(4096)
        if struct.unpack_from("=H", answer, 4)[0] == self.ERROR:  # it is closed, or not there yet
            return 0
        return struct.unpack_from("=I", answer, 16 + 56)[0]

    def wait(self):
        """Not for ever: what is looked at without being read counts as unread."""
        for _ in range(50):
            if self.unread() == 0:
                return

    def close(self):
        self.socket.close()


class Raw:
    """A connection to host:port."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pending = b""

    def send(self, pieces, one_at_a_time=False):
        if not one_at_a_time:
            for piece in pieces:
                self.socket.sendall(piece)
            return
        arrivals = Arrivals(self.socket.getsockname(), self.socket.getpeername())
        try:
            for piece in pieces:
                self.socket.sendall(piece)
                arrivals.wait()
        finally:
            arrivals.close()

    def head(self):
        """The answer's head, as (status, [(name in lower case, value)])."""
        while b"\r\n\r\n" not in self.pending:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError(f"ended after {self.pending!r}")
            self.pending += data
        head, self.pending = self.pending.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        fields = [(name.lower(), value.strip()) for name, value in (line.split(":", 1) for line in lines[1:])]
        version, status = lines[0].split(" ")[:2]
        assert version == "HTTP/1.1", f"the status line is {lines[0]!r}"
        return int(status), fields

    def rest(self):
        """All that comes until the other end ends; that it resets the connection is an error."""
        parts = [self.pending]
        while True:
            # Not the kernel's 40 ms for an acknowledgement: a server with a small buffer waits for each of them.
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            data = self.socket.recv(1 << 18)
            if not data:
                self.pending = b""
                return b"".join(parts)
            parts.append(data)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# ---- what a server said ----

def _take_frame(bytes_, at):
    """(fin, opcode, payload, where the next begins), and it must be as a server's frames are (section 5.2)."""
    first, second = bytes_[at], bytes_[at + 1]
    assert first & 0x70 == 0, f"a reserved bit in {first:#x}"
    assert second & 128 == 0, "a server's frame with a mask"
    length, at, least = second & 127, at + 2, 0
    if length == 126:
        (length,), at, least = struct.unpack_from("!H", bytes_, at), at + 2, 126
    elif length == 127:
        (length,), at, least = struct.unpack_from("!Q", bytes_, at), at + 8, 1 << 16
    assert length >= least, "a length that is not in its shortest form"
    assert at + length <= len(bytes_), "half a frame"
    return bool(first & 128), first & 15, bytes_[at:at + length], at + length


def _closing(payload):
    if not payload:
        return None
    payload[2:].decode()
    return struct.unpack_from("!H", payload)[0]


def answers_in(bytes_):
    """[("text", …), ("pong", …), ("close", code or None)], with the fragments of a message put together."""
    found, at, message, kind = [], 0, b"", None
    while at < len(bytes_):
        fin, opcode, payload, at = _take_frame(bytes_, at)
        assert not found or found[-1][0] != "close", "a frame behind the close frame"
        if opcode >= CLOSE:
            assert fin and len(payload) <= 125, "no good control frame"
            found.append((NAMES[opcode], _closing(payload) if opcode == CLOSE else payload))
            continue
        assert (opcode == CONTINUATION) == (kind is not None), "fragments out of place"
        kind = kind or NAMES[opcode]
        message += payload
        if fin:
            found.append((kind, message))
            message, kind = b"", None
    assert kind is None, "a message that never ends"
    return found
