"""How a handler says that a call fails: a gRPC status with LND's words."""

from __future__ import annotations

import grpc


class RpcError(Exception):
    """Ends a call with a status; plain errors of LND are UNKNOWN."""

    def __init__(self, message: str, code: grpc.StatusCode = grpc.StatusCode.UNKNOWN) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
