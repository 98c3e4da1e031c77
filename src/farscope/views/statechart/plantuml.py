"""State diagrams as PlantUML source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from farscope.views.diagram_text import plantuml
from farscope.views.statechart.model import Initial, Remark, Statechart
from farscope.views.statechart.text_renderer import Drawing

UNSEEN = "-[#gray,dashed]->"


def plantuml_statecharts(charts: Mapping[str, Statechart]) -> Iterator[str]:
    """Yield the lines of one state diagram, one outer state for each chart if there are several.

    What was announced and not yet seen is grey and dashed.
    """
    yield "@startuml\n"
    yield "hide empty description\n"
    for number, (label, chart) in enumerate(charts.items()):
        drawing = _PlantUml(chart, number)
        if len(charts) == 1:
            yield from drawing.states("")
            yield from drawing.arrows("")
            continue
        yield f'state "{plantuml(label)}" as chart{number} {{\n'
        yield from drawing.states("  ")
        yield from drawing.arrows("  ")
        yield "}\n"
    yield "@enduml\n"


class _PlantUml(Drawing):
    INDENT = "  "

    def text(self, text: str) -> str:
        return plantuml(text)

    def arrow(self, source: str, target: str, signal: str, count: int) -> str:
        if not count:
            return f"{source} {UNSEEN} {target} : {plantuml(signal)}"
        return f"{source} --> {target} : {plantuml(signal)} x {count}"

    def initial(self, initial: Initial) -> str:
        return f"[*] {'-->' if initial.seen else UNSEEN} {self.names[initial.target]}"

    def remarks(self, state: str, remarks: Iterable[Remark], *, holds: bool) -> Iterator[str]:  # noqa: ARG002 - all states are described alike
        for remark in remarks:
            text = f"{plantuml(remark.signal)} {remark.rest}"
            shown = text if remark.times else f"<color:gray>{text}</color>"
            yield f"{self.names[state]} : {shown}"
