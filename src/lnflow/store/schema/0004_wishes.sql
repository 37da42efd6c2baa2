-- What a wish paid us after all, by its later tries (whichever channel they took), and the size of one part
-- where it came in equal parts at once.
ALTER TABLE demand ADD COLUMN paid_msat INTEGER NOT NULL DEFAULT 0;
ALTER TABLE demand ADD COLUMN part_msat INTEGER;
ALTER TABLE demand_day ADD COLUMN open_part_msat INTEGER NOT NULL DEFAULT 0;

-- What became of wishes that we passed on at once, by channel and size: the evidence for the chance to settle.
CREATE TABLE served (
  node_id      INTEGER NOT NULL,
  period       INTEGER NOT NULL,
  chan         INTEGER NOT NULL,
  amount_class INTEGER NOT NULL,
  wishes       INTEGER NOT NULL,
  arrived      INTEGER NOT NULL,  -- more than half of the amount settled
  amount_msat  INTEGER NOT NULL,
  part_msat    INTEGER NOT NULL,
  arrived_msat INTEGER NOT NULL,
  PRIMARY KEY (node_id, period, chan, amount_class)
) STRICT, WITHOUT ROWID;

CREATE TABLE served_day (
  node_id      INTEGER NOT NULL,
  day          INTEGER NOT NULL,
  chan         INTEGER NOT NULL,
  amount_class INTEGER NOT NULL,
  wishes       INTEGER NOT NULL,
  arrived      INTEGER NOT NULL,
  amount_msat  INTEGER NOT NULL,
  part_msat    INTEGER NOT NULL,
  arrived_msat INTEGER NOT NULL,
  PRIMARY KEY (node_id, day, chan, amount_class)
) STRICT, WITHOUT ROWID;

-- Everything that raw rows still tell is made again under these rules; what was pruned keeps its old figures.
UPDATE demand SET part_msat = amount_out_msat;
INSERT OR IGNORE INTO demand_dirty SELECT DISTINCT node_id, hour / 6 FROM channel_hour;
UPDATE node_state SET demand_days_through = NULL;
