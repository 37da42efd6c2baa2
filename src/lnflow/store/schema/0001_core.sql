-- Times are UTC nanoseconds, hours are whole hours since the epoch, periods are six hours (hour / 6).
-- Short channel ids are unsigned 64-bit, stored signed (minus 2^64 above 2^63): see store/signed.py.
-- outcome and cause are the numbers of domain/causes.py.  Money is msat.

CREATE TABLE node (
  node_id        INTEGER PRIMARY KEY,
  name           TEXT NOT NULL UNIQUE,
  pubkey         TEXT,
  alias          TEXT,
  implementation TEXT,
  network        TEXT,
  version        TEXT,
  block_height   INTEGER,
  seen_ns        INTEGER
) STRICT;

CREATE TABLE peer (
  peer_id INTEGER PRIMARY KEY,
  node_id INTEGER NOT NULL REFERENCES node,
  pubkey  TEXT NOT NULL,
  alias   TEXT,
  UNIQUE (node_id, pubkey)
) STRICT;

-- One row per channel of ours; channel_point is null while it was only met by a short channel id.
-- Channel 0 is the bucket for ids that are not ours.
CREATE TABLE channel (
  channel_id    INTEGER PRIMARY KEY,
  node_id       INTEGER NOT NULL,
  channel_point TEXT,
  scid          INTEGER,
  peer_id       INTEGER REFERENCES peer,
  capacity_sat  INTEGER,
  initiator     INTEGER,
  private       INTEGER,
  closed_height INTEGER,
  closed_seen_ns INTEGER,
  close_type    TEXT
) STRICT;
CREATE UNIQUE INDEX channel_by_point ON channel (node_id, channel_point);
INSERT INTO channel (channel_id, node_id) VALUES (0, 0);

-- Every id and alias ever seen for a channel.
CREATE TABLE channel_scid (
  node_id    INTEGER NOT NULL,
  scid       INTEGER NOT NULL,
  channel_id INTEGER NOT NULL REFERENCES channel,
  PRIMARY KEY (node_id, scid)
) STRICT, WITHOUT ROWID;

-- One HTLC that came in to be sent on.  in_htlc_id is null for rows of a source without HTLC ids; such a row
-- that was recognised as another row's forward has twin set and counts nowhere.
CREATE TABLE attempt (
  attempt_id      INTEGER PRIMARY KEY,
  node_id         INTEGER NOT NULL,
  in_chan         INTEGER NOT NULL,
  in_htlc_id      INTEGER,
  out_chan        INTEGER NOT NULL,
  out_scid        INTEGER NOT NULL,
  out_htlc_id     INTEGER,
  out_used        INTEGER NOT NULL,  -- 1: the channel really used, 0: what the sender asked for
  out_at_ns       INTEGER NOT NULL,  -- when out_chan was said; the last forward wins
  amount_in_msat  INTEGER,
  amount_out_msat INTEGER,
  arrived_ns      INTEGER,
  resolved_ns     INTEGER,
  history_ns      INTEGER,           -- settle time by the node's own history
  outcome         INTEGER NOT NULL,
  cause           INTEGER NOT NULL,
  wire_code       INTEGER NOT NULL,
  detail          INTEGER NOT NULL,
  live            INTEGER NOT NULL,  -- 1: seen in the event stream (or a saved one), 0: known from history only
  ordinal         INTEGER NOT NULL,  -- tells equal rows of one second apart where there is no HTLC id
  twin            INTEGER,
  accounted_ns    INTEGER NOT NULL   -- settled: when it settled; all others: when it arrived
) STRICT;
CREATE UNIQUE INDEX attempt_by_htlc ON attempt (node_id, in_chan, in_htlc_id) WHERE in_htlc_id IS NOT NULL;
CREATE UNIQUE INDEX attempt_without_id
  ON attempt (node_id, in_chan, out_chan, amount_in_msat, amount_out_msat, history_ns, ordinal)
  WHERE in_htlc_id IS NULL;
CREATE INDEX attempt_by_time ON attempt (node_id, accounted_ns, in_chan, out_chan);
-- Ids nobody knew yet: found again when the channel becomes known.
CREATE INDEX attempt_of_unknown ON attempt (node_id, out_scid) WHERE out_chan = 0 AND out_scid <> 0;

CREATE TABLE channel_hour (
  node_id             INTEGER NOT NULL,
  hour                INTEGER NOT NULL,
  chan                INTEGER NOT NULL,
  in_settled          INTEGER NOT NULL DEFAULT 0,
  in_settled_msat     INTEGER NOT NULL DEFAULT 0,
  sourced_msat        INTEGER NOT NULL DEFAULT 0,
  in_settled_live     INTEGER NOT NULL DEFAULT 0,
  in_downstream       INTEGER NOT NULL DEFAULT 0,
  in_refused          INTEGER NOT NULL DEFAULT 0,
  in_refused_fee_msat INTEGER NOT NULL DEFAULT 0,
  in_pending          INTEGER NOT NULL DEFAULT 0,
  out_settled         INTEGER NOT NULL DEFAULT 0,
  out_settled_msat    INTEGER NOT NULL DEFAULT 0,
  earned_msat         INTEGER NOT NULL DEFAULT 0,
  out_settled_live    INTEGER NOT NULL DEFAULT 0,
  out_downstream      INTEGER NOT NULL DEFAULT 0,
  out_downstream_msat INTEGER NOT NULL DEFAULT 0,
  out_downstream_fee_msat INTEGER NOT NULL DEFAULT 0,
  out_refused         INTEGER NOT NULL DEFAULT 0,
  out_refused_msat    INTEGER NOT NULL DEFAULT 0,
  out_refused_fee_msat INTEGER NOT NULL DEFAULT 0,
  out_pending         INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (node_id, hour, chan)
) STRICT, WITHOUT ROWID;

-- The same columns summed over everything before a period; only periods in which something changed have a row.
CREATE TABLE channel_total (
  node_id             INTEGER NOT NULL,
  chan                INTEGER NOT NULL,
  period              INTEGER NOT NULL,
  in_settled          INTEGER NOT NULL,
  in_settled_msat     INTEGER NOT NULL,
  sourced_msat        INTEGER NOT NULL,
  in_settled_live     INTEGER NOT NULL,
  in_downstream       INTEGER NOT NULL,
  in_refused          INTEGER NOT NULL,
  in_refused_fee_msat INTEGER NOT NULL,
  in_pending          INTEGER NOT NULL,
  out_settled         INTEGER NOT NULL,
  out_settled_msat    INTEGER NOT NULL,
  earned_msat         INTEGER NOT NULL,
  out_settled_live    INTEGER NOT NULL,
  out_downstream      INTEGER NOT NULL,
  out_downstream_msat INTEGER NOT NULL,
  out_downstream_fee_msat INTEGER NOT NULL,
  out_refused         INTEGER NOT NULL,
  out_refused_msat    INTEGER NOT NULL,
  out_refused_fee_msat INTEGER NOT NULL,
  out_pending         INTEGER NOT NULL,
  PRIMARY KEY (node_id, chan, period)
) STRICT, WITHOUT ROWID;

-- Our own refusals by outgoing channel and cause.
CREATE TABLE refusal_hour (
  node_id  INTEGER NOT NULL,
  hour     INTEGER NOT NULL,
  chan     INTEGER NOT NULL,
  cause    INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  msat     INTEGER NOT NULL,
  fee_msat INTEGER NOT NULL,
  PRIMARY KEY (node_id, hour, chan, cause)
) STRICT, WITHOUT ROWID;

CREATE TABLE refusal_total (
  node_id  INTEGER NOT NULL,
  chan     INTEGER NOT NULL,
  cause    INTEGER NOT NULL,
  period   INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  msat     INTEGER NOT NULL,
  fee_msat INTEGER NOT NULL,
  PRIMARY KEY (node_id, chan, cause, period)
) STRICT, WITHOUT ROWID;

CREATE TABLE pair_day (
  node_id  INTEGER NOT NULL,
  day      INTEGER NOT NULL,
  in_chan  INTEGER NOT NULL,
  out_chan INTEGER NOT NULL,
  outcome  INTEGER NOT NULL,
  cause    INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  msat     INTEGER NOT NULL,
  fee_msat INTEGER NOT NULL,
  PRIMARY KEY (node_id, day, in_chan, out_chan, outcome, cause)
) STRICT, WITHOUT ROWID;

-- Through which period the *_total tables are right (their rows above it are to be ignored), and from when on
-- raw rows are kept.
CREATE TABLE node_state (
  node_id            INTEGER PRIMARY KEY,
  totals_through     INTEGER,
  raw_since_ns       INTEGER,
  demand_days_through INTEGER  -- demand_day is right for days before this one
) STRICT;

-- Periods whose demands no longer follow from the attempts and are to be made again.
CREATE TABLE demand_dirty (
  node_id INTEGER NOT NULL,
  period  INTEGER NOT NULL,
  PRIMARY KEY (node_id, period)
) STRICT, WITHOUT ROWID;

-- What became of the attempts we passed on, by size: the evidence for the chance to settle.
CREATE TABLE size_day (
  node_id      INTEGER NOT NULL,
  day          INTEGER NOT NULL,
  chan         INTEGER NOT NULL,
  amount_class INTEGER NOT NULL,  -- domain/amounts.py
  settled      INTEGER NOT NULL,
  downstream   INTEGER NOT NULL,
  PRIMARY KEY (node_id, day, chan, amount_class)
) STRICT, WITHOUT ROWID;

-- A distinct wish of somebody to send an amount to one peer of ours, which we refused at least once.
-- Made from the attempts by store/demands.py; kept when raw rows are pruned.
CREATE TABLE demand (
  demand_id        INTEGER PRIMARY KEY,
  node_id          INTEGER NOT NULL,
  in_chan          INTEGER NOT NULL,
  out_chan         INTEGER NOT NULL,
  cause            INTEGER NOT NULL,
  circumstance     INTEGER NOT NULL,
  amount_class     INTEGER,       -- null: the node gave no amounts
  oversize         INTEGER NOT NULL,
  first_ns         INTEGER NOT NULL,
  last_ns          INTEGER NOT NULL,
  attempts         INTEGER NOT NULL,
  attempted_msat   INTEGER NOT NULL,  -- over all attempts
  attempted_fee_msat INTEGER NOT NULL,
  amount_out_msat  INTEGER,       -- of the last attempt
  fee_msat         INTEGER,       -- offered by the last attempt
  recovered_ns     INTEGER        -- a later attempt of the same wish was passed on or settled
) STRICT;
CREATE INDEX demand_by_time ON demand (node_id, first_ns);

-- The demands of whole days, summed.
CREATE TABLE demand_day (
  node_id      INTEGER NOT NULL,
  day          INTEGER NOT NULL,
  chan         INTEGER NOT NULL,
  cause        INTEGER NOT NULL,
  circumstance INTEGER NOT NULL,
  amount_class INTEGER NOT NULL,  -- -1: unknown
  oversize     INTEGER NOT NULL,
  attempts     INTEGER NOT NULL,
  msat         INTEGER NOT NULL,
  fee_msat     INTEGER NOT NULL,
  demands      INTEGER NOT NULL,
  recovered    INTEGER NOT NULL,
  open_msat    INTEGER NOT NULL,
  open_fee_msat INTEGER NOT NULL,
  open_fee_squares REAL NOT NULL,
  PRIMARY KEY (node_id, day, chan, cause, circumstance, amount_class, oversize)
) STRICT, WITHOUT ROWID;

-- When we listened.  Live intervals grow with each commit; imported ones come from the log itself.
CREATE TABLE coverage (
  coverage_id INTEGER PRIMARY KEY,
  node_id     INTEGER NOT NULL,
  source      TEXT NOT NULL,
  since_ns    INTEGER NOT NULL,
  until_ns    INTEGER NOT NULL,
  reason      TEXT NOT NULL DEFAULT '',
  UNIQUE (node_id, source, since_ns)
) STRICT;

CREATE TABLE channel_snapshot (
  node_id        INTEGER NOT NULL,
  chan           INTEGER NOT NULL,
  at_ns          INTEGER NOT NULL,
  active         INTEGER NOT NULL,
  local_msat     INTEGER NOT NULL,
  remote_msat    INTEGER NOT NULL,
  unsettled_msat INTEGER NOT NULL,
  PRIMARY KEY (node_id, chan, at_ns)
) STRICT, WITHOUT ROWID;

-- The rest of what a listing says of a channel, as last seen.
CREATE TABLE channel_state (
  node_id INTEGER NOT NULL,
  chan    INTEGER NOT NULL,
  at_ns   INTEGER NOT NULL,
  facts   TEXT NOT NULL,   -- the whole ChannelState as JSON
  PRIMARY KEY (node_id, chan)
) STRICT, WITHOUT ROWID;

-- Policies over time; side 0 is ours, 1 the peer's.  A row holds from since_ns until the next one.
CREATE TABLE policy (
  node_id              INTEGER NOT NULL,
  chan                 INTEGER NOT NULL,
  side                 INTEGER NOT NULL,
  since_ns             INTEGER NOT NULL,
  base_fee_msat        INTEGER NOT NULL,
  fee_ppm              INTEGER NOT NULL,
  time_lock_delta      INTEGER NOT NULL,
  min_htlc_msat        INTEGER NOT NULL,
  max_htlc_msat        INTEGER,
  inbound_base_fee_msat INTEGER NOT NULL,
  inbound_fee_ppm      INTEGER NOT NULL,
  disabled             INTEGER NOT NULL,
  last_update_s        INTEGER,
  PRIMARY KEY (node_id, chan, side, since_ns)
) STRICT, WITHOUT ROWID;

-- What was seen of a channel's link: a row says that from at_ns on it was active (1) or not (0).
CREATE TABLE channel_online (
  node_id INTEGER NOT NULL,
  chan    INTEGER NOT NULL,
  at_ns   INTEGER NOT NULL,
  active  INTEGER NOT NULL,
  PRIMARY KEY (node_id, chan, at_ns)
) STRICT, WITHOUT ROWID;

CREATE TABLE cursor (
  node_id INTEGER NOT NULL,
  name    TEXT NOT NULL,
  value   INTEGER NOT NULL,
  PRIMARY KEY (node_id, name)
) STRICT, WITHOUT ROWID;

-- What was seen and is not an attempt: own payments, unknown messages, shed events.
CREATE TABLE counter (
  node_id INTEGER NOT NULL,
  name    TEXT NOT NULL,
  value   INTEGER NOT NULL,
  PRIMARY KEY (node_id, name)
) STRICT, WITHOUT ROWID;

-- The one collector of a node.
CREATE TABLE lease (
  node_id    INTEGER PRIMARY KEY,
  holder     TEXT NOT NULL,
  until_ns   INTEGER NOT NULL
) STRICT;
