"""The outbox: a bounded, numbered queue where charts leave their steps without ever blocking."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import repeat, starmap
from threading import RLock
from typing import Any, Literal

from farscope.probe.accounting import OUTBOX_FULL, Chunk, Loss, ProbeStats, SentAccount
from farscope.records.fork_hooks import unset_by_forks
from farscope.records.step import TEXTS, TIME_NS, RawStep

OUTBOX_STEPS = 100_000
"""Steps an outbox holds (about 30 MB); beyond this, steps are dropped by policy, counted and declared."""
OUTBOX_TEXT = 16_000_000
"""Characters of free text an outbox holds; a step whose text exceeds this is treated as finding it full."""
OUTBOX_VALUES_BYTES = 64_000_000
"""Memory that the values of waiting steps may take. An outbox has room for as many steps as fit if all have
values as large as the largest so far; a step that finds no room is dropped by policy, as in a full outbox."""

DropPolicy = Literal["newest", "oldest"]
"""Which step a full outbox drops: the one just offered, or the one that has waited longest."""


class Receipt:
    """Whether a step was accepted, even if only to be counted as dropped."""

    __slots__ = ("accepted",)

    def __init__(self) -> None:
        self.accepted = False

    def __bool__(self) -> bool:
        return self.accepted


class Outbox:
    """A queue of steps from any number of chart threads to one pump.

    ``offer`` is the hot path. Appending to a deque is atomic, and a step's number is its place in
    the deque, so a chart takes no lock, whether there is room or not; threads that offer in the same instant
    may exceed the capacity by one step each. A step that finds no room leaves a ``Loss`` in
    its place (one for a whole run of them), so that numbering needs no separate counter.

    A finaliser or a signal handler may run between any two calls, offer steps itself, read the counts, close
    the probe, or raise an error that the program expects. Code that changes several things therefore does so
    in statements that call nothing, or in a last one that makes a single call into C: between those, CPython
    runs no handler, no finaliser and no other thread. Conditions are checked again in those statements.

    The pump and a closing thread serialise their work with ``lock``; nobody else takes it.
    """

    __slots__ = (
        *("_awake", "_capacity", "_gap", "_head", "_losses", "_lost", "_moving", "_policy", "_queue"),
        *("_refusal", "_room", "_room_for_values", "_taking", "_text", "_wake", "account", "lock"),
    )

    def __init__(
        self, wake: Callable[[], None], capacity: int = OUTBOX_STEPS, policy: DropPolicy = "newest"
    ) -> None:
        """``wake`` is called on a chart's thread when a step finds the pump asleep; it must not block."""
        self._wake = wake
        self._awake = unset_by_forks()
        """Set while the pump needs no waking. Not set in a new forked child, where no pump is awake, even if
        the fork has not been noticed there yet: the first step notices it."""
        self._capacity = self._room_for_values = capacity
        self._policy = policy
        self.reset(asleep=False)

    def reset(self, *, asleep: bool) -> None:
        """Reset to empty, with number 0 and a new lock; if ``asleep``, the first step wakes the pump."""
        self.lock = RLock()
        self.account = SentAccount()
        self._queue: deque[RawStep | Loss] = deque()
        self._head = 0  # number of the first item in the queue, or of the first one being moved
        self._losses = 0  # Loss objects in the queue
        self._lost = 0  # steps they represent
        self._gap = 0  # numbers right before the head that were dropped and are in no list yet
        self._text = 0  # characters of free text in the queue
        self._moving: list[RawStep] = []  # steps on their way from the queue into a chunk
        self._taking = False
        self._refusal: str | None = None
        self._room = self._room_for_values
        self._awake.value = int(not asleep)

    def start_over(self, since_ns: int) -> None:
        """Reset, keeping only waiting steps begun at ``since_ns`` or later; these do not wake the pump."""
        waiting = self._queue
        self.reset(asleep=False)
        for step in waiting.copy():
            if not isinstance(step, Loss) and step[TIME_NS] >= since_ns:
                self.offer(step)
        self.mark_asleep()

    def limit_room(self, values_bytes: int) -> None:
        """Have room for fewer steps, if steps with values of this size would take too much memory."""
        room = max(1, OUTBOX_VALUES_BYTES // values_bytes)
        # An outbox that was retired has no room, and gets none. Another thread may set a larger room between
        # reading and setting; the next step with larger values then sets it again.
        self._room_for_values = min(self._room_for_values, room)
        self._room = min(self._room, self._room_for_values)

    def offer(self, step: RawStep) -> None:
        """Add a step; never blocks. An error raised meanwhile by the program's own code is re-raised."""
        taken: bool | Receipt = False
        try:
            queue = self._queue
            if len(queue) < self._room and not step[TEXTS]:
                taken = True
                queue.append(step)
            else:
                taken = Receipt()
                self._offer_slowly(step, taken)
            if not self._awake:
                self.wake()
        except BaseException:
            if not taken:
                self.offer(step)
            raise

    def offer_again(self, step: RawStep, error: BaseException) -> None:
        """Add a step unless ``offer`` had begun when ``error`` struck: it then adds the step itself."""
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code is not Outbox.offer.__code__:
            trace = trace.tb_next
        if trace is None or "taken" not in trace.tb_frame.f_locals:
            self.offer(step)

    def wake(self) -> None:
        """Wake the pump."""
        try:
            self.mark_awake()
            self._wake()
        except BaseException:
            # Whatever struck, the pump may not have been woken: the next step tries again.
            self._awake.value = 0
            raise

    def wake_if_asleep(self) -> None:
        """Wake the pump if it asked to be woken, or belongs to the parent process."""
        if not self._awake:
            self.wake()

    def try_to_sleep(self) -> bool:
        """Ask to be woken by the next step; return False if there is work already.

        The pump sets the request before it checks the queue, and a chart appends before it checks the
        request: whatever the order, one of the two sees the other.
        """
        self._awake.value = 0
        if self._queue or self.account.undeclared:
            self.mark_awake()
            return False
        return True

    def mark_asleep(self) -> None:
        """Make the next step wake the pump, whether or not there is work already."""
        self._awake.value = 0

    def mark_awake(self) -> None:
        """Withdraw the request to be woken: the pump is, or is about to be, awake."""
        self._awake.value = 1

    def _offer_slowly(self, step: RawStep, receipt: Receipt) -> None:
        queue = self._queue
        size = _text_in(step)
        if self._policy == "oldest":
            while queue and not self._fits(size) and self._drop_head():
                pass
        loss = Loss(0, 0, "")
        waiting = len(queue)
        if waiting < self._room and self._text + size <= OUTBOX_TEXT:
            receipt.accepted = True
            self._text += size
            queue.append(step)
        else:
            self._drop_newest(loss, receipt)

    def _fits(self, size: int) -> bool:
        return len(self._queue) < self._room and self._text + size <= OUTBOX_TEXT

    def _drop_newest(self, loss: Loss, receipt: Receipt) -> None:
        """Count a step as dropped at its position; queue ``loss`` there unless one is there already."""
        queue, account, reason = self._queue, self.account, self._refusal or OUTBOX_FULL
        # From here on only the last line makes a call.
        last: Any = queue[-1] if queue else None
        receipt.accepted = True
        account.changes += 1
        account.dropped_by[reason] += 1
        self._lost += 1
        if last.__class__ is Loss and last.reason == reason:
            last.count += 1
        else:
            loss.reason = reason
            loss.count = 1
            self._losses += 1
            queue.append(loss)

    def _drop_head(self) -> bool:
        """Drop the step that has waited longest; return False if that is not allowed at the moment."""
        queue, account = self._queue, self.account
        item = queue[0] if queue else None
        if item is None:
            return True
        count, size = (item.count, 0) if isinstance(item, Loss) else (0, _text_in(item))
        if self._taking or self._refusal is not None:
            return False
        # From here on only the last line makes a call: another thread may have dropped it meanwhile.
        if queue and queue[0] is item:
            account.changes += 1
            if count:
                self._losses -= 1
                self._lost -= count
                self._head += count
                self._gap += count
            else:
                account.dropped_by[OUTBOX_FULL] += 1
                self._text -= size
                self._head += 1
                self._gap += 1
            queue.popleft()
        return True

    def dequeue(self, limit: int) -> Chunk | None:
        """Take up to ``limit`` steps and all losses among them; return None if there is neither."""
        with self.lock:
            chunk = self.account.begin_chunk()
            self._move(limit, chunk)
            if not chunk.steps and not self.account.undeclared:
                self.account.discard_chunk(chunk)
                return None
            self.account.declare_with(chunk)
            return chunk

    def _move(self, limit: int, chunk: Chunk) -> None:
        """Move up to ``limit`` steps from the queue into ``chunk``, and losses to those to be declared."""
        queue = self._queue
        self._taking = True
        try:
            self._close_gap()
            while queue and len(chunk.steps) < limit:
                first = queue[0]
                if isinstance(first, Loss):
                    self._pass_by(first)
                else:
                    self._move_run(self._run(limit - len(chunk.steps)), chunk)
        finally:
            self._taking = False

    def _close_gap(self) -> None:
        if not self._gap:
            return
        record = self.account.begin_loss(OUTBOX_FULL, self._head)
        self.account.changes += 1
        record.first = self._head - self._gap
        record.count = self._gap
        self._gap = 0

    def _pass_by(self, loss: Loss) -> None:
        record = self.account.begin_loss(loss.reason, self._head)
        self.account.changes += 1
        record.count = loss.count
        self._losses -= 1
        self._lost -= loss.count
        self._head += loss.count
        self._queue.popleft()

    def _run(self, limit: int) -> int:
        """Return the number of steps at the head of the queue before the first loss, at most ``limit``."""
        queue = self._queue
        limit = min(limit, len(queue))
        if not self._losses:
            return limit
        return next((place for place in range(limit) if isinstance(queue[place], Loss)), limit)

    def _move_run(self, count: int, chunk: Chunk) -> None:
        moved: list[RawStep] = []
        run = starmap(self._queue.popleft, repeat((), count))
        self.account.changes += 1
        self._moving = moved
        moved.extend(run)  # type: ignore[arg-type]  # no losses among them
        numbers = list(range(self._head, self._head + count))
        size = sum(map(_text_in, moved)) if self._text else 0
        none: list[RawStep] = []
        self.account.changes += 1
        self._moving = none
        chunk.steps += moved
        chunk.numbers += numbers
        self._head += count
        self.account.in_hand += count
        self._text -= size

    def retire(self, reason: str) -> None:
        """Drop all pending steps, and every step offered from now on."""
        with self.lock:
            self._refusal = self._refusal or reason
            self._room = 0
            self._move(len(self._queue) + 1, self.account.begin_chunk())
            self.account.drop_all(self._refusal)

    @property
    def retired(self) -> bool:
        """Whether the outbox has been retired."""
        return self._refusal is not None

    @property
    def next_number(self) -> int:
        """The number that the next step will get."""
        return self.stats().emitted

    @property
    def head(self) -> int:
        """The number of the first waiting step: all below it were taken."""
        return self._head

    @property
    def backlog(self) -> int:
        """Approximate number of waiting steps; takes no lock."""
        return len(self._queue)

    def accounted(self, number: int) -> bool:
        """Whether every step below ``number`` is stored, or dropped and declared in a stored batch."""
        account = self.account
        while True:
            changes = account.changes
            reached = account.open_from(self._head - self._gap)
            if changes == account.changes:
                return reached >= number

    def stats(self) -> ProbeStats:
        """Return a consistent snapshot; takes no lock."""
        account = self.account
        while True:
            changes = account.changes
            waiting, moving, dropped = len(self._queue), len(self._moving), account.dropped
            # No calls from here on: if nothing has changed so far, nothing changes in between.
            head, losses, lost, refusal = self._head, self._losses, self._lost, self._refusal
            stored, in_hand, spooled = account.stored, account.in_hand, account.spooled
            batches, size, retries, error = (
                account.batches,
                account.bytes,
                account.retries,
                account.last_error,
            )
            if changes == account.changes:
                break
        waiting -= losses
        if refusal is not None and waiting:
            # A chart that checked before the outbox was retired may have added its step afterwards.
            dropped = {**dropped, refusal: dropped.get(refusal, 0) + waiting}
        return ProbeStats(
            emitted=head + moving + waiting + lost,
            stored=stored,
            dropped=dropped,
            pending=(0 if refusal is not None else waiting) + moving + in_hand + spooled,
            batches=batches,
            bytes=size,
            retries=retries,
            last_error=error,
            spooled=spooled,
        )


def _text_in(step: RawStep) -> int:
    return sum(map(len, step[TEXTS]))
