"""``farscope top``: show all charts in a live table."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import click
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from farscope.cli.interrupts import LOOK_S, Over, account, check_opened, ending, soon_after, until
from farscope.cli.keyboard import open_keyboard
from farscope.cli.nothing_there import report_no_log
from farscope.cli.options import WATCHING, for_option, key_option, since_option
from farscope.cli.step_printer import ALARMING
from farscope.cli.style import report, say
from farscope.logs.base import Log, end_of
from farscope.logs.url import open_log
from farscope.scope.scope import Scope
from farscope.views.humanize import number
from farscope.views.text import notice_line
from farscope.views.top.columns import Needs, needs
from farscope.views.top.controls import Controls, arranged, unfolded
from farscope.views.top.glyphs import glyphs_of
from farscope.views.top.screen import Header, Layout, Line, Size, page_size, plain_table, screen
from farscope.views.top.table import ChartRow, Table

FRAME_S: Final = 0.1
"""Time between two frames."""

GATHER_S: Final = 0.05
"""Longest time a frame spends on taking steps; the rest waits for the next frame, or in the log."""

GATHER_STEPS: Final = 4_096

UPDATE_CHARTS_S: Final = 0.3
"""Time between two updates of what the scope knows of each chart: alive, silent, lost."""

ONCE_S: Final = 2.5
"""How long to listen before printing a single table: every chart sends something each second."""


@click.command()
@click.argument("url", required=False)
@since_option
@for_option(WATCHING)
@click.option("--all", "everything", is_flag=True, help="Include the charts of finished runs.")
@key_option()
def top(
    url: str | None, *, since: str | None, for_s: float | None, everything: bool, key: Path | None
) -> None:
    """Show all charts in a live table.

    URL is the log that charts broadcast to, such as sqlite:FOLDER. The default is FARSCOPE_URL, or else the
    log in your state folder. For a recording, the table shows the charts as they were at its end.

    Charts of finished runs are hidden while others are running; --all, or the key f, shows them. Keys sort,
    search, pause, and select a chart to see its recent steps; ? lists them, q quits. Without a terminal, one
    plain table is printed; the account on standard error says if there was more in the log.
    """
    log = open_log(url)
    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    with Scope(log, key=key, since=since) as scope, ending() as ended:
        model = TopModel(scope, log)
        span_s = ONCE_S if for_s is None and not interactive and not model.ends else for_s
        over = until(span_s, ended, lambda: not (since or model.ends) or scope.reached_end)
        try:
            if interactive:
                _live(model, over, Controls(finished=everything or model.ends))
            else:
                report("not a terminal: one table is printed")
                _once(model, over, soon_after(ended), Controls(finished=everything or model.ends))
        finally:
            report(account(scope))
        if not interactive:
            check_opened(scope)
        if for_s is not None or not interactive:
            report_no_log(log)


class TopModel:
    """Keeps a table up to date with a scope. Used by one thread."""

    def __init__(self, scope: Scope, log: Log) -> None:
        self.scope = scope
        end_ns = end_of(log)
        self.ends = end_ns is not None
        """Whether it is a recording, of which the end is shown."""
        self.table = Table(ends=self.ends)
        self._end_ns = end_ns or 0
        self._address = log.url
        self._trouble = ""
        self._live = False
        self._updated_s = float("-inf")

    @property
    def now_ns(self) -> int:
        """The present, or a recording's end, in nanoseconds since the epoch."""
        return self._end_ns if self.ends else time.time_ns()

    def gather(self, budget_s: float) -> None:
        """Take received steps for at most ``budget_s`` seconds.

        Raises:
            LogRefused: the log cannot be read any more.
        """
        deadline = time.monotonic() + budget_s
        full = True
        while full and time.monotonic() < deadline:
            full = self.poll(0.0)
        if self.table.has_strangers or time.monotonic() - self._updated_s >= UPDATE_CHARTS_S:
            self.update_charts()

    def poll(self, timeout_s: float) -> bool:
        """Take received steps, waiting up to ``timeout_s``; return whether there may be more."""
        caught_up = self.scope.caught_up
        steps = self.scope.take(timeout_s, GATHER_STEPS)
        self.table.add_steps(steps, self.now_ns, live=self._live)
        more = self.scope.untaken > 0
        # Steps that waited when the end was reached still belong to the past.
        self._live = self._live or (caught_up and not more and not self.ends)
        return more

    def update_charts(self) -> None:
        """Update the table from the scope's data about all charts."""
        self._updated_s = time.monotonic()
        self.table.update(self.scope.charts)
        for notice in self.scope.notices():
            if notice.kind in ALARMING:
                self._trouble = notice_line(notice)

    def head(self) -> Header:
        """Return the data of the header."""
        stats = self.scope.stats
        return Header(
            self._address,
            self.now_ns,
            stats.received,
            stats.lost,
            stats.probes,
            len(self.table),
            self._trouble,
            reading=stats.batches > 0 and not (self.scope.ended if self.ends else self.scope.reached_end),
            unknown=sum(unknown.chart is not None for unknown in stats.unknown),
        )


def _once(model: TopModel, over: Over, long_over: Over, controls: Controls) -> None:
    while not over() and not model.scope.ended:
        model.poll(LOOK_S)
    # What was received by then belongs in the table.
    model.scope.close()
    while not long_over() and model.poll(0.0):
        pass
    model.update_charts()
    known = model.table.rows(model.now_ns)
    rows = arranged(known, controls)
    say("\n".join(plain_table(rows, glyphs_of(sys.stdout.encoding))))
    if folded := len(known) - len(rows):
        report(f"{number(folded, 'chart')} of finished runs left out; --all shows them")


def _live(model: TopModel, over: Over, controls: Controls) -> None:
    console = Console(highlight=False)
    with open_keyboard() as keyboard, Live(console=console, screen=True, auto_refresh=False) as live:
        display = TopDisplay(model, controls, lambda lines: live.update(_drawn(lines), refresh=True))
        while not over() and not controls.quit:
            began_s = time.monotonic()
            model.gather(GATHER_S)
            display.draw(Size(*shutil.get_terminal_size()))
            # Half of the time is left to other threads, even if a frame takes long.
            next_s = max(began_s + FRAME_S, 2 * time.monotonic() - began_s)
            try:
                while (left_s := next_s - time.monotonic()) > 0:
                    display.press(keyboard.read(left_s))
            except EOFError:
                return


class TopDisplay:
    """Draws the table according to the controls, and passes keys to them."""

    def __init__(self, model: TopModel, controls: Controls, show: Callable[[list[Line]], None]) -> None:
        self._model = model
        self._controls = controls
        self._show = show
        self._rows: Sequence[ChartRow] = ()
        self._head = model.head()
        self._arranged: list[ChartRow] = []
        self._page = 1
        self._shown: tuple[Size, list[Line]] | None = None
        self._glyphs = glyphs_of(sys.stdout.encoding)
        self._wanted: Needs = {}
        self._wanted_for: tuple[object, ...] = ()

    def draw(self, size: Size) -> None:
        """Draw a frame, unless nothing has changed."""
        if not self._controls.paused:
            self._rows = self._model.table.rows(self._model.now_ns)
            self._head = self._model.head()
        self._arranged = arranged(self._rows, self._controls)
        self._page = page_size(size.height)
        folded = len(self._rows) - len(unfolded(self._rows, self._controls))
        look = Layout(self._glyphs, self._widths(size))
        head = self._head._replace(folded=folded)
        frame = (size, screen(self._arranged, self._controls, head, size, look))
        if frame != self._shown:
            self._shown = frame
            self._show(frame[1])

    def _widths(self, size: Size) -> Needs:
        """Return the widths of names: columns grow with them, and shrink only when the layout changes."""
        look = (size, self._controls.search, self._controls.finished)
        before = self._wanted if look == self._wanted_for else {}
        self._wanted_for = look
        now = needs(self._arranged, self._glyphs)
        self._wanted = {title: max(cells, before.get(title, 0)) for title, cells in now.items()}
        return self._wanted

    def press(self, keys: Sequence[str]) -> None:
        """Apply keys."""
        for key in keys:
            self._controls.press(key, self._arranged, self._page)
            self._arranged = arranged(self._rows, self._controls)


def _drawn(lines: list[Line]) -> Group:
    return Group(*(Text.assemble(*line, no_wrap=True, overflow="crop") for line in lines))
