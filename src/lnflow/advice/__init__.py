"""From figures to words: opportunities with recommendations, and the documents every face shows.

`documents` is the form of `--json`; tables, reports and the Python API are drawn from the same objects.
Estimating is left to `analysis`, showing to `cli`.
"""
