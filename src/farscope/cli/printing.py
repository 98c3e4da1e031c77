"""Steps and notices as a verb prints them: steps to standard output, the rest to standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import NamedTuple

import click

from farscope.cli.style import colour_of, colour_of_step, tell, wants_colour
from farscope.records.failure import error_line, error_place
from farscope.records.remarks import remarks
from farscope.records.shape import TRACED_KINDS, StepKind
from farscope.records.step import Step
from farscope.scope.notice import Notice, NoticeKind
from farscope.scope.scope import Scope
from farscope.views.matching import Matching
from farscope.views.moments import by_one_clock
from farscope.views.selection import Selection
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

LOSSES = frozenset(
    {NoticeKind.MISSING, NoticeKind.FOUND, NoticeKind.DROPPED, NoticeKind.REFUSED, NoticeKind.LOG_CUT}
)
"""Kinds of notice about what was lost; no choice of charts or steps hides them."""

LIVES = frozenset({NoticeKind.APPEARED, NoticeKind.STOPPED, NoticeKind.CLOSED})
"""Kinds of notice about a chart's ordinary life; left out where only some kinds of step are wanted."""


class Seen(NamedTuple):
    """A step that is to be shown, and what the scope knows of it."""

    step: Step
    label: str
    """Of its chart."""
    corrected_ns: int
    """When it began by our clock."""
    ran_ahead: bool = False
    """Whether the step that caused it was still running when it was handed out."""

    @classmethod
    def of(cls, step: Step, scope: Scope) -> Seen:
        """Return a step with what its scope knows of it."""
        return cls(step, scope.label(step.chart), scope.corrected_ns(step), scope.ran_ahead(step))

    @property
    def by_our_clock(self) -> Step:
        """The step as it is shown: smaller differences are within what people do not see or compare."""
        return by_one_clock(self.step, lambda _: self.corrected_ns)


Lines = Callable[[Seen], list[str]]
"""Makes the lines to show of a step."""

Head = Callable[[Step, str], str | None]
"""Makes the one line that tells of a step, or none, given the label of its chart."""

Show = Callable[[list[Step]], None]
"""Prints steps, and what there is to tell besides."""


def lines_for(selection: Selection, *, spy: bool, as_json: bool, outcomes: bool = True) -> Lines:
    """Return what makes lines of steps: JSON, or text that is coloured where standard output wants it.

    ``outcomes``: whether steps know what became of them, so that those that came to nothing are told as well;
    a pipe gets that with ``spy``, or where such steps are asked for; otherwise its lines are traces and
    nothing else. Steps that were handled without a transition have a line where they are asked for.
    """
    if as_json:
        return _json
    headed: Head = trace_line
    if selection.kinds - TRACED_KINDS:
        headed = _traced_or_outcome
    elif outcomes and _tells_outcomes(spy=spy):
        headed = _traced_or_come_to_nothing
    return _coloured(headed, spy=spy) if wants_colour(sys.stdout) else _plain(headed, spy=spy)


def unseen_steps(selection: Selection, *, spy: bool, as_json: bool = False) -> str:
    """Return which option shows steps without a transition; empty where those that were chosen are shown."""
    return "" if as_json or selection.kinds or _tells_outcomes(spy=spy) else "--only or --spy"


def _tells_outcomes(*, spy: bool) -> bool:
    """Tell whether events that came to nothing have a line also where nobody asks for them."""
    return spy or sys.stdout.isatty()


def _json(seen: Seen) -> list[str]:
    return [json_line(seen.step, seen.label, seen.corrected_ns, ran_ahead=seen.ran_ahead)]


def _traced_or_outcome(step: Step, label: str) -> str | None:
    return trace_line(step, label) or outcome_line(step, label)


def _traced_or_come_to_nothing(step: Step, label: str) -> str | None:
    return None if step.kind is StepKind.HOOK else _traced_or_outcome(step, label)


def _plain(headed: Head, *, spy: bool) -> Lines:
    def lines(seen: Seen) -> list[str]:
        head, rest = _texts(seen, headed, spy=spy)
        return head + rest

    return lines


def _coloured(headed: Head, *, spy: bool) -> Lines:
    def lines(seen: Seen) -> list[str]:
        head, rest = _texts(seen, headed, spy=spy)
        of_step, colour = colour_of_step(seen.step.kind, seen.label), colour_of(seen.label)
        shown = [click.style(line, fg=of_step, bold=spy or None) for line in head]
        return shown + [click.style(line, fg=colour) for line in rest]

    return lines


def _texts(seen: Seen, headed: Head, *, spy: bool) -> tuple[list[str], list[str]]:
    """Return the line that tells of a step, if there is one, and those of its facts; one with remarks."""
    step, label = seen.by_our_clock, seen.label
    head, rest = headed(step, label), spy_lines(step, label) if spy else []
    remark = remarks(step, ran_ahead=seen.ran_ahead)
    if head:
        return [head + remark], rest
    return [], [*rest[:-1], *(line + remark for line in rest[-1:])]


def shower(
    scope: Scope, matching: Matching, lines: Lines, ask: Callable[[], list[Notice]] | None = None
) -> Show:
    """Return what prints steps, and the notices there are, each on its side of them.

    Only steps that are wanted are printed; for notices, see ``wants_notice``.
    ``ask`` says which notices there are; without it the scope does.
    """
    asked = ask or scope.notices

    def show(steps: list[Step]) -> None:
        notices = [notice for notice in asked() if wants_notice(matching, notice)]
        _tell_notices(notice for notice in notices if notice.kind in INTRODUCING)
        wanted = [Seen.of(step, scope) for step in steps if matching.wants(step)]
        shown = [line for seen in wanted for line in lines(seen)]
        if shown:
            sys.stdout.write("\n".join(shown) + "\n")
            sys.stdout.flush()
        for seen in wanted:
            if seen.step.kind is StepKind.FAILED:
                tell(_failure_line(seen.step, seen.label), alarming=True)
        _tell_notices(notice for notice in notices if notice.kind not in INTRODUCING)

    return show


def wants_notice(matching: Matching, notice: Notice) -> bool:
    """Tell whether to print a notice: about losses always, else those about no chart or a chosen one.

    Where only steps of certain kinds are asked for, the notices in ``LIVES`` are left out.
    """
    chosen = notice.chart is None or matching.wants_chart(notice.chart)
    if notice.kind in LOSSES:
        return True
    return chosen and not (matching.selection.kinds and notice.kind in LIVES)


def _tell_notices(notices: Iterable[Notice]) -> None:
    for notice in notices:
        tell(notice_line(notice), alarming=notice.kind in ALARMING)


def _failure_line(step: Step, label: str) -> str:
    """Return why a step was given up; it leaves no trace line, and nobody should need --spy to notice it."""
    error, place = (
        (error_line(step.texts[-1]), error_place(step.texts[-1])) if step.texts else ("no text", "")
    )
    at = f" ({escape(place)})" if place else ""
    return f"{escape(label)}: {escape(step.signal)} failed in {escape(step.start)}: {escape(error)}{at}"
