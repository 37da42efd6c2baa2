"""A lightningd that behaves like one without being one: a state machine that checks HTLCs in the node's order
and speaks its Unix socket, clnrest and the plugin protocol, quirks included.

It serves the demo, the tests and the judging of controllers.  What it answers is held against Core
Lightning's own schemas, and it is driven by a client that is not ours.
"""
