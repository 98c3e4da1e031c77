"""State diagrams as PlantUML source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from farscope.views.diagram_text import plantuml
from farscope.views.statechart.model import Initial, Remark, Statechart, targets_of
from farscope.views.statechart.text_renderer import Drawing

UNSEEN = "-[#gray,dashed]->"
ACTIVE = " #palegreen"
DASHED = " ##[dashed]gray"


def plantuml_statecharts(charts: Mapping[str, Statechart]) -> Iterator[str]:
    """Yield the lines of one state diagram, one outer state for each chart if there are several.

    What was announced and not yet seen is grey and dashed. PlantUML refuses arrows that cross the line
    between two regions: regions with such arrows become states with dashed borders.
    """
    yield "@startuml\n"
    yield "hide empty description\n"
    for number, (label, chart) in enumerate(charts.items()):
        drawing = _PlantUml(chart, number)
        if len(charts) == 1:
            yield from drawing.states("")
            yield from drawing.arrows("")
            if chart.finished:
                yield "caption finished\n"
            continue
        shown = f"{label} (finished)" if chart.finished else label
        yield f'state "{plantuml(shown)}" as chart{number} {{\n'
        yield from drawing.states("  ")
        yield from drawing.arrows("  ")
        yield "}\n"
    yield "@enduml\n"


class _PlantUml(Drawing):
    INDENT = "  "

    def __init__(self, chart: Statechart, number: int) -> None:
        super().__init__(chart, number)
        self._crossed = self._crossed_states()

    def _crossed_states(self) -> set[str | None]:
        """Return the parallel states whose regions no line can divide.

        Arrows join them to each other or to the outside, or a history state stands beside them.
        """
        chart = self.chart
        ends = [(edge.source, edge.target) for edge in chart.seen]
        ends += [(one.state, target) for one in chart.unseen for target in targets_of(one)]
        crossed = {chart.holder(state) for state in chart.states if self.history_sign(state)}
        for source, target in ends:
            regions = [
                {state for state in chart.path(end) if chart.is_region(state)} for end in (source, target)
            ]
            crossed |= {chart.holder(region) for region in regions[0] ^ regions[1]}
        return crossed

    def is_apart(self, state: str) -> bool:
        return super().is_apart(state) and self.chart.holder(state) not in self._crossed

    def heading(self, state: str, label: str) -> str:
        chart = self.chart
        sign = self.history_sign(state)
        mark = f" <<history{sign[1:]}>>" if sign else ""
        if state in chart.active:
            mark += ACTIVE
        if chart.is_region(state) and not self.is_apart(state):
            mark += DASHED
        return f'state "{plantuml(label)}" as {self.names[state]}{mark}'

    def arrow(self, source: str, target: str, text: str, count: int) -> str:
        if not count:
            return f"{source} {UNSEEN} {target} : {plantuml(text)}"
        return f"{source} --> {target} : {plantuml(text)} x {count}"

    def initial(self, initial: Initial) -> str:
        return f"[*] {'-->' if initial.seen else UNSEEN} {self.names[initial.target]}"

    def remarks(self, state: str, remarks: Iterable[Remark], *, holds: bool) -> Iterator[str]:  # noqa: ARG002 - all states are described alike
        for remark in remarks:
            text = f"{plantuml(remark.signal)} {remark.rest}"
            shown = text if remark.times else f"<color:gray>{text}</color>"
            yield f"{self.names[state]} : {shown}"
