"""``farscope export --to``: send spans to a collector, up to the present end or as they arrive."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from farscope.cli.interrupts import LOOK_S, Over, check_opened, ending, until
from farscope.cli.nothing_there import check_log_exists
from farscope.cli.otlp.sender import Sender
from farscope.cli.outage import NoticeListener
from farscope.cli.selecting import report_unmatched
from farscope.cli.source import StepSource, names_text, open_source, up_to_now
from farscope.cli.step_printer import ALARMING
from farscope.cli.style import report
from farscope.errors import UsageError, install_hint
from farscope.logs.url import open_log
from farscope.records.step import Step
from farscope.scope.scope import Scope
from farscope.views.matching import Matching
from farscope.views.selection import Selection
from farscope.views.text import escape, stats_line
from farscope.views.timestamps import by_one_clock

SPANS_A_REQUEST = 512
"""Maximum number of spans in a request, as in OpenTelemetry's own exporters."""

GATHER_S = 0.2
"""Time that a single step waits for others to share its request, in seconds."""


class Order(NamedTuple):
    """The steps to send, and the collector to send them to."""

    where: str | None
    since: str
    key: Path | None
    selection: Selection
    to: str
    follow: bool
    for_s: float | None


def send_spans(order: Order) -> None:
    """Send the steps of the source, and with ``follow`` new ones until it is over.

    The account of deliveries goes to standard error in any case.

    Raises:
        UsageError: a text cannot be followed, or OpenTelemetry is not installed.
        NotDelivered: not everything was accepted.
        FarscopeError: whatever keeps a log from being read, as ``Scope`` raises it.
    """
    if order.follow and names_text(order.where):
        raise UsageError("only a log can be followed", "leave --follow out: a text is read to its end anyway")
    try:
        # Only here, because the rest of the command line works without OpenTelemetry.
        from farscope.cli.otlp.http import open_collector  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise UsageError(
            "sending spans needs OpenTelemetry's SDK and exporter", install_hint("otel")
        ) from error
    with open_collector(order.to) as collector:
        report(f"exporting to {escape(collector.address)}; Ctrl-C ends")
        # Only after opening, which searches a large recording: there Ctrl-C must end at once.
        with _opened(order) as source, ending() as ended:
            over = until(order.for_s, ended)
            sender, matching = Sender(collector, over), Matching(order.selection)
            try:
                _send(source, sender, matching, lambda: over() or sender.gave_up, follow=order.follow)
            finally:
                report_unmatched(matching)
                report(sender.account())
        sender.check()


class _Read(NamedTuple):
    """A log that is read."""

    scope: Scope
    url: str


@contextmanager
def _opened(order: Order) -> Iterator[_Read | StepSource]:
    """Open the source to send."""
    if names_text(order.where):
        with open_source(order.where, order.since, order.key) as source:
            yield source
        return
    log = open_log(order.where)
    if not order.follow:
        check_log_exists(log)
    # While the collector is away, few steps are taken; the log keeps the rest.
    with Scope(log, order.key, order.since) as scope, scope.taking():
        yield _Read(scope, log.url)


def _send(
    source: _Read | StepSource, sender: Sender, matching: Matching, over: Over, *, follow: bool
) -> None:
    if isinstance(source, StepSource):
        steps = filter(matching.wants, source.steps)
        while not over() and (batch := list(islice(steps, SPANS_A_REQUEST))):
            sender.send(batch)
        return
    scope = source.scope
    listener = NoticeListener(scope, ALARMING)
    try:
        for batch in _batches(scope, listener, over, follow=follow):
            chosen = map(scope.resolved, filter(matching.wants, batch))
            sender.send([by_one_clock(step, scope.corrected_ns) for step in chosen])
            listener.listen()
    finally:
        matching.know(view.id for view in scope.charts)
        report(f"read {escape(source.url)}: {stats_line(scope.stats)}")
    check_opened(scope)


def _batches(scope: Scope, listener: NoticeListener, over: Over, *, follow: bool) -> Iterator[list[Step]]:
    """Yield steps, at most ``SPANS_A_REQUEST`` at a time; when it is over, those received by then."""
    if not follow:
        yield from up_to_now(scope, listener, SPANS_A_REQUEST, over)
        return
    yield from _as_they_come(scope, over)
    scope.close()
    while steps := scope.take(0.0, SPANS_A_REQUEST):
        yield steps


def _as_they_come(
    scope: Scope, over: Over, clock: Callable[[], float] = time.monotonic
) -> Iterator[list[Step]]:
    while not over() and not scope.ended:
        batch = scope.take(LOOK_S, SPANS_A_REQUEST)
        full_s = clock() + GATHER_S
        while batch and len(batch) < SPANS_A_REQUEST and (left := full_s - clock()) > 0 and not scope.ended:
            batch += scope.take(left, SPANS_A_REQUEST - len(batch))
        yield batch
