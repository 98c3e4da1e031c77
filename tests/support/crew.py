"""Producers and scopes in separate processes that share a log, for tests that break things between them.

::

    with Producers(url, key, spool, ("north", "south")) as producers, Watchers(url, key) as watchers:
        ...
        done = producers.stop()
        verdicts = [verdict_of(done, scope) for scope in watchers.stop(made_by(done))]
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from farscope.testing.waiting import eventually
from support.account_check import Verdict, check
from support.program import Program

FINISH_S: Final = 120.0
"""How long a process may take over its end: what is pending is stored and read first."""

Report = Mapping[str, Any]
"""What one producer or one scope said at its end."""


class Member(Program):
    """A process of the crew, which tells in lines of JSON how far it is."""

    @property
    def told(self) -> Any:
        """What it told last; None before the first time."""
        lines = self.out.rpartition("\n")[0].splitlines()
        return json.loads(lines[-1]) if lines else None

    def finish(self, line: str) -> Any:
        """Tell it to end and return its report.

        Raises:
            AssertionError: it does not end in time or not in order.
        """
        self.type_in(line + "\n")
        code = self.wait(FINISH_S)
        if code:
            raise AssertionError(f"a process of the crew ended with {code}: {self.err}")
        return self.told["final"]


class Producers(Member):
    """A process with a chart of its own probe for each name, each at so many steps a second."""

    def __init__(
        self, url: str, key: Path, spool: Path, names: Sequence[str], *, steps_a_second: float = 1000.0
    ) -> None:
        words = (url, str(key), str(spool), str(steps_a_second), *names)
        super().__init__("-m", "support.crew_producer", *words)

    @property
    def stored(self) -> int:
        """Steps stored so far, by the slowest of its charts."""
        return min((report["stored"] for report in (self.told or {}).values()), default=0)

    def stop(self) -> dict[str, Report]:
        """Let it store what is pending and leave; return each chart's account by its name."""
        reports: dict[str, Report] = self.finish("stop")
        return reports


class Watchers(Member):
    """A process with so many scopes."""

    def __init__(self, url: str, key: Path, *, since: str = "start", scopes: int = 1) -> None:
        super().__init__("-m", "support.crew_watcher", url, str(key), since, str(scopes))
        self._scopes = scopes

    def ready(self) -> None:
        """Wait until all its scopes have been entered."""
        eventually(lambda: self.told, 60, what="the scopes to begin")

    def saw_after(self, moment_ns: int, names: Sequence[str]) -> bool:
        """Whether each of its scopes had a step of each name that began after ``moment_ns``."""
        told = self.told
        return told is not None and all(
            newest.get(name, 0) > moment_ns for newest in told["newest_ns"] for name in names
        )

    def stop(self, expected: Mapping[str, int]) -> list[Report]:
        """Let it wait for so many steps of each name and leave; return each scope's account."""
        reports: list[Report] = self.finish(json.dumps(dict(expected)))
        return reports


def made_by(reports: Mapping[str, Report]) -> dict[str, int]:
    """Return how many steps with a count of its own each producer made."""
    return {name: report["made"] for name, report in reports.items()}


def verdict_of(producers: Mapping[str, Report], scope: Report) -> Verdict:
    """Return the checker's verdict about one scope.

    A probe stores in order, so that what it says to have stored is what it made first, if nothing was
    dropped; its first step, the chart's start, has no count.
    """
    attempted = [(name, n) for name, report in producers.items() for n in range(report["made"])]
    acknowledged = [
        (name, n) for name, report in producers.items() for n in range(max(0, report["stored"] - 1))
    ]
    return check(attempted, acknowledged, _items(scope["runs"]), repeated=scope["duplicated"])


def _items(runs: Mapping[str, list[list[int]]]) -> Iterator[tuple[str, int]]:
    for name, spans in runs.items():
        for first, last in spans:
            yield from ((name, n) for n in range(first, last + 1))
