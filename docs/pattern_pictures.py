"""Redraw the charts of ``docs/patterns`` from their actual steps: ``make pictures``.

Each page has a program, saved under a name. It is run, and every chart it leaves behind is drawn from
its structure and its steps, after the page's mark.
"""

from __future__ import annotations

import contextlib
import io
import re
import runpy
import tempfile
from pathlib import Path
from typing import Any

from farscope.engine import Hsm
from farscope.records.step import ChartId, RawStep, Step
from farscope.records.structure import ChartStructure
from farscope.views.statechart.mermaid import mermaid_statecharts
from farscope.views.statechart.model import statecharts

PATTERNS = Path(__file__).parent / "patterns"
MARK = "<!-- picture -->\n"
PROGRAM = re.compile(r"^```python (\w+\.py)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Structures:
    """A sink that keeps what charts are made of."""

    def __init__(self) -> None:
        self.by_chart: dict[ChartId, ChartStructure | None] = {}

    def step(self, step: RawStep) -> None:
        """Steps are read from the chart."""

    def announce(self, chart: ChartId, structure: ChartStructure, *_: object) -> None:
        """Take a chart's structure."""
        self.by_chart[chart] = structure

    def stopped(self, chart: ChartId, _status: object) -> None:
        """Nothing more is drawn."""


def drawn(page: str) -> str:
    """Return a page with its picture."""
    program = PROGRAM.search(page)
    if program is None or MARK not in page:
        raise ValueError("the page has no program, or no mark for its picture")
    charts = [value for value in run(program[1], program[2]).values() if isinstance(value, Hsm)]
    structures, steps = Structures(), list[Step]()
    for chart in charts:
        chart.attach(structures)
        steps += chart.steps()
    lines = "".join(mermaid_statecharts(statecharts(steps, structures.by_chart)))
    return f"{page.partition(MARK)[0]}{MARK}```mermaid\n{lines}```\n"


def run(name: str, program: str) -> dict[str, Any]:
    """Run a program and return what it leaves behind."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        path = Path(folder) / name
        path.write_text(program)
        return runpy.run_path(str(path))


def main() -> None:
    """Draw all pages."""
    for path in sorted(PATTERNS.glob("*.md")):
        path.write_text(drawn(path.read_text()))


if __name__ == "__main__":
    main()
