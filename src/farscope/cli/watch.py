"""``farscope watch``: what charts do, line by line, as they do it."""

from __future__ import annotations

from pathlib import Path

import click

from farscope.cli.duration import DURATION
from farscope.cli.ending import LOOK_S, Over, ending, unless_reader_gone, until
from farscope.cli.printing import Show, chooser, lines_for, shower
from farscope.cli.style import tell
from farscope.logs.lines import open_lines
from farscope.logs.url import open_log
from farscope.scope.feed import WIRES
from farscope.scope.scope import Scope
from farscope.views.text import escape, stats_line


@click.command()
@click.argument("url", required=False)
@click.option("--spy", is_flag=True, help="Show every fact of each step, not only transitions.")
@click.option(
    "--chart", "globs", metavar="GLOB", multiple=True, help="Only charts whose name fits; repeatable."
)
@click.option("--since", metavar="WHEN", help="Begin in the past: 10m, 2h, or start for all there is.")
@click.option("--for", "for_s", type=DURATION, metavar="SPAN", help="End after this span: 30s, 5m.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a step, with everything in it.")
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
    globs: tuple[str, ...],
    since: str | None,
    for_s: float | None,
    as_json: bool,
    wire: str,
    key: Path | None,
) -> None:
    """Show what charts do, as they do it.

    URL is the log they are broadcast to, such as sqlite:FOLDER; without it FARSCOPE_URL, or the log
    in your state folder. A recording is shown from its start to its end.

    Steps go to standard output, one line a transition, plain when that is no terminal. What else is
    worth knowing (a chart appeared, went silent, something was lost) and the closing accounting
    go to standard error. Ctrl-C ends it.
    """
    address = open_lines(url).url if wire == "lines" else open_log(url).url
    with ending() as ended, Scope(url, key=key, since=since, wire=wire) as scope:
        tell(f"watching {escape(address)}; Ctrl-C ends")
        try:
            _follow(
                scope,
                shower(scope, chooser(globs), lines_for(spy=spy, as_json=as_json)),
                unless_reader_gone(until(for_s, ended)),
            )
        finally:
            tell(stats_line(scope.stats))


def _follow(scope: Scope, show: Show, over: Over) -> None:
    """Show what comes until it is over, then what was received by then."""
    while not over() and not scope.ended:
        show(scope.take(LOOK_S))
    scope.close()
    while steps := scope.take(0.0):
        show(steps)
    show([])
