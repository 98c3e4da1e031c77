"""``farscope sequence``: draw a run as a sequence diagram."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from farscope.cli.options import STANDARD_OUTPUT, out_option
from farscope.cli.output import open_output
from farscope.cli.selecting import report_unmatched, selection_options
from farscope.cli.source import names_text, open_source, source_options
from farscope.cli.style import report, say
from farscope.cli.timespec import Recorded, window_ns
from farscope.logs.recording.log import FOREVER_NS, RecordingLog
from farscope.logs.url import open_log
from farscope.views.humanize import number
from farscope.views.matching import Matching
from farscope.views.selection import MAX_CHOSEN, Selection
from farscope.views.sequence.ascii import ascii_sequence
from farscope.views.sequence.extract import by_chart, by_state
from farscope.views.sequence.folding import FOLD_FROM
from farscope.views.sequence.mermaid import mermaid_sequence
from farscope.views.sequence.model import Diagram
from farscope.views.sequence.plantuml import plantuml_sequence
from farscope.views.sequence.svg import svg_sequence

LANES = {"state": by_state, "chart": by_chart}

FORMATS: dict[str, Callable[[Diagram, int], str]] = {
    "ascii": lambda diagram, fold_from: ascii_sequence(diagram, fold_from=fold_from),
    "mermaid": lambda diagram, fold_from: mermaid_sequence(diagram, fold_from=fold_from),
    "plantuml": lambda diagram, fold_from: plantuml_sequence(diagram, fold_from=fold_from),
    "svg": lambda diagram, fold_from: svg_sequence(diagram, fold_from=fold_from),
}


@click.command()
@source_options
@click.option(
    "--by",
    type=click.Choice(list(LANES)),
    default="state",
    help="What the lanes show: the states of a chart, with its transitions as arrows (the default); or the "
    "charts, with the events they post to each other as arrows.",
)
@click.option(
    "--format", "form", type=click.Choice(list(FORMATS)), default="ascii", help="The default is ascii."
)
@click.option("--last", type=click.IntRange(min=1), metavar="N", help="Draw only the last N arrows.")
@click.option(
    "--from",
    "from_text",
    metavar="TIME",
    help="Start time, such as 13:14:26.5 (the most recent one; in a recording, the first), or an offset from "
    "the start of a recording, such as 30s.",
)
@click.option("--to", "to_text", metavar="TIME", help="End time, in the same forms.")
@selection_options
@click.option(
    "--fold",
    type=click.IntRange(min=0),
    metavar="N",
    default=FOLD_FROM,
    help=f"Fold N or more repetitions into one with a count; the default is {FOLD_FROM}, 0 folds nothing.",
)
@out_option
def sequence(
    where: str | None,
    *,
    since: str,
    key: Path | None,
    by: str,
    form: str,
    last: int | None,
    from_text: str | None,
    to_text: str | None,
    selection: Selection,
    fold: int,
    out: str,
) -> None:
    """Draw a run as a sequence diagram.

    The run is read from a log up to its present end, or from the trace lines in FILE or standard input (-);
    other lines are skipped. The default is FARSCOPE_URL, or else the log in your state folder.
    """
    recorded = None if from_text is None and to_text is None else _recorded(where)
    if recorded is None:
        window = window_ns(from_text, to_text, time.time_ns())
    else:
        window = recorded.window_ns(from_text, to_text)
    selection = selection._replace(last=last, from_ns=window[0], to_ns=window[1])
    matching = Matching(selection)
    with open_source(where, since, key) as source:
        steps = matching.noted(source.by_one_clock())
        diagram = LANES[by](steps, selection, ordered=source.ordered, resolved=source.resolved)
        matching.know(source.structures)
    # A recording of a replay holds steps that are older than itself.
    if recorded is not None and not diagram.arrows:
        note = recorded.note_if_outside(window[0] or 0, window[1] or FOREVER_NS)
        if note:
            report(note)
    if diagram.left_out:
        report(
            f"left out {number(diagram.left_out, 'earlier step')}: a picture holds {MAX_CHOSEN:,} at most; "
            "choose others with --from, --to and --chart",
            alarming=True,
        )
    report_unmatched(matching, "--by chart" if by == "state" else "")
    if form == "ascii" and out == STANDARD_OUTPUT:
        # For people, in the terminal's encoding; the other formats are for programs, which expect UTF-8.
        say(FORMATS[form](diagram.in_letters_of(sys.stdout.encoding), fold), nl=False)
        return
    with open_output(out) as file:
        file.write(FORMATS[form](diagram, fold))


def _recorded(where: str | None) -> Recorded | None:
    """Return the time span of a recording; None for anything else, whose days are unknown."""
    if names_text(where):
        return None
    log = open_log(where)
    return Recorded(*log.span_ns()) if isinstance(log, RecordingLog) else None
