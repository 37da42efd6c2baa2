-- Every price change proposed, refused or written by the policy engine: stored before it is sent, completed after.
-- old_values, new_values and inputs are JSON.  result is null while it is under way.
CREATE TABLE fee_change (
  change_id     INTEGER PRIMARY KEY,
  node_id       INTEGER NOT NULL,
  channel_point TEXT NOT NULL,
  scid          TEXT NOT NULL,
  at_ns         INTEGER NOT NULL,
  kind          TEXT NOT NULL,     -- update, rollback, refused, skipped or error
  rule          TEXT,
  strategy      TEXT,
  old_values    TEXT,
  new_values    TEXT,
  status_change TEXT,
  reason        TEXT NOT NULL,
  inputs        TEXT NOT NULL,
  may_roll_back INTEGER NOT NULL,
  threshold     REAL NOT NULL,
  reverts       INTEGER REFERENCES fee_change,
  result        TEXT,              -- done, failed or unverified
  error         TEXT,
  completed_ns  INTEGER,
  last_seen_ns  INTEGER NOT NULL   -- a refusal that repeats is one row, seen again
) STRICT;
CREATE INDEX fee_change_by_channel ON fee_change (node_id, channel_point, at_ns);
CREATE INDEX fee_change_by_time ON fee_change (node_id, at_ns);
