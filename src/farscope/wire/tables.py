"""The tables of a batch being encoded: each name, fact and shape once, referred to by index."""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Final, TypeVar

from farscope.errors import BatchTooLarge, Invariant
from farscope.records.facts import Fact
from farscope.records.kinds import MAX_KIND, UnknownKind
from farscope.records.shape import Shape
from farscope.records.step import MAX_VALUES, Value
from farscope.records.structure import ChartStructure, Reaction
from farscope.wire.body_schema import (
    CUT_MARK,
    KIND_PATTERN,
    MAX_FACTS,
    MAX_FACTS_IN_SHAPE,
    MAX_FLAGS,
    MAX_INTEGER,
    MAX_KIND_NAME,
    MAX_LEAVES,
    MAX_NAME,
    MAX_SHAPES,
    MAX_STATES,
    MAX_STRINGS,
    MAX_TARGETS,
    MAX_TEXT,
    MAX_TEXTS,
    MAX_VALUE,
    Dictionary,
    FactRow,
    Leaves,
    NamedKind,
    ReactionRow,
    ShapeRow,
    Structure,
)

_Kind = TypeVar("_Kind", bound=IntEnum)
_KIND_NAME: Final = re.compile(KIND_PATTERN)


class Strings:
    """Assigns indices to names; used for one batch by one thread."""

    def __init__(self) -> None:
        self.all: list[str] = []
        self._indices: dict[str, int] = {}

    def index(self, text: str) -> int:
        """Return the index of a name."""
        index = self._indices.get(text)
        if index is None:
            index = self._indices[text] = len(self.all)
            self.all.append(encodable(text, MAX_NAME))
            if index >= MAX_STRINGS:
                raise too_large("names", MAX_STRINGS)
        return index


class Tables(Strings):
    """Assigns indices to names, facts and shapes; used for one batch by one thread."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[FactRow] = []
        self._shape_rows: list[ShapeRow] = []
        self._facts: dict[Fact, int] = {}
        self._shapes: dict[Shape, int] = {}

    def dictionary(self) -> Dictionary:
        """Return all tables."""
        return Dictionary(self.all, self._rows, self._shape_rows)

    def shape(self, shape: Shape) -> int:
        """Return the index of a shape."""
        index = self._shapes.get(shape)
        if index is None:
            if len(shape.facts) > MAX_FACTS_IN_SHAPE:
                raise too_large("facts in a step", MAX_FACTS_IN_SHAPE)
            row = (
                coded(shape.kind),
                self.index(shape.signal),
                self._leaves(shape.start_states),
                self._leaves(shape.end_states),
                tuple([self._fact(fact) for fact in shape.facts]),
            )
            index = self._shapes[shape] = len(self._shape_rows)
            self._shape_rows.append(row)
            if index >= MAX_SHAPES:
                raise too_large("shapes", MAX_SHAPES)
        return index

    def _leaves(self, states: tuple[str, ...]) -> Leaves:
        if len(states) == 1:
            return self.index(states[0])
        check_leaves(states)
        return tuple(map(self.index, states))

    def _fact(self, fact: Fact) -> int:
        index = self._facts.get(fact)
        if index is None:
            kind, name, detail = fact
            row = (coded(kind), self.index(name), self.index(detail))
            index = self._facts[fact] = len(self._rows)
            self._rows.append(row)
            if index >= MAX_FACTS:
                raise too_large("facts", MAX_FACTS)
        return index


def laid_out(structure: ChartStructure) -> Structure:
    """Return a chart's structure with its names as indices, as far as it fits."""
    strings = Strings()
    index = strings.index
    return Structure(
        # Arguments are evaluated in order, but the list of strings is only complete after all others.
        strings.all,
        [(index(name), index(parent), coded(kind)) for name, parent, kind in structure.states[:MAX_STATES]],
        [_reaction_row(reaction, strings) for reaction in structure.reactions[:MAX_STATES]],
        index(structure.initial),
        index(structure.library),
    )


def _reaction_row(reaction: Reaction, strings: Strings) -> ReactionRow:
    index = strings.index
    return (
        index(reaction.state),
        index(reaction.signal),
        index(reaction.target),
        index(reaction.guard),
        tuple([coded(flag) for flag in reaction.flags[:MAX_FLAGS]]),
        index(reaction.delay),
        tuple([index(target) for target in reaction.more_targets[:MAX_TARGETS]]),
    )


def coded(kind: _Kind | UnknownKind) -> _Kind | NamedKind:
    """Return a kind as it is written: those that are not in the format's table come with their names."""
    if not isinstance(kind, UnknownKind):
        return kind
    if not 0 <= kind <= MAX_KIND or len(kind.name) > MAX_KIND_NAME or not _KIND_NAME.match(kind.name):
        raise Invariant(f"a kind cannot have the number {int(kind)} and the name {kind.name!r}")
    return int(kind), kind.name


def check_leaves(states: tuple[str, ...]) -> None:
    """Check that a configuration can be written.

    Raises:
        BatchTooLarge: it has too many leaves.
    """
    if len(states) > MAX_LEAVES:
        raise too_large("active states of a chart", MAX_LEAVES)


def encodable_values(values: tuple[tuple[str, Value], ...]) -> list[tuple[str, Value]]:
    """Return values within the format's limits; those beyond ``MAX_VALUES`` are left out."""
    return [(encodable(name, MAX_VALUE), _encodable_value(value)) for name, value in values[:MAX_VALUES]]


def _encodable_value(value: Value) -> Value:
    if isinstance(value, str):
        return encodable(value, MAX_VALUE)
    if isinstance(value, int) and not -MAX_INTEGER <= value <= MAX_INTEGER:
        try:
            return float(value)
        except OverflowError:
            return float("inf") if value > 0 else float("-inf")
    return value


def too_large(things: str, limit: int) -> BatchTooLarge:
    """Return the error for a batch with more ``things`` than ``limit``."""
    return BatchTooLarge(f"a batch holds at most {limit} {things}", "send fewer steps in one batch")


def encodable(text: str, limit: int) -> str:
    """Return ``text`` cut to ``limit`` characters and without lone surrogates, which UTF-8 cannot carry."""
    if len(text) > limit:
        text = text[: max(0, limit - len(CUT_MARK))] + CUT_MARK[:limit]
    if text.isascii():
        return text
    # A lone surrogate comes from a file name or a broken decoder; escaping it avoids losing the batch.
    shown = text.encode("utf-8", "backslashreplace").decode()
    return shown if len(shown) <= limit else encodable(shown, limit)


def encodable_texts(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return a step's free texts, cut to ``MAX_TEXT`` characters in total."""
    left = MAX_TEXT
    kept = []
    for text in texts[:MAX_TEXTS]:
        shown = encodable(text, left)
        left -= len(shown)
        kept.append(shown)
    return tuple(kept)
