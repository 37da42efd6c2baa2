-- Every recommendation given, with its numbers as they were then, and what became of it.
CREATE TABLE advice (
  advice_id      INTEGER PRIMARY KEY,
  node_id        INTEGER NOT NULL,
  given_ns       INTEGER NOT NULL,
  peer_pubkey    TEXT,
  peer_alias     TEXT,
  cause          TEXT NOT NULL,
  recommendation TEXT NOT NULL,   -- JSON
  expected_msat  INTEGER,         -- gain per month, with its range
  low_msat       INTEGER,
  high_msat      INTEGER,
  status         TEXT NOT NULL,   -- open, taken, expired or withdrawn
  ended_ns       INTEGER,         -- when it was taken, ran out or was withdrawn
  marked         INTEGER NOT NULL -- 1: the operator said so
) STRICT;
CREATE INDEX advice_by_node ON advice (node_id, status);
