"""A wire-true LND: the node as a state machine (`node`), and real gRPC with TLS and macaroons around it.

It owns how LND 0.18 to 0.21 decides about forwards and how it tells, page by page and event by event;
what arrives at the node and when is left to whoever drives it (the payment world, a test).
"""

from lnflow.simulation.lnd_server.books import LndPeer
from lnflow.simulation.lnd_server.channels import LndChannel
from lnflow.simulation.lnd_server.forwarding import Forwarding
from lnflow.simulation.lnd_server.node import LndNode
from lnflow.simulation.lnd_server.personality import Personality
from lnflow.simulation.lnd_server.refusals import ReceiveRefusal, Refusal
from lnflow.simulation.lnd_server.server import LndServer

__all__ = [
    "Forwarding",
    "LndChannel",
    "LndNode",
    "LndPeer",
    "LndServer",
    "Personality",
    "ReceiveRefusal",
    "Refusal",
]
