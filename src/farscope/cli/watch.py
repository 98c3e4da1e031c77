"""``farscope watch``: what charts do, line by line, as they do it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from farscope.cli.duration import DURATION
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
from farscope.cli.nothing_seen import Waiting
from farscope.cli.selecting import check_lines, selection_options, tell_unmatched
from farscope.cli.step_printer import Output, Show, lines_for, shower, unseen_steps
from farscope.cli.style import say, tell
from farscope.logs.base import FiniteLog
from farscope.logs.lines import open_lines
from farscope.logs.url import open_log
from farscope.scope.feed import WIRES
from farscope.scope.in_place import InPlace
from farscope.scope.scope import Scope
from farscope.views.matching import Matching
from farscope.views.selection import Selection
from farscope.views.text import escape, stats_json


@click.command()
@click.argument("url", required=False)
@click.option("--spy", is_flag=True, help="Show every fact of each step, not only transitions.")
@selection_options
@click.option("--since", metavar="WHEN", help="Begin in the past: 10m, 2h, or start for all there is.")
@click.option(
    "--for",
    "for_s",
    type=DURATION,
    metavar="SPAN",
    help="End after this span: 30s, 5m; it counts from when the past that --since names was read.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="One JSON object a step or notice, with everything in it; the account as one on standard error.",
)
@click.option(
    "--wire", type=click.Choice(WIRES), default="batches", show_default=True, help="Form of what travels."
)
@click.option(
    "--key", type=click.Path(path_type=Path), metavar="PATH", help="The key file to open steps with."
)
def watch(
    url: str | None,
    *,
    spy: bool,
    selection: Selection,
    since: str | None,
    for_s: float | None,
    as_json: bool,
    wire: str,
    key: Path | None,
) -> None:
    """Show what charts do, as they do it.

    URL is the log they are broadcast to, such as sqlite:FOLDER; without it FARSCOPE_URL, or the log
    in your state folder. A recording is shown from its start to its end.

    Steps go to standard output, one line a transition, plain when that is no terminal. On a terminal, and
    with --spy, events that were ignored, refused by a guard or failed have a line as well; --only chooses
    among them. What else is worth knowing (a chart appeared, went silent, something was lost) stands in its
    place on standard error, and with --json among the steps as well; the closing accounting follows there.
    Ctrl-C ends it; the account says so if there was more in the log.
    """
    log = None if wire == "lines" else open_log(url)
    address = open_lines(url).url if log is None else log.url
    finite = isinstance(log, FiniteLog)
    if wire == "lines":
        check_lines(selection)
    matching = Matching(selection)
    # A reader of our output may read slowly, or stop for a while: the log then keeps what does not fit here.
    with Scope(url, key=key, since=since, wire=wire) as scope, scope.taking(), ending() as ended:
        tell(f"watching {escape(address)}; Ctrl-C ends")
        waiting = Waiting(scope, log, address, tell, from_now=since is None)
        over = unless_reader_gone(until(for_s, ended, lambda: not (since or finite) or scope.reached_end))
        output = Output(soon_after(ended))
        # The miros lines do not say what became of an event.
        lines = lines_for(selection, spy=spy, as_json=as_json, outcomes=wire != "lines")
        try:
            show = shower(scope, matching, lines, output=output, as_json=as_json)
            _follow(scope, show, over, output, waiting)
        finally:
            matching.know(view.id for view in scope.charts)
            tell_unmatched(matching, unseen_steps(selection, spy=spy, as_json=as_json))
            if as_json:
                say(stats_json(scope.stats), stream=sys.stderr)
            tell(account(scope, output.unshown))
        if for_s is not None or finite:
            check_opened(scope)


def _follow(scope: Scope, show: Show, over: Over, output: Output, waiting: Waiting) -> None:
    """Show what comes until it is over, then what was received by then, as long as there is time for it."""
    in_place = InPlace(scope.notices)
    while not over() and not scope.ended:
        show(in_place.among(scope.take(LOOK_S)))
        waiting.look()
    scope.close()
    while not output.gave_up and (steps := scope.take(0.0)):
        show(in_place.among(steps))
    show(in_place.among(()))
