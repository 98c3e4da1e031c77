"""Text in a grid of cells, for diagrams made of characters."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

CELLS_KEPT: Final = 4_096
"""Characters of which it is remembered how many cells they take; at the limit the oldest go."""

_ASCII = re.compile(r"[\x00-\x7f]+")


def width(text: str) -> int:
    """Return how many cells of a terminal ``text`` takes: wide characters two, combining ones none."""
    if text.isascii():
        return len(text)
    # Long names are mostly ASCII, and a table asks for thousands of them.
    others = _ASCII.sub("", text)
    return len(text) - len(others) + sum(map(_cells, others))


@lru_cache(CELLS_KEPT)
def _cells(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


class Canvas:
    """Rows of cells that grow as they are written."""

    def __init__(self) -> None:
        self._rows: list[list[str]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def row(self) -> int:
        """Add an empty row and return its number."""
        self._rows.append([])
        return len(self._rows) - 1

    def put(self, row: int, column: int, text: str) -> None:
        """Write ``text`` from ``column`` on, over what stands there."""
        cells = self._rows[row]
        end = column + width(text)
        cells.extend(" " * (end - len(cells)))
        for character in text:
            size = _cells(character)
            if size == 0:
                cells[max(column - 1, 0)] += character
                continue
            cells[column] = character
            if size == 2:
                cells[column + 1] = ""
            column += size

    def lines(self) -> list[str]:
        """Return the rows as text, without spaces at their ends."""
        return ["".join(cells).rstrip() for cells in self._rows]
