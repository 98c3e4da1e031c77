"""``farscope sequence``: a run as a sequence diagram."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click

from farscope.cli.moment import window_ns
from farscope.cli.output import STANDARD_OUTPUT, open_output
from farscope.cli.pace import beside
from farscope.cli.source import names_text, open_source, source_options
from farscope.cli.style import tell
from farscope.logs.recording import FOREVER_NS, RecordingLog
from farscope.logs.url import open_log
from farscope.records.step import ChartId, Step
from farscope.views.selection import Selection, fits, fits_chart
from farscope.views.sequence.ascii import ascii_sequence
from farscope.views.sequence.extract import by_chart, by_state
from farscope.views.sequence.folding import FOLD_FROM
from farscope.views.sequence.mermaid import mermaid_sequence
from farscope.views.sequence.model import Diagram
from farscope.views.sequence.plantuml import plantuml_sequence
from farscope.views.sequence.svg import svg_sequence
from farscope.views.text import escape

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
    help="What the lanes are: a chart's states, arrows its transitions (default); or the charts, "
    "arrows the events they post to each other.",
)
@click.option("--format", "form", type=click.Choice(list(FORMATS)), default="ascii", help="ascii by default.")
@click.option(
    "--last", type=click.IntRange(min=1), metavar="N", help="Only the last N of what would be drawn."
)
@click.option(
    "--from",
    "from_text",
    metavar="TIME",
    help="Only from then on: 13:14:26.5, the last time it was so late; of a recording, the first time, "
    "or 30s after its beginning.",
)
@click.option("--to", "to_text", metavar="TIME", help="Only up to then.")
@click.option(
    "--chart", "charts", metavar="GLOB", multiple=True, help="Only charts whose name fits; repeatable."
)
@click.option(
    "--signal", "signals", metavar="GLOB", multiple=True, help="Only events whose signal fits; repeatable."
)
@click.option(
    "--fold",
    type=click.IntRange(min=0),
    metavar="N",
    default=FOLD_FROM,
    help=f"Draw what comes N times in a row once, with a count; {FOLD_FROM} by default, 0 never.",
)
@click.option(
    "--out", type=click.Path(dir_okay=False), metavar="FILE", default=STANDARD_OUTPUT, help="Write to FILE."
)
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
    charts: tuple[str, ...],
    signals: tuple[str, ...],
    fold: int,
    out: str,
) -> None:
    """Draw a run as a sequence diagram.

    The run is read from a log up to its present end, or from a FILE or standard input (-) that has
    trace lines in it; whatever stands between them is passed over. Without any of these it is
    FARSCOPE_URL, or the log in your state folder.
    """
    recorded = None if from_text is None and to_text is None else _recorded(where)
    window = window_ns(from_text, to_text, time.time_ns(), recorded)
    selection = Selection(last, *window, charts, signals)
    with open_source(where, since, key) as source:
        met = Met(source.by_one_clock(), selection)
        diagram = LANES[by](met, selection)
    # A recording of a replay holds steps that are older than itself.
    if recorded is not None and not diagram.arrows:
        told = beside(window[0] or 0, window[1] or FOREVER_NS, *recorded)
        if told:
            tell(told)
    for kind, text in met.unmatched():
        tell(f"no {kind} matched '{escape(text)}'")
    with open_output(out) as file:
        file.write(FORMATS[form](diagram, fold))


def _recorded(where: str | None) -> tuple[int, int] | None:
    """Return from when to when a recording is; None for anything else, whose day nobody knows."""
    if names_text(where):
        return None
    log = open_log(where)
    return log.span_ns() if isinstance(log, RecordingLog) else None


class Met:
    """Steps on their way to be selected, and what of the selection's patterns fits none of them."""

    def __init__(self, steps: Iterable[Step], selection: Selection) -> None:
        self._steps = steps
        self._asked = selection
        self._charts: set[ChartId] = set()
        self._signals: set[str] = set()

    def __iter__(self) -> Iterator[Step]:
        by_chart, by_signal = bool(self._asked.charts), bool(self._asked.signals)
        for step in self._steps:
            if by_chart:
                self._charts.add(step.chart)
            if by_signal:
                self._signals.add(step.shape.signal)
            yield step

    def unmatched(self) -> list[tuple[str, str]]:
        """Return what was asked for and fitted nothing that was met: most likely it was mistyped."""
        charts = [
            ("chart", glob)
            for glob in dict.fromkeys(self._asked.charts)
            if not any(fits_chart(chart, (glob,)) for chart in self._charts)
        ]
        signals = [
            ("signal", glob)
            for glob in dict.fromkeys(self._asked.signals)
            if not any(fits(signal, (glob,)) for signal in self._signals)
        ]
        return charts + signals
