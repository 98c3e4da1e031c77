"""Sends spans so that each is delivered or counted: retries, splits rejected batches, and keeps a summary."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from enum import Enum, auto
from typing import NamedTuple, Protocol

from farscope.cli.interrupts import LOOK_S, Over
from farscope.cli.style import report_now
from farscope.errors import NotDelivered
from farscope.records.step import Step
from farscope.views.humanize import number
from farscope.views.otlp_spans import Span, Spans
from farscope.views.text import escape

FIRST_WAIT_S = 0.2
"""Between an attempt and its first repetition; doubled by every failure that follows."""
LONGEST_WAIT_S = 30.0
"""No wait is longer, unless the collector asks for it."""
LONGEST_ASKED_WAIT_S = 300.0
"""A collector that asks to be left alone for longer is asked again after this all the same."""


EVENTS_A_REQUEST = 16_384
"""Maximum number of events (one for each fact of a step) in a request, unless a single step has more; at the
limit, a new request begins. Making spans of more would take seconds without reacting to Ctrl-C."""


class Verdict(Enum):
    """The outcome of a request."""

    TAKEN = auto()
    LATER = auto()
    """Nothing was accepted; the same request may be accepted later."""
    TOO_LARGE = auto()
    """Nothing was accepted; fewer spans may be."""
    REFUSED = auto()
    """These spans will never be accepted; others may be."""
    HOPELESS = auto()
    """No spans will be accepted until the configuration changes."""


class Answer(NamedTuple):
    """A collector's answer to a request."""

    verdict: Verdict
    reason: str = ""
    """Why not everything was accepted, as received from the network."""
    rejected: int = 0
    """Number of spans that the collector rejected from an accepted request."""
    wait_s: float = 0.0
    """How long the collector wants to be left alone."""


class Collector(Protocol):
    """A destination of spans."""

    address: str
    """Fit to be shown: no password in it."""

    def deliver(self, spans: Sequence[Span]) -> Answer:
        """Make one attempt to deliver ``spans`` in one request; wait for the answer."""


class Sender:
    """Sends steps as spans, in order, and accounts for every one; for one thread.

    It waits for a collector that is away or busy until it is over; from then on, each request is tried once,
    and none after the first failure.
    """

    def __init__(self, collector: Collector, over: Over, wait: Callable[[float], None] = time.sleep) -> None:
        """``wait`` waits a number of seconds, at most ``LOOK_S`` at a time."""
        self._collector = collector
        self._over = over
        self._wait = wait
        self._spans = Spans()
        self._offered = 0
        self._exported = 0
        self._refused = 0
        self._failures = 0
        self._reason = ""
        self._gave_up: Verdict | None = None

    @property
    def gave_up(self) -> bool:
        """Whether no more attempts are made; further steps are counted as not delivered."""
        return self._gave_up is not None

    @property
    def missing(self) -> int:
        """Number of spans that were neither accepted nor rejected."""
        return self._offered - self._exported - self._refused

    def send(self, steps: Sequence[Step]) -> None:
        """Deliver steps as spans in one request, or in several where one would be too large.

        Returns when all are delivered, refused or given up.
        """
        self._offered += len(steps)
        for part in _parts(steps):
            if self.gave_up:
                return
            self._send_part(part)

    def _send_part(self, steps: Sequence[Step]) -> None:
        pieces = [[self._spans.span_of(step) for step in steps]]
        while pieces and not self.gave_up:
            spans = pieces.pop()
            answer = self._insist(spans)
            if answer.verdict is Verdict.TOO_LARGE and len(spans) > 1:
                half = len(spans) // 2
                pieces += [spans[half:], spans[:half]]
            else:
                self._settle(spans, answer)

    def account(self) -> str:
        """Return the account of all spans as one line."""
        parts = [
            f"exported {number(self._exported, 'span')} to {escape(self._collector.address)}",
            f"not delivered {self.missing:,}",
            f"refused {self._refused:,}",
        ]
        if self._failures:
            parts.append(number(self._failures, "failed attempt"))
        return ", ".join(parts)

    def check(self) -> None:
        """Raise ``NotDelivered`` unless everything was accepted."""
        if not self.missing and not self._refused and not self.gave_up:
            return
        where = f"{self._collector.address}: {self._reason}"
        if self._gave_up is Verdict.HOPELESS:
            hint = "check the address, and OTEL_EXPORTER_OTLP_HEADERS if it wants credentials"
        elif self.missing:
            hint = "export again when the collector is available; each span keeps its id"
        else:
            hint = "the collector's own log may tell more"
        raise NotDelivered(f"{number(self.missing + self._refused, 'span')} not taken by {where}", hint)

    def _insist(self, spans: Sequence[Span]) -> Answer:
        """Try until there is a final answer, or it is over."""
        wait_s = FIRST_WAIT_S
        troubled = False
        while (answer := self._collector.deliver(spans)).verdict is Verdict.LATER:
            self._failures += 1
            self._reason = answer.reason
            if not troubled:
                report_now(f"collector unavailable, spans wait: {escape(answer.reason)}", alarming=True)
            troubled = True
            self._pause(max(wait_s, min(answer.wait_s, LONGEST_ASKED_WAIT_S)))
            if self._over():
                return answer
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
        if troubled and answer.verdict is Verdict.TAKEN:
            report_now("collector available")
        return answer

    def _pause(self, wait_s: float) -> None:
        while wait_s > 0 and not self._over():
            self._wait(min(LOOK_S, wait_s))
            wait_s -= LOOK_S

    def _settle(self, spans: Sequence[Span], answer: Answer) -> None:
        rejected = 0
        if answer.verdict is Verdict.TAKEN:
            rejected = min(answer.rejected, len(spans))
            self._exported += len(spans) - rejected
        elif answer.verdict in (Verdict.LATER, Verdict.HOPELESS):
            self._gave_up = answer.verdict
            self._reason = answer.reason
        else:
            rejected = len(spans)
        if rejected:
            self._refused += rejected
            self._reason = answer.reason
            report_now(
                f"collector refused {number(rejected, 'span')}: {escape(answer.reason)}", alarming=True
            )


def _parts(steps: Sequence[Step]) -> Iterator[Sequence[Step]]:
    """Yield steps in their order, in parts that are not too much for one request."""
    begin = events = 0
    for place, step in enumerate(steps):
        more = len(step.shape.facts)
        if place > begin and events + more > EVENTS_A_REQUEST:
            yield steps[begin:place]
            begin, events = place, 0
        events += more
    if steps:
        yield steps[begin:]
