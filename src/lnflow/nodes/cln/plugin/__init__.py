"""The plugin side of Core Lightning: JSON-RPC over stdin and stdout, in one asyncio loop.

lightningd never waits for us: `init` is answered at once, notifications are only enqueued, no hook is
registered.  What the methods do and what runs in the background is given by the caller.
"""
