"""The facts of a step by subject: transitions, log records, completions, signals sent, and its failure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import isfinite
from typing import NamedTuple

from farscope.records.facts import Fact, FactKind, takes_text
from farscope.records.step import Step, Value
from farscope.records.traceback_text import error_line


class Transition(NamedTuple):
    """A transition that a step took."""

    source: str
    target: str


class LogRecord(NamedTuple):
    """A log record made during a step."""

    level: str
    logger: str
    message: str


class Sent(NamedTuple):
    """A signal sent to a chart elsewhere."""

    signal: str
    address: str


class FailureFact(NamedTuple):
    """An error raised by a handler."""

    state: str
    """The state whose handler raised."""
    message: str
    """The error in one line."""
    text: str
    """The traceback, or what its library has in place of one."""


def facts_with_texts(step: Step) -> Iterator[tuple[Fact, str]]:
    """Yield each fact with its free text, which is empty where it has none."""
    texts = iter(step.texts)
    for fact in step.facts:
        yield fact, next(texts, "") if takes_text(fact.kind) else ""


def transitions_of(step: Step) -> tuple[Transition, ...]:
    """Return the transitions a step took, in order; those of a chart without regions are not recorded."""
    return tuple(Transition(fact.name, fact.detail) for fact in step.facts if fact.kind is FactKind.TRAN)


def completed_in(step: Step) -> tuple[str, ...]:
    """Return the states, regions and chart (``top``) that a step completed, in order."""
    return tuple(fact.name for fact in step.facts if fact.kind is FactKind.DONE)


def sent_by(step: Step) -> tuple[Sent, ...]:
    """Return the signals that a step sent to charts elsewhere, in order."""
    return tuple(Sent(fact.name, fact.detail) for fact in step.facts if fact.kind is FactKind.TRANSMIT)


def logs_of(step: Step) -> tuple[LogRecord, ...]:
    """Return the log records made during a step, in order."""
    if not step.texts:
        return ()
    return tuple(
        LogRecord(fact.detail, fact.name, text)
        for fact, text in facts_with_texts(step)
        if fact.kind is FactKind.LOG
    )


def failure_in(step: Step) -> FailureFact | None:
    """Return the last error that a handler raised in a step, even if the step then went on; else None."""
    failed = [pair for pair in facts_with_texts(step) if pair[0].kind is FactKind.FAILED]
    if not failed:
        return None
    fact, text = failed[-1]
    return FailureFact(fact.name, fact.detail or error_line(text), text)


def free_texts(step: Step) -> tuple[str, ...]:
    """Return the texts that the program wrote itself: all but those of errors and log records."""
    written: Iterable[tuple[Fact, str]] = facts_with_texts(step)
    return tuple(
        text
        for fact, text in written
        if takes_text(fact.kind) and fact.kind not in {FactKind.FAILED, FactKind.LOG}
    )


def plain_values(values: Iterable[tuple[str, Value]]) -> dict[str, Value]:
    """Return values for JSON: infinite numbers and those that are not numbers as text, such as ``"inf"``."""
    return {
        name: value if not isinstance(value, float) or isfinite(value) else str(value)
        for name, value in values
    }
