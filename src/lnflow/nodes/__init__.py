"""The nodes: `port` says what we need of one, in domain types; each folder speaks to one kind.

Wire types end here.  Reading, fee writes and payments are separate adapters with separate credentials.
"""
