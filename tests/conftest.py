"""For all suites: where something that ought to be there is missing, a run may be told to fail instead of skip."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# A busy machine is slow, not wrong.
settings.register_profile("lnflow", deadline=None)
settings.load_profile("lnflow")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """With LNFLOW_NO_SKIPS=1 (as in CI) a skipped test fails the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("LNFLOW_NO_SKIPS") != "1" or reporter is None or exitstatus != pytest.ExitCode.OK:
        return
    if reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why a run without failures failed."""
    skipped = terminalreporter.stats.get("skipped", [])
    if os.environ.get("LNFLOW_NO_SKIPS") == "1" and skipped:
        terminalreporter.write_line(f"LNFLOW_NO_SKIPS=1: {len(skipped)} skipped tests count as failures", red=True)
