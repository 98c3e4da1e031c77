"""Steps as JSON lines: everything that is known of each, one object a line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from farscope.records.step import Step
from farscope.views.json_text import json_text
from farscope.views.text import step_dict
from farscope.views.timestamps import Clock, own_clock


def json_lines(
    steps: Iterable[Step], clock: Clock = own_clock, ran_ahead: Callable[[Step], bool] = lambda _: False
) -> Iterator[str]:
    """Yield a line for each step: what ``farscope watch --json`` prints, and its spy and trace lines.

    ``spy`` and ``trace`` are the very lines the chart itself gives; ``trace`` is null if there is none.
    Its times are those of its own clock, too; ``corrected_ns`` is what another ``clock`` tells, null without.
    ``ran_ahead`` tells which steps come before the one that caused them, since that was still running.
    """
    for step in steps:
        corrected_ns = None if clock is own_clock else clock(step)
        known = step_dict(step, corrected_ns=corrected_ns, ran_ahead=ran_ahead(step))
        yield f"{json_text(known | {'spy': step.spy(), 'trace': step.trace()})}\n"
