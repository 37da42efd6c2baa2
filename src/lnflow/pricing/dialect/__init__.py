"""Reading policy files: charge-lnd's format exactly, and lnflow's keys beside it.

`ini` keeps line numbers, `values` reads what stands behind a key, `vocabulary` knows the keys, `load` turns a
file into rules, `check` says what is wrong with it.  What a rule then decides is left to `matching`.
"""
