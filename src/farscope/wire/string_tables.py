"""The tables of a batch being encoded: each name, fact and shape once, referred to by index."""

from __future__ import annotations

from farscope.errors import BatchTooLarge
from farscope.records.facts import Fact
from farscope.records.shape import Shape
from farscope.records.structure import ChartStructure
from farscope.wire.body_schema import (
    CUT_MARK,
    MAX_FACTS,
    MAX_FACTS_IN_SHAPE,
    MAX_NAME,
    MAX_SHAPES,
    MAX_STATES,
    MAX_STRINGS,
    MAX_TEXT,
    MAX_TEXTS,
    FactRow,
    ShapeRow,
    StructureRow,
)


class Tables:
    """Assigns indices to table entries; used for one batch by one thread."""

    def __init__(self) -> None:
        self.strings: list[str] = []
        self.facts: list[FactRow] = []
        self.shapes: list[ShapeRow] = []
        self._strings: dict[str, int] = {}
        self._facts: dict[Fact, int] = {}
        self._shapes: dict[Shape, int] = {}

    def string(self, text: str) -> int:
        """Return the index of a name."""
        index = self._strings.get(text)
        if index is None:
            index = self._strings[text] = len(self.strings)
            self.strings.append(encodable(text, MAX_NAME))
            if index >= MAX_STRINGS:
                raise too_large("names", MAX_STRINGS)
        return index

    def shape(self, shape: Shape) -> int:
        """Return the index of a shape."""
        index = self._shapes.get(shape)
        if index is None:
            if len(shape.facts) > MAX_FACTS_IN_SHAPE:
                raise too_large("facts in a step", MAX_FACTS_IN_SHAPE)
            row = (
                shape.kind,
                self.string(shape.signal),
                self.string(shape.start),
                self.string(shape.end),
                tuple(self._fact(fact) for fact in shape.facts),
            )
            index = self._shapes[shape] = len(self.shapes)
            self.shapes.append(row)
            if index >= MAX_SHAPES:
                raise too_large("shapes", MAX_SHAPES)
        return index

    def structure(self, structure: ChartStructure | None) -> StructureRow | None:
        """Return a chart's structure with its names as indices."""
        if structure is None:
            return None
        string = self.string
        return (
            [(string(state.name), string(state.parent)) for state in structure.states[:MAX_STATES]],
            [
                (string(reaction.state), string(reaction.signal), string(reaction.target))
                for reaction in structure.reactions[:MAX_STATES]
            ],
        )

    def _fact(self, fact: Fact) -> int:
        index = self._facts.get(fact)
        if index is None:
            row = (fact.kind, self.string(fact.name), self.string(fact.detail))
            index = self._facts[fact] = len(self.facts)
            self.facts.append(row)
            if index >= MAX_FACTS:
                raise too_large("facts", MAX_FACTS)
        return index


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
