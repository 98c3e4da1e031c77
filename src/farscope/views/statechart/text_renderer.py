"""Shared code of the text-based state diagrams: traversal of states and arrows, and their names."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import ClassVar

from farscope.views.statechart.model import Initial, Remark, Statechart


class Drawing(ABC):
    """One chart of a diagram, written line by line; subclasses format the lines of their language.

    Lines are formatted without indentation and line end. States have short names that are valid everywhere.
    """

    INDENT: ClassVar[str]
    """Indentation of a state's contents."""

    def __init__(self, chart: Statechart, number: int) -> None:
        self._chart = chart
        self._children = chart.children()
        self._remarks = chart.remarks()
        self.names = {state: f"c{number}s{place}" for place, state in enumerate(chart.states)}

    def states(self, indent: str, holder: str | None = None) -> Iterator[str]:
        """Yield the children of ``holder`` with their contents, and its initial transition."""
        for state in self._children.get(holder, ()):
            heading = f'{indent}state "{self.text(state)}" as {self.names[state]}'
            if state in self._children:
                yield f"{heading} {{\n"
                yield from self.states(indent + self.INDENT, state)
                yield f"{indent}}}\n"
            else:
                yield f"{heading}\n"
            for line in self.remarks(state, self._remarks.get(state, ()), holds=state in self._children):
                yield f"{indent}{line}\n"
        initial = self._chart.initial(holder)
        if initial is not None:
            yield f"{indent}{self.initial(initial)}\n"

    def arrows(self, indent: str) -> Iterator[str]:
        """Yield the transitions that were seen, then those that were only announced."""
        for (source, target, signal), count in self._chart.seen.items():
            yield f"{indent}{self.arrow(self.names[source], self.names[target], signal, count)}\n"
        for state, signal, target, *_ in self._chart.unseen:
            if target:
                yield f"{indent}{self.arrow(self.names[state], self.names[target], signal, 0)}\n"

    @abstractmethod
    def text(self, text: str) -> str:
        """Escape a name so that it is shown literally."""

    @abstractmethod
    def arrow(self, source: str, target: str, signal: str, count: int) -> str:
        """Format a transition between two short names; a count of 0 was not seen."""

    @abstractmethod
    def initial(self, initial: Initial) -> str:
        """Format an initial transition."""

    @abstractmethod
    def remarks(self, state: str, remarks: Iterable[Remark], *, holds: bool) -> Iterator[str]:
        """Format the remarks on a state; ``holds``: it contains other states."""
