"""State diagrams as PlantUML source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from farscope.views.plantuml_text import plantuml
from farscope.views.statechart.model import Statechart


def plantuml_statecharts(charts: Mapping[str, Statechart]) -> Iterator[str]:
    """Yield the lines of one state diagram, one outer state for each chart if there are several.

    What was announced and not yet seen is grey and dashed.
    """
    yield "@startuml\n"
    yield "hide empty description\n"
    for number, (label, chart) in enumerate(charts.items()):
        drawing = _Chart(chart, number)
        if len(charts) == 1:
            yield from drawing.lines("")
            continue
        yield f'state "{plantuml(label)}" as chart{number} {{\n'
        yield from drawing.lines("  ")
        yield "}\n"
    yield "@enduml\n"


class _Chart:
    def __init__(self, chart: Statechart, number: int) -> None:
        self._chart = chart
        self._children = chart.children()
        self._remarks_on = chart.remarks()
        self._names = {state: f"c{number}s{place}" for place, state in enumerate(chart.states)}

    def lines(self, indent: str) -> Iterator[str]:
        yield from self._states(None, indent)
        for (source, target, signal), count in self._chart.seen.items():
            yield f"{indent}{self._names[source]} --> {self._names[target]} : {plantuml(signal)} x {count}\n"
        for reaction in self._chart.unseen:
            if reaction.target:
                source, target = self._names[reaction.state], self._names[reaction.target]
                yield f"{indent}{source} -[#gray,dashed]-> {target} : {plantuml(reaction.signal)}\n"

    def _states(self, holder: str | None, indent: str) -> Iterator[str]:
        for state in self._children.get(holder, ()):
            name = self._names[state]
            heading = f'{indent}state "{plantuml(state)}" as {name}'
            if state in self._children:
                yield f"{heading} {{\n"
                yield from self._states(state, f"{indent}  ")
                yield f"{indent}}}\n"
            else:
                yield f"{heading}\n"
            yield from self._remarks(state, indent)
        initial = self._chart.initial(holder)
        if initial is not None:
            yield f"{indent}[*] --> {self._names[initial[1]]}\n"

    def _remarks(self, state: str, indent: str) -> Iterator[str]:
        for remark in self._remarks_on.get(state, ()):
            text = f"{plantuml(remark.signal)} {remark.rest}"
            shown = text if remark.times else f"<color:gray>{text}</color>"
            yield f"{indent}{self._names[state]} : {shown}\n"
