"""Where charts leave their steps and go on: bounded, numbered, never in anybody's way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import RLock
from typing import Literal

from farscope.probe.ledger import OUTBOX_FULL, Haul, Ledger, Loss, ProbeStats, runs_of
from farscope.records.step import RawStep

OUTBOX_STEPS = 100_000
"""Steps an outbox holds (some 30 MB); beyond, steps are dropped by policy, counted and declared."""
OUTBOX_TEXT = 16_000_000
"""Characters of free text an outbox holds beside; a step whose text finds no room is one without room."""

DropPolicy = Literal["newest", "oldest"]
"""Which step a full outbox gives up: the one just offered, or the one that has waited longest."""


class Outbox:
    """Takes steps from any number of chart threads, and hands them to one pump.

    ``offer`` is the hot path. Appending to a deque is atomic, and a step's number is its place in
    the deque, so a chart takes no lock while there is room; threads that offer in the same instant may
    exceed the capacity by one step each. A step that finds no room leaves a ``Loss`` in
    its place (a run of them leaves one), so that numbers need no counter of their own.

    Everything else holds ``lock``, for a time that does not depend on how many steps wait, except that
    taking steps holds it for one batch. The lock is reentrant, and no bookkeeping below can be interrupted
    at a harmful place by a finaliser or signal handler that offers a step itself.
    """

    __slots__ = (
        *("_asleep", "_capacity", "_head", "_losses", "_lost", "_policy", "_queue"),
        *("_refusal", "_room", "_taking", "_text", "_wake", "ledger", "lock"),
    )

    def __init__(
        self, wake: Callable[[], None], capacity: int = OUTBOX_STEPS, policy: DropPolicy = "newest"
    ) -> None:
        """``wake`` is called on a chart's thread by a step that finds the pump asleep; it must not block."""
        self._wake = wake
        self._capacity = capacity
        self._policy = policy
        self.reset(asleep=False)

    def reset(self, *, asleep: bool) -> None:
        """Begin anew with nothing in it, number 0 and a fresh lock; ``asleep``: the first step wakes."""
        self.lock = RLock()
        self.ledger = Ledger()
        self._queue: deque[RawStep | Loss] = deque()
        self._head = 0  # the number of what stands first in the queue
        self._losses = 0  # Loss objects in the queue
        self._lost = 0  # steps they stand for
        self._text = 0  # characters of free text in the queue
        self._taking = False
        self._refusal: str | None = None
        self._room = self._capacity
        self._asleep = asleep

    def offer(self, step: RawStep) -> None:
        """Leave a step; never blocks, never raises."""
        queue = self._queue
        if len(queue) < self._room and not step[9]:
            queue.append(step)
        else:
            self._offer_slowly(step)
        if self._asleep:
            self.rouse()

    def rouse(self) -> None:
        """Wake the pump."""
        self._asleep = False
        self._wake()

    def rouse_sleeper(self) -> None:
        """Wake the pump if it asked for it."""
        if self._asleep:
            self.rouse()

    def fall_asleep(self) -> bool:
        """Ask to be woken by the next step; False if there is work already.

        The flag goes up before the look at the queue, and a chart appends before it looks at the flag:
        whatever the order, one of the two sees the other.
        """
        self._asleep = True
        if self._queue or self.ledger.undeclared:
            self._asleep = False
            return False
        return True

    def stay_awake(self) -> None:
        """Ask for no waking any more: the pump is, or is about to be, up."""
        self._asleep = False

    def _offer_slowly(self, step: RawStep) -> None:
        size = _text_in(step)
        with self.lock:
            if self._policy == "oldest" and self._refusal is None and not self._taking:
                while self._queue and not self._fits(size):
                    self._drop_head()
            if self._fits(size):
                self._text += size
                self._queue.append(step)
            else:
                self._drop_newest(self._refusal or OUTBOX_FULL)

    def _fits(self, size: int) -> bool:
        return len(self._queue) < self._room and self._text + size <= OUTBOX_TEXT

    def _drop_newest(self, reason: str) -> None:
        last = self._queue[-1] if self._queue else None
        if not isinstance(last, Loss) or last.reason != reason:
            last = Loss(0, 0, reason)
            self._queue.append(last)
            self._losses += 1
        last.count += 1
        self._lost += 1
        self.ledger.count_lost(1, reason)

    def _drop_head(self) -> None:
        item = self._queue.popleft()
        if isinstance(item, Loss):
            self._pass_by(item)
        else:
            self.ledger.lose(self._head, 1, OUTBOX_FULL)
            self._head += 1
            self._text -= _text_in(item)

    def _pass_by(self, loss: Loss) -> None:
        self._losses -= 1
        self._lost -= loss.count
        self.ledger.declare(self._head, loss.count, loss.reason)
        self._head += loss.count

    def take(self, limit: int) -> Haul | None:
        """Take up to ``limit`` steps and all losses on the way; None if there is neither."""
        with self.lock:
            self._taking = True
            try:
                numbers, steps = self._pop(limit)
                if self._text:
                    self._text -= sum(map(_text_in, steps))
            finally:
                self._taking = False
            if not steps and not self.ledger.undeclared:
                return None
            return self.ledger.take(numbers, steps)

    def _pop(self, limit: int) -> tuple[list[int], list[RawStep]]:
        queue = self._queue
        if not self._losses:
            popleft = queue.popleft
            plain = [popleft() for _ in range(min(limit, len(queue)))]
            first = self._head
            self._head += len(plain)
            return list(range(first, self._head)), plain  # type: ignore[return-value]  # no losses among them
        numbers: list[int] = []
        steps: list[RawStep] = []
        while queue and len(steps) < limit:
            item = queue.popleft()
            if isinstance(item, Loss):
                self._pass_by(item)
            else:
                steps.append(item)
                numbers.append(self._head)
                self._head += 1
        return numbers, steps

    def retire(self, reason: str) -> None:
        """Give up all that is pending, and from now on every step that is offered."""
        with self.lock:
            self._refusal = self._refusal or reason
            self._room = 0
            self.ledger.give_up_all(self._refusal)
            self._sweep()

    def _sweep(self) -> None:
        """Count what is in a retired outbox as dropped; a chart may have been between looking and leaving."""
        numbers, _ = self._pop(len(self._queue) + 1)
        for first, count in runs_of(numbers):
            self.ledger.lose(first, count, self._refusal or OUTBOX_FULL)

    @property
    def retired(self) -> bool:
        """Whether the outbox has given up."""
        return self._refusal is not None

    @property
    def next_number(self) -> int:
        """The number the next step will get."""
        with self.lock:
            return self._head + len(self._queue) - self._losses + self._lost

    @property
    def head(self) -> int:
        """The number of the first step that waits: all below were taken."""
        return self._head

    @property
    def backlog(self) -> int:
        """Steps that wait, roughly; takes no lock."""
        return len(self._queue)

    def accounted(self, number: int) -> bool:
        """Whether every step below ``number`` is stored, or dropped and declared in a stored batch."""
        with self.lock:
            return self.ledger.open_from(self._head) >= number

    def stats(self) -> ProbeStats:
        """Return a consistent picture of one instant."""
        with self.lock:
            ledger = self.ledger
            if self._refusal is not None:
                self._sweep()
            waiting = len(self._queue) - self._losses
            return ProbeStats(
                emitted=self._head + waiting + self._lost,
                stored=ledger.stored,
                dropped=ledger.dropped,
                pending=waiting + ledger.in_hand + ledger.spooled,
                batches=ledger.batches,
                bytes=ledger.bytes,
                retries=ledger.retries,
                last_error=ledger.last_error,
                spooled=ledger.spooled,
            )


def _text_in(step: RawStep) -> int:
    return sum(map(len, step[9]))
