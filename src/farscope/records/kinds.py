"""Kinds that a later release defined: shown by their names, and passed on unchanged."""

from __future__ import annotations

from typing import Final, Self

MAX_KIND: Final = 255
"""Greatest number of a kind."""

FIRST_WITH_TEXT: Final = 128
"""From this number on, a kind of fact unknown to a reader takes one of the step's free texts."""

FIRST_STILL_RUNNING: Final = 128
"""From this number on, a status unknown to a reader is that of a chart that may make more steps."""


class UnknownKind(int):
    """A kind of fact, step, state, reaction or status that this release does not define.

    Behaves like a member of the enumeration to which it will belong: a number with a ``name``. Two are equal
    if both number and name are.
    """

    name: str

    def __new__(cls, value: int, name: str) -> Self:
        """``name`` is the kind's name in the release that defined it, in capitals."""
        kind = super().__new__(cls, value)
        kind.name = name
        return kind

    @property
    def value(self) -> int:
        """Its number."""
        return int(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UnknownKind) and int(self) == int(other) and self.name == other.name

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((int(self), self.name))

    def __repr__(self) -> str:
        return f"<{self.name}: {int(self)}>"

    def __getnewargs__(self) -> tuple[int, str]:  # type: ignore[override]  # int takes one argument
        return int(self), self.name
