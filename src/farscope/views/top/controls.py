"""Key bindings of the table. Pure: a key changes the view of the rows, not the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from farscope.records.step import ChartKey
from farscope.views.top.columns import BY_KEY
from farscope.views.top.table import ChartRow

MAX_SEARCH: Final = 100
"""Maximum length of a search in characters; further ones are ignored."""


@dataclass(slots=True)
class Controls:
    """The state of the table's view; changed only by ``press``."""

    sort: str = "n"
    """Key of the column by which it is sorted."""
    reverse: bool = False
    """Whether that order is reversed."""
    selected: ChartKey | None = None
    """The selected chart; None, or one that is not shown, stands for the first row."""
    search: str = ""
    typing: bool = False
    """Whether keys are added to the search."""
    help: bool = False
    paused: bool = False
    finished: bool = False
    """Whether the charts of finished runs are shown, too."""
    quit: bool = False

    def press(self, key: str, rows: Sequence[ChartRow], page: int) -> None:
        """Apply a key.

        Args:
            key: a character, or ``up``, ``down``, ``pageup``, ``pagedown``, ``home``, ``end``, ``enter``,
                ``escape``, ``backspace``. Other keys are ignored.
            rows: what ``arranged`` returned for the current screen.
            page: number of rows on it.
        """
        if self.typing and self._type(key):
            return
        if self._move(key, rows, page):
            return
        match key:
            case "q":
                self.quit = True
            case "?":
                self.help = not self.help
            case "f":
                self.finished = not self.finished
            case "p" | " ":
                self.paused = not self.paused
            case "/":
                self.typing, self.help, self.search = True, False, ""
            case "escape":
                self.help, self.search = False, ""
            case _ if key in BY_KEY:
                self.reverse = self.sort == key and not self.reverse
                self.sort = key

    def index(self, rows: Sequence[ChartRow]) -> int:
        """Return the index of the selected chart in ``rows``; 0 if it is not there."""
        return next((place for place, row in enumerate(rows) if row.key == self.selected), 0)

    def _type(self, key: str) -> bool:
        """Apply a key to the search; return whether it belongs to it."""
        if key in {"enter", "escape"}:
            self.typing = False
            if key == "escape":
                self.search = ""
        elif key == "backspace":
            self.search = self.search[:-1]
        elif len(key) == 1 and key.isprintable():
            self.search = (self.search + key)[:MAX_SEARCH]
        else:
            return False
        return True

    def _move(self, key: str, rows: Sequence[ChartRow], page: int) -> bool:
        by = {"up": -1, "down": 1, "pageup": -page, "pagedown": page, "home": -len(rows), "end": len(rows)}
        if key not in by:
            return False
        if rows:
            place = self.index(rows) + by[key]
            self.selected = rows[min(max(0, place), len(rows) - 1)].key
        return True


def arranged(rows: Sequence[ChartRow], controls: Controls) -> list[ChartRow]:
    """Return the rows that are not folded and match the search, sorted; equal ones by name, host, process."""
    found = unfolded(rows, controls)
    if controls.search:
        wanted = controls.search.casefold()
        found = [
            row
            for row in found
            if any(
                wanted in text.casefold() for text in (row.label, row.host, row.state, row.status, row.event)
            )
        ]
    column = BY_KEY[controls.sort]
    found.sort(key=lambda row: (row.label.casefold(), row.host, row.key))
    found.sort(key=column.order, reverse=controls.reverse != column.largest_first)
    return found


def unfolded(rows: Sequence[ChartRow], controls: Controls) -> list[ChartRow]:
    """Return the rows that are not folded: of all runs if that is wanted, otherwise of unfinished ones.

    A run is a process that broadcasts; it is finished when all its charts have ended or were closed. If
    every run is finished, all are shown.
    """
    going_on = {row.key.probe for row in rows if not row.over}
    if controls.finished or not going_on:
        return list(rows)
    return [row for row in rows if row.key.probe in going_on]
