"""``farscope sequence``: a run as a sequence diagram."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from farscope.cli.moment import MOMENT
from farscope.cli.output import STANDARD_OUTPUT, open_output
from farscope.cli.source import open_source, source_options
from farscope.views.selection import Selection
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
    help="What the lanes are: a chart's states, arrows its transitions (default); or the charts, "
    "arrows the events they post to each other.",
)
@click.option("--format", "form", type=click.Choice(list(FORMATS)), default="ascii", help="ascii by default.")
@click.option(
    "--last", type=click.IntRange(min=1), metavar="N", help="Only the last N of what would be drawn."
)
@click.option("--from", "from_ns", type=MOMENT, metavar="TIME", help="Only from then on: 13:14:26.5")
@click.option("--to", "to_ns", type=MOMENT, metavar="TIME", help="Only up to then: 13:14:26.5")
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
    from_ns: int | None,
    to_ns: int | None,
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
    selection = Selection(last, from_ns, to_ns, charts, signals)
    with open_source(where, since, key) as source:
        diagram = LANES[by](source.by_one_clock(), selection)
    with open_output(out) as file:
        file.write(FORMATS[form](diagram, fold))
