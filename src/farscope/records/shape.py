"""Shapes: the common part of similar steps, interned once and referred to by number."""

from __future__ import annotations

from enum import IntEnum, unique
from sys import getsizeof
from typing import Final

from farscope.records.facts import TEXT_KINDS, Fact, FactKind
from farscope.records.traceback_text import error_line


@unique
class StepKind(IntEnum):
    """The outcome of a step's event. The numbers are part of the wire format."""

    START = 1
    """The chart was started and settled in its first state."""
    TRANSITION = 2
    """The event made the chart leave or enter states, possibly only to return."""
    HOOK = 3
    """A state handled the event without a transition."""
    IGNORED = 4
    """No state handled the event, and no guard refused it."""
    REFUSED = 5
    """At least one guard refused the event, and no state handled it."""
    FAILED = 6
    """A handler raised; the step was aborted."""


TRACED_KINDS = frozenset({StepKind.START, StepKind.TRANSITION})
"""Kinds of step that produce a trace line."""

_LINE = {
    FactKind.START: "START",
    FactKind.SEARCH: "SEARCH_FOR_SUPER_SIGNAL:{name}",
    FactKind.ENTRY: "ENTRY_SIGNAL:{name}",
    FactKind.EXIT: "EXIT_SIGNAL:{name}",
    FactKind.INIT: "INIT_SIGNAL:{name}",
    FactKind.OFFER: "{signal}:{name}",
    FactKind.HOOK: "{signal}:{name}:HOOK",
    FactKind.EMPTY: "EMPTY_SIGNAL:{name}",
    FactKind.POST_FIFO: "POST_FIFO:{name}",
    FactKind.POST_LIFO: "POST_LIFO:{name}",
    FactKind.DEFER: "POST_DEFERRED:{name}",
    FactKind.RECALL: "RECALL:{name}",
    FactKind.SUBSCRIBE: "SUBSCRIBING TO:({name}, TYPE:{detail})",
    FactKind.PUBLISH: "PUBLISH:({name}, PRIORITY:{detail})",
    FactKind.SCRIBBLE: "{text}",
    FactKind.FAILED: "FAILED:{name}:{error}",
    FactKind.CUT: "CUT:({detail} facts not kept)",
    FactKind.REFUSED_POST: "REFUSED_POST:{name}:{detail}",
}


KEPT_LINES_CHARACTERS: Final = 8_192
"""A shape caches its spy lines up to this many characters; longer ones are rendered each time."""

_FACT_BYTES: Final = 80
_LINE_CHARACTERS: Final = 32
"""Maximum size of a fact, and length of its line, without its names."""


class Shape:
    """Signal, start, end and facts of a step; immutable, compared and hashed by value.

    A shape renders its spy lines once and caches them unless they are long, so that a thousand steps of one
    shape cost one rendering. Reading it from several threads is safe.
    """

    __slots__ = ("_hash", "_lines", "_size", "end", "facts", "has_text", "kind", "signal", "start", "traced")

    kind: StepKind
    signal: str
    start: str
    end: str
    facts: tuple[Fact, ...]
    traced: bool
    has_text: bool

    def __init__(self, kind: StepKind, signal: str, start: str, end: str, facts: tuple[Fact, ...]) -> None:
        """``start`` and ``end`` are the chart's states before and after the step."""
        self.kind = kind
        self.signal = signal
        self.start = start
        self.end = end
        self.facts = facts
        self.traced = kind in TRACED_KINDS
        self.has_text = any(fact.kind in TEXT_KINDS for fact in facts)
        self._lines: tuple[str, ...] | None = None
        self._size = 0
        self._hash = hash((kind, signal, start, end, facts))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Shape):
            return NotImplemented
        return (self.kind, self.signal, self.start, self.end, self.facts) == (
            other.kind,
            other.signal,
            other.start,
            other.end,
            other.facts,
        )

    def __repr__(self) -> str:
        return (
            f"Shape({self.kind.name}, {self.signal!r}, {self.start!r}->{self.end!r}, {len(self.facts)} facts)"
        )

    def __reduce__(self) -> tuple[type[Shape], tuple[StepKind, str, str, str, tuple[Fact, ...]]]:
        return Shape, (self.kind, self.signal, self.start, self.end, self.facts)

    def lines(self, texts: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return the spy lines of a step of this shape, without the closing queue line.

        ``texts`` are the step's free texts, in the order of the facts that carry one.
        """
        if not self.has_text:
            if self._lines is not None:
                return self._lines
            lines = tuple(self._line(fact, "") for fact in self.facts)
            if self.line_characters <= KEPT_LINES_CHARACTERS:
                self._lines = lines
            return lines
        remaining = iter(texts)
        return tuple(
            self._line(fact, next(remaining, "") if fact.kind in TEXT_KINDS else "") for fact in self.facts
        )

    @property
    def size(self) -> int:
        """Maximum memory in bytes: includes all its names, as if none were shared, and its cached lines."""
        if not self._size:
            names = {id(name): name for fact in self.facts for name in (fact.name, fact.detail)}
            own = sum(map(getsizeof, (self, self.signal, self.start, self.end, *names.values())))
            lines = self.line_characters
            kept = 4 * lines if lines <= KEPT_LINES_CHARACTERS and not self.has_text else 0
            self._size = own + _FACT_BYTES * len(self.facts) + kept
        return self._size

    @property
    def line_characters(self) -> int:
        """Maximum total length of its lines, without free texts; may be far more than its size."""
        names = sum(len(fact.name) + len(fact.detail) for fact in self.facts)
        return names + (len(self.signal) + _LINE_CHARACTERS) * len(self.facts)

    def _line(self, fact: Fact, text: str) -> str:
        return _LINE[fact.kind].format(
            signal=self.signal, name=fact.name, detail=fact.detail, text=text, error=error_line(text)
        )
