"""Values and arithmetic of routing: msat, short channel ids, HTLC events, causes, policies, channels.

No I/O and no clock: everything here is a pure function of its arguments.  Wire formats are left to
`nodes`, storage to `store`.
"""
