"""A sequence diagram as Mermaid source."""

from __future__ import annotations

from collections.abc import Iterator

from farscope.views.diagram_text import mermaid
from farscope.views.sequence.folding import FOLD_FROM, fold
from farscope.views.sequence.model import BORDER, Diagram, Loop, Row

OUTSIDE = "(outside)"
"""Mermaid has no arrows from the border: a participant of this name, left of all others, stands for it."""


def mermaid_sequence(diagram: Diagram, *, fold_from: int = FOLD_FROM) -> str:
    """Return the diagram as Mermaid source: a box for each group, arrows numbered ``(1)``, ``(2)``.

    Mermaid's default settings reject source of more than 50,000 characters: choose fewer steps then,
    or raise its ``maxTextSize``.
    """
    lines = ["sequenceDiagram"]
    if diagram.has_border:
        lines.append(f"    participant outside as {mermaid(OUTSIDE)}")
    for group, title in enumerate(diagram.groups):
        indent = "    "
        if title:
            lines.append(f"    box transparent {mermaid(title)}")
            indent = "        "
        lines += [
            f"{indent}participant lane{place} as {mermaid(lane.label)}"
            for place, lane in enumerate(diagram.lanes)
            if lane.group == group
        ]
        if title:
            lines.append("    end")
    lines += _rows(fold(diagram.arrows, fold_from), "    ")
    return "".join(f"{line}\n" for line in lines)


def _rows(rows: tuple[Row, ...], indent: str) -> Iterator[str]:
    for row in rows:
        if isinstance(row, Loop):
            yield f"{indent}loop {mermaid(row.caption)}"
            yield from _rows(row.body, f"{indent}    ")
            yield f"{indent}end"
            continue
        source = "outside" if row.source == BORDER else f"lane{row.source}"
        arrow = f"{source}-->>" if row.claimed else f"{source}->>"
        yield f"{indent}{arrow}lane{row.target}: ({row.number}) {mermaid(row.label)}"
        if row.note:
            yield f"{indent}Note over lane{row.target}: {mermaid(row.note)}"
