"""``farscope watch``: show the steps of charts line by line as they happen."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from farscope.cli.interrupts import (
    LOOK_S,
    Over,
    account,
    check_opened,
    ending,
    soon_after,
    unless_reader_gone,
    until,
)
from farscope.cli.nothing_there import Waiting, report_no_log
from farscope.cli.options import WATCHING, for_option, key_option, since_option, spy_option, values_option
from farscope.cli.selecting import check_lines, report_unmatched, selection_options
from farscope.cli.step_printer import Output, StepFormatter, StepPrinter, unseen_steps
from farscope.cli.style import report, say
from farscope.logs.base import FiniteLog
from farscope.logs.url import open_log
from farscope.miros_lines.exchange import open_lines
from farscope.scope.notice import NoticeInterleaver
from farscope.scope.scope import Scope
from farscope.views.matching import Matching
from farscope.views.selection import Selection
from farscope.views.text import escape, stats_json
from farscope.wire.registry import WIRES


@click.command()
@click.argument("url", required=False)
@spy_option
@values_option
@selection_options
@since_option
@for_option(WATCHING)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one complete JSON object for each step or notice, and the account as one on standard error.",
)
@click.option(
    "--wire",
    type=click.Choice(WIRES),
    default="batches",
    show_default=True,
    help="Wire format: sealed batches, or the lines of the miros example.",
)
@key_option()
def watch(
    url: str | None,
    *,
    spy: bool,
    values: bool,
    selection: Selection,
    since: str | None,
    for_s: float | None,
    as_json: bool,
    wire: str,
    key: Path | None,
) -> None:
    """Show what charts do, as they do it.

    URL is the log that charts broadcast to, such as sqlite:FOLDER. The default is FARSCOPE_URL, or else the
    log in your state folder. A recording is shown from start to end.

    Steps go to standard output, one line for each transition, in colour on a terminal. On a terminal, and
    with --spy, there is also a line for each event that was ignored, refused by a guard, or failed; use
    --only to choose. Log records that the program sends with its steps have a line each; with --values, so
    have the values that a step changed. Notices (a chart appeared or fell silent, steps were lost) go to
    standard error, in their place among the steps, and with --json to standard output as well. The closing
    account follows on standard error.
    Ctrl-C stops watching; the account says if there was more in the log.
    """
    log = None if wire == "lines" else open_log(url)
    address = open_lines(url).url if log is None else log.url
    finite = isinstance(log, FiniteLog)
    if wire == "lines":
        check_lines(selection)
    matching = Matching(selection)
    # If the output is read slowly, or not for a while, the log keeps what does not fit here.
    with Scope(url, key=key, since=since, wire=wire) as scope, scope.taking(), ending() as ended:
        report(f"watching {escape(address)}; Ctrl-C ends")
        waiting = Waiting(scope, log, address, report, from_now=since is None)
        over = unless_reader_gone(until(for_s, ended, lambda: not (since or finite) or scope.reached_end))
        output = Output(soon_after(ended))
        # The lines of miros do not contain outcomes.
        formatter = StepFormatter(
            selection, spy=spy, as_json=as_json, outcomes=wire != "lines", values=values
        )
        printer = StepPrinter(scope, matching, formatter, output=output, as_json=as_json)
        try:
            _follow(scope, printer, over, output, waiting)
        finally:
            matching.know(view.id for view in scope.charts)
            report_unmatched(matching, unseen_steps(selection, spy=spy, as_json=as_json))
            if as_json:
                say(stats_json(scope.stats), stream=sys.stderr)
            report(account(scope, output.unshown))
        if for_s is not None or finite:
            check_opened(scope)
            report_no_log(log)


def _follow(scope: Scope, printer: StepPrinter, over: Over, output: Output, waiting: Waiting) -> None:
    """Show steps until it is over, then those received by then, as long as there is time."""
    in_place = NoticeInterleaver(scope.notices)
    while not over() and not scope.ended:
        printer.show(in_place.interleave(scope.take(LOOK_S)))
        waiting.check()
    scope.close()
    while not output.gave_up and (steps := scope.take(0.0)):
        printer.show(in_place.interleave(steps))
    printer.show(in_place.interleave(()))
