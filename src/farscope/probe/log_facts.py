"""Log records as facts of steps that are about to be sent."""

from __future__ import annotations

import logging
from typing import Final

from farscope.records.facts import Fact, FactKind, takes_text
from farscope.records.shape import Shape
from farscope.records.sink import NO_LOGS
from farscope.records.step import SHAPE, TEXTS, RawStep

VALUES_PROBLEM: Final = Fact(FactKind.LOG, "farscope.values", logging.getLevelName(logging.WARNING))
"""The fact that reports a problem with a chart's values to its watchers. It is sent at any level."""

_UNNAMED: Final = "Level "
"""The text that ``logging`` puts before the number of a level without a name."""


def with_logs_from(step: RawStep, level: int) -> RawStep:
    """Return a step without the log records below ``level``, for which another probe may have asked."""
    shape: Shape = step[SHAPE]
    if not any(_is_below(fact, level) for fact in shape.facts):
        return step
    remaining = iter(step[TEXTS])
    facts, texts = [], []
    for fact in shape.facts:
        text = next(remaining, "") if takes_text(fact.kind) else None
        if not _is_below(fact, level):
            facts.append(fact)
            if text is not None:
                texts.append(text)
    kept = Shape(shape.kind, shape.signal, shape.start_states, shape.end_states, tuple(facts))
    return with_shape(step, kept, tuple(texts))


def with_shape(step: RawStep, shape: Shape, texts: tuple[str, ...]) -> RawStep:
    """Return a step with another shape, and the texts of its facts."""
    chart, number, _, *between = step[:TEXTS]
    return (chart, number, shape, *between, texts, *step[TEXTS + 1 :])  # type: ignore[return-value]  # mypy loses the types of slices


def _is_below(fact: Fact, level: int) -> bool:
    if fact.kind is not FactKind.LOG or fact == VALUES_PROBLEM:
        return False
    if level == NO_LOGS:
        return True
    unnamed = fact.detail.removeprefix(_UNNAMED)
    number = int(unnamed) if unnamed.isdecimal() else logging.getLevelNamesMapping().get(fact.detail, level)
    return number < level
