-- Up to where a user has seen its events. The mark only moves forward. What a user has not seen is counted from its accounts
-- (event_count, and the number of the newest event at or below the mark), so nothing is kept for it and no payment writes here.
CREATE TABLE reads (
	user_id  TEXT PRIMARY KEY NOT NULL,
	sequence INTEGER NOT NULL,
	seen_us  INTEGER NOT NULL
) WITHOUT ROWID;
