"""Rules for every test: nothing leaks, the user's own files are safe, soaks run only on request."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from support.needs import Needs, StartedPrograms

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background job ignores Ctrl-C, and so would every program that a test starts and interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Programs that tests start import tests/support, too.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")])
)

GRACE_S = 2.0
"""How long a thread or process may take to end after its test: they end by themselves, but not at once."""

PRIVATE_FOLDERS = ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")
NEEDED = {
    "broker": "TESTS WITH A REAL RABBITMQ",
    "browser": "TESTS WITH A REAL BROWSER",
    "network": "TESTS WITH A REAL NETWORK",
}
"""What tests with these markers are called when they were skipped; the first one a test has counts."""

START_PROGRAMS = ("broker", "browser", "network", "processes")
"""Markers of tests that start programs; ``make test-fast`` runs all others."""

HELPERS_OF_PYTHON = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")


SHARED = {"network": "network"} | ({"broker": "broker"} if os.environ.get("FARSCOPE_TEST_AMQP_URL") else {})
"""Markers of tests that run one after another, also when others run beside them, and what they share.

Without an existing broker, each process that runs tests has a private one.
"""

started = StartedPrograms()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what tests need, keep together what shares a thing, and leave out soaks unless asked for them."""
    needs = Needs(Path(__file__).parent)
    for item in items:
        if isinstance(item, pytest.Function):
            for name in sorted(_needs(needs, item)):
                item.add_marker(name)
        shared = [SHARED[marker] for marker in SHARED if item.get_closest_marker(marker)]
        item.add_marker(pytest.mark.xdist_group((*shared, item.nodeid.partition("::")[0])[0]))
    if "soak" not in config.option.markexpr:
        soaks = [item for item in items if item.get_closest_marker("soak")]
        config.hook.pytest_deselected(items=soaks)
        items[:] = [item for item in items if not item.get_closest_marker("soak")]


def _needs(needs: Needs, item: pytest.Function) -> set[str]:
    found = item._fixtureinfo.name2fixturedefs
    fixtures = {name: found[name][-1].func for name in item.fixturenames if name in found}
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return needs.of(item.obj, fixtures, parameters)


class LongestFirst:
    """Moves the tests that take longest to the begin, so that no process is alone with them at the end."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Sort them after pytest-randomly has shuffled them."""
        items.sort(key=lambda item: not any(item.get_closest_marker(marker) for marker in NEEDED))


def pytest_configure(config: pytest.Config) -> None:
    """Have tests sorted after they were marked."""
    config.pluginmanager.register(LongestFirst())


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Count what a test's fixtures start as started by the test."""
    started.forget()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any, ids: list[str]) -> None:
    """Refuse to go on where nothing is kept together, as when pytest-xdist 3.8 meets pytest 9.2."""
    if node.config.option.dist == "loadgroup" and not all("@" in each for each in ids):
        pytest.exit("pytest-xdist did not group the tests: its version and pytest's do not go together", 4)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in capitals how many tests with a real broker, browser or network did not run, and why."""
    reasons: Counter[tuple[str, str]] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        keywords = getattr(report, "keywords", {})
        for what in [NEEDED[marker] for marker in NEEDED if marker in keywords][:1]:
            reasons[what, str(report.longrepr[2]).removeprefix("Skipped: ")] += 1
    for (what, reason), count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count} {what} DID NOT RUN: {reason.upper()}", red=True, bold=True)


@pytest.fixture(autouse=True)
def private_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test away from the user's settings, state and keys, and broken observers loud."""
    for name in list(os.environ):
        if name.startswith("FARSCOPE_") and not name.startswith("FARSCOPE_TEST_"):
            monkeypatch.delenv(name)
    for name in PRIVATE_FOLDERS:
        monkeypatch.setenv(name, str(tmp_path / "private" / name.lower()))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE", "NO_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FARSCOPE_STRICT", "1")


@pytest.fixture(autouse=True)
def only_programs_that_were_marked(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test that starts a program although ``make test-fast`` takes it for one that starts none."""
    yield
    marked = any(request.node.get_closest_marker(marker) for marker in START_PROGRAMS)
    if not marked and (commands := started.commands()):
        reason = "the test started a program, and has none of the markers "
        pytest.fail(f"{reason}{', '.join(START_PROGRAMS)}: {'; '.join(commands)}", pytrace=False)


@pytest.fixture(autouse=True)
def nothing_left_running(private_surroundings: None) -> Iterator[None]:
    """Fail the test that leaves a thread or a child process behind, and name it."""
    threads_before = set(threading.enumerate())
    children_before = set(_children())
    yield
    deadline = time.monotonic() + GRACE_S
    while leftovers := _leftovers(threads_before, children_before):
        if time.monotonic() >= deadline:
            pytest.fail("the test left running: " + "; ".join(leftovers), pytrace=False)
        time.sleep(0.01)


def _leftovers(threads_before: set[threading.Thread], children_before: set[int]) -> list[str]:
    threads = [f"thread {thread.name!r}" for thread in threading.enumerate() if thread not in threads_before]
    return threads + [
        f"process {pid} ({command})"
        for pid in _children()
        if pid not in children_before
        and not any(helper in (command := _command(pid)) for helper in HELPERS_OF_PYTHON)
    ]


def _children() -> list[int]:
    return [
        int(pid) for task in Path("/proc/self/task").iterdir() for pid in _read(task / "children").split()
    ]


def _command(pid: int) -> str:
    return _read(Path(f"/proc/{pid}/cmdline")).replace("\0", " ").strip() or "ended, but nobody waited for it"


def _read(path: Path) -> str:
    """Read a file of /proc; empty when its thread or process has gone meanwhile."""
    try:
        return path.read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
