"""`lnflow monitor` as an operator runs it, in a process of its own, and the commands that read its store."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.real_lnd.processes import Node
from tests.real_lnd.wait import wait_until

_STOP_S = 30.0
_COMMAND_S = 60.0


class Monitor:
    """Collects from a node until left."""

    def __init__(self, node: Node, macaroon: Path, folder: Path) -> None:
        self.node = node
        self.database = folder / "lnflow.sqlite"
        self.log = folder / "monitor.log"
        self._reach = (
            "--lnd-dir", str(node.lnd_dir), "--grpc-host", node.grpc_host, "--network", "simnet",
            "--macaroon-path", str(macaroon),
        )  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self._argv("monitor", *self._reach, "--json"), stdout=log, stderr=log, env=self._env()
            )
        wait_until("lnflow monitor to listen", self._listens, deadline_s=90.0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> int:
        """End it as Ctrl-C does; return its exit code."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        return self._process.wait(timeout=_STOP_S)

    def ask(self, *arguments: str) -> dict[str, Any]:
        """Return the JSON that a reading command prints."""
        done = subprocess.run(
            self._argv(*arguments, "--json"), capture_output=True, timeout=_COMMAND_S, env=self._env(), check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        if not self.database.exists():
            return False
        done = subprocess.run(
            self._argv("channels", "--all", "--json"), capture_output=True, timeout=_COMMAND_S, env=self._env(),
            check=False,
        )  # fmt: skip
        if done.returncode != 0:
            return False
        channels = json.loads(done.stdout)["channels"]
        return bool(channels) and any(c["our_policy"] is not None for c in channels)

    def _argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "lnflow", *arguments, "--database", str(self.database)]

    def _env(self) -> dict[str, str]:
        return {k: v for k, v in os.environ.items() if not k.startswith("LNFLOW_")}
