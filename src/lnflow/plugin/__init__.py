"""`lnflow-plugin`: lnflow inside Core Lightning.  One line in its config, or `lightning-cli plugin start`.

It registers no hook.  It writes nothing to the node, but for `lnflow-policy-apply apply=true` where the operator set
`lnflow-act`.  The store lies in `lnflow/lnflow.sqlite` under the network's lightning directory and belongs to the
node's user.  `collecting` fills it, `answers` reads it for the methods, `prices` applies a policy file.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys

from lnflow.domain.time import SystemClock
from lnflow.nodes.cln.plugin.runtime import NodeLogHandler, take_stdio
from lnflow.plugin.answers import LnflowPlugin


async def run() -> None:
    """Serve lightningd until it says shutdown or closes our stdin."""
    stdin_fd, stdout_fd = take_stdio()
    plugin = LnflowPlugin(SystemClock())
    root = logging.getLogger("lnflow")
    root.setLevel(logging.INFO)
    root.propagate = False
    root.addHandler(NodeLogHandler(plugin.runtime))
    await plugin.serve(stdin_fd, stdout_fd)


def main() -> None:
    """Started by lightningd, never by hand."""
    if "LIGHTNINGD_PLUGIN" not in os.environ:
        raise SystemExit(
            "lnflow-plugin is started by lightningd: add the line plugin=lnflow-plugin's path to its config,"
            ' or run: lightning-cli plugin start "$(command -v lnflow-plugin)"'
        )
    with asyncio.Runner() as runner:
        runner.run(run())
        # What was collected is stored.  A question that a thread still works on has nobody left to hear the answer.
        sys.stderr.flush()
        os._exit(0)
