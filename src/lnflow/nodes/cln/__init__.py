"""Core Lightning: JSON-RPC over its Unix socket or clnrest, forwards by two cursors, channel facts, why it
refused, fee writes and the plugin runtime.

Wire types end here; what leaves this package are values of `domain`.  Nothing here hooks the payment path.
"""
