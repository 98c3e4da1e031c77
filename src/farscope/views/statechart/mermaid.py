"""State diagrams as Mermaid source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from farscope.views.mermaid_text import mermaid
from farscope.views.statechart.model import Statechart


def mermaid_statecharts(charts: Mapping[str, Statechart]) -> Iterator[str]:
    """Yield the lines of one state diagram, one outer state for each chart if there are several.

    Mermaid cannot draw an arrow dashed or grey: what was announced and not yet seen says so in its label.
    Nor can a dot lead deeper than one level: the arrow of one that does names the state it leads to.
    """
    yield "stateDiagram-v2\n"
    drawings = [_Chart(chart, number) for number, chart in enumerate(charts.values())]
    if len(drawings) == 1:
        yield from drawings[0].states(None, "    ")
    else:
        for number, (label, drawing) in enumerate(zip(charts, drawings, strict=True)):
            yield f'    state "{mermaid(label)}" as chart{number} {{\n'
            yield from drawing.states(None, "        ")
            yield "    }\n"
    # An arrow inside a state's braces would move both its ends there; out here it moves nothing.
    for drawing in drawings:
        yield from drawing.arrows("    ")


class _Chart:
    def __init__(self, chart: Statechart, number: int) -> None:
        self._chart = chart
        self._children = chart.children()
        self._remarks_on = chart.remarks()
        self._names = {state: f"c{number}s{place}" for place, state in enumerate(chart.states)}

    def arrows(self, indent: str) -> Iterator[str]:
        for (source, target, signal), count in self._chart.seen.items():
            yield f"{indent}{self._names[source]} --> {self._names[target]} : {mermaid(signal)} x {count}\n"
        for reaction in self._chart.unseen:
            if reaction.target:
                source, target = self._names[reaction.state], self._names[reaction.target]
                yield f"{indent}{source} --> {target} : {mermaid(reaction.signal)} (not seen)\n"

    def states(self, holder: str | None, indent: str) -> Iterator[str]:
        for state in self._children.get(holder, ()):
            name = self._names[state]
            heading = f'{indent}state "{mermaid(state)}" as {name}'
            if state in self._children:
                yield f"{heading} {{\n"
                yield from self.states(state, f"{indent}    ")
                yield f"{indent}}}\n"
            else:
                yield f"{heading}\n"
            yield from self._remarks(state, indent)
        initial = self._chart.initial(holder)
        if initial is not None:
            child, target = initial
            deeper = f" : {mermaid(target)}" if child != target else ""
            yield f"{indent}[*] --> {self._names[child]}{deeper}\n"

    def _remarks(self, state: str, indent: str) -> Iterator[str]:
        """Mermaid describes a state only where it is declared, and one that holds others not at all."""
        lines = [f"{mermaid(remark.signal)} {remark.rest}" for remark in self._remarks_on.get(state, ())]
        name = self._names[state]
        if state not in self._children:
            yield from (f"{indent}{name} : {line}\n" for line in lines)
        elif lines:
            yield f"{indent}note right of {name} : {'<br/>'.join(lines)}\n"
