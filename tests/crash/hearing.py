"""Who heard what: the file of `returning` against the events in the database.

The gateway is not asked. A client has to have, from its first hello on, every event of its user once, in order, and no
event of anybody else.
"""
from typing import NamedTuple

ALL = "*"  # the user of a client that hears everybody's


class Client:
    def __init__(self, user, begins):
        self.user, self.begins = user, begins  # begins: the sequence in its first hello
        self.heard = []                        # (sequence, event id, subject)
        self.resyncs = 0

    @property
    def all(self):
        return self.user.startswith(ALL)


class Heard:
    def __init__(self, path):
        self.clients = {}
        self.received_us = []  # (sequence, UTC), of all clients
        self.before_hello = 0
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                kind, number, *rest = line.split()
                if kind == "hello":
                    self.clients[number] = Client(rest[0], int(rest[1]))
                elif number not in self.clients:
                    self.before_hello += 1
                elif kind == "resync":
                    self.clients[number].resyncs += 1
                else:
                    sequence, event_id, subject, at_us = rest
                    self.clients[number].heard.append((int(sequence), event_id, subject))
                    self.received_us.append((int(sequence), int(at_us)))


class Ledger:
    """The events as the database has them: {sequence: (id, user)}, and each user's sequences in order."""

    def __init__(self, database):
        self.events, self.of_user = {}, {}
        for row in database.rows("SELECT sequence, id, user_id FROM events ORDER BY sequence"):
            self.events[row["sequence"]] = (row["id"], row["user_id"])
            self.of_user.setdefault(row["user_id"], []).append(row["sequence"])
        self.everything = list(self.events)

    def due(self, client):
        """What it has to hear, in order."""
        mine = self.everything if client.all else self.of_user.get(client.user, [])
        return [s for s in mine if s > client.begins]


class Counts(NamedTuple):
    due: int
    heard: int
    missing: int
    repeated: int
    disordered: int  # it came after a newer one
    foreign: int     # another user's
    unknown: int     # not in the database like that
    unasked: int     # at or below the first hello
    resyncs: int


def compare(client, ledger):
    due, heard = set(ledger.due(client)), [sequence for sequence, _, _ in client.heard]
    foreign = unknown = 0
    for sequence, event_id, subject in client.heard:
        unknown += ledger.events.get(sequence) != (event_id, subject)
        foreign += not client.all and subject != client.user
    return Counts(
        due=len(due), heard=len(heard), missing=len(due.difference(heard)), repeated=len(heard) - len(set(heard)),
        disordered=sum(1 for before, after in zip(heard, heard[1:]) if after < before), foreign=foreign,
        unknown=unknown, unasked=sum(1 for sequence in heard if sequence <= client.begins), resyncs=client.resyncs)


def total(counts):
    return Counts(*(sum(values) for values in zip(*counts))) if counts else Counts(*[0] * len(Counts._fields))
