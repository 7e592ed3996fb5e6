"""Who is let in over the gateway, what each of them hears, and until when; over everything that is spoken there."""
import base64
import hashlib
import hmac
import json
import threading
import time

import pytest

import realtime
from engineio import PATH, Http, Polling, Socket
from harness import wait_until
from realtime import WAYS, Refused, connect, end_of, events, new_user, pay, publish_delivery, token_of
from websocket import Closed, WebSocket, token

OLD_SECRET = "the-secret-before-it-of-the-tests-0123456789"
SHOWN = []  # every token that a test showed to somebody


@pytest.fixture(scope="module")
def shared():
    """Three gateways: one for two sites, one for any (on several threads), one for none."""
    with realtime.running(JWT_OLD_SECRET=OLD_SECRET, GATEWAY_AUTH_TIMEOUT="1s") as suite:
        suite.start("gateway", GATEWAY_ORIGINS="https://shop.example, https://admin.example:8443")
        suite.start("gateway", as_name="open", GATEWAY_ORIGINS="*", GATEWAY_THREADS=3)
        suite.start("gateway", as_name="closed")
        yield suite


def shown(text):
    SHOWN.append(text)
    return text


def part(value):
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def forge(secret, algorithm="HS256", digest=hashlib.sha256, **claims):
    """A token whose header says the one and whose signature is another."""
    signed = part(json.dumps({"alg": algorithm, "typ": "JWT"}).encode()) + "." + part(json.dumps(claims).encode())
    signature = part(hmac.new(secret.encode(), signed.encode(), digest).digest()) if digest else ""
    return f"{signed}.{signature}"


def bad_tokens(secret, user):
    now = int(time.time())
    good = {"sub": user, "aud": "paybell", "exp": now + 600}
    without_end = {"sub": user, "aud": "paybell"}
    right = token(secret, user)
    head, claims, signature = right.split(".")
    return {
        "expired": token(secret, user, -1),
        "not_valid_yet": token(secret, user, nbf=now + 60),
        "for_another_audience": token(secret, user, aud="somebody else"),
        "for_no_audience": forge(secret, sub=user, exp=now + 600),
        "for_several_audiences": token(secret, user, aud=["paybell"]),
        "of_another_secret": token("not-the-secret-of-the-tests-0123456789", user),
        "of_an_empty_secret": forge("", **good),
        "with_another_signature": f"{head}.{claims}.{signature[:-4]}AAAA",
        "with_other_claims": f"{head}.{part(json.dumps({**good, 'sub': 'eve'}).encode())}.{signature}",
        "of_no_algorithm": forge(secret, "none", None, **good),
        "of_no_algorithm_but_signed": forge(secret, "none", **good),
        "of_hs512": forge(secret, "HS512", hashlib.sha512, **good),
        "of_rs256": forge(secret, "RS256", **good),
        "without_an_end": forge(secret, **without_end),
        "with_a_text_as_its_end": forge(secret, **without_end, exp=str(now + 600)),
        "without_a_user": forge(secret, aud="paybell", exp=now + 600),
        "of_nobody_who_can_be": token(secret, "ann@example.com"),
        "of_an_operator_without_a_name": token(secret, "", scope="ops"),
        "too_long": token(secret, user, note="x" * 2000),
        "no_token": "nothing",
        "of_two_parts": f"{head}.{claims}",
    }


BAD = list(bad_tokens("s", "u"))


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("way", WAYS)
def test_a_token_that_is_not_good_opens_nothing(suite, way, kind):
    bad = bad_tokens(suite.settings["JWT_SECRET"], "ann")[kind]
    with pytest.raises(Refused) as refused:
        connect(suite, way, shown(bad), to="open")
    if way == "plain":
        assert refused.value.why == 4401
    else:
        assert refused.value.why["data"] == {"code": "token"} and refused.value.why["message"]


@pytest.mark.parametrize("way", WAYS)
def test_an_empty_token_opens_nothing(suite, way):
    with pytest.raises(Refused):
        connect(suite, way, "", to="open")


def test_the_token_may_come_in_the_first_frame(suite):
    user = new_user(suite)
    session = connect(suite, "plain", shown(token_of(suite, user)), first_frame=True)
    pay(suite, user)
    assert len(events(session, 1)) == 1
    session.close()
    with pytest.raises(Refused) as refused:
        connect(suite, "plain", shown(token_of(suite, user, -1)), first_frame=True)
    assert refused.value.why == 4401


def test_before_its_token_a_socket_may_ask_for_nothing_and_after_a_while_it_is_closed(suite):
    address = suite.addresses["gateway"]["ws"]
    silent = WebSocket(address, protocols=["paybell.v1"])
    asking = WebSocket(address, protocols=["paybell.v1"])
    asking.send({"type": "seen", "sequence": "1"})
    assert asking.receive()["type"] == "error"
    began = time.monotonic()
    for socket in (silent, asking):
        with pytest.raises(Closed) as closed:
            socket.receive()
        assert closed.value.code == 4401
        socket.close()
    assert time.monotonic() - began < 12


def test_a_socketio_client_that_does_not_connect_is_sent_away_after_a_while(suite):
    address = suite.addresses["gateway"]["ws"]
    clients = [Socket(address), Polling(address)]
    clients.append(Socket(address))
    clients[-1].put("40" + json.dumps({"token": "nothing"}))
    assert clients[-1].packet().startswith("44")
    began = time.monotonic()
    for client in clients:
        with pytest.raises((Closed, ConnectionError)):
            client.packet()
        client.close()
    assert time.monotonic() - began < 12


@pytest.mark.parametrize("way", WAYS)
def test_tokens_of_both_secrets_are_good_until_the_old_one_is_taken_away(suite, way):
    user = new_user(suite)
    old = shown(token(OLD_SECRET, user))
    session = connect(suite, way, old)
    pay(suite, user)
    assert len(events(session, 1)) == 1
    session.close()
    if "rotated" not in suite.processes:
        suite.start("gateway", as_name="rotated", JWT_OLD_SECRET="")
    with pytest.raises(Refused):
        connect(suite, way, old, to="rotated")
    connect(suite, way, shown(token_of(suite, user)), to="rotated").close()


def test_a_session_ends_with_its_token_and_not_when_it_was_renewed(suite):
    user = new_user(suite)
    end_s = int(time.time()) + 4
    short = shown(token_of(suite, user, exp=end_s))
    ending = [connect(suite, way, short) for way in WAYS]
    renewed = [connect(suite, way, short) for way in WAYS]
    for session in renewed:
        assert session.renew(shown(token_of(suite, user))) is None
    ends = [None] * len(ending)

    def wait_for_end(index):
        ends[index] = end_of(ending[index])
    waiting = [threading.Thread(target=wait_for_end, args=(index,)) for index in range(len(ending))]
    for thread in waiting:
        thread.start()
    for thread in waiting:
        thread.join()
    assert ends == [4401, "disconnect", "disconnect"]
    assert end_s <= time.time() < end_s + 8
    pay(suite, user)
    for session in renewed:
        assert len(events(session, 1)) == 1
    for session in ending + renewed:
        session.close()


@pytest.mark.parametrize("way", WAYS)
def test_a_token_that_ends_in_a_million_years_is_as_good_as_any(suite, way):
    user = new_user(suite)
    session = connect(suite, way, shown(token_of(suite, user, 2 ** 62)))
    assert session.renew(shown(token_of(suite, user, 2 ** 61))) is None
    assert session.settle() == []
    session.close()


@pytest.mark.parametrize("way", WAYS)
def test_a_token_of_somebody_else_renews_nothing(suite, way):
    user, other = new_user(suite), new_user(suite)
    ops = shown(token_of(suite, user, scope="ops"))
    own = shown(token_of(suite, user))
    for first, second in ((own, token_of(suite, other)), (own, ops), (ops, own), (own, token_of(suite, user, -1))):
        session = connect(suite, way, first)
        why = session.renew(shown(second))
        if way == "plain":
            assert why == 4401
        else:
            assert why and session.settle() == []
            pay(suite, user)
            assert len(events(session, 1)) == 1  # and it is who it was
        session.close()


def test_a_user_hears_its_own_and_an_operator_hears_all_on_every_gateway(suite):
    ann, bob = new_user(suite), new_user(suite)
    gateways = ("gateway", "open")
    of_ann = [connect(suite, way, shown(token_of(suite, ann)), to) for way in WAYS for to in gateways]
    of_bob = [connect(suite, way, shown(token_of(suite, bob)), to) for way in WAYS for to in gateways]
    operators = [connect(suite, way, shown(token_of(suite, "op", scope="ops")), to) for way in WAYS for to in gateways]
    assert "unread" not in operators[0].hello and of_ann[0].hello["unread"] == 0
    pay(suite, ann, 2)
    publish_delivery(suite, ann)
    assert suite.pay(ann, bob, "0.50").status == 201
    publish_delivery(suite, bob)
    pay(suite, bob)
    ann_has, bob_has = realtime.sequences(suite, ann), realtime.sequences(suite, bob)

    def heard(session, last):
        """Up to the event that was the last one; then whether anything follows."""
        found = []
        while not found or found[-1][0] != "event" or int(found[-1][1]["sequence"]) != last:
            found.append(session.next())
        return found + session.settle()
    for sessions, user, has in ((of_ann, ann, ann_has), (of_bob, bob, bob_has)):
        for session in sessions:
            said = heard(session, has[-1])
            assert [int(value["sequence"]) for kind, value in said if kind == "event"] == has
            assert {value["data"]["user_id"] for kind, value in said if kind == "event"} == {user}
            told = [value for kind, value in said if kind == "delivery"]
            assert {value["user_id"] for value in told} <= {user}
    wait_for_deliveries(suite, of_ann, ann)
    for session in operators:
        said = heard(session, bob_has[-1])
        mine = [value for kind, value in said if kind == "event"]
        assert [int(event["sequence"]) for event in mine] == sorted(ann_has + bob_has)
        assert [value["user_id"] for kind, value in said if kind == "delivery"][:2] == [ann, bob]
    for session in of_ann + of_bob + operators:
        session.close()


def wait_for_deliveries(suite, sessions, user):
    """A delivery status comes to every session of its user."""
    publish_delivery(suite, user, 77)
    for session in sessions:
        while True:
            kind, value = session.next()
            assert kind == "delivery" and value["user_id"] == user
            if int(value["sequence"]) == 77:
                break


# ---- origins ----

ORIGINS = {"gateway": ({"https://shop.example", "https://admin.example:8443"},
                       {"https://shop.example.evil", "http://shop.example", "https://admin.example", "https://SHOP.example", "null", "*"}),
           "open": ({"https://shop.example", "null", "http://anything"}, set()),
           "closed": (set(), {"https://shop.example", "null", "*"})}


def opens(suite, to, kind, origin):
    """The status that a page from there is answered with."""
    fields = [f"Origin: {origin}"] if origin else []
    address = suite.addresses[to]["ws"]
    try:
        socket = Socket(address, fields=fields) if kind == "socketio" else WebSocket(address, fields=fields)
    except ConnectionError as refused:
        return int(str(refused).split()[1])
    socket.close()
    return 101


@pytest.mark.parametrize("kind", ["plain", "socketio"])
@pytest.mark.parametrize("to", ORIGINS)
def test_a_page_from_elsewhere_opens_no_websocket(suite, to, kind):
    good, bad = ORIGINS[to]
    assert opens(suite, to, kind, None) == 101
    assert {opens(suite, to, kind, origin) for origin in good} <= {101}
    assert {opens(suite, to, kind, origin) for origin in bad} <= {403}


@pytest.mark.parametrize("to", ORIGINS)
def test_a_page_from_elsewhere_polls_nothing_and_reads_no_answer(suite, to):
    good, bad = ORIGINS[to]
    for origin in [None, *good, *bad]:
        http = Http(suite.addresses[to]["ws"])
        reply = http.ask("GET", f"{PATH}?EIO=4&transport=polling", **({"Origin": origin} if origin else {}))
        assert reply.status == (403 if origin in bad else 200), (origin, reply)
        allowed = origin if origin in good else None
        assert reply.fields.get("access-control-allow-origin") == allowed, (origin, reply)
        assert reply.fields.get("access-control-allow-credentials") == ("true" if allowed else None)
        assert not allowed or "origin" in reply.fields["vary"].lower()
        http.close()


def test_a_preflight_is_answered_for_our_pages_alone(suite):
    http = Http(suite.addresses["gateway"]["ws"])
    asked = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "content-type"}
    reply = http.ask("OPTIONS", f"{PATH}?EIO=4&transport=polling&sid=x", Origin="https://shop.example", **asked)
    assert reply.status == 204
    assert reply.fields["access-control-allow-origin"] == "https://shop.example"
    assert reply.fields["access-control-allow-credentials"] == "true"
    assert "POST" in reply.fields["access-control-allow-methods"]
    assert "content-type" in reply.fields["access-control-allow-headers"].lower()
    # The connection goes on, whatever is asked for next.
    assert http.ask("GET", f"{PATH}?EIO=4&transport=polling", Origin="https://shop.example").status == 200
    http.close()
    foreign = Http(suite.addresses["gateway"]["ws"])
    reply = foreign.ask("OPTIONS", f"{PATH}?EIO=4&transport=polling", Origin="https://evil.example", **asked)
    assert reply.status == 403 and "access-control-allow-origin" not in reply.fields
    foreign.close()


def test_an_answer_to_a_session_that_is_not_there_is_for_our_pages_too(suite):
    for origin, allowed in (("https://shop.example", "https://shop.example"), ("https://evil.example", None)):
        http = Http(suite.addresses["gateway"]["ws"])
        reply = http.ask("GET", f"{PATH}?EIO=4&transport=polling&sid=00aaaaaaaaaaaaaaaaaaaa", Origin=origin)
        assert reply.status == 400 and json.loads(reply.body)["code"] == 1
        assert reply.fields.get("access-control-allow-origin") == allowed
        http.close()


# ---- last: after all that was shown ----

def test_nothing_of_a_token_is_in_the_logs(suite):
    wait_until(lambda: SHOWN, what="a token that was shown")
    logs = "".join(suite.processes[name].log() for name in suite.processes if name != "redis")
    assert "service.up" in logs
    for text in SHOWN:
        claims_and_signature = text.split(".")[1:]
        for piece in claims_and_signature:
            assert len(piece) < 8 or piece not in logs, text
