"""Trace assertions: compare what local or remote charts did with the expected lines.

::

    assert_trace(chart, '''
        [door] e->start_at() top->closed
        [door] e->OPEN() closed->open
    ''')

Time stamps, indentation and empty lines do not count. A failure shows what differs, line by line.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sequence
from difflib import ndiff
from typing import Final, Protocol

from farscope.records.step import Step
from farscope.records.text import stripped
from farscope.testing.waiting import PATIENCE_S

SHOWN_LINES: Final = 20
"""Maximum number of actual trace lines that a failure of ``assert_in_order`` shows, newest ones preferred."""

LATE_STEPS: Final = 10_000
"""Number of already received steps that ``assert_in_order`` still searches after its timeout."""


class Traced(Protocol):
    """A chart, or a ``ForeignHsm``."""

    def trace(self) -> str:
        """Return its trace."""


class Spied(Protocol):
    """A chart, or a ``ForeignHsm``."""

    def spy(self) -> list[str]:
        """Return its spy lines."""


class Taken(Protocol):
    """A ``Scope``, or anything else that returns steps in the order in which they happened."""

    def take(self, timeout_s: float, limit: int, /) -> list[Step]:
        """Return at most ``limit`` received steps, after at most ``timeout_s`` seconds."""


def assert_trace(chart: Traced | str, expected: str | Iterable[str]) -> None:
    """Assert that a trace consists of exactly the expected lines.

    Args:
        chart: a chart, a ``ForeignHsm``, or the text of a trace. A chart with a thread must be idle.
        expected: trace lines, with or without time stamps, as one string or as separate lines.

    Raises:
        AssertionError: shows the differences, with ``-`` for missing and ``+`` for unexpected lines.
    """
    _compare("trace", _lines(expected), _lines(chart if isinstance(chart, str) else chart.trace()))


def assert_spy(chart: Spied | Iterable[str], expected: str | Iterable[str]) -> None:
    """Assert that a spy consists of exactly the expected lines; arguments and errors as ``assert_trace``."""
    found = chart if isinstance(chart, Iterable) else chart.spy()
    _compare("spy", _lines(expected), _lines(found))


def assert_in_order(scope: Taken, expected: str | Iterable[str], timeout_s: float = PATIENCE_S) -> list[Step]:
    """Take steps until the expected trace lines have arrived in order, from any charts and machines.

    Other steps may occur before, between and after them; those after the last line are left in the scope.

    Args:
        scope: an entered ``Scope``.
        expected: trace lines, with or without time stamps, as one string or as separate lines.
        timeout_s: total timeout for all lines, in seconds.

    Returns:
        The steps that produced the expected lines, one for each line.

    Raises:
        AssertionError: a line did not arrive in time; names it and shows what arrived since the previous one.
        LogRefused: the log can no longer be read.
    """
    deadline = time.monotonic() + timeout_s
    missing = deque(_lines(expected))
    found: list[Step] = []
    since: deque[str] = deque(maxlen=SHOWN_LINES)
    late = 0
    while missing:
        left_s = deadline - time.monotonic()
        # One at a time, so that steps after the last line stay in the scope.
        taken = scope.take(max(0.0, left_s), 1)
        late += left_s <= 0
        if late > LATE_STEPS or (late and not taken):
            came = (
                "\n  ".join(["since the line before it came:", *since]) if since else "and nothing else came"
            )
            raise AssertionError(
                f"line {len(found) + 1} did not come within {timeout_s:g} s:\n  {missing[0]}\n{came}"
            )
        for step in taken:
            line = _line(step)
            if line == missing[0]:
                missing.popleft()
                found.append(step)
                since.clear()
            elif line is not None:
                since.append(line)
    return found


def _line(step: Step) -> str | None:
    text = step.trace()
    return _lines(text)[0] if text is not None else None


def _lines(log: str | Iterable[str]) -> list[str]:
    with stripped(log.splitlines() if isinstance(log, str) else log) as lines:
        return list(lines)


def _compare(what: str, expected: Sequence[str], found: Sequence[str]) -> None:
    if expected != found:
        differences = "\n".join(line for line in ndiff(expected, found) if not line.startswith("?"))
        raise AssertionError(f"the {what} is not the one expected (- missing, + instead):\n{differences}")
