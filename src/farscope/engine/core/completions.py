"""The events that report completed states: they follow from a step, and precede everything in the queue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from farscope.engine.core.mailbox import Posted
from farscope.engine.event import Event
from farscope.errors import ChartError
from farscope.records.step import Cause

MAX_COMPLETIONS = 1_000
"""Maximum number of completion events that follow from one step. Beyond it, final states lead to one another
without end: this is reported as an error, and the completions that are still pending are dropped."""


def completions(core: Any) -> Iterator[Posted]:
    """Yield each completion event that follows from the last step of a chart, with the step that caused it.

    The caller runs a step about each before it asks for the next one, and skips those whose steps fail.

    Raises:
        ChartError: there is no end to them.
    """
    algorithm, context = core.algorithm, core.context
    causes = [context.number] * algorithm.pending_count
    for _ in range(MAX_COMPLETIONS):
        signal = algorithm.pending
        if signal is None or core.stop_asked:
            return
        waiting = algorithm.pending_count
        cause = Cause(context.serial, causes.pop(0)) if core.observers.wanted else None
        yield Event(signal), cause, 0
        causes += [context.number] * (algorithm.pending_count - (waiting - 1))
    first = algorithm.pending
    if first is None:
        return
    while algorithm.pending is not None:
        algorithm.skip_completion(algorithm.leaf)
    raise ChartError(
        f"{MAX_COMPLETIONS} completions followed from one step of chart {core.name}, and {first} is next",
        "let a reaction to a completion lead to a state from which no final state is entered at once",
    )
