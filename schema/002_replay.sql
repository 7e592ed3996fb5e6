-- An operator's replay reopens a delivery that had ended. What its attempts were before that time is history: it does not
-- count against the attempts limit, and says nothing about the devices that are tried again.
ALTER TABLE deliveries ADD COLUMN replayed_us INTEGER;

-- The floor of a channel: every event up to here has a row in deliveries. Whatever is open at or below it is found by its row
-- (index deliveries_not_delivered), so one delivery that waits for a day, or is replayed after a year, holds no floor down.
ALTER TABLE channels RENAME COLUMN ended_through TO reported_through;

-- A channel is asked for its own: with another one's million in between that took a third of a second.
DROP INDEX deliveries_waiting;
CREATE INDEX deliveries_waiting ON deliveries (channel, next_at_us) WHERE next_at_us IS NOT NULL;
