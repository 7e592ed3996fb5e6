"""The sandbox as a stranger's client meets it: smtplib, HTTP, and faults on request."""
import base64
import concurrent.futures
import email.policy
import email.utils
import http.client
import json
import os
import smtplib
import socket
import subprocess
import time
import urllib.parse
from email.message import EmailMessage

import pytest
from harness import Suite, http_call, wait_until

SID = "AC" + "0" * 32
TWILIO = f"/2010-04-01/Accounts/{SID}/Messages.json"
FCM = "/v1/projects/paybell-test/messages:send"
CHANNELS = ("push", "email", "sms")
EIGHT_BIT = ["BODY=8BITMIME"]  # what smtplib does not say by itself


class Sandbox:
    def __init__(self, **settings):
        # No login: one test asks for it on its own.
        self.suite = Suite(**{"SANDBOX_SMTP_USER": "", "SANDBOX_SMTP_PASSWORD": "", **settings})
        self.suite.start("sandbox")

    @property
    def http(self):
        return self.suite.addresses["sandbox"]["http"]

    def call(self, method, path, body=None, **headers):
        return http_call(self.http, method, path, body, headers)

    def sms(self, timeout=30, **fields):
        fields = {"To": "+4366012345678", "From": "+15005550006", "Body": "hello", **fields}
        return http_call(self.http, "POST", TWILIO, urllib.parse.urlencode(fields), {
            "Authorization": "Basic " + base64.b64encode(f"{SID}:twilio-token".encode()).decode(),
            "Content-Type": "application/x-www-form-urlencoded"}, timeout)

    def push(self, message, bearer="fcm-token"):
        return self.call("POST", FCM, json.dumps({"message": message}), **{
            "Authorization": f"Bearer {bearer}", "Content-Type": "application/json"})

    def smtp(self):
        host, port = self.suite.addresses["sandbox"]["smtp"].rsplit(":", 1)
        return smtplib.SMTP(host, int(port), local_hostname="client.example", timeout=30)

    def fault(self, channel, **fault):
        answer = self.call("PUT", f"/faults/{channel}", json.dumps(fault))
        assert answer.status == 200, answer

    def count(self):
        return self.call("GET", "/inbox/count").json

    def inbox(self, **query):
        return self.call("GET", "/inbox?" + urllib.parse.urlencode(query)).json

    def clear(self):
        for channel in CHANNELS:
            assert self.call("DELETE", f"/faults/{channel}").status == 204
        assert self.call("DELETE", "/inbox").status == 204


@pytest.fixture(scope="module")
def process():
    sandbox = Sandbox()
    yield sandbox
    sandbox.suite.close()


@pytest.fixture
def sandbox(process):
    process.clear()
    yield process
    process.suite.check()


def mail(to="bob@example.com", subject="Grüße 🎉", text="Zahlung: 15,00 €\n.dot\n"):
    message = EmailMessage()
    message["From"] = "Paybell <payments@paybell.example>"
    message["To"] = to
    message["Subject"] = subject
    message["Message-ID"] = "<evt_1.email@paybell.example>"
    message.set_content(text)
    message.add_alternative("<p>Zahlung: <b>15,00 €</b></p>", subtype="html")
    return message


def test_a_mail_of_smtplib_arrives_whole(sandbox):
    sent = mail()
    with sandbox.smtp() as client:
        client.login("anybody", "anything")
        assert client.send_message(sent, mail_options=EIGHT_BIT) == {}
        client.send_message(mail(to="a@example.com, b@example.com"), mail_options=EIGHT_BIT)
    first, second = sandbox.inbox(channel="email")["messages"]
    assert first["to"] == "bob@example.com" and second["to"] == "a@example.com,b@example.com"
    assert first["key"] == "evt_1.email@paybell.example"
    assert first["subject"] == "Grüße 🎉"
    got = email.message_from_bytes(first["raw"].encode(), policy=email.policy.default)
    assert got.get_body(("plain",)).get_content().splitlines() == ["Zahlung: 15,00 €", ".dot"]
    shown = sandbox.call("GET", f"/inbox/{first['n']}").json
    assert shown["text"].split() == ["Zahlung:", "15,00", "€", ".dot"]
    assert "<b>15,00 €</b>" in shown["html"]
    assert [m["n"] for m in sandbox.inbox(to="b@example.com")["messages"]] == [second["n"]]


def test_smtp_refuses_what_is_out_of_order(sandbox):
    with sandbox.smtp() as client:
        assert client.docmd("MAIL", "FROM:<a@example.com>")[0] == 503
        client.ehlo()
        assert client.esmtp_features["size"] == "10485760"
        assert client.docmd("DATA")[0] == 503
        with pytest.raises(smtplib.SMTPDataError) as refused:
            client.sendmail("a@example.com", "b@example.com", "Subject: nobody sent this\r\n\r\nx")
        assert refused.value.smtp_code == 550
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            client.sendmail("a@example.com", "b@example.com", b"From: a\r\n\r\n" + b"x\r\n" * 3_600_000)
        assert refused.value.smtp_code == 552
    counted = sandbox.count()
    assert counted["email"] == 0 and counted["refused"]["email"] == 4
    reasons = sandbox.call("GET", "/refusals").json["refusals"]
    assert reasons[0]["status"] == 552 and reasons[1]["reason"] == "5.6.0 there is no From header"


def test_a_login_is_checked_when_one_is_set():
    sandbox = Sandbox(SANDBOX_SMTP_USER="paybell", SANDBOX_SMTP_PASSWORD="smtp-password")
    try:
        with sandbox.smtp() as client:
            with pytest.raises(smtplib.SMTPSenderRefused):
                client.send_message(mail(), mail_options=EIGHT_BIT)
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login("paybell", "wrong")
            client.login("paybell", "smtp-password")
            client.send_message(mail(), mail_options=EIGHT_BIT)
        assert sandbox.count()["email"] == 1
    finally:
        sandbox.suite.close()


def test_sms_and_push_arrive_and_pages_follow_each_other(sandbox):
    for n in range(25):
        answer = sandbox.sms(Body=f"number {n} €")
        assert answer.status == 201 and answer.json["status"] == "queued"
        answer = sandbox.push({"token": "t", "data": {"n": str(n)}, "android": {"collapse_key": f"k{n}"}})
        assert answer.status == 200 and answer.json["name"].startswith("projects/paybell-test/messages/")
    after, got = 0, []
    while True:
        page = sandbox.inbox(after=after, limit=7)
        if not page["messages"]:
            break
        got += page["messages"]
        after = page["next"]
    assert [m["body"] for m in got if m["channel"] == "sms"] == [f"number {n} €" for n in range(25)]
    assert [m["key"] for m in got if m["channel"] == "push"] == [f"k{n}" for n in range(25)]
    assert [m["n"] for m in got] == sorted(m["n"] for m in got)
    assert len(sandbox.inbox(newest=3)["messages"]) == 6
    assert sandbox.count()["total"] == 50


def test_bad_requests_are_refused_in_the_providers_words(sandbox):
    answer = sandbox.sms(To="0660")
    assert answer.status == 400 and answer.json["code"] == 21211
    assert sandbox.push({"token": "unregistered-7"}).json["error"]["details"][0]["errorCode"] == "UNREGISTERED"
    assert sandbox.push({"token": "t"}, bearer="wrong").status == 401
    assert sandbox.call("GET", TWILIO).status == 405
    assert sandbox.call("POST", TWILIO, "x" * 70000).status == 413
    assert sandbox.call("GET", "/nothing").status == 404
    assert sandbox.call("GET", "/inbox?channel=fax").problem == "malformed"
    assert sandbox.call("PUT", "/faults/sms", '{"latency":1}').problem == "validation"
    assert sandbox.count()["total"] == 0


def test_an_error_rate_can_be_counted(sandbox):
    sandbox.fault("sms", error_rate=0.2, status=429, retry_after_s=3)
    answers = [sandbox.sms() for _ in range(50)]
    refused = [a for a in answers if a.status == 429]
    assert len(refused) in (9, 10, 11)
    assert refused[0].json["code"] == 20429 and refused[0].headers["Retry-After"] == "3"
    assert sandbox.count()["sms"] == 50 - len(refused)
    sandbox.fault("push", status=429, retry_after_s=3, retry_after_date=True)
    now = time.time()
    answer = sandbox.push({"token": "t"})
    at = email.utils.parsedate_to_datetime(answer.headers["Retry-After"])
    assert answer.headers["Retry-After"].endswith(" GMT") and 3 <= at.timestamp() - now < 5
    sandbox.fault("email", status=451)
    with sandbox.smtp() as client:
        with pytest.raises(smtplib.SMTPDataError) as fault:
            client.send_message(mail(), mail_options=EIGHT_BIT)
        assert fault.value.smtp_code == 451
        sandbox.call("DELETE", "/faults/email")
        client.send_message(mail(), mail_options=EIGHT_BIT)


def test_latency_holds_up_nobody_else(sandbox):
    sandbox.fault("sms", latency_ms=700)
    sandbox.fault("email", latency_ms=700)

    def send_mail():
        with sandbox.smtp() as client:
            client.send_message(mail(), mail_options=EIGHT_BIT)

    begun = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        slow = [pool.submit(sandbox.sms) for _ in range(8)] + [pool.submit(send_mail) for _ in range(6)]
        assert sandbox.push({"token": "t"}).status == 200
        assert time.monotonic() - begun < 0.6
        for future in slow:
            future.result()
    assert 0.7 <= time.monotonic() - begun < 2.5  # side by side, not one after the other
    counted = sandbox.count()
    assert (counted["sms"], counted["email"]) == (8, 6)


def test_an_outage_closes_without_an_answer(sandbox):
    for channel in CHANNELS:
        sandbox.fault(channel, outage=True)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        sandbox.sms()
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        sandbox.push({"token": "t"})
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionResetError)):
        sandbox.smtp()
    assert sandbox.count()["total"] == 0
    sandbox.clear()
    assert sandbox.sms().status == 201


def test_a_reset_cuts_the_answer_of_a_message_that_was_taken(sandbox):
    for channel in CHANNELS:
        sandbox.fault(channel, reset=True)
    with pytest.raises(http.client.IncompleteRead):
        sandbox.sms()
    with pytest.raises(http.client.IncompleteRead):
        sandbox.push({"token": "t"})
    client = sandbox.smtp()
    with pytest.raises((smtplib.SMTPServerDisconnected, smtplib.SMTPDataError, ValueError)):
        client.send_message(mail(), mail_options=EIGHT_BIT)
    client.close()
    counted = sandbox.count()
    assert [counted[channel] for channel in CHANNELS] == [1, 1, 1]


def test_what_hangs_is_let_go_when_the_fault_ends(sandbox):
    sandbox.fault("sms", hang=True)
    sandbox.fault("email", hang=True)

    def hang_mail():
        client = sandbox.smtp()
        try:
            client.send_message(mail(), mail_options=EIGHT_BIT)
        finally:
            client.close()

    with pytest.raises(socket.timeout):
        sandbox.sms(timeout=0.3)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        hanging = [pool.submit(sandbox.sms), pool.submit(hang_mail)]
        wait_until(lambda: all(sandbox.call("GET", "/faults").json[c]["judged"] for c in ("sms", "email")))
        assert sandbox.push({"token": "t"}).status == 200
        assert not any(future.done() for future in hanging)
        sandbox.call("DELETE", "/faults/sms")
        sandbox.call("DELETE", "/faults/email")
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            hanging[0].result(10)
        with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionResetError)):
            hanging[1].result(10)
    assert sandbox.count()["sms"] == 0


def test_an_access_token_is_bought_with_a_signed_assertion(tmp_path):
    def openssl(*words, **options):
        return subprocess.run(["openssl", *words], check=True, capture_output=True, **options).stdout

    def encode(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=")

    key, public = str(tmp_path / "key.pem"), str(tmp_path / "public.pem")
    openssl("genrsa", "-out", key, "2048")
    openssl("rsa", "-in", key, "-pubout", "-out", public)
    sandbox = Sandbox(SANDBOX_FCM_PUBLIC_KEY=public, SANDBOX_FCM_TOKEN="")

    def ask(audience, expires_in=600, tamper=b""):
        now = int(time.time())
        claims = {"iss": "push@paybell.example", "scope": "https://www.googleapis.com/auth/firebase.messaging",
                  "aud": audience, "iat": now, "exp": now + expires_in}
        text = encode(b'{"alg":"RS256","typ":"JWT"}') + b"." + encode(json.dumps(claims).encode())
        signature = openssl("dgst", "-sha256", "-sign", key, input=text)
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
                "assertion": text + b"." + encode(signature + tamper)}
        return sandbox.call("POST", "/token", urllib.parse.urlencode(form),
                            **{"Content-Type": "application/x-www-form-urlencoded"})

    try:
        assert sandbox.push({"token": "t"}, bearer="fcm-token").status == 401
        for audience in (f"http://{sandbox.http}/token", "https://oauth2.googleapis.com/token"):
            answer = ask(audience)
            assert answer.status == 200, answer
            assert sandbox.push({"token": "t"}, bearer=answer.json["access_token"]).status == 200
        assert ask("https://elsewhere.example/token").json["error"] == "invalid_grant"
        assert ask(f"http://{sandbox.http}/token", expires_in=-10).json["error"] == "invalid_grant"
        assert ask(f"http://{sandbox.http}/token", tamper=b"x").json["error"] == "invalid_grant"
    finally:
        sandbox.suite.close()


def test_what_was_answered_survives_kill_9():
    sandbox = Sandbox()
    try:
        for n in range(20):
            assert sandbox.sms(Body=str(n)).status == 201
        sandbox.suite.kill("sandbox")
        sandbox.suite.start("sandbox")
        assert [m["body"] for m in sandbox.inbox()["messages"]] == [str(n) for n in range(20)]
        assert sandbox.sms().status == 201
        assert sandbox.inbox(after=20)["messages"][0]["n"] == 21
    finally:
        sandbox.suite.close()


def test_a_temporary_folder_is_gone_at_the_end(tmp_path):
    sandbox = Sandbox(SANDBOX_DIR="")
    with open(sandbox.suite.processes["sandbox"].log_path, encoding="utf-8") as log:
        folder = next(word[10:] for word in log.read().split() if word.startswith("directory="))
    assert sandbox.sms().status == 201
    assert os.path.exists(os.path.join(folder, "sms.jsonl"))
    sandbox.suite.close()
    assert not os.path.exists(folder)


def test_the_page_brings_all_it_needs(sandbox):
    answer = sandbox.call("GET", "/")
    assert answer.status == 200 and answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert b"http://" not in answer.body and b"https://" not in answer.body
