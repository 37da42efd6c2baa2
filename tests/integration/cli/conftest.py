"""The command as a process of its own, against the simulated LND in this one."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True, slots=True)
class Result:
    code: int
    out: bytes
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


class Lnflow:
    """Runs `lnflow` with a store and home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.database = home / "lnflow.sqlite"
        self._env = {
            **os.environ,
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_DATA_HOME": str(home / "data"),
            "LNFLOW_DATABASE": str(self.database),
        }

    async def start(self, *arguments: str, **environment: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "lnflow",
            *arguments,
            env=self._env | environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def __call__(self, *arguments: str) -> Result:
        return await self.finish(await self.start(*arguments))

    async def finish(self, process: asyncio.subprocess.Process) -> Result:
        async with asyncio.timeout(60):
            out, err = await process.communicate()
        assert process.returncode is not None
        return Result(process.returncode, out, err.decode())

    async def interrupt(self, process: asyncio.subprocess.Process) -> Result:
        """Press Ctrl-C."""
        process.send_signal(signal.SIGINT)
        return await self.finish(process)


@pytest.fixture
def lnflow(tmp_path: Path) -> Lnflow:
    return Lnflow(tmp_path)
