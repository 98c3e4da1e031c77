"""The columns: what stands in them, how wide they are, what they sort by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from farscope.views.cells import width as cells_of
from farscope.views.quantity import count_text, span_text, spark
from farscope.views.text import escape
from farscope.views.top.table import SPARK_S, Row

GAP: Final = 2
"""Blanks between two columns."""

WIDEST: Final = 40
"""A column of names takes no more than this, however wide the terminal is."""

CUT: Final = "…"

STATUS_ORDER: Final = ("alive", "ended", "silent", "closed", "stopped")


class Column(NamedTuple):
    """A column of the table."""

    title: str
    key: str
    """The key that sorts by it; empty where nothing does."""
    sorted_by: str
    """What sorting by it is called in the help."""
    cell: Callable[[Row], str]
    order: Callable[[Row], Any]
    least: int
    """Cells it needs."""
    share: int = 0
    """Its part of what room is left; 0 for a column of fixed width."""
    right: bool = False
    """Whether it is a number, which stands to the right."""
    largest_first: bool = False
    given_up: int = 0
    """Where there is no room, columns with the highest number go first; 0 stays."""


def _rate(row: Row) -> str:
    return f"{row.rate:.1f}" if row.rate < 100 else count_text(round(row.rate))


def _status_order(row: Row) -> int:
    return STATUS_ORDER.index(row.status)


COLUMNS: Final = (
    Column("CHART", "n", "name", lambda row: row.name, lambda row: row.name.casefold(), 10, 3),
    Column("HOST", "h", "host", lambda row: row.host, lambda row: row.host.casefold(), 8, 2, given_up=5),
    Column("STATUS", "a", "status", lambda row: row.status, _status_order, 7),
    Column("STATE", "s", "state", lambda row: row.state or "-", lambda row: row.state.casefold(), 8, 2),
    Column(
        "FOR",
        "d",
        "time in state",
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
        "EVENT",
        "e",
        "last event",
        lambda row: row.event or "-",
        lambda row: row.event,
        8,
        2,
        given_up=2,
    ),
    Column(
        "QUEUE",
        "u",
        "queue",
        lambda row: count_text(row.queued, 5),
        lambda row: row.queued,
        6,
        right=True,
        largest_first=True,
        given_up=4,
    ),
    Column(
        "LOST",
        "l",
        "lost",
        lambda row: count_text(row.lost, 6),
        lambda row: row.lost,
        6,
        right=True,
        largest_first=True,
    ),
)
"""All columns, from left to right."""

BY_KEY: Final = {column.key: column for column in COLUMNS if column.key}


def laid_out(width: int) -> list[tuple[Column, int]]:
    """Return the columns there is room for in so many cells, and how wide each is.

    Below what the columns that stay need, these are returned as they are, and lines have to be cut.
    """
    columns = list(COLUMNS)
    while _least(columns) > width and (droppable := [column for column in columns if column.given_up]):
        columns.remove(max(droppable, key=lambda column: column.given_up))
    room = max(0, width - _least(columns))
    shares = sum(column.share for column in columns)
    return [
        (column, min(WIDEST, column.least + room * column.share // shares) if column.share else column.least)
        for column in columns
    ]


def padded(text: str, width: int, *, right: bool = False) -> str:
    """Return ``text``, made visible, in exactly so many cells; what does not fit is cut and marked."""
    text = escape(text)
    size = cells_of(text)
    if size > width:
        text = _cut(text, width)
        size = cells_of(text)
    blanks = " " * (width - size)
    return blanks + text if right else text + blanks


def _least(columns: Sequence[Column]) -> int:
    return sum(column.least for column in columns) + GAP * (len(columns) - 1)


def _cut(text: str, width: int) -> str:
    if width < 1:
        return ""
    kept: list[str] = []
    room = width - 1
    for character in text:
        room -= cells_of(character)
        if room < 0:
            break
        kept.append(character)
    return "".join(kept) + CUT
