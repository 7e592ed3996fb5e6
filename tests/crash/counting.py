"""What became of it all: payments against answers, deliveries against what the providers have.

The sandbox writes a message down before it answers, and takes its files up again after a kill -9, so what is in
them is what a provider would have.
"""
import base64
import bisect
import hashlib
import os
import re

from chaos import KILL, WIPE
from harness import WORKERS

TAG = re.compile(rb"pay-[a-z0-9]+-\d+")
# A worker that has no room, its provider being out, does not read; so it may learn that Redis was wiped only from the
# renewal of what it holds, a third of PAYBELL_CLAIM_IDLE (30 s) later. What it sends until then may be read again.
WIPE_LASTS_US = 12_000_000
BEFORE_US = 1_000_000  # a message may be at the sandbox before the fault that cut its answer off was noted


class Answers:
    """The load program's records: {index: transaction id} of the 201, and how many there were of each status."""

    def __init__(self, path):
        self.ids, self.statuses = {}, {}
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                index, status, _start, _latency, place = line.rstrip("\n").split(",")
                self.statuses[int(status)] = self.statuses.get(int(status), 0) + 1
                if status == "201":
                    self.ids[int(index)] = place.rsplit("/", 1)[1]


class Books:
    """The payments as they are in the database, by the description that names the request."""

    def __init__(self, database):
        self.ids = {}
        self.repeated = 0
        for payment_id, description in database.payments():
            if description is None:
                continue
            self.repeated += description in self.ids
            self.ids[description] = payment_id

    def missing(self, prefix, answers):
        """What was answered 201 and is not there, or is another's."""
        return [i for i, payment in answers.ids.items() if self.ids.get(f"{prefix}-{i}") != payment]

    def unanswered(self, prefix, answers):
        return [d for d in self.ids if d.startswith(prefix + "-") and int(d.rsplit("-", 1)[1]) not in answers.ids]


class Inbox:
    """One channel's messages by key: when the first of each came, and which came again."""

    def __init__(self, folder, channel):
        self.first_us, self.repeats = {}, []  # repeats: (came before, came again)
        last_us = {}
        with open(os.path.join(folder, "inbox", f"{channel}.jsonl"), "rb") as lines:
            for line in lines:
                at_us = int(_between(line, b'"received_us":', b","))
                key = _message_key(channel, line)
                if key in last_us:
                    self.repeats.append((last_us[key], at_us))
                else:
                    self.first_us[key] = at_us
                last_us[key] = at_us
        self.times = sorted(self.first_us.values())

    def count_until(self, at_us):
        return bisect.bisect_right(self.times, at_us)


def _between(line, begin, end):
    at = line.index(begin) + len(begin)
    return line[at:line.index(end, at)]


def _message_key(channel, line):
    """The provider's key; Twilio has none, so an SMS is known by its receiver and what was paid."""
    if channel != "sms":
        return _between(line, b'"key":"', b'"').split(b"@")[0]
    tag = TAG.search(line)
    return _between(line, b'"to":"', b'"') + b" " + (tag[0] if tag else b"")


def expected_key(channel, row, phones, devices):
    if channel == "email":
        return f"{row['id']}.email".encode()
    if channel == "sms":
        return f"{phones[row['user_id']]} {row['description'] or ''}".encode()
    text = f"{row['id']}.push.{devices[row['user_id']]}".encode()
    return base64.urlsafe_b64encode(hashlib.sha256(text).digest()[:24])


def missing_messages(database, inboxes):
    """Deliveries that the database calls delivered and of which no provider has a message."""
    phones = {user: phone for user, (_, phone) in database.addresses().items()}
    devices = database.one_device_each()
    missing = {channel: 0 for channel in WORKERS}
    for channel in WORKERS:
        for row in database.delivered(channel):
            if expected_key(channel, row, phones, devices) not in inboxes[channel].first_us:
                missing[channel] += 1
    return missing


# ---- repeats -----------------------------------------------------------------------------------------------------

def _not_in_database(fault, inbox, channel):
    """Messages that the provider had, and the database did not know of, when it happened."""
    return max(0, inbox.count_until(fault.at_us) - fault.ended[channel])


def most_repeats(faults, inboxes, connections):
    """The most that may have been sent again, for each channel.

    Sampled: at each fault, the messages at the provider less the deliveries that had ended in the database. A killed
    worker may repeat those of its channel; a wipe those of all channels, at the worst moment until everybody has
    noticed it. By settings: what was at the provider in that moment, `connections` a channel, for each of these and for
    each time the provider itself was killed (it may have written a message down without answering)."""
    most = dict.fromkeys(WORKERS, 0)
    for i, fault in enumerate(faults):
        for channel in WORKERS:
            if fault.kind == KILL and fault.name == channel:
                most[channel] += connections + _not_in_database(fault, inboxes[channel], channel)
            elif fault.kind == KILL and fault.name == "sandbox":
                most[channel] += connections
            elif fault.kind == WIPE:
                while_filling = (f for f in faults[i:] if f.at_us <= fault.at_us + WIPE_LASTS_US)
                most[channel] += connections + max(_not_in_database(f, inboxes[channel], channel)
                                                   for f in while_filling)
    return most


def unexplained_repeats(faults, inbox, channel):
    """Repeats without a fault that may repeat something between the two messages."""
    kills = sorted(f.at_us for f in faults if f.kind == KILL and f.name in (channel, "sandbox"))
    wipes = sorted(f.at_us for f in faults if f.kind == WIPE)

    def explains(causes, from_us, until_us):
        return bisect.bisect_left(causes, from_us) < bisect.bisect_right(causes, until_us)
    return sum(1 for before_us, again_us in inbox.repeats
               if not explains(kills, before_us - BEFORE_US, again_us)
               and not explains(wipes, before_us - WIPE_LASTS_US, again_us))
