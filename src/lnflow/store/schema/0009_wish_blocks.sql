-- Sums of wishes in blocks (store/blocks.py): one row holds a stretch of time, column by column in one blob, since
-- row by row SQLite takes two microseconds each.  They follow from demand and served and are made again by the next
-- upkeep; blocks_through is the period before which they are right.
DROP TABLE demand_day;
DROP TABLE served_day;
CREATE TABLE wish_block (
  node_id INTEGER NOT NULL,
  kind    INTEGER NOT NULL,  -- 0: of demand, 1: of served
  level   INTEGER NOT NULL,  -- a block covers 4^level periods of six hours
  number  INTEGER NOT NULL,  -- the periods from number x 4^level on
  sums    BLOB NOT NULL,
  PRIMARY KEY (node_id, kind, level, number)
) STRICT;
ALTER TABLE node_state DROP COLUMN demand_days_through;
ALTER TABLE node_state ADD COLUMN blocks_through INTEGER;
