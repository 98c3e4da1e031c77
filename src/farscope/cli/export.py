"""``farscope export``: a run for other tools."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import click

from farscope.cli.duration import DURATION
from farscope.cli.otlp.live import Order, send_spans
from farscope.cli.output import STANDARD_OUTPUT, open_output
from farscope.cli.selecting import EVERYTHING, selection_options, tell_unmatched
from farscope.cli.source import Source, open_source, source_options
from farscope.cli.style import tell
from farscope.errors import UsageError
from farscope.views.csv_table import csv_rows
from farscope.views.humanize import number
from farscope.views.jsonlines import json_lines
from farscope.views.matching import Matching
from farscope.views.otlp import otlp_lines
from farscope.views.perfetto import perfetto_trace
from farscope.views.selection import Selection
from farscope.views.statechart.mermaid import mermaid_statecharts
from farscope.views.statechart.model import statecharts
from farscope.views.statechart.plantuml import plantuml_statecharts

FORMATS: dict[str, Callable[[Source], Iterable[str]]] = {
    "perfetto": lambda source: perfetto_trace(source.steps, source.structures, source.clock),
    "otlp": lambda source: otlp_lines(source.by_one_clock()),
    "jsonl": lambda source: json_lines(source.steps, source.clock, source.ran_ahead),
    "csv": lambda source: csv_rows(source.steps, source.clock),
    "mermaid": lambda source: mermaid_statecharts(statecharts(source.steps, source.structures)),
    "plantuml": lambda source: plantuml_statecharts(statecharts(source.steps, source.structures)),
}


@click.command()
@source_options
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMATS)),
    required=True,
    help="perfetto opens in the Perfetto UI, otlp is OpenTelemetry spans, jsonl and csv are a step a line, "
    "mermaid and plantuml are state diagrams.",
)
@selection_options
@click.option(
    "--out", type=click.Path(dir_okay=False), metavar="FILE", default=STANDARD_OUTPUT, help="Write to FILE."
)
@click.option("--to", metavar="ADDRESS", help="Send otlp to a collector, such as http://localhost:4318.")
@click.option("--follow", is_flag=True, help="With --to: go on with what comes, until Ctrl-C.")
@click.option(
    "--for", "for_s", type=DURATION, metavar="SPAN", help="With --to: end after this span: 30s, 5m."
)
def export(
    where: str | None,
    *,
    since: str,
    key: Path | None,
    form: str,
    selection: Selection,
    out: str,
    to: str | None,
    follow: bool,
    for_s: float | None,
) -> None:
    """Write a run in a form other tools read.

    The run is read from a log up to its present end, or from a FILE or standard input (-) that has
    trace lines in it. However long it is, it is written as it is read and never held in memory.

    With --to nothing is written: spans are sent to an OpenTelemetry collector, live with --follow. A
    collector that is away is waited for. What was delivered and what was not is told at the end.
    """
    if to is not None:
        if form != "otlp" or out != STANDARD_OUTPUT:
            raise UsageError(
                "only otlp can be sent, and not into a file as well", "--format otlp without --out"
            )
        send_spans(Order(where, since, key, selection, to, follow, for_s))
        return
    if follow or for_s is not None:
        raise UsageError("--follow and --for are for sending", "add --to ADDRESS, or take farscope watch")
    matching = Matching(selection)
    # The source inside: what it says at its end, such as a wrong key, keeps an empty file from appearing.
    with open_output(out) as file, open_source(where, since, key) as source:
        for piece in FORMATS[form](source.only(matching)):
            file.write(piece)
        matching.know(source.structures)
    if selection != EVERYTHING:
        tell(f"wrote {matching.passed:,} of {number(matching.met, 'step')}")
        tell_unmatched(matching)
