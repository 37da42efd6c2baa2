"""Strategies: from the overlay of keys and the facts of a channel to the terms we want for it.

`charge_lnd` holds charge-lnd's, the other modules one of lnflow's each; formulas with worked numbers stand in
`docs/concepts/strategies.md`.  A strategy never falls back silently: it raises `BadPolicy` or `NotEvaluable`,
and the channel is left alone.
"""
