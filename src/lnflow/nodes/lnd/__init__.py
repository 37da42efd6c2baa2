"""LND: reading over gRPC with a credential that cannot spend, and the JSON forms of the same messages.

`wire` holds LND's messages and method paths; nothing outside this folder sees them.
"""
