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
from tests.real_lnd.monitor import Monitor
from tests.real_lnd.network import Network
from tests.real_lnd.scenario import Outcome, run_scenario

HERE = Path(__file__).parent
REQUIRED = os.environ.get("LNFLOW_REQUIRE_REAL_LND") == "1"
SESSION_TIMEOUT_S = 600  # the first test waits for the network and the scenario
WATCHERS = ["event_log", "monitored"]


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """Give every test of this folder the marker; leave them out unless asked for, skip them without lnd."""
    for item in _ours(items):
        item.add_marker(pytest.mark.real_lnd)
        item.add_marker(pytest.mark.timeout(SESSION_TIMEOUT_S))
    yield  # pytest reads -m here
    ours = _ours(items)
    if ours and not _asked_for(config):
        config.hook.pytest_deselected(items=ours)
        items[:] = [item for item in items if item not in ours]
    elif ours and (reason := _why_not()):
        if REQUIRED:
            raise pytest.UsageError(reason)
        for item in ours:
            item.add_marker(pytest.mark.skip(reason))


def _ours(items: list[pytest.Item]) -> list[pytest.Item]:
    return [item for item in items if HERE in item.path.parents]


def _asked_for(config: pytest.Config) -> bool:
    """Return whether the run names this folder, the marker or the environment variable."""
    paths = [Path(argument.split("::")[0]).resolve() for argument in config.args]
    by_path = any(path == HERE or HERE in path.parents for path in paths)
    return REQUIRED or by_path or "real_lnd" in config.option.markexpr


def _why_not() -> str:
    """Return why there can be no network here, empty if there can."""
    if is_built(binaries_dir()):
        return ""
    go = "" if shutil.which("go") else "Go is not on the PATH: install Go 1.25.10 or newer, then "
    return f"lnd is not built: {go}run python tests/real_lnd/build.py (once, about four minutes)"


@pytest.fixture(scope="session")
def real_network(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Network]:
    """The running network, its channels open and nothing paid yet."""
    folder = tmp_path_factory.mktemp("real_lnd")
    failed_before = request.session.testsfailed
    with Network(binaries_dir(), folder) as network:
        yield network
    if request.session.testsfailed == failed_before:
        shutil.rmtree(folder)  # after a failure the logs stay, where pytest keeps temporary files


@pytest.fixture(scope="session")
def event_log(real_network: Network) -> Iterator[EventLog]:
    """What B tells every subscriber, from before the scenario on."""
    with EventLog(real_network.b) as log:
        yield log


@pytest.fixture(scope="session")
def monitored(real_network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitor]:
    """`lnflow monitor` beside B, with a macaroon that can only read, from before the scenario on."""
    folder = tmp_path_factory.mktemp("monitor")
    macaroon = folder / "monitor.macaroon"
    real_network.b.bake_macaroon(macaroon, "info:read", "offchain:read", "onchain:read", "peers:read")
    with Monitor(real_network.b, macaroon, folder) as monitor:
        yield monitor


@pytest.fixture(scope="session")
def provoked(real_network: Network, request: pytest.FixtureRequest) -> Outcome:
    """What the scenario provoked at B, computed from what was sent; every watcher saw all of it."""
    for watcher in WATCHERS:
        request.getfixturevalue(watcher)
    return run_scenario(real_network)
