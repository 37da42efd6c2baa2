"""Gathering the facts a policy file asks for: from the node, and from the store where that is up to date.

Reads do not grow with the number of channels: one listing, one look at all announced policies, and one call for
each kind of further fact, only if a rule or a strategy needs it.  What cannot be had becomes `Unknown`.
"""
