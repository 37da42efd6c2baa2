-- The running totals before a period, of 64 channels together in one value (store/totals.py): a table of 64-bit whole
-- numbers, little-endian, row by row: chan, then the sums of channel_hour; or chan, cause, then those of refusal_hour.
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
-- Blocks of wishes hold one column after the other, no longer row by row.  The next upkeep makes both again.
DELETE FROM wish_block;
UPDATE node_state SET totals_through = NULL, blocks_through = NULL;
