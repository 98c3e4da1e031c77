"""Steps as JSON lines: everything that is known of each, one object a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from farscope.records.step import Step
from farscope.views.json_text import json_text
from farscope.views.text import step_dict


def json_lines(steps: Iterable[Step]) -> Iterator[str]:
    """Yield a line for each step: what ``farscope watch --json`` prints, and its spy and trace lines.

    ``spy`` and ``trace`` are the very lines the chart itself gives; ``trace`` is null if there is none.
    """
    for step in steps:
        yield f"{json_text(step_dict(step) | {'spy': step.spy(), 'trace': step.trace()})}\n"
