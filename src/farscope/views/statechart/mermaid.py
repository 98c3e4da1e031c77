"""State diagrams as Mermaid source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from farscope.views.diagram_text import mermaid
from farscope.views.statechart.model import Initial, Remark, Statechart
from farscope.views.statechart.text_renderer import Drawing

FINISHED = ("---\n", "title: finished\n", "---\n")
ACTIVE = "classDef active fill:#1f6feb,stroke:#1f6feb,color:#ffffff"


def mermaid_statecharts(charts: Mapping[str, Statechart]) -> Iterator[str]:
    """Yield the lines of one state diagram, one outer state for each chart if there are several.

    Mermaid cannot draw an arrow dashed or grey: what was announced and not yet seen says so in its label.
    Nor can a dot lead deeper than one level: the arrow of one that does names the state it leads to. It has
    no history states: their signs stand before their names.
    """
    drawings = [_Mermaid(chart, number) for number, chart in enumerate(charts.values())]
    if len(drawings) == 1:
        yield from FINISHED if drawings[0].chart.finished else ()
        yield "stateDiagram-v2\n"
        yield from drawings[0].states("    ")
    else:
        yield "stateDiagram-v2\n"
        for number, (label, drawing) in enumerate(zip(charts, drawings, strict=True)):
            shown = f"{label} (finished)" if drawing.chart.finished else label
            yield f'    state "{mermaid(shown)}" as chart{number} {{\n'
            yield from drawing.states("        ")
            yield "    }\n"
    # An arrow inside a state's braces would move both its ends there, so arrows come last.
    for drawing in drawings:
        yield from drawing.arrows("    ")
    active = [drawing.names[leaf] for drawing in drawings for leaf in drawing.chart.active]
    if active:
        yield f"    {ACTIVE}\n"
        yield from (f"    class {name} active\n" for name in active)


class _Mermaid(Drawing):
    INDENT = "    "

    def heading(self, state: str, label: str) -> str:
        sign = self.history_sign(state)
        shown = f"[{sign}] {label}" if sign else label
        return f'state "{mermaid(shown)}" as {self.names[state]}'

    def arrow(self, source: str, target: str, text: str, count: int) -> str:
        seen = f"x {count}" if count else "(not seen)"
        return f"{source} --> {target} : {mermaid(text)} {seen}"

    def initial(self, initial: Initial) -> str:
        deeper = [mermaid(initial.target)] if initial.child != initial.target else []
        words = " ".join([*deeper, *([] if initial.seen else ["(not seen)"])])
        return f"[*] --> {self.names[initial.child]}" + (f" : {words}" if words else "")

    def remarks(self, state: str, remarks: Iterable[Remark], *, holds: bool) -> Iterator[str]:
        """Mermaid supports descriptions only in declarations, and only of states without children."""
        lines = [f"{mermaid(remark.signal)} {remark.rest}" for remark in remarks]
        name = self.names[state]
        if not holds:
            yield from (f"{name} : {line}" for line in lines)
        elif lines:
            yield f"note right of {name} : {'<br/>'.join(lines)}"
