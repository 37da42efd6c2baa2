"""The `lnflow` command: options in, documents out as tables or JSON.  No logic of its own.

Commands are imported when they are used, so that `lnflow --help` stays quick on a small machine.
"""
