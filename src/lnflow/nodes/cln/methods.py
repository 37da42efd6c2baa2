"""Which RPC methods each adapter may call; a client refuses everything else before it connects."""

from __future__ import annotations

from lnflow.domain.errors import NodeRefused

READ_METHODS = frozenset(
    {
        "autoclean-status",
        "bkpr-listincome",
        "feerates",
        "getinfo",
        "help",
        "listchannelmoves",
        "listchannels",
        "listclosedchannels",
        "listconfigs",
        "listforwards",
        "listnetworkevents",
        "listnodes",
        "listpeerchannels",
        "listtransactions",
        "wait",
    }
)
"""Reading: none of these changes the node or spends."""

FEE_METHODS = frozenset(
    {
        "check",
        "clboss-status",
        "clboss-unmanage",
        "feeadjuster-toggle",
        "help",
        "listpeerchannels",
        "setchannel",
    }
)
"""Fee writes: our own channels' policies, and asking other fee plugins to leave a peer to us."""


REHEARSAL_METHODS = FEE_METHODS - {"clboss-unmanage", "feeadjuster-toggle", "setchannel"}
"""Asking whether a fee would be taken: nothing that changes anything."""


def require_allowed(method: str, allowed: frozenset[str]) -> None:
    """Raise `NodeRefused` for a method outside the list."""
    if method not in allowed:
        raise NodeRefused(
            f"{method}: not among the methods this adapter may call, so nothing was sent"
            f" (allowed: {', '.join(sorted(allowed))})"
        )
