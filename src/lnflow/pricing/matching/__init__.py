"""Which rule decides a channel: criteria with inclusive bounds, rules in order, the overlay of their keys.

A criterion that cannot be evaluated neither matches nor fails: its channel is skipped, with the reason.
"""
