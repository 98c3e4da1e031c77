"""Shapes: the common part of similar steps, interned once and referred to by number."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum, unique
from sys import getsizeof
from typing import Final

from farscope.records.configuration import Configuration, leaves_of, text_of
from farscope.records.facts import SILENT_KINDS, Fact, FactKind, takes_text
from farscope.records.kinds import UnknownKind
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


AnyStepKind = StepKind | UnknownKind
"""A kind of step, or one that a later release defined."""

TRACED_KINDS = frozenset({StepKind.START, StepKind.TRANSITION})
"""Kinds of step that produce a trace line. A step of a kind unknown to this release does if it changed the
configuration."""

_LINE: Final[dict[int, str]] = {
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
    FactKind.LOG: "LOG:({detail}, LOGGER:{name}):{text}",
    FactKind.DONE: "DONE:{name}",
    FactKind.TRANSMIT: "TRANSMIT:({name}, TO:{detail})",
    FactKind.VOIDED: "VOIDED:{name}",
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

    __slots__ = (
        "_hash",
        "_lines",
        "_size",
        "end",
        "end_states",
        "facts",
        "has_text",
        "kind",
        "signal",
        "start",
        "start_states",
        "traced",
    )

    kind: AnyStepKind
    signal: str
    start: str
    """Text of the configuration before the step."""
    end: str
    """Text of the configuration after the step."""
    start_states: tuple[str, ...]
    end_states: tuple[str, ...]
    facts: tuple[Fact, ...]
    traced: bool
    has_text: bool

    def __init__(
        self,
        kind: AnyStepKind,
        signal: str,
        start: Configuration,
        end: Configuration,
        facts: tuple[Fact, ...],
    ) -> None:
        """``start`` and ``end`` are the chart's configurations before and after the step."""
        self.kind = kind
        self.signal = signal
        self.start_states = leaves_of(start)
        self.end_states = leaves_of(end)
        self.start = text_of(self.start_states)
        self.end = text_of(self.end_states)
        self.facts = facts
        changed = self.start_states != self.end_states
        self.traced = kind in TRACED_KINDS or (changed and isinstance(kind, UnknownKind))
        self.has_text = any(takes_text(fact.kind) for fact in facts)
        self._lines: tuple[str, ...] | None = None
        self._size = 0
        self._hash = hash((kind, signal, self.start_states, self.end_states, facts))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Shape):
            return NotImplemented
        return self._fields() == other._fields()

    def _fields(self) -> tuple[AnyStepKind, str, tuple[str, ...], tuple[str, ...], tuple[Fact, ...]]:
        return self.kind, self.signal, self.start_states, self.end_states, self.facts

    def __repr__(self) -> str:
        return (
            f"Shape({self.kind.name}, {self.signal!r}, {self.start!r}->{self.end!r}, {len(self.facts)} facts)"
        )

    def __reduce__(self) -> tuple[type[Shape], tuple[object, ...]]:
        return Shape, self._fields()

    def lines(self, texts: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return the spy lines of a step of this shape, without the closing queue line.

        ``texts`` are the step's free texts, in the order of the facts that carry one.
        """
        if self._lines is not None:
            return self._lines
        lines = tuple(line for _, line in self.fact_lines(texts))
        if not self.has_text and self.line_characters <= KEPT_LINES_CHARACTERS:
            self._lines = lines
        return lines

    def fact_lines(self, texts: tuple[str, ...] = ()) -> Iterator[tuple[Fact, str]]:
        """Yield each fact that has a spy line, with that line; ``texts`` as in ``lines``."""
        remaining = iter(texts)
        for fact in self.facts:
            text = next(remaining, "") if takes_text(fact.kind) else ""
            if fact.kind not in SILENT_KINDS:
                yield fact, self._line(fact, text)

    @property
    def size(self) -> int:
        """Maximum memory in bytes: includes all its names, as if none were shared, and its cached lines."""
        if not self._size:
            names = {id(name): name for fact in self.facts for name in (fact.name, fact.detail)}
            states = (self.start, self.end, *self.start_states, *self.end_states)
            names |= {id(name): name for name in states}
            tuples = (self, self.signal, self.start_states, self.end_states)
            own = sum(map(getsizeof, (*tuples, *names.values())))
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
        line = _LINE.get(fact.kind)
        if line is None:
            return ":".join(filter(None, (fact.kind.name, fact.name, fact.detail, text)))
        error = fact.detail or error_line(text) if fact.kind is FactKind.FAILED else ""
        return line.format(signal=self.signal, name=fact.name, detail=fact.detail, text=text, error=error)
