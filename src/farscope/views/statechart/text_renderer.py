"""Shared code of the text-based state diagrams: traversal of states and arrows, and their names."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import ClassVar

from farscope.records.structure import StateKind
from farscope.views.statechart.captions import HISTORIES, caption, stereotype
from farscope.views.statechart.model import Initial, Remark, Statechart, targets_of

REGIONS_APART = "--"
"""The line between two regions."""


class Drawing(ABC):
    """One chart of a diagram, written line by line; subclasses format the lines of their language.

    Lines are formatted without indentation and line end. States have short names that are valid everywhere.
    """

    INDENT: ClassVar[str]
    """Indentation of a state's contents."""

    def __init__(self, chart: Statechart, number: int) -> None:
        self.chart = chart
        self._children = chart.children()
        self._remarks = chart.remarks()
        self.names = {state: f"c{number}s{place}" for place, state in enumerate(chart.states)}

    def states(self, indent: str, holder: str | None = None) -> Iterator[str]:
        """Yield the children of ``holder`` with their contents, and its initial transition."""
        regions = 0
        for state in self._children.get(holder, ()):
            if self.is_apart(state):
                regions += 1
                if regions > 1:
                    yield f"{indent}{REGIONS_APART}\n"
            yield from self._state(indent, state)
        initial = self.chart.initial(holder)
        if initial is not None and not self.is_apart(initial.child):
            yield f"{indent}{self.initial(initial)}\n"

    def _state(self, indent: str, state: str) -> Iterator[str]:
        kind, holds = self.chart.kind(state), state in self._children
        heading = f"{indent}{self.heading(state, self._label(state))}"
        if holds:
            yield f"{heading} {{\n"
            yield from self.states(indent + self.INDENT, state)
            yield f"{indent}}}\n"
        else:
            yield f"{heading}\n"
        if kind is StateKind.FINAL:
            # Final states have names here, and the end that is drawn has none.
            yield f"{indent}{self.names[state]} --> [*]\n"
        for line in self.remarks(state, self._remarks.get(state, ()), holds=holds):
            yield f"{indent}{line}\n"

    def _label(self, state: str) -> str:
        kind = self.chart.kind(state)
        unknown = stereotype(kind)
        return f"«{unknown}» {state}" if unknown else state

    def history_sign(self, state: str) -> str:
        """Return ``H`` or ``H*`` for a history state, and an empty string for all others."""
        kind = self.chart.kind(state)
        return HISTORIES[kind] if isinstance(kind, StateKind) and kind in HISTORIES else ""

    def is_apart(self, state: str) -> bool:
        """Return whether a state is a region, between lines that divide it from the others."""
        return self.chart.is_region(state)

    def arrows(self, indent: str) -> Iterator[str]:
        """Yield the transitions that were seen, then those that were only announced."""
        for edge, count in self.chart.seen.items():
            text = self.chart.caption(edge)
            yield f"{indent}{self.arrow(self.names[edge.source], self.names[edge.target], text, count)}\n"
        for reaction in self.chart.unseen:
            for target in targets_of(reaction):
                text = caption(reaction.signal, (reaction,))
                yield f"{indent}{self.arrow(self.names[reaction.state], self.names[target], text, 0)}\n"

    @abstractmethod
    def heading(self, state: str, label: str) -> str:
        """Format the declaration of a state, without its contents."""

    @abstractmethod
    def arrow(self, source: str, target: str, text: str, count: int) -> str:
        """Format a transition between two short names; a count of 0 was not seen."""

    @abstractmethod
    def initial(self, initial: Initial) -> str:
        """Format an initial transition."""

    @abstractmethod
    def remarks(self, state: str, remarks: Iterable[Remark], *, holds: bool) -> Iterator[str]:
        """Format the remarks on a state; ``holds``: it contains other states."""
