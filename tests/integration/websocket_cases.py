"""What RFC 6455 says of frames, as conversations: what a client sends, and what an echo server has to answer.

Each case stands for itself and names its section. In the answers ("close", codes) means one of these codes, None
for a close frame without one. A pong may be left out when a later ping's pong comes (section 5.5.3).
"""
import random
from typing import NamedTuple

from segments import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close, frame, pieces_of

LIMIT = 16 << 20  # of a message, at the conformance server
OPCODES = {"text": TEXT, "binary": BINARY, "continuation": CONTINUATION, "ping": PING, "pong": PONG, "close": CLOSE}
NORMAL = [("close", {1000})]
CASES = []


class Case(NamedTuple):
    section: str
    sentence: str
    frames: list
    answers: list
    is_long: bool  # too much to be said in every way


def works(section, sentence, frames, answers, is_long=False):
    """The client closes at the end, and the server closes with it."""
    CASES.append(Case(section, sentence, [*frames, close(1000)], [*answers, *NORMAL], is_long))


def ends(section, sentence, frames, codes, before=()):
    """It ends with one of these codes, and what comes behind is not answered any more."""
    codes = {codes} if isinstance(codes, int) else codes
    CASES.append(Case(section, sentence, [*frames, frame(TEXT, b"behind")], [*before, ("close", codes)], False))


def text(payload):
    return ("text", payload if isinstance(payload, bytes) else payload.encode())


def sized(kind, size):
    pattern = "aü☃😀".encode() if kind == "text" else bytes(range(256))
    whole = (pattern * (size // len(pattern) + 1))[:size]
    # A text that is cut inside of a letter is none.
    return whole.decode(errors="ignore").encode().ljust(size, b".") if kind == "text" else whole


# ---- 5.2 and 5.6: sizes, and how they are written ----

SIZES = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 124, 125, 126, 127, 128, 129, 1000, 4095, 4096, 4097, 16384, 65534, 65535,
         65536, 65537, 1 << 20]

for kind in ("text", "binary"):
    for size in SIZES:
        works("5.6", f"a {kind} of {size} bytes comes back", [frame(OPCODES[kind], sized(kind, size))],
              [(kind, sized(kind, size))], size > 100000)
    works("5.6", f"a {kind} of 16 MiB comes back", [frame(OPCODES[kind], sized(kind, LIMIT))], [(kind, sized(kind, LIMIT))], True)
    ends("7.4.1", f"a {kind} of 16 MiB and one byte is 1009 before any of it came", [frame(OPCODES[kind], length=LIMIT + 1)], 1009)
    ends("7.4.1", f"a {kind} that says it has 4 GiB is 1009", [frame(OPCODES[kind], length=1 << 32)], 1009)
    ends("7.4.1", f"a {kind} that says it has 2^63 - 1 bytes is 1009", [frame(OPCODES[kind], length=(1 << 63) - 1)], 1009)
    for bits in (1 << 63, (1 << 63) + 5, (1 << 64) - 1):
        ends("5.2", f"a {kind}'s length of {bits:#x}, with the top bit, is refused",
             [frame(OPCODES[kind], b"Hello", length=bits)], {1002, 1009})
    for form, sizes in ((16, (0, 1, 125)), (64, (0, 1, 125, 126, 65535))):
        for size in sizes:
            ends("5.2", f"a {kind} of {size} bytes with a length of {form} bits, more than it needs, is refused",
                 [frame(OPCODES[kind], sized(kind, size), form=form)], 1002)
ends("7.4.1", "a message that grows over 16 MiB with its second piece is 1009",
     [frame(BINARY, sized("binary", 1 << 20), fin=False), frame(CONTINUATION, length=LIMIT - (1 << 20) + 1)], 1009)
ends("7.4.1", "a message that grows over 16 MiB after many pieces is 1009",
     [*pieces_of(TEXT, *[b"x" * 100] * 10)[:-1], frame(CONTINUATION, length=LIMIT - 899, fin=False)], 1009)
works("5.6", "messages of 0 to 70 bytes come back one after the other",
      [frame(BINARY, sized("binary", size)) for size in range(71)], [("binary", sized("binary", size)) for size in range(71)])
works("5.6", "text and binary keep their kind and their order",
      [frame(TEXT, b"1"), frame(BINARY, b"2"), frame(TEXT, b"3"), frame(BINARY, b"")],
      [text("1"), ("binary", b"2"), text("3"), ("binary", b"")])
works("5.6", "a binary message may hold what is no UTF-8", [frame(BINARY, b"\xff\xfe\xc0\x80\xed\xa0\x80")],
      [("binary", b"\xff\xfe\xc0\x80\xed\xa0\x80")])
works("5.7", "the RFC's own masked Hello comes back", [bytes.fromhex("818537fa213d7f9f4d5158")], [text("Hello")])

# ---- 5.1 and 5.3: masks ----

for name, opcode in OPCODES.items():
    for payload in (b"", b"\x03\xe8" if name == "close" else b"Hello"):
        ends("5.1", f"a {name} of {len(payload)} bytes without a mask is refused", [frame(opcode, payload, masks=False)], 1002)
ends("5.1", "a frame without a mask after a good one is refused", [frame(TEXT, b"a"), frame(TEXT, b"b", masks=False)], 1002,
     [text("a")])
ends("5.1", "a continuation without a mask is refused",
     [frame(TEXT, b"a", fin=False), frame(CONTINUATION, b"b", masks=False)], 1002)
for mask in (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\0\0\0", b"\0\xff\0\0", b"\0\0\xff\0", b"\0\0\0\xff"):
    works("5.3", f"the mask {mask.hex()} is as good as any", [frame(TEXT, sized("text", 75), mask=mask), frame(PING, b"abcde", mask=mask)],
          [text(sized("text", 75)), ("pong", b"abcde")])

# ---- 5.2: reserved bits and opcodes ----

for name, opcode in OPCODES.items():
    for rsv in range(1, 8):
        start = [frame(TEXT, b"a", fin=False)] if name == "continuation" else []
        ends("5.2", f"a {name} with the reserved bits {rsv:03b} is refused", [*start, frame(opcode, rsv=rsv)], 1002)
ends("5.2", "a reserved bit on the second of two messages lets the first through",
     [frame(TEXT, b"a"), frame(TEXT, b"b", rsv=4), frame(PING, b"")], 1002, [text("a")])
for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
    ends("5.2", f"opcode {opcode:#x}, empty, is refused", [frame(opcode)], 1002)
    ends("5.2", f"opcode {opcode:#x} with a payload is refused", [frame(opcode, b"reserved for further frames")], 1002)
    ends("5.2", f"opcode {opcode:#x} behind a message is refused", [frame(TEXT, b"a"), frame(opcode, b"x"), frame(PING)], 1002, [text("a")])
    ends("5.2", f"opcode {opcode:#x} inside of a message is refused",
         [frame(TEXT, b"a", fin=False), frame(opcode, b"x"), frame(CONTINUATION, b"b")], 1002)
    ends("5.2", f"opcode {opcode:#x} as a fragment is refused", [frame(opcode, b"x", fin=False), frame(CONTINUATION, b"b")], 1002)

# ---- 5.4: fragments ----

for kind in ("text", "binary"):
    for count in (2, 3, 4, 10, 100):
        parts = [b"%d," % number for number in range(count)]
        works("5.4", f"a {kind} in {count} pieces is one message", pieces_of(OPCODES[kind], *parts), [(kind, b"".join(parts))])
    for sizes in ((0, 5), (5, 0), (0, 0), (0, 0, 0, 0), (0, 5, 0), (5, 0, 5), (1, 0, 0, 1), (125, 126), (126, 65535, 65536),
                  (8, 8, 8), (7, 9, 1), (1,) * 17):
        parts = [b"*" * size for size in sizes]
        works("5.4", f"a {kind} in pieces of {'+'.join(map(str, sizes))} bytes is one message", pieces_of(OPCODES[kind], *parts),
              [(kind, b"".join(parts))])
    works("5.4", f"a {kind} of 1 MiB in pieces of 4 KiB is one message", pieces_of(OPCODES[kind], *[sized(kind, 4096)] * 256),
          [(kind, sized(kind, 4096) * 256)], True)
    works("5.4", f"a ping between the pieces of a {kind} is answered before the message",
          pieces_of(OPCODES[kind], b"one", b"two", between=[frame(PING, b"between")]), [("pong", b"between"), (kind, b"onetwo")])
    works("5.4", f"pings between all of a {kind}'s pieces do it no harm",
          pieces_of(OPCODES[kind], b"a", b"", b"b", b"c", between=[frame(PING, b"x"), frame(PING, b"yy")]),
          [("pong", b"x"), ("pong", b"yy")] * 3 + [(kind, b"abc")])
    works("5.4", f"a pong between the pieces of a {kind} is nothing",
          pieces_of(OPCODES[kind], b"one", b"two", between=[frame(PONG, b"between")]), [(kind, b"onetwo")])
    works("5.4", f"a ping of 125 bytes between a {kind}'s pieces is not mixed up with it",
          pieces_of(OPCODES[kind], b"o" * 125, b"t" * 125, between=[frame(PING, b"p" * 125)]),
          [("pong", b"p" * 125), (kind, b"o" * 125 + b"t" * 125)])
    works("5.4", f"two {kind}s in pieces are two messages", pieces_of(OPCODES[kind], b"a", b"b") + pieces_of(OPCODES[kind], b"c", b"d"),
          [(kind, b"ab"), (kind, b"cd")])
    ends("5.4", f"a {kind} inside of a text is refused", [frame(TEXT, b"a", fin=False), frame(OPCODES[kind], b"b")], 1002)
    ends("5.4", f"a {kind} inside of a binary message is refused", [frame(BINARY, b"a", fin=False), frame(OPCODES[kind], b"b")], 1002)
    ends("5.4", f"a {kind} in pieces inside of another message is refused",
         [frame(TEXT, b"a", fin=False), frame(OPCODES[kind], b"b", fin=False), frame(CONTINUATION, b"c")], 1002)
    ends("5.4", f"a {kind} after two pieces of a message is refused",
         [*pieces_of(TEXT, b"a", b"b", b"c")[:2], frame(OPCODES[kind], b"d")], 1002)
    ends("5.4", f"a {kind}'s first piece, then the close, is closed without the message", [frame(OPCODES[kind], b"a", fin=False), close(1000)],
         1000)
    ends("5.4", f"a continuation behind a whole {kind} is refused", [frame(OPCODES[kind], b"a"), frame(CONTINUATION, b"b")], 1002, [(kind, b"a")])
    ends("5.4", f"a continuation behind a {kind} in pieces is refused",
         [*pieces_of(OPCODES[kind], b"a", b"b"), frame(CONTINUATION, b"c")], 1002, [(kind, b"ab")])
for fin in (True, False):
    for payload in (b"", b"nothing to go on with"):
        ends("5.4", f"a continuation of {len(payload)} bytes and no message (fin {fin:d}) is refused",
             [frame(CONTINUATION, payload, fin=fin)], 1002)
    ends("5.4", f"a continuation after a ping and no message (fin {fin:d}) is refused",
         [frame(PING, b"a"), frame(CONTINUATION, b"b", fin=fin)], 1002, [("pong", b"a")])

# ---- 5.5: control frames ----

for name, opcode in (("ping", PING), ("pong", PONG), ("close", CLOSE)):
    for payload in (b"", b"\x03\xe8"):
        ends("5.5", f"a {name} of {len(payload)} bytes as a fragment is refused", [frame(opcode, payload, fin=False)], 1002)
    ends("5.5", f"a {name} in two pieces is refused", pieces_of(opcode, b"\x03\xe8", b"ab"), 1002)
    ends("5.5", f"a fragment of a {name} inside of a message is refused",
         [frame(TEXT, b"a", fin=False), frame(opcode, b"\x03\xe8", fin=False), frame(CONTINUATION, b"b")], 1002)
    for size in (126, 127, 65535, 65536):
        ends("5.5", f"a {name} of {size} bytes is refused", [frame(opcode, b"\x03\xe8" + b"x" * (size - 2))], 1002)
    for form in (16, 64):
        ends("5.5", f"a {name} with a length of {form} bits is refused", [frame(opcode, b"\x03\xe8", form=form)], 1002)

# ---- 5.5.2 and 5.5.3: ping and pong ----

for size in (0, 1, 2, 3, 4, 7, 8, 9, 63, 64, 123, 124, 125):
    works("5.5.2", f"a ping of {size} bytes is answered with the same", [frame(PING, sized("binary", size))], [("pong", sized("binary", size))])
works("5.5.2", "a ping's payload is any bytes", [frame(PING, b"\xff\x00\xfe\xc0")], [("pong", b"\xff\x00\xfe\xc0")])
works("5.5.2", "pings of 0 to 125 bytes are answered in their order", [frame(PING, b"p" * size) for size in range(126)],
      [("pong", b"p" * size) for size in range(126)])
works("5.5.2", "a thousand pings are answered, at least the last", [frame(PING, b"%d" % number) for number in range(1000)],
      [("pong", b"%d" % number) for number in range(1000)], True)
works("5.5.2", "pings among messages are answered in their place",
      [frame(PING, b"1"), frame(TEXT, b"a"), frame(PING, b"2"), frame(BINARY, b"b"), frame(PING, b"3")],
      [("pong", b"1"), text("a"), ("pong", b"2"), ("binary", b"b"), ("pong", b"3")])
for size in (0, 1, 125):
    works("5.5.3", f"a pong of {size} bytes that nobody asked for is nothing", [frame(PONG, b"x" * size), frame(TEXT, b"a")], [text("a")])
works("5.5.3", "a hundred pongs that nobody asked for are nothing", [frame(PONG, b"x")] * 100 + [frame(PING, b"y")], [("pong", b"y")])

# ---- 5.5.1 and 7: closing ----

works("7.1", "a close without anything before is answered", [], [])
CASES.append(Case("7.1.5", "a close without a code is answered", [close()], [("close", {None, 1000})], False))
ends("5.5.1", "a close of one byte is refused", [frame(CLOSE, b"\x03")], 1002)
for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3333, 3999, 4000, 4444, 4999):
    ends("7.4", f"close code {code} comes back", [close(code)], code)
    ends("7.4", f"close code {code} with a reason comes back", [close(code, "so weit, so gut: ☃".encode())], code)
for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 32768, 65535):
    ends("7.4", f"close code {code} may not be sent", [close(code)], 1002)
    ends("7.4", f"close code {code} may not be sent with a reason", [close(code, b"because")], 1002)
for reason in ("a", "x" * 122, "x" * 123, "☃" * 41, "😀" * 30 + "abc", "\0"):
    ends("7.1.6", f"a close with a reason of {len(reason.encode())} bytes, {ascii(reason[:2])}, comes back", [close(1000, reason.encode())], 1000)
ends("5.5.1", "a text behind the close is ignored", [close(1000), frame(TEXT, b"a")], 1000)
ends("5.5.1", "a ping behind the close is ignored", [close(1000), frame(PING, b"a")], 1000)
ends("5.5.1", "another close behind the close is ignored", [close(1001), close(1000)], 1001)
ends("5.5.1", "bytes that are no frame behind the close are ignored", [close(1000), b"\xff" * 300], 1000)
ends("5.5.1", "a text of 100,000 bytes behind the close is ignored", [close(1000), frame(TEXT, b"a" * 100000)], 1000)
ends("5.5.1", "messages before the close are answered before it", [frame(TEXT, b"a"), frame(PING, b"p"), frame(BINARY, b"b"), close(3000)], 3000,
     [text("a"), ("pong", b"p"), ("binary", b"b")])
ends("5.5.1", "a close between the pieces of a message ends it",
     [*pieces_of(TEXT, b"a", b"b", b"c")[:2], close(4000), frame(CONTINUATION, b"c")], 4000)
ends("7.1.7", "a close behind a frame that was refused is ignored", [frame(3), close(1000)], 1002)
ends("7.1.7", "a ping behind a frame that was refused is ignored", [frame(TEXT, b"a", rsv=1), frame(PING)], 1002)

# ---- 8.1: UTF-8 ----

GOOD = {
    "U+0000": "\0", "U+007F": "\x7f", "U+0080": "\x80", "U+07FF": "\u07ff", "U+0800": "\u0800", "U+0FFF": "\u0fff", "U+1000": "\u1000",
    "U+CFFF": "\ucfff", "U+D000": "\ud000", "U+D7FF": "\ud7ff", "U+E000": "\ue000", "U+FFFD": "\ufffd", "U+FEFF, the mark of order,": "\ufeff",
    "U+10000": "\U00010000", "U+3FFFF": "\U0003ffff", "U+40000": "\U00040000", "U+FFFFF": "\U000fffff", "U+100000": "\U00100000",
    "U+10FFFF": "\U0010ffff", "Greek": "κόσμε", "letters of one to four bytes": "aü☃😀aü☃😀",
}
NO_CHARACTERS = [0xFDD0, 0xFDEF] + [plane << 16 | low for plane in range(17) for low in (0xFFFE, 0xFFFF)]

for name, letters in GOOD.items():
    works("8.1", f"{name} is good text", [frame(TEXT, letters.encode())], [text(letters)])
    works("8.1", f"{name} is good text between others", [frame(TEXT, f"before {letters} behind".encode())], [text(f"before {letters} behind")])
for plane in range(17):
    letter = chr(plane << 16 | 0x1234)
    works("8.1", f"a letter of plane {plane} is good text", [frame(TEXT, letter.encode() * 3)], [text(letter * 3)])
for point in NO_CHARACTERS:
    works("8.1", f"U+{point:04X} stands for no character and is good text", [frame(TEXT, chr(point).encode())], [text(chr(point))])
for letter in "ü☃😀":
    whole = letter.encode()
    for at in range(1, len(whole)):
        works("5.6", f"a letter of {len(whole)} bytes cut after {at} over two pieces is good text",
              pieces_of(TEXT, b"a" + whole[:at], whole[at:] + b"b"), [text(f"a{letter}b")])
        works("5.6", f"a letter of {len(whole)} bytes cut after {at}, with a ping between, is good text",
              pieces_of(TEXT, whole[:at], whole[at:], between=[frame(PING, b"\xff")]), [("pong", b"\xff"), text(letter)])
        works("5.6", f"a letter of {len(whole)} bytes cut after {at}, with an empty piece between, is good text",
              pieces_of(TEXT, whole[:at], b"", whole[at:]), [text(letter)])
    single = [whole[at:at + 1] for at in range(len(whole))]
    works("5.6", f"a letter of {len(whole)} bytes in as many pieces is good text", pieces_of(TEXT, *single), [text(letter)])
for offset in range(16):
    works("8.1", f"letters of all lengths from byte {offset} on are good text", [frame(TEXT, b"x" * offset + "ü☃😀é".encode() * 3)],
          [text("x" * offset + "ü☃😀é" * 3)])

BAD = {
    "a first continuation byte": b"\x80", "the last continuation byte": b"\xbf", "two continuation bytes": b"\x80\xbf",
    "0xfe": b"\xfe", "0xff": b"\xff", "NUL in two bytes": b"\xc0\x80", "a slash in two bytes": b"\xc0\xaf", "U+007F in two bytes": b"\xc1\xbf",
    "NUL in three bytes": b"\xe0\x80\x80", "a slash in three bytes": b"\xe0\x80\xaf", "U+07FF in three bytes": b"\xe0\x9f\xbf",
    "NUL in four bytes": b"\xf0\x80\x80\x80", "a slash in four bytes": b"\xf0\x80\x80\xaf", "U+FFFF in four bytes": b"\xf0\x8f\xbf\xbf",
    "the first surrogate": b"\xed\xa0\x80", "the last high surrogate": b"\xed\xaf\xbf", "the first low surrogate": b"\xed\xb0\x80",
    "the last surrogate": b"\xed\xbf\xbf", "a pair of surrogates": b"\xed\xa0\xbd\xed\xb8\x80", "U+110000": b"\xf4\x90\x80\x80",
    "U+13FFFF": b"\xf4\xbf\xbf\xbf", "U+140000": b"\xf5\x80\x80\x80", "U+1FFFFF": b"\xf7\xbf\xbf\xbf", "five bytes": b"\xf8\x88\x80\x80\x80",
    "six bytes": b"\xfc\x84\x80\x80\x80\x80", "six bytes for a slash": b"\xfc\x80\x80\x80\x80\xaf", "a letter of two bytes without its second": b"\xc3",
    "a letter of three bytes without its second": b"\xe2", "a letter of three bytes without its third": b"\xe2\x98",
    "a letter of four bytes without its second": b"\xf0", "a letter of four bytes without its third": b"\xf0\x9f",
    "a letter of four bytes without its fourth": b"\xf0\x9f\x98", "a letter of three bytes with a wrong third": b"\xe2\x98\xc3",
    "a letter of four bytes with a wrong second": b"\xf0\xc3\x98\x80", "one continuation byte too many": b"\xc3\xbc\xbc",
}

for name, sequence in BAD.items():
    for place, whole in (("alone", sequence), ("first", sequence + b" and more text"), ("in the middle", b"some text " + sequence + b" and more"),
                         ("last", b"some text " + sequence), ("behind letters of all lengths", "aü☃😀".encode() + sequence + b".")):
        ends("8.1", f"{name}, {place}, is 1007", [frame(TEXT, whole)], 1007)
    ends("8.1", f"{name} in the first piece of a text is 1007", pieces_of(TEXT, b"a" + sequence + b"b", b"c", b"d"), 1007)
    ends("8.1", f"{name} in the middle piece of a text is 1007", pieces_of(TEXT, b"a", b"b" + sequence + b"c", b"d"), 1007)
    ends("8.1", f"{name} at the end of a text in pieces is 1007", pieces_of(TEXT, b"a", b"b", b"c" + sequence), 1007)
    for at in range(1, len(sequence)):
        ends("8.1", f"{name}, cut after its byte {at} over two pieces, is 1007", pieces_of(TEXT, b"a" + sequence[:at], sequence[at:] + b"b"), 1007)
    ends("7.1.6", f"{name} in the reason of a close is 1007", [close(1000, b"so " + sequence)], 1007)
    works("5.6", f"{name} is good in a binary message", [frame(BINARY, sequence)], [("binary", sequence)])
for at in range(33):
    for name, byte in (("a byte that is never text", b"\xff"), ("a letter that has no end", b"\xe2")):
        ends("8.1", f"{name}, behind {at} of 33 bytes, is 1007", [frame(TEXT, b"x" * at + byte + b"x" * (32 - at))], 1007)
for at in range(1, 20):
    ends("8.1", f"a bad byte after {at} pieces of a text is 1007", pieces_of(TEXT, *[b"ok "] * at, b"\xff", b"more"), 1007)
ends("8.1", "a letter that the next message would end is 1007", [frame(TEXT, b"\xe2\x98"), frame(TEXT, b"\x83")], 1007)
ends("8.1", "a letter that the last, empty piece does not end is 1007", pieces_of(TEXT, b"a\xc3", b""), 1007)
ends("8.1", "a ping's bytes do not end a text's letter", pieces_of(TEXT, b"a\xc3", b"b", between=[frame(PING, b"\xbc")]), 1007, [("pong", b"\xbc")])
ends("8.1", "a bad text behind a good one lets the good one through", [frame(TEXT, b"good"), frame(TEXT, b"\xff")], 1007, [text("good")])


# ---- whole conversations, thrown with dice ----

def _conversation(seed):
    dice, frames, answers = random.Random(seed), [], []
    letters = ["a", "ü", "☃", "😀", "plain words ", "\0", "\ufeff"]

    def control():
        payload = bytes(dice.randrange(256) for _ in range(dice.choice([0, 1, 5, 125])))
        opcode = dice.choice([PING, PONG])
        frames.append(frame(opcode, payload))
        return [("pong", payload)] if opcode == PING else []
    for _ in range(dice.randrange(3, 12)):
        kind = dice.choice(["text", "binary", "control"])
        if kind == "control":
            answers += control()
            continue
        whole = "".join(dice.choice(letters) for _ in range(dice.choice([0, 1, 20, 60]))).encode() if kind == "text" else \
            bytes(dice.randrange(256) for _ in range(dice.choice([0, 1, 127, 300])))
        cuts = sorted(dice.randrange(len(whole) + 1) for _ in range(dice.choice([0, 0, 1, 2, 5])))
        parts = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)])]
        for index, one in enumerate(pieces_of(OPCODES[kind], *parts)):
            if index > 0 and dice.random() < 0.3:
                answers += control()
            frames.append(one)
        answers.append((kind, whole))
    return frames, answers


for number in range(40):
    works("5", f"conversation {number} of messages, pieces and pings is echoed", *_conversation(number))
