"""A real lnd network for the tests of this folder: started once, paid over once.

    LNFLOW_REQUIRE_REAL_LND=1   fail instead of skipping where lnd is not built

The order within the session: `real_network` is up; the fixtures named in `WATCHERS` start whatever is
to watch B; `provoked` runs the scenario.  A watcher is a session fixture that takes `real_network`, such as
one that runs ``lnflow monitor --lnd-dir … --grpc-host …`` on ``real_network.b``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.real_lnd.build import binaries_dir, is_built
from tests.real_lnd.events import EventLog
from tests.real_lnd.network import Network
from tests.real_lnd.scenario import Outcome, run_scenario

HERE = Path(__file__).parent
REQUIRED = os.environ.get("LNFLOW_REQUIRE_REAL_LND") == "1"
SESSION_TIMEOUT_S = 600  # the first test waits for the network and the scenario
WATCHERS = ["event_log"]


@pytest.hookimpl(tryfirst=True)  # the marker must be there before pytest reads -m
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give every test of this folder the marker, and leave them out unless they were asked for."""
    ours = [item for item in items if HERE in item.path.parents]
    for item in ours:
        item.add_marker(pytest.mark.real_lnd)
        item.add_marker(pytest.mark.timeout(SESSION_TIMEOUT_S))
    if ours and not _asked_for(config):
        config.hook.pytest_deselected(items=ours)
        items[:] = [item for item in items if item not in ours]


def _asked_for(config: pytest.Config) -> bool:
    by_path = any(
        HERE in (path := Path(argument.split("::")[0]).resolve()).parents or path == HERE for argument in config.args
    )
    return REQUIRED or by_path or "real_lnd" in config.option.markexpr


@pytest.fixture(scope="session")
def real_network(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Network]:
    """The running network, its channels open and nothing paid yet."""
    folder = tmp_path_factory.mktemp("real_lnd")
    failed_before = request.session.testsfailed
    with Network(_binaries(), folder) as network:
        yield network
    if request.session.testsfailed == failed_before:
        shutil.rmtree(folder)  # after a failure the logs stay, where pytest keeps temporary files


@pytest.fixture(scope="session")
def event_log(real_network: Network) -> Iterator[EventLog]:
    """What B tells every subscriber, from before the scenario on."""
    with EventLog(real_network.b) as log:
        yield log


@pytest.fixture(scope="session")
def provoked(real_network: Network, request: pytest.FixtureRequest) -> Outcome:
    """What the scenario provoked at B, computed from what was sent; every watcher saw all of it."""
    for watcher in WATCHERS:
        request.getfixturevalue(watcher)
    return run_scenario(real_network)


def _binaries() -> Path:
    folder = binaries_dir()
    if is_built(folder):
        return folder
    go = "" if shutil.which("go") else "Go is not on the PATH: install Go 1.25.10 or newer. "
    reason = f"lnd is not built. {go}Run python tests/real_lnd/build.py (once, about four minutes)."
    if REQUIRED:
        pytest.fail(reason)
    pytest.skip(reason)
