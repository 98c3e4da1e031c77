"""Parses the spy lines of one step back into facts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from farscope.records.configuration import leaves_in
from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import Step

_QUEUE = re.compile(r"<- Queued:\((\d{1,9})\) Deferred:\((\d{1,9})\)")
_SUBSCRIBE = re.compile(r"SUBSCRIBING TO:\((.+), TYPE:(.+)\)")
_PUBLISH = re.compile(r"PUBLISH:\((.+), PRIORITY:(.+)\)")
_PREFIXES = {
    "SEARCH_FOR_SUPER_SIGNAL": FactKind.SEARCH,
    "ENTRY_SIGNAL": FactKind.ENTRY,
    "EXIT_SIGNAL": FactKind.EXIT,
    "INIT_SIGNAL": FactKind.INIT,
    "EMPTY_SIGNAL": FactKind.EMPTY,
    "POST_FIFO": FactKind.POST_FIFO,
    "POST_LIFO": FactKind.POST_LIFO,
    "POST_DEFERRED": FactKind.DEFER,
    "RECALL": FactKind.RECALL,
}
_MOVING = frozenset({FactKind.START, FactKind.ENTRY, FactKind.EXIT, FactKind.INIT})
_HOOK = ":HOOK"


class Closing(NamedTuple):
    """Content of the last spy line of a step."""

    queued: int
    deferred: int


def closing(line: str) -> Closing | None:
    """Parse a queue line, which ends every step; return None for any other line."""
    found = _QUEUE.fullmatch(line)
    return Closing(int(found[1]), int(found[2])) if found else None


class SpyGroup(NamedTuple):
    """All spy lines of a step, or what is treated as such; ``facts`` render to exactly the same lines."""

    signal: str
    """Signal of the event, as far as the lines show it."""
    state: str
    """The state the event was offered to first, which is the chart's resting state; empty if the lines do not
    show it."""
    facts: tuple[Fact, ...]
    texts: tuple[str, ...]
    queued: int
    deferred: int

    @classmethod
    def of(cls, lines: Sequence[str], end: Closing) -> SpyGroup:
        """Return the group formed by the lines before a queue line."""
        signal, state = _opening(lines[0]) if lines else ("", "")
        facts: list[Fact] = []
        texts: list[str] = []
        for line in lines:
            fact = _fact(line, signal)
            facts.append(fact)
            if fact.kind is FactKind.SCRIBBLE:
                texts.append(line)
        return cls(signal, state, tuple(facts), tuple(texts), *end)

    @property
    def moves(self) -> bool:
        """Whether the step changed state, so that a trace line belongs to it."""
        return any(fact.kind in _MOVING for fact in self.facts)

    def fits(self, trace: Step) -> bool:
        """Return whether a trace line can belong to this step."""
        return self.signal == trace.signal and self.state in ("", trace.start, *trace.start_states)

    def shape(self, trace: Step | None, resting: str) -> Shape:
        """Return the step's shape; without a trace line the chart stays in its resting state."""
        if trace is not None:
            return Shape(trace.kind, trace.signal, trace.start_states, trace.end_states, self.facts)
        leaves = leaves_in(resting)
        state = leaves if self.state in ("", *leaves) else self.state
        return Shape(self._kind(), self.signal, state, state, self.facts)

    def _kind(self) -> StepKind:
        kinds = {fact.kind for fact in self.facts}
        if FactKind.HOOK in kinds:
            return StepKind.HOOK
        return StepKind.REFUSED if FactKind.EMPTY in kinds else StepKind.IGNORED


def _opening(line: str) -> tuple[str, str]:
    """Return the signal and state in a step's first line."""
    if line == "START":
        return "start_at", ""
    signal, colon, state = line.partition(":")
    if not colon or signal in _PREFIXES:
        return "", ""
    return signal, state.removesuffix(_HOOK)


def _fact(line: str, signal: str) -> Fact:
    if line == "START":
        return Fact(FactKind.START)
    prefix, colon, name = line.partition(":")
    if colon and prefix in _PREFIXES:
        return Fact(_PREFIXES[prefix], name)
    if signal and line.startswith(f"{signal}:"):
        name = line[len(signal) + 1 :]
        if name.endswith(_HOOK):
            return Fact(FactKind.HOOK, name.removesuffix(_HOOK))
        return Fact(FactKind.OFFER, name)
    for pattern, kind in ((_SUBSCRIBE, FactKind.SUBSCRIBE), (_PUBLISH, FactKind.PUBLISH)):
        if found := pattern.fullmatch(line):
            return Fact(kind, found[1], found[2])
    return Fact(FactKind.SCRIBBLE)
