-- The running totals before a period, of 64 channels together in one value (store/totals.py): a table of 64-bit whole
-- numbers, little-endian, row by row: chan, then the sums of channel_hour; or chan, cause, then those of refusal_hour.
-- They are made again by the next upkeep.
DROP TABLE channel_total;
DROP TABLE refusal_total;
CREATE TABLE running_total (
  node_id INTEGER NOT NULL,
  kind    INTEGER NOT NULL,  -- 0: of channel_hour, 1: of refusal_hour
  period  INTEGER NOT NULL,  -- everything before it
  part    INTEGER NOT NULL,  -- chan / 64
  sums    BLOB NOT NULL,
  PRIMARY KEY (node_id, kind, period, part)
) STRICT;
UPDATE node_state SET totals_through = NULL;
