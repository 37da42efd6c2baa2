"""The processes of the network: one btcd and several lnds, on free loopback ports, each with its own folder.

A `Node` speaks to its lnd over REST with the admin macaroon; what is asked of it stands in `network.py`
and `scenario.py`.
"""

from __future__ import annotations

import base64
import http.client
import json
import secrets
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlencode

from tests.real_lnd.wait import wait_until

Json: TypeAlias = Any  # what json.loads returned; every reader names the fields it needs

LOOPBACK = "127.0.0.1"
BTCD_USER = "user"
BTCD_PASSWORD = "password"  # of a chain that lives for two minutes on loopback
START_DEADLINE_S = 120.0  # creating a wallet is scrypt: 3 s alone, 12 s when all nodes do it, more on a busy machine
STOP_DEADLINE_S = 30.0
CALL_TIMEOUT_S = 60.0
LOG_TAIL_LINES = 20

_given_ports: set[int] = set()


class NodeError(Exception):
    """A node refused a call, or a process ended when it should not have."""


class PortsTakenError(Exception):
    """No free port was found on loopback."""


def free_port() -> int:
    """Return a port that nothing listens on and that was not returned before.

    It lies below the range the kernel gives to outgoing connections, so that a stopped node finds its ports
    free when it returns.
    """
    for _ in range(200):
        port = 20_000 + secrets.randbelow(12_000)
        if port in _given_ports:
            continue
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        _given_ports.add(port)
        return port
    raise PortsTakenError("no free port between 20000 and 32000 on loopback")


class Process:
    """One program with its log file; every later act goes to the pid that `launch` got."""

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        return self._running().pid

    @property
    def is_running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def launch(self, command: Sequence[str]) -> None:
        with self.log.open("ab") as log:
            self._popen = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def check(self) -> None:
        """Raise with the end of the log if the program has ended by itself."""
        if not self.is_running:
            raise NodeError(f"{self.name} is not running; the end of its log:\n{self.log_tail()}")

    def log_tail(self) -> str:
        if not self.log.exists():
            return "(no log)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])

    def send(self, number: signal.Signals) -> None:
        self._running().send_signal(number)

    def stop(self) -> None:
        """End it as an operator would, and wait until it has gone."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, frozen or not; harmless if it has gone already."""
        if self.is_running:
            self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        process = self._running()
        process.send_signal(number)
        process.wait(STOP_DEADLINE_S)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._popen is None:
            raise NodeError(f"{self.name} was never started")
        return self._popen


class Btcd:
    """The chain.  btcd can only mine to the address it was started with."""

    def __init__(self, binary: Path, folder: Path) -> None:
        folder.mkdir()
        self._binary = binary
        self._folder = folder
        self.rpc_port = free_port()
        self._peer_port = free_port()
        self.rpc_cert = folder / "rpc.cert"
        self._config = folder / "btcd.conf"
        self._config.touch()  # else btcd looks for a sample to copy
        self._process = Process("btcd", folder / "btcd.log")

    def start(self, *, mining_address: str | None = None) -> None:
        command = [
            str(self._binary),
            "--simnet",
            "--txindex",
            f"--rpcuser={BTCD_USER}",
            f"--rpcpass={BTCD_PASSWORD}",
            f"--rpclisten={LOOPBACK}:{self.rpc_port}",
            f"--listen={LOOPBACK}:{self._peer_port}",
            f"--rpccert={self.rpc_cert}",
            f"--rpckey={self._folder / 'rpc.key'}",
            f"--configfile={self._config}",
            f"--datadir={self._folder / 'data'}",
            f"--logdir={self._folder / 'logs'}",
            "--nobanning",
            "--nostalldetect",
            "--trickleinterval=100ms",
        ]
        if mining_address is not None:
            command.append(f"--miningaddr={mining_address}")
        self._process.launch(command)
        wait_until("btcd to answer", self._answers, deadline_s=START_DEADLINE_S)

    def stop(self) -> None:
        self._process.stop()

    def kill(self) -> None:
        self._process.kill()

    def log_tail(self) -> str:
        return self._process.log_tail()

    def mine(self, blocks: int) -> None:
        self.call("generate", blocks)

    def mempool(self) -> list[str]:
        """Return the ids of the transactions that wait for a block."""
        return list(self.call("getrawmempool"))

    def call(self, method: str, *arguments: object) -> Json:
        login = base64.b64encode(f"{BTCD_USER}:{BTCD_PASSWORD}".encode()).decode()
        question = {"jsonrpc": "1.0", "id": 1, "method": method, "params": arguments}
        with _https(self.rpc_port, self.rpc_cert) as connection:
            connection.request("POST", "/", json.dumps(question), {"Authorization": f"Basic {login}"})
            reply = json.loads(connection.getresponse().read())
        if reply["error"] is not None:
            raise NodeError(f"btcd {method}: {reply['error']}")
        return reply["result"]

    def _answers(self) -> bool:
        self._process.check()
        try:
            return self.call("getblockcount") is not None
        except (OSError, http.client.HTTPException, ValueError):
            return False


class Node:
    """One lnd.  `lnd_dir`, `grpc_port` and `pubkey` are what a client under test needs."""

    def __init__(self, name: str, binary: Path, folder: Path, flags: Sequence[str]) -> None:
        folder.mkdir()
        self.name = name
        self.lnd_dir = folder
        self.grpc_port = free_port()
        self.rest_port = free_port()
        self.peer_port = free_port()
        self.pubkey = ""  # hex; known once the network is up
        self.process = Process(f"lnd {name}", folder / "lnd.log")
        self._command = [
            str(binary),
            f"--lnddir={folder}",
            f"--alias={name}",
            f"--rpclisten={LOOPBACK}:{self.grpc_port}",
            f"--restlisten={LOOPBACK}:{self.rest_port}",
            f"--listen={LOOPBACK}:{self.peer_port}",
            f"--externalip={LOOPBACK}:{self.peer_port}",
            *flags,
        ]

    @property
    def grpc_host(self) -> str:
        return f"{LOOPBACK}:{self.grpc_port}"

    @property
    def peer_address(self) -> str:
        return f"{LOOPBACK}:{self.peer_port}"

    @property
    def tls_cert(self) -> Path:
        return self.lnd_dir / "tls.cert"

    @property
    def admin_macaroon(self) -> Path:
        return self.lnd_dir / "data" / "chain" / "bitcoin" / "simnet" / "admin.macaroon"

    def launch(self, *more_flags: str) -> None:
        """Start it without waiting; `more_flags` hold for this run only."""
        self.process.launch([*self._command, *more_flags])

    def start(self, *more_flags: str) -> None:
        """Start it and wait until it serves every call; its peers may take a second or two longer."""
        self.launch(*more_flags)
        self.wait_for_state("SERVER_ACTIVE")

    def stop(self) -> None:
        self.process.stop()

    def kill(self) -> None:
        self.process.kill()

    def freeze(self) -> None:
        """Stop it in its tracks: connections stay open, nothing is answered."""
        self.process.send(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send(signal.SIGCONT)

    def wait_for_state(self, *states: str) -> None:
        """Wait until lnrpc.State is one of `states`."""

        def reached() -> bool:
            self.process.check()
            try:
                return self.get("/v1/state")["state"] in states
            except (OSError, http.client.HTTPException, ValueError, NodeError):
                return False

        wait_until(f"{self.name} to be {' or '.join(states)}", reached, deadline_s=START_DEADLINE_S)

    def get(self, path: str, **query: str) -> Json:
        return self._call("GET", f"{path}?{urlencode(query)}" if query else path)

    def post(self, path: str, body: Mapping[str, object], *, timeout_s: float = CALL_TIMEOUT_S) -> Json:
        return self._call("POST", path, body, timeout_s=timeout_s)

    def delete(self, path: str, **query: str) -> Json:
        """Return the first message of a stream and leave the rest of it unread."""
        with self._request("DELETE", f"{path}?{urlencode(query)}", None) as response:
            return json.loads(response.readline())["result"]

    def stream(self, path: str) -> Iterator[Json]:
        """Yield what a server-streaming call sends, each as ``{"result": …}`` or ``{"error": …}``."""
        with self._request("GET", path, None, timeout_s=None) as response:
            for line in response:
                yield json.loads(line)

    def bake_macaroon(self, path: Path, *permissions: str) -> Path:
        """Write a macaroon that may do only `permissions`, each ``entity:action`` or ``uri:/full.Method``."""
        pairs = [dict(zip(("entity", "action"), one.split(":", 1), strict=True)) for one in permissions]
        reply = self.post("/v1/macaroon", {"permissions": pairs})
        path.write_bytes(bytes.fromhex(reply["macaroon"]))
        return path

    def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        *,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> Json:
        with self._request(method, path, body, timeout_s=timeout_s) as response:
            reply = json.loads(response.read())
        if response.status != http.client.OK:
            raise NodeError(f"{self.name} {method} {path}: {reply.get('message', reply)}")
        return reply

    @contextmanager
    def _request(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None,
        *,
        timeout_s: float | None = CALL_TIMEOUT_S,
    ) -> Iterator[http.client.HTTPResponse]:
        headers = {}
        if self.admin_macaroon.exists():  # the state can be asked without it
            headers["Grpc-Metadata-macaroon"] = self.admin_macaroon.read_bytes().hex()
        with _https(self.rest_port, self.tls_cert, timeout_s=timeout_s) as connection:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            yield connection.getresponse()


@contextmanager
def _https(port: int, cert: Path, *, timeout_s: float | None = CALL_TIMEOUT_S) -> Iterator[http.client.HTTPSConnection]:
    context = ssl.create_default_context(cafile=str(cert))
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # self-signed, made by the node a moment ago
    connection = http.client.HTTPSConnection(LOOPBACK, port, timeout=timeout_s, context=context)
    try:
        yield connection
    finally:
        connection.close()
