"""The one tree of exceptions.  A message says where, what, the rule, and the remedy; never a secret."""

from __future__ import annotations


class LnflowError(Exception):
    """Anything we raise on purpose; the command line prints it without a traceback and exits 1."""


class ConfigurationError(LnflowError):
    """A setting, an option or a file of the operator is wrong; nothing was done."""


class NodeUnavailable(LnflowError):
    """The node did not answer, or is not ready yet: trying again later may work."""


class NodeRefused(LnflowError):
    """The node answered no (macaroon, wrong network, unknown method): trying again will not help."""


class StoreError(LnflowError):
    """The database cannot be read or written (locked, full disk, damaged, from a newer lnflow)."""


class StoreDamaged(StoreError):
    """The database's content is broken: only a backup helps."""


class StoreRefused(StoreError):
    """The database works but will not have these data (a sum that overflows, a number too large)."""


class InputError(LnflowError):
    """A file or a line of input cannot be understood."""
