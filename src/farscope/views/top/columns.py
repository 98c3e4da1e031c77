"""The columns of the table: their content, width and sort order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from farscope.views.humanize import count_text, span_text, spark
from farscope.views.terminal_width import width as cells_of
from farscope.views.top.glyphs import FULL, Glyphs
from farscope.views.top.table import SPARK_S, ChartRow

GAP: Final = 2
"""Spaces between two columns."""

STATUS_ORDER: Final = ("alive", "ended", "failed", "silent", "closed", "unobserved", "finished", "stopped")
"""Order of the statuses when sorted; those of later releases follow."""


class Column(NamedTuple):
    """A column of the table."""

    title: str
    key: str
    """The key that sorts by it; empty for none."""
    sorted_by: str
    """Its name in the help on sorting."""
    cell: Callable[[ChartRow], str]
    order: Callable[[ChartRow], Any]
    least: int
    """Minimum width in cells."""
    enough: int = 0
    """Width in cells for most names, for which other columns are dropped; 0 if the width is fixed."""
    right: bool = False
    """Whether it is a number, which is aligned to the right."""
    largest_first: bool = False
    given_up: int = 0
    """If there is not enough space, columns with the highest number are dropped first; 0 stays."""

    def drawn(self, row: ChartRow, glyphs: Glyphs) -> str:
        """Return its text as it is drawn."""
        return self.cell(row) if self.title else spark(row.spark, glyphs.blocks)


def _rate(row: ChartRow) -> str:
    return f"{row.rate:.1f}" if row.rate < 100 else count_text(round(row.rate))


def _status_order(row: ChartRow) -> int:
    return STATUS_ORDER.index(row.status) if row.status in STATUS_ORDER else len(STATUS_ORDER)


def _lost(row: ChartRow) -> str:
    """Return the proven losses, marked if there may be more."""
    return f"{count_text(row.lost, 3)}+?" if row.unknown else count_text(row.lost, 6)


def _count(
    title: str, key: str, sorted_by: str, count: Callable[[ChartRow], int], width: int, *, given_up: int = 0
) -> Column:
    return Column(
        title,
        key,
        sorted_by,
        lambda row: count_text(count(row), width),
        count,
        6,
        right=True,
        largest_first=True,
        given_up=given_up,
    )


COLUMNS: Final = (
    Column("CHART", "n", "name", lambda row: row.name, lambda row: row.name.casefold(), 10, 24),
    Column("HOST", "h", "host", lambda row: row.host, lambda row: row.host.casefold(), 8, 12, given_up=6),
    Column("STATUS", "a", "status", lambda row: row.status, _status_order, 7, 10),
    Column("STATE", "s", "state", lambda row: row.state or "-", lambda row: row.state.casefold(), 8, 20),
    Column(
        "FOR",
        "d",
        "time in state (duration)",
        lambda row: "-" if row.in_state_ns is None else span_text(row.in_state_ns),
        lambda row: row.in_state_ns or 0,
        7,
        right=True,
        largest_first=True,
        given_up=1,
    ),
    Column("STEPS/S", "r", "steps a second", _rate, lambda row: row.rate, 8, right=True, largest_first=True),
    Column("", "", "", lambda row: spark(row.spark), lambda _: 0, SPARK_S, given_up=3),
    Column(
        "EVENT", "e", "last event", lambda row: row.event or "-", lambda row: row.event, 8, 12, given_up=2
    ),
    _count("QUEUE", "u", "queue", lambda row: row.queued, 5, given_up=4),
    _count("DEFER", "t", "deferred events", lambda row: row.deferred, 5, given_up=5),
    _count("LOST", "l", "lost", lambda row: row.lost, 6)._replace(cell=_lost),
)
"""All columns, from left to right."""

BY_KEY: Final = {column.key: column for column in COLUMNS if column.key}

Needs = dict[str, int]
"""Width in cells of the names in each column of names, by its title."""


def needs(rows: Iterable[ChartRow], glyphs: Glyphs = FULL) -> Needs:
    """Return the width of the widest name in each column of names."""
    named = [column for column in COLUMNS if column.enough]
    found = {column.title: column.least for column in named}
    shown = list(rows)
    for column in named:
        texts = set(map(column.cell, shown))
        found[column.title] = max(column.least, *(cells_of(glyphs.text(text)) for text in texts), 0)
    return found


def laid_out(width: int, wanted: Needs) -> list[tuple[Column, int]]:
    """Return the columns that fit into a width, and the width of each.

    Columns of names are as wide as their names. If there is not enough space for that, columns are dropped
    until the rest have enough, and the remaining space goes to those with longer names. If not even their
    minimum widths fit, the columns are returned at minimum width, and lines have to be truncated.
    """
    columns = list(COLUMNS)
    while _total(columns, wanted) > width and (droppable := [each for each in columns if each.given_up]):
        columns.remove(max(droppable, key=lambda column: column.given_up))
    enough = _total(columns, wanted) <= width
    sizes = [_enough(column, wanted) if enough else column.least for column in columns]
    limits = [max(column.least, wanted.get(column.title, 0)) for column in columns]
    spare = width - sum(sizes) - GAP * (len(columns) - 1)
    while spare > 0 and (short := [place for place in range(len(columns)) if sizes[place] < limits[place]]):
        # A cell at a time to the column that lacks most, so that all columns are truncated alike.
        place = max(short, key=lambda place: limits[place] - sizes[place])
        sizes[place] += 1
        spare -= 1
    return list(zip(columns, sizes, strict=True))


def _enough(column: Column, wanted: Needs) -> int:
    return max(column.least, min(column.enough, wanted.get(column.title, 0)))


def _total(columns: Sequence[Column], wanted: Needs) -> int:
    return sum(_enough(column, wanted) for column in columns) + GAP * (len(columns) - 1)
