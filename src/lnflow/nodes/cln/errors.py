"""What can go wrong when we ask a Core Lightning node, as parts of the one tree of exceptions."""

from __future__ import annotations

from lnflow.domain.errors import NodeRefused, NodeUnavailable

SHUTTING_DOWN = -5
PLUGIN_TERMINATED = -4
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602


class OutcomeUnknown(NodeUnavailable):
    """The request went out and no answer came: it may have been done.  Look before repeating a write."""


class NodeTooOld(NodeRefused):
    """The node's version cannot page its forwards."""


class RpcRefused(NodeRefused):
    """The node answered with a JSON-RPC error; `code` is the node's own number."""

    def __init__(self, method: str, code: int, message: str) -> None:
        super().__init__(f"{method}: the node refused ({code}): {message}")
        self.method = method
        self.code = code
        self.node_message = message
