-- Running totals by period first: all channels' totals before a period are one range of the table, however long
-- the history.  A period in which anything changed has a row for every channel with any traffic before.
-- They are made again by the next upkeep.
DROP TABLE channel_total;
DROP TABLE refusal_total;
CREATE TABLE channel_total (
  node_id             INTEGER NOT NULL,
  period              INTEGER NOT NULL,
  chan                INTEGER NOT NULL,
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
  PRIMARY KEY (node_id, period, chan)
) STRICT, WITHOUT ROWID;
CREATE TABLE refusal_total (
  node_id  INTEGER NOT NULL,
  period   INTEGER NOT NULL,
  chan     INTEGER NOT NULL,
  cause    INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  msat     INTEGER NOT NULL,
  fee_msat INTEGER NOT NULL,
  PRIMARY KEY (node_id, period, chan, cause)
) STRICT, WITHOUT ROWID;
UPDATE node_state SET totals_through = NULL;
