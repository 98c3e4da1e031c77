"""``farscope watch``: what charts do, line by line, as they do it."""

from __future__ import annotations

import select
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

import click

from farscope.cli.duration import DURATION
from farscope.cli.style import colour_of, painted, wants_colour
from farscope.logs.lines import open_lines
from farscope.logs.url import open_log
from farscope.records.shape import StepKind
from farscope.records.step import ChartId, Step
from farscope.scope.clocks import FAR_NS
from farscope.scope.feed import WIRES
from farscope.scope.notice import Notice, NoticeKind
from farscope.scope.scope import Scope
from farscope.views.text import escape, json_line, notice_line, spy_lines, stats_line, trace_line

LOOK_S = 0.1
"""How long Ctrl-C and the end of ``--for`` may go unnoticed while nothing comes."""

INTRODUCING = frozenset({NoticeKind.APPEARED, NoticeKind.SPOKE_AGAIN})
"""Kinds of notice that are told before the steps that came with them; all others are told behind."""

ALARMING = frozenset(
    {
        NoticeKind.FELL_SILENT,
        NoticeKind.MISSING,
        NoticeKind.DROPPED,
        NoticeKind.REFUSED,
        NoticeKind.LOG_UNAVAILABLE,
        NoticeKind.LOG_REFUSED,
        NoticeKind.LOG_CUT,
        NoticeKind.CLOCK_OFF,
    }
)
"""Kinds of notice that mean something may be lost, or misread; they are red on a terminal."""

CHOICES_KEPT = 4_096
"""Charts of which it is remembered whether they are to be shown; beyond that, it is found out again."""

Choice = Callable[[ChartId], bool]
"""Tells whether a chart is to be shown."""

Lines = Callable[[Step, str, int], list[str]]
"""Makes the lines to show of a step, given the label of its chart and when it began by our clock."""


@click.command()
@click.argument("url", required=False)
@click.option("--spy", is_flag=True, help="Show every fact of each step, not only transitions.")
@click.option(
    "--chart", "globs", metavar="GLOB", multiple=True, help="Only charts whose name fits; repeatable."
)
@click.option("--since", metavar="WHEN", help="Begin in the past: 10m, 2h, or start for all there is.")
@click.option("--for", "for_s", type=DURATION, metavar="SPAN", help="End after this span: 30s, 5m.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a step, with everything in it.")
@click.option(
    "--wire", type=click.Choice(WIRES), default="batches", show_default=True, help="Form of what travels."
)
@click.option(
    "--key", type=click.Path(path_type=Path), metavar="PATH", help="The key file to open steps with."
)
def watch(
    url: str | None,
    *,
    spy: bool,
    globs: tuple[str, ...],
    since: str | None,
    for_s: float | None,
    as_json: bool,
    wire: str,
    key: Path | None,
) -> None:
    """Show what charts do, as they do it.

    URL is the log they are broadcast to, such as sqlite:FOLDER; without it FARSCOPE_URL, or the log
    in your state folder. A recording is shown from its start to its end.

    Steps go to standard output, one line a transition, plain when that is no terminal. What else is
    worth knowing (a chart appeared, went silent, something was lost) and the closing accounting
    go to standard error. Ctrl-C ends it.
    """
    lines = _json if as_json else _coloured(spy=spy) if wants_colour(sys.stdout) else _plain(spy=spy)
    address = open_lines(url).url if wire == "lines" else open_log(url).url
    with _ending() as ended, Scope(url, key=key, since=since, wire=wire) as scope:
        _tell(f"watching {escape(address)}; Ctrl-C ends")
        try:
            _follow(scope, _shower(scope, _chooser(globs), lines), _until(for_s, ended))
        finally:
            _tell(stats_line(scope.stats))


def _json(step: Step, label: str, corrected_ns: int) -> list[str]:
    return [json_line(step, label, corrected_ns)]


def _by_our_clock(step: Step, corrected_ns: int) -> Step:
    """Return the step as it is shown: smaller differences are within what people do not see or compare."""
    return step._replace(time_ns=corrected_ns) if abs(corrected_ns - step.time_ns) > FAR_NS else step


def _plain(*, spy: bool) -> Lines:
    def lines(step: Step, label: str, corrected_ns: int) -> list[str]:
        step = _by_our_clock(step, corrected_ns)
        trace = trace_line(step, label)
        return ([trace] if trace else []) + (spy_lines(step, label) if spy else [])

    return lines


def _coloured(*, spy: bool) -> Lines:
    def lines(step: Step, label: str, corrected_ns: int) -> list[str]:
        step, colour = _by_our_clock(step, corrected_ns), colour_of(label)
        trace = trace_line(step, label)
        shown = [click.style(trace, fg=colour, bold=spy or None)] if trace else []
        return shown + ([click.style(line, fg=colour) for line in spy_lines(step, label)] if spy else [])

    return lines


def _chooser(globs: tuple[str, ...]) -> Choice:
    """Return what tells whether the globs let a chart through; none given lets all through."""
    if not globs:
        return lambda _: True

    @lru_cache(CHOICES_KEPT)
    def chosen(chart: ChartId) -> bool:
        return any(fnmatchcase(chart.name, glob) or fnmatchcase(chart.label, glob) for glob in globs)

    return chosen


def _follow(scope: Scope, show: Callable[[list[Step]], None], over: Callable[[], bool]) -> None:
    """Show what comes until it is over, then what was received by then.

    Raises:
        BrokenPipeError: nobody reads our output any more; noticed also while nothing comes.
    """
    reader = select.poll()
    reader.register(sys.stdout, 0)
    while not over() and not scope.ended:
        if reader.poll(0):
            raise BrokenPipeError
        show(scope.take(LOOK_S))
    scope.close()
    while steps := scope.take(0.0):
        show(steps)
    show([])


def _shower(scope: Scope, chosen: Choice, lines: Lines) -> Callable[[list[Step]], None]:
    """Return what prints steps, and the notices there are, each on its side of them."""

    def show(steps: list[Step]) -> None:
        notices = scope.notices()
        _tell_notices(notice for notice in notices if notice.kind in INTRODUCING)
        wanted = [(step, scope.label(step.chart)) for step in steps if chosen(step.chart)]
        shown = [line for step, label in wanted for line in lines(step, label, scope.corrected_ns(step))]
        if shown:
            sys.stdout.write("\n".join(shown) + "\n")
            sys.stdout.flush()
        for step, label in wanted:
            if step.kind is StepKind.FAILED:
                _tell(_failure_line(step, label), alarming=True)
        _tell_notices(notice for notice in notices if notice.kind not in INTRODUCING)

    return show


def _tell_notices(notices: Iterable[Notice]) -> None:
    for notice in notices:
        _tell(notice_line(notice), alarming=notice.kind in ALARMING)


def _failure_line(step: Step, label: str) -> str:
    """Return why a step was given up; it leaves no trace line, and nobody should need --spy to notice it."""
    error = step.texts[-1].strip().rpartition("\n")[2] if step.texts else "no text"
    return f"{escape(label)}: {escape(step.signal)} failed in {escape(step.start)}: {escape(error)}"


def _until(for_s: float | None, ended: Callable[[], bool]) -> Callable[[], bool]:
    if for_s is None:
        return ended
    deadline = time.monotonic() + for_s
    return lambda: ended() or time.monotonic() >= deadline


@contextmanager
def _ending() -> Iterator[Callable[[], bool]]:
    """Give a function that tells whether Ctrl-C or a request to terminate has come.

    The first one lets the round in hand finish, so that what is printed is whole and accounted for.
    A second one ends at once: the reader of a full pipe may never read on.
    """
    received: list[int] = []

    def note(number: int, _frame: object) -> None:
        received.append(number)
        for each in before:
            signal.signal(each, signal.default_int_handler)

    before = {each: signal.signal(each, note) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(received)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _tell(text: str, *, alarming: bool = False) -> None:
    click.echo(painted(text, "red" if alarming else "bright_black", stream=sys.stderr), err=True)
