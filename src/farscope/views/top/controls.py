"""Key bindings of the table. Pure: a key changes the view of the rows, not the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from farscope.records.step import ChartKey
from farscope.views.top.columns import BY_KEY
from farscope.views.top.table import ChartRow

FINISHED: Final = frozenset({"closed", "stopped"})
"""Status of charts of which nothing more will come; one that fell silent is not among them."""

MAX_SEARCH: Final = 100
"""Characters a search takes; further ones are not taken."""


@dataclass(slots=True)
class Controls:
    """How the table is looked at; changed by ``press`` alone."""

    sort: str = "n"
    """Key of the column it is sorted by."""
    reverse: bool = False
    """Whether that is against the column's own order."""
    selected: ChartKey | None = None
    """The chosen chart; None, or one that is not there, is the first row."""
    search: str = ""
    typing: bool = False
    """Whether keys go into the search."""
    help: bool = False
    paused: bool = False
    finished: bool = False
    """Whether the charts of finished runs are shown as well."""
    quit: bool = False

    def press(self, key: str, rows: Sequence[ChartRow], page: int) -> None:
        """Do what a key does.

        Args:
            key: a character, or ``up``, ``down``, ``pageup``, ``pagedown``, ``home``, ``end``, ``enter``,
                ``escape``, ``backspace``. Keys that mean nothing do nothing.
            rows: what ``arranged`` returned for the screen the person sees.
            page: how many rows that shows.
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
        """Return the place of the chosen chart among ``rows``; 0 where it is not there."""
        return next((place for place, row in enumerate(rows) if row.key == self.selected), 0)

    def _type(self, key: str) -> bool:
        """Take a key into the search; return whether it was one for it."""
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
    """Return the rows that are not folded and are found, sorted; equal ones by name, host and process."""
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
    """Return the rows that are not folded away: of all runs if that is wanted, else of those that go on.

    A run is a process that broadcasts, and finished when all its charts were closed or stopped. Where every
    run is finished all are shown, for there is nothing else to see.
    """
    going_on = {row.key.probe for row in rows if row.status not in FINISHED}
    if controls.finished or not going_on:
        return list(rows)
    return [row for row in rows if row.key.probe in going_on]
