-- How sure the causes of refusals are that had to be told from what was seen (Core Lightning), by the hour in which
-- they came in: percent is the sum over the attempts.  Counted once, in the transaction that moves the reader's cursor.
CREATE TABLE attribution_hour (
  node_id  INTEGER NOT NULL,
  hour     INTEGER NOT NULL,
  cause    INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  percent  INTEGER NOT NULL,
  PRIMARY KEY (node_id, hour, cause)
) STRICT, WITHOUT ROWID;
