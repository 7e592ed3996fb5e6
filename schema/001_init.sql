-- Paybell's ledger. One process writes it (paybell-backend), everybody else reads.
--
-- What decided this layout: a payment is committed in a batch, with one fsync for all, so its price is the pages and rows that it touches.
--  * transactions and events are appended in key order; their public ids carry that key, so finding one by id needs no index.
--  * what belongs to one user is a chain through the events: each row points at the user's previous one in that currency, the newest hangs on the account
--    row, which a payment rewrites anyway. Every 64th is linked to the 64th before it, so that a long chain is crossed in long steps. No index by user has to be kept.
--  * attempts and deliveries are clustered by event, so they are written where the newest events are.
-- Times are UTC microseconds; money is in minor units.

CREATE TABLE meta (
	name  TEXT PRIMARY KEY,
	value TEXT NOT NULL
) WITHOUT ROWID;

-- Contact data. A deleted user keeps the row (the ledger names it), without what could reach anybody.
CREATE TABLE users (
	id          TEXT PRIMARY KEY,
	name        TEXT NOT NULL,
	email       TEXT,
	phone       TEXT,
	locale      TEXT,
	timezone    TEXT,
	preferences TEXT NOT NULL DEFAULT '{}',
	created_us  INTEGER NOT NULL,
	updated_us  INTEGER NOT NULL,
	deleted_us  INTEGER
) WITHOUT ROWID;

CREATE TABLE devices (
	key        INTEGER PRIMARY KEY AUTOINCREMENT,
	id         TEXT NOT NULL,
	user_id    TEXT NOT NULL,
	kind       TEXT NOT NULL,
	token      TEXT NOT NULL,
	created_us INTEGER NOT NULL
);
CREATE INDEX devices_by_user ON devices (user_id, key);

-- user_id '' is the outside world: its balance is what went out of and came into the ledger, so each currency sums to zero.
CREATE TABLE accounts (
	user_id       TEXT NOT NULL,
	currency      TEXT NOT NULL,
	balance_minor INTEGER NOT NULL,
	event_count   INTEGER NOT NULL DEFAULT 0,
	last_event    INTEGER NOT NULL DEFAULT 0, -- the newest link of the chain; 0: none
	last_stride   INTEGER NOT NULL DEFAULT 0, -- its newest 64th link
	PRIMARY KEY (user_id, currency)
) WITHOUT ROWID;

-- A row with its two accounts is its own pair of postings: amount off from_user, the same amount onto to_user.
CREATE TABLE transactions (
	key          INTEGER PRIMARY KEY NOT NULL,
	id           TEXT NOT NULL,
	from_user    TEXT NOT NULL, -- '' the outside world
	to_user      TEXT NOT NULL,
	amount_minor INTEGER NOT NULL,
	currency     TEXT NOT NULL,
	description  TEXT,
	metadata     TEXT,
	created_us   INTEGER NOT NULL,
	first_event  INTEGER NOT NULL,
	event_count  INTEGER NOT NULL
);

-- One a user that a transaction concerns. The sequence has no gaps: the backend counts it, and a rolled back batch takes its numbers back.
-- Rows are never deleted, so no number comes twice; AUTOINCREMENT would only add a page to every batch.
CREATE TABLE events (
	sequence        INTEGER PRIMARY KEY NOT NULL,
	id              TEXT NOT NULL,
	transaction_key INTEGER NOT NULL,
	user_id         TEXT NOT NULL,
	direction       INTEGER NOT NULL, -- 0 credit, 1 debit
	balance_minor   INTEGER NOT NULL, -- after it
	number          INTEGER NOT NULL, -- from 1, in this account
	previous        INTEGER NOT NULL, -- sequence of the account's event before it; 0: none
	stride          INTEGER NOT NULL  -- sequence of the account's newest event before it whose number is a multiple of 64; 0: none
);

-- What an answer was, for at least 24 hours. day = days since 1970: today's and yesterday's are looked up, older ones go in one range.
CREATE TABLE idempotency (
	day             INTEGER NOT NULL,
	key             BLOB NOT NULL, -- SHA-256 over API key and Idempotency-Key, first 16 bytes
	fingerprint     BLOB NOT NULL, -- SHA-256 over method, path and body, first 16 bytes
	transaction_key INTEGER,       -- what a 201 answered
	problem         TEXT,          -- what a 422 answered
	PRIMARY KEY (day, key)
) WITHOUT ROWID;

-- How a channel stands with an event. No row: nothing was reported yet, the delivery is open.
CREATE TABLE deliveries (
	sequence   INTEGER NOT NULL,
	channel    TEXT NOT NULL,
	status     TEXT NOT NULL,    -- delivered suppressed failed (ended), retrying ambiguous (open)
	reason     TEXT,
	attempts   INTEGER NOT NULL,
	ended_us   INTEGER,          -- NULL while it is open
	next_at_us INTEGER,          -- when the feeder is to hand it out again; NULL: not waiting in the ledger
	PRIMARY KEY (sequence, channel)
) WITHOUT ROWID;
CREATE INDEX deliveries_not_delivered ON deliveries (channel, status, sequence) WHERE status IN ('failed', 'retrying', 'ambiguous');
CREATE INDEX deliveries_waiting ON deliveries (next_at_us) WHERE next_at_us IS NOT NULL;

CREATE TABLE attempts (
	sequence    INTEGER NOT NULL,
	channel     TEXT NOT NULL,
	device_id   TEXT NOT NULL,   -- '' the record is about the channel
	started_us  INTEGER NOT NULL,
	worker      TEXT NOT NULL,
	attempt     INTEGER NOT NULL,
	status      TEXT NOT NULL,
	final       INTEGER NOT NULL,
	reason      TEXT,
	provider    TEXT NOT NULL,
	provider_id TEXT,
	code        INTEGER NOT NULL,
	took_us     INTEGER NOT NULL,
	next_at_us  INTEGER,
	late        INTEGER NOT NULL,
	PRIMARY KEY (sequence, channel, device_id, started_us, worker)
) WITHOUT ROWID;

-- One row a batch: up to which event it went, when it was on disk, when the bell rang for it.
CREATE TABLE batches (
	last_event   INTEGER PRIMARY KEY,
	committed_us INTEGER NOT NULL
);
CREATE TABLE publications (
	last_event   INTEGER PRIMARY KEY,
	published_us INTEGER NOT NULL
);

-- Up to where a channel has nothing open any more (a lower bound, moved now and then), and from where it is concerned at all.
CREATE TABLE channels (
	channel       TEXT PRIMARY KEY,
	first_event   INTEGER NOT NULL, -- events up to here are from before the channel
	ended_through INTEGER NOT NULL
) WITHOUT ROWID;
