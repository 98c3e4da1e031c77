"""Steps as JSON lines: all data of each step, one object per line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from farscope.records.step import Step
from farscope.views.json_text import json_text
from farscope.views.text import step_dict
from farscope.views.timestamps import Clock, own_clock


def json_lines(
    steps: Iterable[Step], clock: Clock = own_clock, ran_ahead: Callable[[Step], bool] = lambda _: False
) -> Iterator[str]:
    """Yield a line for each step: the output of ``farscope watch --json``, plus its spy and trace lines.

    ``spy`` and ``trace`` are exactly the lines that the chart produces; ``trace`` is null if there is none.
    Times are those of the chart's clock; ``corrected_ns`` is the time by ``clock``, or null without one.
    ``ran_ahead`` marks steps that precede the step that caused them, because that one was still running.
    """
    for step in steps:
        corrected_ns = None if clock is own_clock else clock(step)
        known = step_dict(step, corrected_ns=corrected_ns, ran_ahead=ran_ahead(step))
        yield f"{json_text(known | {'spy': step.spy(), 'trace': step.trace()})}\n"
