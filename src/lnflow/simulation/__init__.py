"""A payment world with known truth, and wire-true nodes that serve it: demo, tests' fakes, benchmarks.

`world` owns what happens (payers, liquidity, our node's decisions) and what the true answer is; the
servers beside it own how a real node would tell it.
"""
