"""Sources of recorded steps: a log, or text that contains trace lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import click

from farscope.cli.interrupts import Over, check_opened
from farscope.cli.nothing_there import check_log_exists
from farscope.cli.options import key_option
from farscope.cli.outage import NoticeListener
from farscope.cli.style import report
from farscope.logs.recording.file import is_recording
from farscope.logs.url import open_log
from farscope.records.step import ChartId, Step
from farscope.records.structure import ChartStructure
from farscope.records.trace_parser import parse_trace
from farscope.scope.scope import CHUNK, Scope
from farscope.scope.since import START
from farscope.views.matching import Matching
from farscope.views.text import escape, stats_line
from farscope.views.timestamps import Clock, by_one_clock, own_clock

STANDARD_INPUT = "-"

LOOK_S = 0.1
"""Longest wait for the next steps before checking for the end of the log, in seconds."""


DRAIN_S = 5.0
"""Longest wait after the end of the log for received steps that are still being ordered, in seconds."""


class Structures(Mapping[ChartId, ChartStructure | None]):
    """The current structures of charts: they arrive together with the steps."""

    def __init__(self, known: Callable[[], Mapping[ChartId, ChartStructure | None]]) -> None:
        self._known = known

    def __getitem__(self, chart: ChartId) -> ChartStructure | None:
        return self._known()[chart]

    def __iter__(self) -> Iterator[ChartId]:
        return iter(self._known())

    def __len__(self) -> int:
        return len(self._known())


class StepSource(NamedTuple):
    """Steps, and the known structures of their charts; both can be read once, in parallel."""

    steps: Iterable[Step]
    structures: Mapping[ChartId, ChartStructure | None]
    clock: Clock = own_clock
    """Returns when a step began by one clock for all machines, once it was read."""
    ran_ahead: Callable[[Step], bool] = lambda _: False
    """Returns whether a step precedes the one that caused it, because that one was still running."""
    resolved: Callable[[Step], Step] = lambda step: step
    """Returns a step with its cause, if that became known after the step was read."""
    ordered: bool = False
    """Whether the steps are in display order, as those of a log are."""

    def by_one_clock(self) -> Iterable[Step]:
        """Yield the steps with times by one clock for all machines."""
        return (by_one_clock(step, self.clock) for step in self.steps)

    def only(self, matching: Matching) -> StepSource:
        """Return the source limited to a selection, whose ``last`` is ignored."""
        structures = self.structures
        chosen = Structures(
            lambda: {chart: what for chart, what in structures.items() if matching.wants_chart(chart)}
        )
        return self._replace(steps=filter(matching.wants, self.steps), structures=chosen)


@contextmanager
def open_source(where: str | None, since: str, key: Path | None) -> Iterator[StepSource]:
    """Open a source: ``-`` or a file for text with trace lines, a recording, or a log's address.

    A log is read from ``since`` to its present end. A summary of what was read is then printed to
    standard error.

    Raises:
        KeyringError: at the end, if everything was sealed with another key.
        LogRefused: there is no log.
        LogUnavailable: the log cannot be reached, or was unavailable for longer than ``GIVE_UP_S``.
        FarscopeError: any other error raised by ``Scope`` while reading the log.
    """
    if where == STANDARD_INPUT:
        # Piped input may contain other text in any encoding.
        with click.open_file(STANDARD_INPUT, encoding="utf-8", errors="replace") as text:
            yield StepSource(_traced(text, where), {})
    elif where is not None and names_text(where):
        with Path(where).open(encoding="utf-8", errors="replace", newline="\n") as text:
            yield StepSource(_traced(text, where), {})
    else:
        log = open_log(where)
        check_log_exists(log)
        # While the output is not read, the log keeps what does not fit here.
        with Scope(log, key, since) as scope, scope.taking():
            listener = NoticeListener(scope)
            steps = chain.from_iterable(up_to_now(scope, listener))
            structures = Structures(lambda: {view.id: view.structure for view in scope.charts})
            try:
                first = list(islice(steps, 1))
                if not first:
                    # Before anything is written about an unreadable log.
                    check_opened(scope)
                yield StepSource(
                    chain(first, steps),
                    structures,
                    scope.corrected_ns,
                    scope.ran_ahead,
                    scope.resolved,
                    ordered=True,
                )
            finally:
                # In any case; the account says if this was before the log's end.
                scope.close()
                report(f"read {escape(log.url)}: {stats_line(scope.stats)}")
            listener.listen()


def _traced(text: Iterable[str], where: str) -> Iterator[Step]:
    """Yield the steps of the trace lines in a text; report if it has none."""
    step = None
    for step in parse_trace(text):
        yield step
    if step is None:
        report(f"no trace lines in {'standard input' if where == STANDARD_INPUT else escape(where)}")


def names_text(where: str | None) -> bool:
    """Return whether ``where`` is text with trace lines, rather than a log or a recording."""
    if where is None or where == STANDARD_INPUT:
        return where is not None
    return Path(where).is_file() and not is_recording(where)


def up_to_now(
    scope: Scope, listener: NoticeListener, most: int = CHUNK, over: Over = lambda: False
) -> Iterator[list[Step]]:
    """Yield the present content of the log, at most ``most`` steps at a time; end early if interrupted.

    The scope is then closed, and everything it received has been yielded, so its statistics match exactly.

    Raises:
        LogUnavailable: the log was unavailable for longer than ``GIVE_UP_S``.
    """
    while not over() and not scope.reached_end:
        listener.check()
        if steps := scope.take(LOOK_S, most):
            yield steps
    scope.close()
    while not scope.ended and (steps := scope.take(DRAIN_S, most)):
        yield steps


def source_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the argument and the options that ``open_source`` needs: ``where``, ``since`` and ``key``."""

    @click.argument("where", required=False, metavar="[URL|FILE|-]")
    @click.option(
        "--since", default=START, metavar="WHEN", help="Where in a log to begin: 10m, 2h; start by default."
    )
    @key_option()
    @wraps(command)
    def with_source(*args: Any, **options: Any) -> None:
        command(*args, **options)

    return with_source
