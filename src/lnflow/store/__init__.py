"""The store: raw attempts, rollups, demands, coverage, facts and cursors in SQLite.

`schema/` holds the numbered migrations, `writing` the one writer, the other modules one group of queries
each.  Raw rows and rollups change in one transaction.  Deciding what an event means is left to `ingest`.
"""
