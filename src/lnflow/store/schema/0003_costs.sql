-- What running the node costs.  Parts of payments to ourselves that arrived; ids as in channel_scid.
CREATE TABLE circular_htlc (
  node_id      INTEGER NOT NULL,
  payment_hash TEXT NOT NULL,
  part         INTEGER NOT NULL,
  at_ns        INTEGER NOT NULL,
  out_scid     INTEGER NOT NULL,
  in_scid      INTEGER NOT NULL,
  in_peer      TEXT,
  amount_msat  INTEGER NOT NULL,
  fee_msat     INTEGER NOT NULL,
  PRIMARY KEY (node_id, payment_hash, part)
) STRICT, WITHOUT ROWID;
CREATE INDEX circular_by_time ON circular_htlc (node_id, at_ns);

-- Confirmed transactions of the wallet; outputs and spends are JSON.
CREATE TABLE wallet_transaction (
  node_id      INTEGER NOT NULL,
  txid         TEXT NOT NULL,
  at_ns        INTEGER NOT NULL,
  block_height INTEGER NOT NULL,
  fee_sat      INTEGER NOT NULL,
  label        TEXT NOT NULL,
  outputs      TEXT NOT NULL,
  spends       TEXT NOT NULL,
  PRIMARY KEY (node_id, txid)
) STRICT, WITHOUT ROWID;

-- By which transaction a channel ended.
CREATE TABLE channel_close (
  node_id       INTEGER NOT NULL,
  channel_point TEXT NOT NULL,
  closing_txid  TEXT NOT NULL,
  close_height  INTEGER NOT NULL,
  opened_by_us  INTEGER,
  PRIMARY KEY (node_id, channel_point)
) STRICT, WITHOUT ROWID;
