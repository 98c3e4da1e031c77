"""Accounting for one probe: every step number it issued is received, declared dropped, or missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from farscope.records.heartbeat import HEARTBEAT_NS
from farscope.records.step import RawStep
from farscope.scope.gaps import GapBudget, GapTracker, NumberRange
from farscope.wire.batch import Batch

PATIENCE_NS = HEARTBEAT_NS
"""How long a gap waits to be filled by a late batch. It is counted as missing immediately, but reported only
when it is older than this."""

EMPTY_APART_NS = HEARTBEAT_NS // 2
"""Two batches without steps, sent at least this far apart by the probe's clock and with no steps in between,
prove that everything announced by the first had been sent: what has not arrived is missing. Closer together,
both may have been packed while steps were waiting."""

MAX_REASONS = 16
"""Drop reasons counted separately for one probe; further ones are counted as ``OTHER_REASON``."""

MAX_REASON = 80
"""Characters of a reason that are kept; a longer one is cut and ends in an ellipsis."""

OTHER_REASON = "other"


class Posted(NamedTuple):
    """The part of a batch that was new to the account."""

    steps: Sequence[RawStep]
    """The new steps, in the order of the batch."""
    dropped: dict[str, int]
    """Count of numbers newly declared as dropped, by reason."""
    found: tuple[NumberRange, ...]
    """Gaps reported earlier that have now been filled."""


class ReceivedAccount:
    """Accounts for the step numbers of one probe; not thread-safe.

    Numbers at the end that a batch announces through ``next_number`` may still be in transit: they are owed,
    not missing, until two heartbeats, the goodbye or the probe's silence show that they will not arrive.
    """

    def __init__(self, *, from_start: bool, room: GapBudget | None = None) -> None:
        """``from_start`` means that this scope could see the probe's first step: numbers count from 0.

        ``room`` is shared by the gaps of all ledgers.
        """
        self.received = 0
        """Steps received, each counted once."""
        self.duplicated = 0
        """Steps received again and discarded."""
        self.dropped: dict[str, int] = {}
        """Numbers the probe declared as dropped, by reason."""
        self._numbers = GapTracker(0 if from_start else None, room)
        self._announced = 0
        self._quiet: tuple[int, int] | None = None

    @property
    def missing(self) -> int:
        """Numbers that should have been received or declared dropped, but were not."""
        return self._numbers.missing

    @property
    def lost(self) -> int:
        """Numbers not received, whether or not they were declared dropped."""
        return self.missing + sum(self.dropped.values())

    @property
    def end(self) -> int:
        """The number after the last one accounted for."""
        return self._numbers.end

    @property
    def owed(self) -> int:
        """Count of announced numbers that may still be in transit."""
        return max(0, self._announced - self._numbers.end)

    def post(self, batch: Batch, now_ns: int, *, goodbye: bool = False) -> Posted:
        """Enter a batch that was not entered before; ``now_ns`` may be from any monotonic clock."""
        posted = self._post_numbers(batch, now_ns)
        if self._numbers.first is None:
            self._numbers.expect(batch.next_number, now_ns)
        self._announced = max(self._announced, batch.next_number)
        self._expect_what_quiet_proves(batch, now_ns)
        if goodbye:
            self.expect_announced(now_ns)
        return posted

    def repeat(self, steps: int) -> None:
        """Count the steps of a batch that was entered before."""
        self.duplicated += steps

    def expect_announced(self, now_ns: int) -> None:
        """Record that nothing is in transit any more: what is owed is missing."""
        self._numbers.expect(self._announced, now_ns)

    def report_gaps(self, now_ns: int, *, patience_ns: int = PATIENCE_NS) -> list[NumberRange]:
        """Return gaps still open after ``patience_ns``, each exactly once over all calls."""
        return self._numbers.report(now_ns - patience_ns)

    def gaps(self) -> list[NumberRange]:
        """Return the current gaps, lowest first, whether or not they were reported."""
        return self._numbers.gaps()

    def _expect_what_quiet_proves(self, batch: Batch, now_ns: int) -> None:
        if batch.steps:
            self._quiet = None
        elif self._quiet is None:
            self._quiet = (batch.sent_ns, self._announced)
        elif batch.sent_ns - self._quiet[0] >= EMPTY_APART_NS:
            self._numbers.expect(self._quiet[1], now_ns)
            self._quiet = (batch.sent_ns, self._announced)

    def _post_numbers(self, batch: Batch, now_ns: int) -> Posted:
        numbers = batch.numbers
        if numbers and not batch.drops and numbers[0] >= self._numbers.end and _is_run(numbers):
            self._numbers.add(numbers[0], numbers[-1], now_ns)
            self.received += len(numbers)
            return Posted(batch.steps, {}, ())
        return self._post_runs(batch, now_ns)

    def _post_runs(self, batch: Batch, now_ns: int) -> Posted:
        """Enter steps and drops in the order of their numbers, so that each closes the other's gaps."""
        entries: list[tuple[int, int, str | None]] = [
            (run.first, run.last, None) for run in _runs(batch.numbers)
        ]
        entries += [(drop.first, drop.first + drop.count - 1, drop.reason) for drop in batch.drops]
        entries.sort(key=lambda entry: entry[:2])
        new: list[NumberRange] = []
        found: list[NumberRange] = []
        dropped: dict[str, int] = {}
        for first, last, reason in entries:
            taken = self._numbers.add(first, last, now_ns)
            found += taken.found
            if reason is None:
                new += taken.new
            elif count := sum(span.size for span in taken.new):
                self._drop(dropped, reason, count)
        steps = _within(batch, new)
        self.received += len(steps)
        self.duplicated += len(batch.steps) - len(steps)
        return Posted(steps, dropped, tuple(found))

    def forget(self) -> None:
        """Give back the room the gaps took; the account must not be used afterwards."""
        self._numbers.forget()

    def _drop(self, dropped: dict[str, int], reason: str, count: int) -> None:
        reason = reason if len(reason) <= MAX_REASON else f"{reason[: MAX_REASON - 1]}…"
        if reason not in self.dropped and len(self.dropped) >= MAX_REASONS:
            reason = OTHER_REASON
        self.dropped[reason] = self.dropped.get(reason, 0) + count
        dropped[reason] = dropped.get(reason, 0) + count


def _is_run(numbers: Sequence[int]) -> bool:
    return numbers[-1] - numbers[0] == len(numbers) - 1


def _runs(numbers: Sequence[int]) -> Iterable[NumberRange]:
    """Yield the runs of consecutive numbers in a strictly rising sequence."""
    if not numbers:
        return
    if _is_run(numbers):
        yield NumberRange(numbers[0], numbers[-1])
        return
    first = last = numbers[0]
    for number in numbers[1:]:
        if number != last + 1:
            yield NumberRange(first, last)
            first = number
        last = number
    yield NumberRange(first, last)


def _within(batch: Batch, spans: Sequence[NumberRange]) -> Sequence[RawStep]:
    """Return the batch's steps whose numbers lie in ``spans``, which are in ascending order."""
    if sum(span.size for span in spans) == len(batch.steps):
        return batch.steps
    steps: list[RawStep] = []
    remaining = iter(spans)
    span = next(remaining, None)
    for number, step in zip(batch.numbers, batch.steps, strict=True):
        while span is not None and span.last < number:
            span = next(remaining, None)
        if span is None:
            break
        if span.first <= number:
            steps.append(step)
    return steps
