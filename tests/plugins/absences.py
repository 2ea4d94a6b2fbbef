"""Names at the end of a run what could not run and why; in CI such an absence fails the run."""

import os
from collections import Counter

import pytest


def absent(what: str, remedy: str) -> None:
    """Skip the running test because the machine lacks `what`."""
    pytest.skip(f"{what} is not here: {remedy}")


class Absences:
    """Collects the reasons of skipped tests."""

    def __init__(self) -> None:
        self.reasons: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a skip by its reason (reports of xdist's workers arrive here too)."""
        if report.skipped and not hasattr(report, "wasxfail"):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            self.reasons[reason.removeprefix("Skipped: ")] += 1

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """List what did not run."""
        if not self.reasons:
            return
        terminalreporter.section("not run on this machine")
        for reason, count in sorted(self.reasons.items()):
            terminalreporter.line(f"{count} test{'s' if count > 1 else ''}: {reason}")
        if in_ci():
            terminalreporter.line("In CI everything runs: this run has failed.")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the run in CI when something did not run."""
        if self.reasons and in_ci() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def in_ci() -> bool:
    """Whether this is a run in CI, where nothing may be left out."""
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def pytest_configure(config: pytest.Config) -> None:
    """Collect in the process that prints the summary."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Absences(), "sentinel-absences")
