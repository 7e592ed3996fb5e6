"""What RFC 6455 section 4 says of opening handshakes: requests, and how they have to be answered.

GOOD has (section, sentence, request, subprotocols that may be chosen); REFUSED has (section, sentence, request,
statuses, fields that must be in the answer). Where the RFC names no status, any that refuses will do.
"""
import base64
import hashlib
import re

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
FIELDS = {"Host": "server.example.com", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": KEY,
          "Sec-WebSocket-Version": "13"}
ANY = {400, 401, 403, 404, 405, 411, 413, 414, 417, 426, 431, 501, 505}
VERSION = [("sec-websocket-version", "13")]
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
GOOD, REFUSED = [], []


def request(line="GET / HTTP/1.1", *more, body=b"", **changed):
    """The usual request, with some fields changed (Sec_WebSocket_Key=…; None: without; a list: so often) and more lines."""
    changed = {name.replace("_", "-"): value for name, value in changed.items()}
    lines = [line]
    for name, value in {**FIELDS, **changed}.items():
        values = value if isinstance(value, list) else [] if value is None else [value]
        lines += [f"{name}: {one}" for one in values]
    return "\r\n".join([*lines, *more, "", ""]).encode("latin-1") + body


def accept_of(head):
    key = re.search(rb"\r\nsec-websocket-key:[ \t]*(\S*)", head, re.I)[1].decode()
    return base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()


PATH_HEAD = request()


def good(section, sentence, head, protocols=()):
    GOOD.append((section, sentence, head, protocols))


def refused(section, sentence, head, statuses=ANY, fields=()):
    REFUSED.append((section, sentence, head, statuses, fields))


# ---- good ones ----

good("1.3", "the RFC's own key", PATH_HEAD)
good("4.2.1", "names in lower case", PATH_HEAD.replace(b"Host", b"host").replace(b"Upgrade:", b"upgrade:").replace(b"Connection:", b"connection:")
     .replace(b"Sec-WebSocket", b"sec-websocket"))
good("4.2.1", "names in upper case", re.sub(rb"\r\n[\w-]+:", lambda name: name[0].upper(), PATH_HEAD))
for value in ("WebSocket", "WEBSOCKET", "h2c, websocket", "websocket, h2c", ["h2c", "websocket"]):
    good("4.2.1", f"Upgrade: {value}", request(Upgrade=value))
for value in ("upgrade", "UPGRADE", "keep-alive, Upgrade", "Upgrade,keep-alive", "close ,\tupgrade", ["keep-alive", "Upgrade"], "Upgrade,"):
    good("4.2.1", f"Connection: {value!r}", request(Connection=value))
for key in ("AAAAAAAAAAAAAAAAAAAAAA==", "+/+/+/+/+/+/+/+/+/+/+w==", "/////////////////////w==", "0123456789abcdefghijkg=="):
    good("4.2.1", f"the key {key}", request(Sec_WebSocket_Key=key))
good("4.2.1", "spaces and tabs around the values", request().replace(b": ", b": \t ").replace(b"\r\nUp", b" \t\r\nUp"))
good("4.2.1", "no spaces before the values", request().replace(b": ", b":"))
good("4.2.1", "the fields in another order", b"\r\n".join([PATH_HEAD.split(b"\r\n")[0], *sorted(PATH_HEAD.split(b"\r\n")[1:-2], reverse=True), b"", b""]))
good("4.2.1", "a Host with a port", request(Host="server.example.com:8081"))
good("4.2.1", "a Host that is an IPv6 address", request(Host="[::1]:8081"))
good("4.1", "the target as an absolute URI", request("GET http://server.example.com/ HTTP/1.1"))
good("9.1", "extensions with parameters", request(Sec_WebSocket_Extensions='foo, bar; baz, x; y=1; z="2"; w'))
good("9.1", "an extension's value with a quoted pair", request(Sec_WebSocket_Extensions='foo; x="1\\0"'))
good("4.1", "a query", request("GET /?after=0000000000000001&x=%C3%BC HTTP/1.1"))
good("4.2.1", "a later HTTP/1", request("GET / HTTP/1.2"))
good("4.1", "an Origin", request(Origin="http://example.com"))
good("4.1", "an Origin that is null", request(Origin="null"))
good("4.2.1", "what a browser sends besides", request(
    User_Agent="Mozilla/5.0 (X11; Linux x86_64)", Cookie="a=b; c=d", Cache_Control="no-cache", Pragma="no-cache", Accept_Language="de,en;q=0.9",
    Accept_Encoding="gzip, deflate, br", Authorization="Basic dTpw"))
good("4.2.1", "a hundred fields that nobody knows", request("GET / HTTP/1.1", *[f"X-Field-{n}: {n}" for n in range(100)]))
good("4.2.1", "a field of 4,000 bytes", request(Cookie="c" * 4000))
good("4.2.1", "a field without a value", request(X_Empty=""))
good("4.2.1", "a value beyond ASCII", request(X_Name="\xfc\xff"))
good("4.1", "a body of no bytes", request(Content_Length="0"))
for value in ("chat", "chat, superchat", ["chat", "superchat"], "chat,,superchat", "paybell.v1, token.abc", "!#$%&'*+-.^_`|~09azAZ"):
    good("4.2.2", f"subprotocols {value!r}", request(Sec_WebSocket_Protocol=value),
         [item.strip() for one in (value if isinstance(value, list) else [value]) for item in one.split(",") if item.strip()])
for value in ("permessage-deflate", "permessage-deflate; client_max_window_bits", "permessage-deflate; client_no_context_takeover; server_max_window_bits=10",
              "x-webkit-deflate-frame", "foo, bar; baz=2", 'foo; x="10"', ["permessage-deflate", "foo"], "mux; max-channels=4; flow-control",
              "foo ;x ; y", "foo; x = 1", ", foo,, bar,", ["foo; x", "bar; y=z"]):
    good("9.1", f"the extensions {value!r} are declined", request(Sec_WebSocket_Extensions=value))

# ---- refused ones ----

for method in ("POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH", "get", "GETS"):
    refused("4.2.1", f"the method {method}", request(f"{method} / HTTP/1.1"))
for line in ("GET / HTTP/1.0", "GET / HTTP/0.9", "GET / HTTP/2.0", "GET / HTTP/3", "GET / http/1.1", "GET / HTTP/1", "GET /", "GET", "/ HTTP/1.1",
             "GET  / HTTP/1.1", "GET / HTTP/1.1 x", "GET  HTTP/1.1", "GET chat HTTP/1.1", "CONNECT server.example.com:80 HTTP/1.1"):
    refused("4.2.1", f"the request line {line!r}", request(line))
refused("4.2.1", "no Host", request(Host=None))
refused("4.2.1", "two Hosts", request(Host=["server.example.com", "other.example.com"]), {400})
refused("4.2.1", "a Host that is none", request(Host="a b"), {400})
for value in (None, "", "websockets", "web socket", "h2c", "websocket/13x"):
    refused("4.2.1", f"Upgrade: {value}", request(Upgrade=value))
for value in (None, "", "keep-alive", "close", "upgraded", "up grade"):
    refused("4.2.1", f"Connection: {value}", request(Connection=value))
for value in (None, "", KEY[:-1], KEY[:-2], "A" + KEY, KEY + "=", "AAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAA=", "AAAAAAAAAAAAAAAAAAAAAAAA",
              "AAAAAAAAAAAAAAAAAAAAAAAAAAAA", "dGhlIHNhbXBs ZSBub25jZQ==", "dGhlIHNhbXBs-_Bub25jZQ==", "!!!!!!!!!!!!!!!!!!!!!!==", "====", "\xfc" * 22 + "==",
              [KEY, KEY], [KEY, "AAAAAAAAAAAAAAAAAAAAAA=="]):
    refused("4.2.1", f"the key {value!r}", request(Sec_WebSocket_Key=value))
for value in ("0", "1", "7", "8", "12", "14", "25", "99", "255"):
    refused("4.4", f"version {value}", request(Sec_WebSocket_Version=value), {426}, VERSION)
refused("4.4", "no version", request(Sec_WebSocket_Version=None))
for value in ("", "013", "+13", "13a", "13.0", "thirteen", "256", "-1", "8, 13x"):
    refused("4.4", f"the version {value!r}", request(Sec_WebSocket_Version=value))
for value in (["13", "13"], ["13", "8"], ["8", "13"]):
    refused("11.3.5", f"the versions {value}", request(Sec_WebSocket_Version=value))
for value in ("a b", "a;b", "a@b", "a, b c", "(a)", '"a"', "\xfc", "a/b"):
    refused("4.1", f"the subprotocol {value!r} is no token", request(Sec_WebSocket_Protocol=value))
refused("4.2.1", "a body", request(Content_Length="11", body=b"Hello World"))
refused("4.2.1", "a body in chunks", request(Transfer_Encoding="chunked", body=b"5\r\nHello\r\n0\r\n\r\n"))
refused("4.2.1", "a body of both kinds", request(Transfer_Encoding="chunked", Content_Length="5", body=b"0\r\n\r\n"))
for line in (": no name", "no colon", "Name : value", "Na me: value", "N\xe4me: value", "Name\0: value"):
    refused("4.2.1", f"the field line {line!r}", request("GET / HTTP/1.1", line), {400})
refused("4.2.1", "a carriage return in a value", request(X_Value="a\rb"), {400})
refused("4.2.1", "fields of 20,000 bytes together are 431", request("GET / HTTP/1.1", *[f"X-Field-{n}: {'x' * 80}" for n in range(220)]), {431})
refused("4.2.1", "one field of 20,000 bytes is 431", request(Cookie="c" * 20000), {431})
refused("4.2.1", "a target of 20,000 bytes is 414", request(f"GET /?{'x' * 20000} HTTP/1.1"), {414, 431})
refused("4.2.1", "a target of 20,000 bytes without an end is 414", b"GET /" + b"x" * 20000, {414, 431})
for value in (";", "foo;", "foo; =1", "foo bar", "foo; x=", 'foo; x="a', 'foo; x="a b"', 'foo; x=""', "foo,; x", "f\u00fc", "foo; x=1=2"):
    refused("9.1", f"the extensions {value!r}, which are none", request(Sec_WebSocket_Extensions=value))
refused("4.2.1", "a request for TLS", bytes.fromhex("16030100a5010000a10303") + bytes(range(150)) + b"\r\n\r\n" * 4)
refused("4.2.1", "HTTP/2 with prior knowledge", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
