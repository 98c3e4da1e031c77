"""State diagrams as Mermaid source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from farscope.views.diagram_text import mermaid
from farscope.views.statechart.model import Initial, Remark, Statechart
from farscope.views.statechart.text_renderer import Drawing


def mermaid_statecharts(charts: Mapping[str, Statechart]) -> Iterator[str]:
    """Yield the lines of one state diagram, one outer state for each chart if there are several.

    Mermaid cannot draw an arrow dashed or grey: what was announced and not yet seen says so in its label.
    Nor can a dot lead deeper than one level: the arrow of one that does names the state it leads to.
    """
    yield "stateDiagram-v2\n"
    drawings = [_Mermaid(chart, number) for number, chart in enumerate(charts.values())]
    if len(drawings) == 1:
        yield from drawings[0].states("    ")
    else:
        for number, (label, drawing) in enumerate(zip(charts, drawings, strict=True)):
            yield f'    state "{mermaid(label)}" as chart{number} {{\n'
            yield from drawing.states("        ")
            yield "    }\n"
    # An arrow inside a state's braces would move both its ends there, so arrows come last.
    for drawing in drawings:
        yield from drawing.arrows("    ")


class _Mermaid(Drawing):
    INDENT = "    "

    def text(self, text: str) -> str:
        return mermaid(text)

    def arrow(self, source: str, target: str, signal: str, count: int) -> str:
        seen = f"x {count}" if count else "(not seen)"
        return f"{source} --> {target} : {mermaid(signal)} {seen}"

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
