"""The one way in: live stream, history backfill and imported files become joined attempts in the store.

`join` turns events into facts of HTLCs, `collector` runs the live side, `importer` the saved files (`files`
reads them).  What the facts mean for earnings is left to `analysis`.
"""
