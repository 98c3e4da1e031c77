"""``farscope export``: write a run in formats for other tools."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple

import click

from farscope.cli.options import STANDARD_OUTPUT, for_option, out_option
from farscope.cli.otlp.live import Order, send_spans
from farscope.cli.output import open_output
from farscope.cli.selecting import EVERYTHING, report_unmatched, selection_options
from farscope.cli.source import StepSource, open_source, source_options
from farscope.cli.style import report
from farscope.errors import UsageError
from farscope.views.csv_table import csv_rows
from farscope.views.humanize import number
from farscope.views.json_text import json_lines
from farscope.views.matching import Matching
from farscope.views.otlp import otlp_lines
from farscope.views.perfetto import perfetto_trace
from farscope.views.selection import Selection
from farscope.views.statechart.mermaid import mermaid_statecharts
from farscope.views.statechart.model import statecharts
from farscope.views.statechart.plantuml import plantuml_statecharts


class Format(NamedTuple):
    """An export format."""

    summary: str
    """A description for the help."""
    pieces: Callable[[StepSource], Iterable[str]]
    """Yields the pieces of the file."""


FORMATS: Final = {
    "perfetto": Format(
        "for the Perfetto UI",
        lambda source: perfetto_trace(source.steps, source.structures, source.clock, source.resolved),
    ),
    "otlp": Format("OpenTelemetry spans", lambda source: otlp_lines(source.by_one_clock())),
    "jsonl": Format(
        "a JSON object per step",
        lambda source: json_lines(source.steps, source.clock, source.ran_ahead),
    ),
    "csv": Format("a row per step", lambda source: csv_rows(source.steps, source.clock)),
    "mermaid": Format(
        "state diagrams for Mermaid",
        lambda source: mermaid_statecharts(statecharts(source.steps, source.structures)),
    ),
    "plantuml": Format(
        "state diagrams for PlantUML",
        lambda source: plantuml_statecharts(statecharts(source.steps, source.structures)),
    ),
}


@click.command()
@source_options
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMATS)),
    required=True,
    help=f"{'; '.join(f'{name}: {each.summary}' for name, each in FORMATS.items())}.",
)
@selection_options
@out_option
@click.option(
    "--to", metavar="ADDRESS", help="Send OTLP spans to a collector, such as http://localhost:4318."
)
@click.option("--follow", is_flag=True, help="With --to: continue with new steps until Ctrl-C.")
@for_option("With --to: stop after this time: 30s, 5m.")
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
    """Write a run in a format that other tools read.

    The run is read from a log up to its present end, or from the trace lines in FILE or standard input (-).
    It is written while it is read, and never held in memory.

    With --to, spans are sent to an OpenTelemetry collector instead, live with --follow. If the collector is
    away, farscope waits for it. At the end it reports what was delivered and what was not.
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
    # The source is inside, so that an error at its end, such as a wrong key, prevents an empty file.
    with open_output(out) as file, open_source(where, since, key) as source:
        for piece in FORMATS[form].pieces(source.only(matching)):
            file.write(piece)
        matching.know(source.structures)
    if selection != EVERYTHING:
        report(f"wrote {matching.passed:,} of {number(matching.met, 'step')}")
        report_unmatched(matching)
