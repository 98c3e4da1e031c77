"""The options that select steps, shared by all commands, and the messages when they select nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from farscope.cli.style import report
from farscope.errors import UsageError
from farscope.records.shape import TRACED_KINDS, StepKind
from farscope.views.humanize import number
from farscope.views.matching import Matching
from farscope.views.selection import KINDS, Selection
from farscope.views.text import escape

EVERYTHING: Final = Selection()


class Kinds(click.ParamType[frozenset[StepKind]]):
    """Words for outcomes of events, separated by commas: ``failed,refused``."""

    name = "kinds"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> frozenset[StepKind]:
        """Return the kinds, or fail with the words there are."""
        words = [word.strip().lower() for word in str(value).split(",")]
        for word in words:
            if word not in KINDS:
                self.fail(f"{word!r} is not one of {', '.join(KINDS)}", param, ctx)
        return frozenset().union(*(KINDS[word] for word in words))

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - the signature is click's
        param: click.Parameter,  # noqa: ARG002 - same
        incomplete: str,
    ) -> list[CompletionItem]:
        """Return the words that complete the input."""
        before, comma, begun = incomplete.rpartition(",")
        return [CompletionItem(f"{before}{comma}{word}") for word in KINDS if word.startswith(begun)]


def selection_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that select steps; the command is called with a ``Selection`` as ``selection``.

    A step must match every option given; for an option given several times, one match is enough.
    """

    @click.option(
        "--chart",
        "charts",
        metavar="GLOB",
        multiple=True,
        help="Only charts whose name or label matches; repeatable.",
    )
    @click.option(
        "--signal",
        "signals",
        metavar="GLOB",
        multiple=True,
        help="Only events whose signal matches; repeatable.",
    )
    @click.option(
        "--not-signal",
        "not_signals",
        metavar="GLOB",
        multiple=True,
        help="No events whose signal matches; repeatable.",
    )
    @click.option(
        "--state",
        "states",
        metavar="GLOB",
        multiple=True,
        help="Only steps that start or end in a matching state; repeatable.",
    )
    @click.option(
        "--only",
        type=Kinds(),
        metavar="KINDS",
        multiple=True,
        help=f"Only steps with these outcomes, separated by commas: {', '.join(KINDS)}.",
    )
    @wraps(command)
    def with_selection(
        *args: Any,
        charts: tuple[str, ...],
        signals: tuple[str, ...],
        not_signals: tuple[str, ...],
        states: tuple[str, ...],
        only: tuple[frozenset[StepKind], ...],
        **options: Any,
    ) -> None:
        selection = Selection(
            charts=charts,
            signals=signals,
            not_signals=not_signals,
            states=states,
            kinds=frozenset().union(*only),
        )
        command(*args, selection=selection, **options)

    return with_selection


def check_lines(selection: Selection) -> None:
    """Check that a selection can be applied to trace lines, which do not contain the outcome of an event.

    Raises:
        UsageError: it asks for data that trace lines do not contain.
    """
    if selection.kinds - TRACED_KINDS:
        raise UsageError(
            "with --wire lines --only knows transition and start: lines do not say what else became of it",
            "leave --only out, or broadcast batches",
        )


def report_unmatched(matching: Matching, others: str = "") -> None:
    """Report criteria that matched nothing, because they are mistyped or nothing like that happened.

    ``others``: the option that shows steps without a transition, if those are hidden; it is reported if no
    other steps were selected.
    """
    lines, asked = matching.unmatched(), in_words(matching.selection)
    if not lines and asked and not matching.passed:
        there = (
            f"none of {number(matching.met, 'step')} fits" if matching.met else "there was no step to match"
        )
        lines = [f"{there} {asked}"]
    if others and asked and matching.passed and not matching.traced:
        lines.append(
            f"{number(matching.passed, 'step')} without a transition fitted; {others} shows such steps"
        )
    for line in lines:
        report(escape(line))


def in_words(selection: Selection) -> str:
    """Return the options a selection was made with; empty if it chooses everything."""
    parts = [
        f"{option} '{glob}'"
        for option, globs in (
            ("--chart", selection.charts),
            ("--signal", selection.signals),
            ("--not-signal", selection.not_signals),
            ("--state", selection.states),
        )
        for glob in globs
    ]
    if selection.kinds:
        words = [word for word, kinds in KINDS.items() if kinds <= selection.kinds]
        parts.append(
            f"--only {','.join(word for word in words if word != 'start' or 'transition' not in words)}"
        )
    return " ".join(parts)
