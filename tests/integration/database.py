"""What the tests know of the database: schema/001_init.sql, and nowhere else.

Read-only, a fresh snapshot for every question.
"""
import sqlite3


class Database:
    def __init__(self, path):
        self.path = path

    def rows(self, sql, *values):
        connection = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=10)
        try:
            connection.row_factory = sqlite3.Row
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def one(self, sql, *values):
        return self.rows(sql, *values)[0][0]

    # ---- the ledger ----

    def transactions(self):
        return self.one("SELECT count(*) FROM transactions")

    def head(self):
        """The newest event's sequence."""
        return self.one("SELECT coalesce(max(sequence), 0) FROM events")

    def events(self):
        return self.rows("SELECT e.sequence, e.id, e.user_id, t.id AS transaction_id, t.description, "
                         "t.amount_minor, t.currency FROM events e JOIN transactions t "
                         "ON t.key = e.transaction_key ORDER BY e.sequence")

    def payments(self):
        """(id, description) of each, in order."""
        return ((r[0], r[1]) for r in self.rows("SELECT id, description FROM transactions ORDER BY key"))

    def balances(self):
        """{(user, currency): minor}; user "" is the outside world."""
        return {(r["user_id"], r["currency"]): r["balance_minor"]
                for r in self.rows("SELECT user_id, currency, balance_minor FROM accounts")}

    def balances_by_postings(self):
        """The same, summed up from the transactions instead."""
        return {(r["user"], r["currency"]): r["minor"] for r in self.rows(
            "SELECT user, currency, sum(minor) AS minor FROM ("
            " SELECT from_user AS user, currency, -amount_minor AS minor FROM transactions"
            " UNION ALL SELECT to_user, currency, amount_minor FROM transactions"
            ") GROUP BY user, currency")}

    def totals(self):
        """{currency: the sum over all accounts}, which must be 0 in each."""
        return {r[0]: r[1] for r in
                self.rows("SELECT currency, sum(balance_minor) FROM accounts GROUP BY currency")}

    def integrity(self):
        return self.one("PRAGMA integrity_check")

    # ---- deliveries ----

    def ended(self, channel=None):
        """How many deliveries have ended."""
        if channel is None:
            return self.one("SELECT count(*) FROM deliveries WHERE ended_us IS NOT NULL")
        return self.one("SELECT count(*) FROM deliveries WHERE ended_us IS NOT NULL AND channel = ?1", channel)

    def ended_by_channel(self):
        """{channel: how many deliveries have ended}, without walking through what ended long ago."""
        return {r[0]: r[1] for r in self.rows(
            "SELECT c.channel, c.reported_through - c.first_event"
            " - (SELECT count(*) FROM deliveries d WHERE d.channel = c.channel AND d.sequence <= c.reported_through"
            "  AND d.status IN ('retrying', 'ambiguous'))"
            " + (SELECT count(*) FROM deliveries d WHERE d.sequence > c.reported_through AND d.channel = c.channel"
            "  AND d.ended_us IS NOT NULL) FROM channels c")}

    def delivered(self, channel):
        """The events that the channel has delivered: id, user_id and the payment's description."""
        return self.rows("SELECT e.id, e.user_id, t.description FROM deliveries d JOIN events e USING (sequence) "
                         "JOIN transactions t ON t.key = e.transaction_key "
                         "WHERE d.channel = ?1 AND d.status = 'delivered'", channel)

    def deliveries(self):
        """{(channel, status, reason or ""): how many}."""
        return {(r[0], r[1], r[2]): r[3] for r in self.rows(
            "SELECT channel, status, coalesce(reason, ''), count(*) FROM deliveries GROUP BY 1, 2, 3")}

    def final_counts(self):
        """{how many final records an (event, channel) has: how many such pairs}."""
        return {r[0]: r[1] for r in self.rows(
            "SELECT finals, count(*) FROM (SELECT count(*) AS finals FROM attempts "
            "WHERE final = 1 AND device_id = '' GROUP BY sequence, channel) GROUP BY finals")}

    def finals(self, channel):
        """The final record of each event on a channel, in ledger order."""
        return self.rows("SELECT a.sequence, a.status, a.reason, a.provider_id, a.started_us, a.attempt, "
                         "e.id AS event_id, e.user_id FROM attempts a JOIN events e USING (sequence) "
                         "WHERE a.channel = ?1 AND a.final = 1 AND a.device_id = '' "
                         "ORDER BY a.sequence", channel)

    def delivered_to_devices(self):
        """The push messages that were delivered: (event id, device id, provider id, token)."""
        return self.rows("SELECT e.id AS event_id, a.device_id, a.provider_id, d.token FROM attempts a "
                         "JOIN events e USING (sequence) JOIN devices d ON d.id = a.device_id "
                         "WHERE a.channel = 'push' AND a.status = 'delivered' ORDER BY a.sequence")

    def one_device_each(self):
        """{user: a device's id}."""
        return {r[0]: r[1] for r in self.rows("SELECT user_id, min(id) FROM devices GROUP BY user_id")}

    def addresses(self):
        """{user: (email, phone)}."""
        return {r[0]: (r[1], r[2]) for r in self.rows("SELECT id, email, phone FROM users")}
