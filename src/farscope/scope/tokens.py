"""The tokens that steps handed out: which step a span id belongs to. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from farscope.records.step import CAUSE, Cause, RawStep, Step
from farscope.wire.batch import TokenEntry

MAX_TOKENS = 65_536
"""Tokens remembered, some 16 MB; at the limit the oldest is forgotten, and a cause that rests on it is then
shown as unknown."""


class TokenStep(NamedTuple):
    """The step that handed out a token."""

    probe: str
    serial: int
    number: int


class Tokens:
    """Finds the steps that tokens name; not thread-safe.

    Only probes say which step a token belongs to, in sealed batches. A made-up token names no step, and
    nothing is kept of it here.
    """

    def __init__(self, limit: int = MAX_TOKENS) -> None:
        self.claims = False
        """Whether any step has been seen whose cause rests on a token."""
        self._limit = limit
        self._steps: dict[str, TokenStep] = {}

    def __len__(self) -> int:
        """Return how many tokens are remembered."""
        return len(self._steps)

    def add(self, probe: str, entries: Iterable[TokenEntry]) -> None:
        """Remember the tokens of a batch.

        The first probe that announces a token keeps it: further ones broadcast the same chart.
        """
        for serial, number, span_id in entries:
            self._steps.setdefault(span_id, TokenStep(probe, serial, number))
        while len(self._steps) > self._limit:
            del self._steps[next(iter(self._steps))]

    def step_of(self, cause: Cause | None) -> TokenStep | None:
        """Return the step that a cause names by a span id; None if it names none that is known."""
        return None if cause is None or not cause.span_id else self._steps.get(cause.span_id)

    def resolved(self, step: RawStep) -> RawStep:
        """Return a step with the step that caused it if that is known only now, else the step itself."""
        cause = step[CAUSE]
        found = self.step_of(cause)
        if cause is None or found is None:
            return step
        known = Cause(found.serial, found.number, found.probe, cause.trace_id, "", cause.claimed)
        return Step._make(step)._replace(cause=known)

    def resolved_all(self, steps: Sequence[RawStep]) -> Sequence[RawStep]:
        """Return steps as ``resolved`` does; the same sequence if none rests on a token."""
        if not self.claims or not self._steps:
            return steps
        return [self.resolved(step) if step[CAUSE] and step[CAUSE].span_id else step for step in steps]
