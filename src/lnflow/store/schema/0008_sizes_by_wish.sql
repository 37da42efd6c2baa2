-- The chance to settle is learnt from wishes (served), no longer from single attempts.
DROP TABLE size_day;
