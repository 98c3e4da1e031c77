"""A real broker for the tests of this folder that ask for one."""

import pytest

from farscope.testing.broker_fixtures import amqp_url, broker, fresh_log_url

__all__ = ["amqp_url", "broker", "fresh_log_url"]


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in capitals when tests with networks or clocks of their own did not run, and why."""
    skipped = [
        report
        for report in terminalreporter.stats.get("skipped", [])
        if "network" in getattr(report, "keywords", {})
    ]
    reasons = sorted({str(report.longrepr[2]).removeprefix("Skipped: ") for report in skipped})
    for reason in reasons:
        terminalreporter.write_line(f"NOT TRIED WITH A REAL NETWORK: {reason.upper()}", red=True, bold=True)
