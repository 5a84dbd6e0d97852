"""Name a test as soon as it has failed: the summary may be twenty minutes away."""

from __future__ import annotations

import pytest


class FailedNow:
    """A plugin of the process that prints."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            why = report.longreprtext.strip().splitlines()
            said = [line[1:].strip() for line in why if line.startswith("E ")]
            self._terminal.write_line(
                f"\nfailed: {report.nodeid}: {(said or why or [''])[0][:300]}"
            )
