-- served.amount_msat and part_msat are of the wishes that settled: what failed downstream must not make the parts
-- that nobody saw look larger.  Periods are made again from their raw rows, as far as these are kept.
INSERT OR IGNORE INTO demand_dirty SELECT DISTINCT node_id, period FROM served;
