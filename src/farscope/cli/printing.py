"""Steps and notices as a verb prints them: steps to standard output, the rest to standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import lru_cache

import click

from farscope.cli.style import colour_of, tell, wants_colour
from farscope.records.failure import error_line
from farscope.records.shape import StepKind
from farscope.records.step import ChartId, Step
from farscope.scope.clocks import FAR_NS
from farscope.scope.notice import Notice, NoticeKind
from farscope.scope.scope import Scope
from farscope.views.selection import fits_chart
from farscope.views.text import escape, json_line, notice_line, outcome_line, spy_lines, trace_line

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

Lines = Callable[[Step, str, int], list[str]]
"""Makes the lines to show of a step, given the label of its chart and when it began by our clock."""

Head = Callable[[Step, str], str | None]
"""Makes the one line that tells of a step, or none, given the label of its chart."""

Show = Callable[[list[Step]], None]
"""Prints steps, and what there is to tell besides."""


def lines_for(*, spy: bool, as_json: bool, outcomes: bool = True) -> Lines:
    """Return what makes lines of steps: JSON, or text that is coloured where standard output wants it.

    ``outcomes``: whether steps know what became of them, so that those that came to nothing are told as well;
    a pipe gets that with ``spy`` only, for its other lines are traces and nothing else.
    """
    if as_json:
        return _json
    headed = _traced_or_come_to_nothing if outcomes and (spy or sys.stdout.isatty()) else trace_line
    return _coloured(headed, spy=spy) if wants_colour(sys.stdout) else _plain(headed, spy=spy)


def _json(step: Step, label: str, corrected_ns: int) -> list[str]:
    return [json_line(step, label, corrected_ns)]


def _by_our_clock(step: Step, corrected_ns: int) -> Step:
    """Return the step as it is shown: smaller differences are within what people do not see or compare."""
    return step._replace(time_ns=corrected_ns) if abs(corrected_ns - step.time_ns) > FAR_NS else step


def _traced_or_come_to_nothing(step: Step, label: str) -> str | None:
    return trace_line(step, label) or outcome_line(step, label)


def _plain(headed: Head, *, spy: bool) -> Lines:
    def lines(step: Step, label: str, corrected_ns: int) -> list[str]:
        step = _by_our_clock(step, corrected_ns)
        head = headed(step, label)
        return ([head] if head else []) + (spy_lines(step, label) if spy else [])

    return lines


def _coloured(headed: Head, *, spy: bool) -> Lines:
    def lines(step: Step, label: str, corrected_ns: int) -> list[str]:
        step, colour = _by_our_clock(step, corrected_ns), colour_of(label)
        head = headed(step, label)
        shown = [click.style(head, fg=colour, bold=spy or None)] if head else []
        return shown + ([click.style(line, fg=colour) for line in spy_lines(step, label)] if spy else [])

    return lines


class Choice:
    """Tells whether a chart is to be shown: one of the globs fits its name or label, or none was given."""

    def __init__(self, globs: tuple[str, ...]) -> None:
        self.unmatched = list(dict.fromkeys(globs))
        """The globs no chart asked about has fitted so far, in the order given."""
        self._globs = globs
        self._chosen = lru_cache(CHOICES_KEPT)(self._fits)

    def __call__(self, chart: ChartId) -> bool:
        """Tell whether to show the chart."""
        return not self._globs or self._chosen(chart)

    def _fits(self, chart: ChartId) -> bool:
        fitting = {glob for glob in self._globs if fits_chart(chart, (glob,))}
        self.unmatched = [glob for glob in self.unmatched if glob not in fitting]
        return bool(fitting)


def tell_unmatched(chosen: Choice) -> None:
    """Tell each glob that fitted no chart: most likely it was mistyped."""
    for glob in chosen.unmatched:
        tell(f"no chart matched '{escape(glob)}'")


def shower(scope: Scope, chosen: Choice, lines: Lines, ask: Callable[[], list[Notice]] | None = None) -> Show:
    """Return what prints steps, and the notices there are, each on its side of them.

    Of steps, and of notices about charts, only those of chosen charts are printed.
    ``ask`` says which notices there are; without it the scope does.
    """
    asked = ask or scope.notices

    def show(steps: list[Step]) -> None:
        notices = [notice for notice in asked() if notice.chart is None or chosen(notice.chart)]
        _tell_notices(notice for notice in notices if notice.kind in INTRODUCING)
        wanted = [(step, scope.label(step.chart)) for step in steps if chosen(step.chart)]
        shown = [line for step, label in wanted for line in lines(step, label, scope.corrected_ns(step))]
        if shown:
            sys.stdout.write("\n".join(shown) + "\n")
            sys.stdout.flush()
        for step, label in wanted:
            if step.kind is StepKind.FAILED:
                tell(_failure_line(step, label), alarming=True)
        _tell_notices(notice for notice in notices if notice.kind not in INTRODUCING)

    return show


def _tell_notices(notices: Iterable[Notice]) -> None:
    for notice in notices:
        tell(notice_line(notice), alarming=notice.kind in ALARMING)


def _failure_line(step: Step, label: str) -> str:
    """Return why a step was given up; it leaves no trace line, and nobody should need --spy to notice it."""
    error = error_line(step.texts[-1]) if step.texts else "no text"
    return f"{escape(label)}: {escape(step.signal)} failed in {escape(step.start)}: {escape(error)}"
