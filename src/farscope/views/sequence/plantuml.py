"""A sequence diagram as PlantUML source."""

from __future__ import annotations

from collections.abc import Iterator

from farscope.views.diagram_text import plantuml
from farscope.views.sequence.folding import FOLD_FROM, fold
from farscope.views.sequence.model import BORDER, Diagram, Loop, Row


def plantuml_sequence(diagram: Diagram, *, fold_from: int = FOLD_FROM) -> str:
    """Return the diagram as PlantUML source: a box for each group, arrows numbered ``(1)``, ``(2)``."""
    lines = ["@startuml", "hide footbox"]
    for group, title in enumerate(diagram.groups):
        if title:
            lines.append(f'box "{plantuml(title)}"')
        lines += [
            f'participant "{plantuml(lane.label)}" as lane{place}'
            for place, lane in enumerate(diagram.lanes)
            if lane.group == group
        ]
        if title:
            lines.append("end box")
    lines += _rows(fold(diagram.arrows, fold_from), "")
    lines.append("@enduml")
    return "".join(f"{line}\n" for line in lines)


def _rows(rows: tuple[Row, ...], indent: str) -> Iterator[str]:
    for row in rows:
        if isinstance(row, Loop):
            yield f"{indent}loop {plantuml(row.caption)}"
            yield from _rows(row.body, f"{indent}  ")
            yield f"{indent}end"
            continue
        source = "[" if row.source == BORDER else f"lane{row.source} "
        arrow = f"{source}-->" if row.claimed else f"{source}->"
        yield f"{indent}{arrow} lane{row.target} : ({row.number}) {plantuml(row.label)}"
        if row.note:
            yield f"{indent}note over lane{row.target} : {plantuml(row.note)}"
