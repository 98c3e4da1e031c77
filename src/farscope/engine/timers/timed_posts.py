"""The timed posts of one chart."""

from __future__ import annotations

import itertools
import weakref
from typing import NamedTuple, Protocol

from farscope.engine.event import Event
from farscope.engine.timers.schedule import Clock, Timer, next_number
from farscope.errors import ChartStopped, ForeignProcess, Invariant, QueueFull
from farscope.records.step import NANOSECONDS, Cause

_claims = itertools.count(1)


class Addressee(Protocol):
    """The mailbox that receives timed posts."""

    def deliver(self, e: Event, origin: tuple[Cause | None, int], *, lifo: bool) -> None:
        """Receive an event with its cause and a claim, which is redeemed when the event is handled.

        Raises ``QueueFull``, ``ChartStopped`` or ``ForeignProcess``.
        """

    def drop_cancelled(self) -> None:
        """Remove cancelled posts from the queue."""


class TimedPost(NamedTuple):
    """A timed post that is still to come."""

    number: int
    """Its id."""
    e: Event
    period_s: float
    left: int | None
    """Remaining number of posts; None for no limit."""
    lifo: bool
    remaining_s: float
    """Seconds until the next post."""


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
        self._pending: dict[int, tuple[Timer | None, int]] = {}
        """By id: the timer that is still to fire, and its signal; no timer for a promise."""
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
        first_s: float | None = None,
    ) -> int:
        """Post ``e`` periodically, and return the id for cancelling it.

        ``cause`` is the step that sets it up, and the cause of each post. The first post waits ``first_s``
        seconds; one period if that is None.
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
                wait_ns = timer.period_ns if first_s is None else round(first_s * NANOSECONDS)
                clock.add(timer, begin_ns + wait_ns)
        except BaseException:
            self._pending.pop(timer.number, None)
            timer.forget()
            raise
        return timer.number

    def parts(self) -> tuple[Clock, dict[int, tuple[Timer | None, int]], dict[int, tuple[int, int]]]:
        """Return the clock, the pending posts, and the waiting ones."""
        return self._clock, self._pending, self._waiting

    def new_number(self) -> int:
        """Return an id under which nothing has been posted."""
        return next_number()

    def is_pending(self, number: int) -> bool:
        """Return whether posts with that id are still to come."""
        return number in self._pending

    def claim_again(self, number: int, signal: int) -> int:
        """Return a claim for an event that is put back into the queue, posted under that id."""
        claim = next(_claims)
        self._waiting[claim] = number, signal
        return claim

    def number_of(self, claim: int) -> int:
        """Return the id under which the event with that claim was posted; 0 if it was cancelled."""
        return self._waiting.get(claim, (0, 0))[0]

    def posts(self) -> list[TimedPost]:
        """Return the posts still to come that a timer makes."""
        found = []
        for number in list(self._pending):
            timer, _ = self._pending.get(number, (None, 0))
            remaining_s = self.remaining_s(number)
            if timer is not None and isinstance(timer.fire, _Post) and remaining_s is not None:
                e, lifo = timer.fire.what()
                period_s = timer.period_ns / NANOSECONDS
                found.append(TimedPost(number, e, period_s, timer.left, lifo, remaining_s))
        return found

    def redeem(self, claim: int) -> bool:
        """Take the claim of an event that is about to be handled; return False if it was cancelled."""
        return self._waiting.pop(claim, None) is not None

    def is_waiting(self, claim: int) -> bool:
        """Return whether the event with that claim may still be handled."""
        return claim in self._waiting

    def cancel(self, number: int) -> bool:
        """Cancel the timed post with that id; return whether any of its posts was pending or waiting."""
        pending = self.abandon(number)
        return self.withdraw(number) != 0 or pending

    def abandon(self, number: int) -> bool:
        """Cancel the posts with that id that are still to come; return whether there were any."""
        timer, signal = self._pending.pop(number, (None, 0))
        if timer is not None:
            self._clock.remove(timer)
        return signal != 0

    def promise(self, signal: int) -> int:
        """Return the id of a single post to come, which no clock makes: see ``keep``."""
        number = next_number()
        self._pending[number] = None, signal
        return number

    def keep(self, number: int, e: Event, cause: Cause | None) -> bool:
        """Post ``e`` as promised under that id; return False if the promise was cancelled."""
        mailbox = self._mailbox()
        if mailbox is None:
            return False
        try:
            return self._deliver(mailbox, number, e, cause)
        except (QueueFull, ChartStopped, ForeignProcess):
            return False

    def remaining_s(self, number: int) -> float | None:
        """Return the seconds until the next post with that id; None if none is to come."""
        timer, _ = self._pending.get(number, (None, 0))
        return None if timer is None else max(0, timer.due_ns - self._clock.now_ns()) / NANOSECONDS

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

    def _deliver(self, mailbox: Addressee, number: int, e: Event, cause: Cause | None) -> bool:
        claim = next(_claims)
        # As in ``_Post.make``.
        self._waiting[claim] = number, e.signal
        kept = self._pending.pop(number, None) is not None
        try:
            if kept:
                mailbox.deliver(e, (cause, claim), lifo=False)
        except BaseException:
            kept = False
            raise
        finally:
            if not kept:
                self._waiting.pop(claim, None)
        return kept

    def withdraw(self, number: int) -> int:
        """Withdraw the posts with that id that wait to be handled; return their signal, or 0."""
        waiting = self._waiting
        caught = 0
        for claim in list(waiting):
            its, signal = waiting.get(claim, (0, 0))
            if its == number and waiting.pop(claim, None) is not None:
                caught = signal
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

    def what(self) -> tuple[Event, bool]:
        """Return the event, and whether it goes to the front of the queue."""
        return self._e, self._lifo

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
