"""Prints steps and notices for commands: steps to standard output, everything else to standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Final, NamedTuple

import click

from farscope.cli.interrupts import Over
from farscope.cli.style import colour_of, colour_of_step, report, wants_colour
from farscope.records.remarks import remarks
from farscope.records.shape import TRACED_KINDS, StepKind
from farscope.records.step import Step, local_time
from farscope.records.traceback_text import error_line, error_place
from farscope.scope.notice import Notice, NoticeKind
from farscope.scope.scope import Scope
from farscope.views.matching import Matching
from farscope.views.selection import Selection
from farscope.views.text import (
    dated_line,
    escape,
    failed_where,
    json_pieces,
    notice_json,
    outcome_line,
    spy_lines,
    trace_line,
)
from farscope.views.timestamps import by_one_clock

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
        NoticeKind.OLD,
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
    """A step to show, with the scope's data about it."""

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


Lines = Callable[[Seen], Iterable[str]]
"""Makes the lines to show of a step.

They come in pieces, one after the other, since the lines of one step may be very long; the last ends a line.
"""

Head = Callable[[Step, str], str | None]
"""Returns the one line for a step, or None, given the label of its chart."""

Show = Callable[[Iterable[Step | Notice]], None]
"""Prints steps and notices, in the order they are given in."""

PIECE_CHARACTERS: Final = 65_536
"""As much is gathered before it is written; the last of it is written in any case when a round is over."""


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


def _json(seen: Seen) -> Iterator[str]:
    yield from json_pieces(seen.step, seen.label, seen.corrected_ns, ran_ahead=seen.ran_ahead)
    yield "\n"


def _traced_or_outcome(step: Step, label: str) -> str | None:
    return trace_line(step, label) or outcome_line(step, label)


def _traced_or_come_to_nothing(step: Step, label: str) -> str | None:
    return None if step.kind is StepKind.HOOK else _traced_or_outcome(step, label)


def _plain(headed: Head, *, spy: bool) -> Lines:
    def lines(seen: Seen) -> Iterator[str]:
        head, rest = _texts(seen, headed, spy=spy)
        for line in chain(head, rest):
            yield f"{line}\n"

    return lines


def _coloured(headed: Head, *, spy: bool) -> Lines:
    def lines(seen: Seen) -> Iterator[str]:
        head, rest = _texts(seen, headed, spy=spy)
        of_step, colour = colour_of_step(seen.step.kind, seen.label), colour_of(seen.label)
        for line in head:
            yield f"{click.style(line, fg=of_step, bold=spy or None)}\n"
        for line in rest:
            yield f"{click.style(line, fg=colour)}\n"

    return lines


def _texts(seen: Seen, headed: Head, *, spy: bool) -> tuple[list[str], Iterable[str]]:
    """Return the line that tells of a step, if there is one, and those of its facts; one with remarks."""
    step, label = seen.by_our_clock, seen.label
    head, rest = headed(step, label), spy_lines(step, label) if spy else iter(())
    remark = remarks(step, ran_ahead=seen.ran_ahead)
    return ([head + remark], rest) if head else ([], _with_remark(rest, remark))


def _with_remark(lines: Iterator[str], remark: str) -> Iterator[str]:
    """Yield lines, the last of them with a remark behind it."""
    last = next(lines, None)
    for line in lines:
        if last is not None:
            yield last
        last = line
    if last is not None:
        yield last + remark


class Output:
    """Standard output, written to in larger pieces; nothing else may write there meanwhile.

    However long the lines of one step are, it can be told to stop between any two of them.
    """

    def __init__(self, give_up: Over) -> None:
        self.unshown = 0
        """Steps of which not everything was written, since there was no time left for it."""
        self.gave_up = False
        """Whether there is no time left, so that nothing more is to be written."""
        self._give_up = give_up
        self._waiting: list[str] = []
        self._characters = 0

    def write(self, pieces: Iterable[str]) -> bool:
        """Write the lines of a step; return whether all of them were."""
        for piece in pieces:
            self._waiting.append(piece)
            self._characters += len(piece)
            if self._characters >= PIECE_CHARACTERS:
                self.flush()
                self.gave_up = self._give_up()
                if self.gave_up:
                    return False
        return True

    def report(self, text: str, *, alarming: bool) -> None:
        """Print what there is to tell besides the steps, behind what was gathered."""
        self.flush()
        report(text, alarming=alarming)

    def flush(self) -> None:
        """Write what was gathered."""
        if self._waiting:
            text = "".join(self._waiting)
            self._waiting.clear()
            self._characters = 0
            sys.stdout.write(text)
            sys.stdout.flush()


def shower(
    scope: Scope, matching: Matching, lines: Lines, *, output: Output | None = None, as_json: bool = False
) -> Show:
    """Return what prints steps and notices; only those that are wanted, see ``wants_notice``.

    Steps go to standard output and what else there is to tell to standard error, in their order also where
    the two are one. ``as_json`` puts notices among the steps as well, as objects. ``output`` counts what it
    does not write.
    """
    out = output or Output(lambda: False)

    def show(items: Iterable[Step | Notice]) -> None:
        for item in items:
            if isinstance(item, Notice):
                if not wants_notice(matching, item):
                    continue
                if as_json:
                    out.write([f"{notice_json(item)}\n"])
                out.report(dated_line(item), alarming=item.kind in ALARMING)
            elif out.gave_up:
                out.unshown += 1
            elif matching.wants(item):
                seen = Seen.of(item, scope)
                out.unshown += not out.write(lines(seen))
                if item.kind is StepKind.FAILED:
                    out.report(_failure_line(seen), alarming=True)
        out.flush()

    return show


def wants_notice(matching: Matching, notice: Notice) -> bool:
    """Tell whether to print a notice: about losses always, else those about no chart or a chosen one.

    Where only steps of certain kinds are asked for, the notices in ``LIVES`` are left out.
    """
    chosen = notice.chart is None or matching.wants_chart(notice.chart)
    if notice.kind in LOSSES:
        return True
    return chosen and not (matching.selection.kinds and notice.kind in LIVES)


def _failure_line(seen: Seen) -> str:
    """Return why a step was given up; it leaves no trace line, and nobody should need --spy to notice it."""
    step = seen.by_our_clock
    error, place = (
        (error_line(step.texts[-1]), error_place(step.texts[-1])) if step.texts else ("no text", "")
    )
    at = f" ({escape(place)})" if place else ""
    what = f"{escape(seen.label)}: {escape(step.signal)} failed in {failed_where(step)}: {escape(error)}{at}"
    return f"[{local_time(step.ended_ns)}] {what}"
