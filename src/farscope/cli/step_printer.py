"""Prints steps and notices for commands: steps to standard output, everything else to standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Final, NamedTuple

import click

from farscope.cli.interrupts import Over
from farscope.cli.style import colour_of, colour_of_step, report, wants_colour
from farscope.records.kinds import UnknownKind
from farscope.records.shape import TRACED_KINDS, StepKind
from farscope.records.step import Step, local_time
from farscope.records.text import remarks
from farscope.records.traceback_text import error_place
from farscope.scope.notice import Notice, NoticeKind
from farscope.scope.scope import Scope
from farscope.views.matching import Matching
from farscope.views.outcomes import OUTCOMES
from farscope.views.selection import Selection
from farscope.views.step_facts import failure_in
from farscope.views.text import (
    dated_line,
    escape,
    failed_where,
    json_pieces,
    log_lines,
    notice_json,
    outcome_line,
    spy_lines,
    trace_line,
)
from farscope.views.timestamps import by_one_clock
from farscope.views.value_text import values_text

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
        NoticeKind.FAILED,
    }
)
"""Kinds of notice that mean that a chart failed, or that steps may be lost or misread; they are red on a
terminal."""

LOSSES = frozenset(
    {NoticeKind.MISSING, NoticeKind.FOUND, NoticeKind.DROPPED, NoticeKind.REFUSED, NoticeKind.LOG_CUT}
)
"""Kinds of notice about losses; no selection of charts or steps hides them."""

LIVES = frozenset(
    {
        NoticeKind.APPEARED,
        NoticeKind.STOPPED,
        NoticeKind.FINISHED,
        NoticeKind.CLOSED,
    }
)
"""Kinds of notice about a chart's ordinary life; left out if only some kinds of step are wanted."""


class Seen(NamedTuple):
    """A step to show, with the scope's data about it."""

    step: Step
    label: str
    """The label of its chart."""
    corrected_ns: int
    """When it began, by this machine's clock, in nanoseconds since the epoch."""
    ran_ahead: bool = False
    """Whether the step that caused it was still running when it was delivered."""

    @classmethod
    def of(cls, step: Step, scope: Scope) -> Seen:
        """Return a step with its scope's data about it."""
        return cls(
            scope.resolved(step), scope.label(step.chart), scope.corrected_ns(step), scope.ran_ahead(step)
        )

    @property
    def by_our_clock(self) -> Step:
        """The step at the time that is shown; see ``by_one_clock``."""
        return by_one_clock(self.step, lambda _: self.corrected_ns)


Show = Callable[[Iterable[Step | Notice]], None]
"""Prints steps and notices, in the order in which they are given."""

PIECE_CHARACTERS: Final = 65_536
"""Characters gathered before they are written; the rest is written after each round."""

UNTRACED_KINDS: Final = frozenset(OUTCOMES)
"""Kinds of step that have no trace line; a line with their outcome can take its place."""


class StepFormatter:
    """Formats steps as JSON, or as text that is coloured if standard output wants colours."""

    def __init__(
        self,
        selection: Selection,
        *,
        spy: bool,
        as_json: bool = False,
        outcomes: bool = True,
        values: bool = False,
    ) -> None:
        """Choose the form.

        Args:
            selection: the steps that were asked for.
            spy: whether to add the spy lines of each step.
            as_json: whether to write JSON instead of text.
            outcomes: whether steps carry their outcome, so that a step without a trace line can have a line.
                In a pipe, that line appears with ``spy`` or if such steps are asked for; without it, the
                output consists of trace lines only. Steps that were handled without a transition have a line
                only if they are asked for.
            values: whether to add a line with the values that each step changed.
        """
        self._spy = spy
        self._values = values
        self._as_json = as_json
        self._coloured = wants_colour(sys.stdout)
        self._outcomes_of: frozenset[StepKind] = frozenset()
        if selection.kinds - TRACED_KINDS:
            self._outcomes_of = UNTRACED_KINDS
        elif outcomes and _shows_outcomes(spy=spy):
            self._outcomes_of = UNTRACED_KINDS - {StepKind.HOOK}

    def pieces(self, seen: Seen) -> Iterator[str]:
        """Yield the lines of a step in pieces, since they may be very long; the last piece ends a line."""
        if self._as_json:
            yield from json_pieces(seen.step, seen.label, seen.corrected_ns, ran_ahead=seen.ran_ahead)
            yield "\n"
            return
        step, label = seen.by_our_clock, seen.label
        head = self._head(step, label)
        spied = spy_lines(step, label) if self._spy else iter(())
        remark = remarks(step, ran_ahead=seen.ran_ahead)
        if head is not None:
            yield self._line(head + remark, colour_of_step(step.kind, label), bold=self._spy)
            remark = ""
        for line in _with_remark(spied, remark):
            yield self._line(line, colour_of(label))
        # Among the spy lines there is one for each log record.
        for line in () if self._spy else log_lines(step, label):
            yield self._line(line, colour_of(label))
        if self._values and step.values:
            stamp = f"[{local_time(step.ended_ns)}] [{escape(label)}, values]"
            yield self._line(f"{stamp} {values_text(step.values)}", colour_of(label))

    def _head(self, step: Step, label: str) -> str | None:
        line = trace_line(step, label)
        if line is None and (step.kind in self._outcomes_of or self._is_new(step)):
            return outcome_line(step, label)
        return line

    def _is_new(self, step: Step) -> bool:
        """Return whether a step has a kind that a later release defined, and outcomes are shown."""
        return isinstance(step.kind, UnknownKind) and bool(self._outcomes_of)

    def _line(self, text: str, colour: str, *, bold: bool = False) -> str:
        return f"{click.style(text, fg=colour, bold=bold or None) if self._coloured else text}\n"


def unseen_steps(selection: Selection, *, spy: bool, as_json: bool = False) -> str:
    """Return the options that show steps without a transition; empty if those that were chosen are shown."""
    return "" if as_json or selection.kinds or _shows_outcomes(spy=spy) else "--only or --spy"


def _shows_outcomes(*, spy: bool) -> bool:
    """Return whether events without effect have a line even if they are not asked for."""
    return spy or sys.stdout.isatty()


def _with_remark(lines: Iterator[str], remark: str) -> Iterator[str]:
    """Yield lines with a remark appended to the last one."""
    last = next(lines, None)
    for line in lines:
        if last is not None:
            yield last
        last = line
    if last is not None:
        yield last + remark


class Output:
    """Standard output, written in larger pieces; nothing else may write there at the same time.

    Writing can be stopped between any two lines, however long the lines of one step are.
    """

    def __init__(self, give_up: Over) -> None:
        self.unshown = 0
        """Steps that were not written completely, because no time was left."""
        self.gave_up = False
        """Whether no time is left, so that nothing more is to be written."""
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
        """Print a message to standard error, after what was gathered."""
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


class StepPrinter:
    """Prints the steps and notices of a scope that are wanted, in their order.

    Steps go to standard output and notices to standard error, in order even where both are the same file.
    """

    def __init__(
        self,
        scope: Scope,
        matching: Matching,
        formatter: StepFormatter,
        *,
        output: Output | None = None,
        as_json: bool = False,
    ) -> None:
        """Print nothing yet.

        Args:
            scope: where the steps are from.
            matching: which steps and notices are wanted, see ``wants_notice``.
            formatter: formats the steps.
            output: counts what it does not write; None for one that writes everything.
            as_json: whether to write notices among the steps, too, as objects.
        """
        self.shown = 0
        """Steps of which at least one line was printed."""
        self._scope = scope
        self._matching = matching
        self._formatter = formatter
        self._output = output or Output(lambda: False)
        self._as_json = as_json

    def show(self, items: Iterable[Step | Notice]) -> None:
        """Print what is wanted of some steps and notices."""
        for item in items:
            if isinstance(item, Notice):
                self._show_notice(item)
            elif self._output.gave_up:
                self._output.unshown += 1
            elif self._matching.wants(item):
                self._show_step(Seen.of(item, self._scope))
        self._output.flush()

    def _show_notice(self, notice: Notice) -> None:
        if not wants_notice(self._matching, notice):
            return
        if self._as_json:
            self._output.write([f"{notice_json(notice)}\n"])
        self._output.report(dated_line(notice), alarming=notice.kind in ALARMING)

    def _show_step(self, seen: Seen) -> None:
        pieces = self._formatter.pieces(seen)
        first = next(pieces, None)
        if first is not None:
            self.shown += 1
            self._output.unshown += not self._output.write(chain([first], pieces))
        if seen.step.kind is StepKind.FAILED or failure_in(seen.step) is not None:
            self._output.report(_failure_line(seen), alarming=True)


def wants_notice(matching: Matching, notice: Notice) -> bool:
    """Return whether to print a notice: always about losses, otherwise about no chart or a chosen one.

    If only some kinds of step are asked for, the notices in ``LIVES`` are left out.
    """
    chosen = notice.chart is None or matching.wants_chart(notice.chart)
    if notice.kind in LOSSES:
        return True
    return chosen and not (matching.selection.kinds and notice.kind in LIVES)


def _failure_line(seen: Seen) -> str:
    """Return why a step failed: it has no trace line, and noticing it should not require --spy."""
    step = seen.by_our_clock
    failure = failure_in(step)
    error, place = (failure.message, error_place(failure.text)) if failure else ("no text", "")
    at = f" ({escape(place)})" if place else ""
    what = f"{escape(seen.label)}: {escape(step.signal)} failed in {failed_where(step)}: {escape(error)}{at}"
    return f"[{local_time(step.ended_ns)}] {what}"
