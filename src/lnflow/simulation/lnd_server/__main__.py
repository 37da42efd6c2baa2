"""Run a simulated LND under load in a process of its own.

    python -m lnflow.simulation.lnd_server --directory DIR --events 100000 [--rate 2000]

It prints one line of JSON when it listens (target, directory, network, pid) and serves until it is ended.
Every subscriber of HTLC events gets the same events; SIGSTOP makes a frozen server of it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from pathlib import Path

from lnflow.simulation.lnd_server.living import busy_node, living_htlcs
from lnflow.simulation.lnd_server.load import LoadServer
from lnflow.simulation.lnd_server.node import LndNode
from lnflow.simulation.lnd_server.personality import Personality
from lnflow.simulation.lnd_server.server import LndServer


def main() -> None:
    releases = {".".join(map(str, each.version)): each for each in Personality}
    parser = argparse.ArgumentParser(prog="python -m lnflow.simulation.lnd_server", description=__doc__)
    parser.add_argument("--directory", type=Path, required=True, help="where the lnd directory is made")
    parser.add_argument("--events", type=int, required=True, help="events of living HTLCs for each subscriber")
    parser.add_argument("--rate", type=float, help="events per second; without it as fast as they are read")
    parser.add_argument("--channels", type=int, default=1_000)
    parser.add_argument("--network", default="regtest")
    parser.add_argument("--release", choices=releases, default="0.21.2")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    asyncio.run(_serve(options, releases[options.release]))


async def _serve(options: argparse.Namespace, personality: Personality) -> None:
    now_ns = time.time_ns()
    node = busy_node(
        LndNode(network=options.network, personality=personality, alias="busy"),
        channels=options.channels,
        now_ns=now_ns,
    )
    spacing_ns = int(1e9 / options.rate) if options.rate else 1_000
    prepared = list(living_htlcs(node, options.events, start_ns=now_ns, spacing_ns=spacing_ns, seed=options.seed))
    lnd = LndServer(node, options.directory)
    server = LoadServer(lnd, prepared, rate=options.rate)
    await server.start()
    ready = {
        "target": f"127.0.0.1:{server.port}",
        "directory": str(options.directory),
        "network": options.network,
        "pid": os.getpid(),
    }
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    main()
