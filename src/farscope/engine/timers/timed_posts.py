"""The timed posts of one chart."""

from __future__ import annotations

import itertools
import weakref
from typing import Protocol

from farscope.engine.event import Event
from farscope.engine.timers.schedule import Clock, Timer
from farscope.errors import ChartStopped, ForeignProcess, Invariant, QueueFull
from farscope.records.step import Cause

_claims = itertools.count(1)


class Addressee(Protocol):
    """The mailbox that receives timed posts."""

    def deliver(self, e: Event, origin: tuple[Cause | None, int], *, lifo: bool) -> None:
        """Receive an event with its cause and a claim, which is redeemed when the event is handled.

        Raises ``QueueFull``, ``ChartStopped`` or ``ForeignProcess``.
        """

    def drop_cancelled(self) -> None:
        """Remove cancelled posts from the queue."""


class TimedPosts:
    """The timed posts of a chart that are still to come or wait to be handled, by id.

    May be used at any moment: from any thread, and by a finalizer or a signal handler in the middle of any of
    these methods. The mailbox is held weakly: the chart to which it belongs receives no more posts once it is
    no longer referenced, and is freed.

    Each post carries a claim, which only one caller can take from ``_waiting``: the chart that is about to
    handle the event, or the caller that cancels it. So a cancelled event is never handled, wherever it is by
    then.
    """

    __slots__ = ("_clock", "_mailbox", "_pending", "_waiting")

    def __init__(self, mailbox: Addressee, clock: Clock) -> None:
        self._mailbox = weakref.ref(mailbox)
        self._clock = clock
        self._pending: dict[int, tuple[Timer, int]] = {}
        """By id: the timer that is still to fire, and its signal."""
        self._waiting: dict[int, tuple[int, int]] = {}
        """By claim: id and signal of a post that has not been handled yet."""

    def __len__(self) -> int:
        return len(self._pending)

    def arm(
        self,
        e: Event,
        cause: Cause | None,
        period_s: float,
        times: int | None,
        deferred: bool | None,
        *,
        lifo: bool,
    ) -> int:
        """Post ``e`` periodically, and return the id for cancelling it.

        ``cause`` is the step that sets it up, and the cause of each post.
        """
        post = _Post(e, cause, lifo, self)
        clock = self._clock
        timer = post.timer = Timer(post, period_s, times or 0)
        mailbox = self._mailbox()
        if mailbox is None:
            raise Invariant("a chart that is gone makes a timed post")
        # A chart that is freed without being stopped releases what its posts refer to.
        post.mailbox = weakref.ref(mailbox, lambda _: clock.remove(timer))
        begin_ns = clock.now_ns()
        self._pending[timer.number] = timer, e.signal
        try:
            if deferred is False:
                timer.count()
                post.make(mailbox)
            if timer.live:
                clock.add(timer, begin_ns + timer.period_ns)
        except BaseException:
            self._pending.pop(timer.number, None)
            timer.forget()
            raise
        return timer.number

    def parts(self) -> tuple[Clock, dict[int, tuple[Timer, int]], dict[int, tuple[int, int]]]:
        """Return the clock, the pending posts, and the waiting ones."""
        return self._clock, self._pending, self._waiting

    def redeem(self, claim: int) -> bool:
        """Take the claim of an event that is about to be handled; return False if it was cancelled."""
        return self._waiting.pop(claim, None) is not None

    def is_waiting(self, claim: int) -> bool:
        """Return whether the event with that claim may still be handled."""
        return claim in self._waiting

    def cancel(self, number: int) -> bool:
        """Cancel the timed post with that id; return whether any of its posts was pending or waiting."""
        timer, _ = self._pending.pop(number, (None, 0))
        if timer is not None:
            self._clock.remove(timer)
        return self._withdraw(number) or timer is not None

    def cancel_signal(self, signal: int) -> int:
        """Cancel all timed posts of a signal; return how many there were."""
        # A list of keys is created in a single operation; a list of pairs could be interrupted.
        numbers = {
            number for number in list(self._pending) if self._pending.get(number, (None, 0))[1] == signal
        }
        for claim in list(self._waiting):
            number, its = self._waiting.get(claim, (0, 0))
            if its == signal:
                numbers.add(number)
        return sum(self.cancel(number) for number in numbers)

    def cancel_all(self) -> None:
        """Cancel all timed posts."""
        for number in list(self._pending):
            self.cancel(number)
        self._waiting.clear()

    def _withdraw(self, number: int) -> bool:
        """Withdraw the waiting claims of a timed post; return whether there were any."""
        waiting = self._waiting
        caught = False
        for claim in list(waiting):
            if waiting.get(claim, (0, 0))[0] == number and waiting.pop(claim, None) is not None:
                caught = True
        mailbox = self._mailbox() if caught else None
        if mailbox is not None:
            mailbox.drop_cancelled()
        return caught


class _Post:
    """The action of a chart's timer: each call posts once."""

    __slots__ = ("_cause", "_clock", "_e", "_lifo", "_pending", "_waiting", "mailbox", "timer")

    mailbox: weakref.ref[Addressee]
    timer: Timer

    def __init__(self, e: Event, cause: Cause | None, lifo: bool, posts: TimedPosts) -> None:
        self._e = e
        self._cause = cause
        self._lifo = lifo
        # The ``TimedPosts`` itself is not kept: these two do not refer to the mailbox.
        self._clock, self._pending, self._waiting = posts.parts()

    def __call__(self, timer: Timer) -> None:
        mailbox = self.mailbox()
        try:
            if mailbox is not None:
                self.make(mailbox)
        except QueueFull:
            # There is no poster to raise it to; the chart has counted it and reports it to its watchers.
            pass
        except (ChartStopped, ForeignProcess):
            self._clock.remove(timer)
        if not timer.live:
            # The objects it refers to are released with its last post.
            timer.forget()

    def make(self, mailbox: Addressee) -> None:
        """Post once; raises the mailbox's errors."""
        timer, pending = self.timer, self._pending
        claim = next(_claims)
        # Cancelling uses the opposite order, so that one of the two always sees what the other did.
        self._waiting[claim] = timer.number, self._e.signal
        mine = pending.get(timer.number) if timer.live else pending.pop(timer.number, None)
        try:
            if mine:
                mailbox.deliver(self._e, (self._cause, claim), lifo=self._lifo)
        except BaseException:
            mine = None
            raise
        finally:
            if not mine:
                self._waiting.pop(claim, None)
