"""The one thread of a probe: takes steps out of the outbox and does not rest before they are stored."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from threading import Lock, RLock, Thread, current_thread

from farscope.errors import LogRefused
from farscope.probe.accounting import CLOSING, PROBE_FAILED
from farscope.probe.announcements import Roster
from farscope.probe.backoff import LOGGER, Trouble
from farscope.probe.batcher import Packer, Parcel
from farscope.probe.clock import Bell, Bells, Clock
from farscope.probe.custody import LOOK_S, Custody
from farscope.probe.outbox import Outbox
from farscope.probe.timing import APPEND_TIMEOUT_S, BATCHES_AT_ONCE, LEAST_TIMEOUT_S, Pace
from farscope.probe.transport import AnyCarrier
from farscope.records.outside import raised_by_a_signal_handler
from farscope.wire.envelope import Flags

THREAD_RETRY_S = 0.5
"""How often a thread is asked for while the system has none to spare; meanwhile steps wait in the outbox."""


class Pump:
    """Moves steps from the outbox to the log. ``turn`` and ``rest`` are its thread's loop.

    A turn does not end before the log has stored everything the turn took: batches once loaded wait
    and keep their numbers, and the outbox is what fills, and drops, behind them.
    """

    def __init__(
        self,
        outbox: Outbox,
        roster: Roster,
        packer: Packer,
        carrier: AnyCarrier,
        *,
        clock: Clock,
        pace: Pace,
        who: str,
    ) -> None:
        self._outbox = outbox
        self._roster = roster
        self._packer = packer
        self._carrier = carrier
        self._clock = clock
        self._pace = pace
        self._who = who
        self._custody = Custody(outbox, carrier)
        self._trouble = Trouble(clock, who)
        self._bell = Bell()
        self._claim = Lock()
        """Taken for good by the first thread that runs the pump: two may have been started at one time."""
        self._in_libraries = RLock()
        """Held while SQLite, OpenSSL or a broker's client may hold locks of their own: see ``registry``."""
        self._thread: Thread | None = None
        self._wanted = False
        self._retry_s = -math.inf
        self._progress = Bells()
        self._done = False
        self._hurry_to = 0
        self._busy = False
        self._until_s: float | None = None
        self._goodbye_s = 0.0
        self._given_up = False
        self._abandoned = False
        self._sent_s = self._introduced_s = -math.inf

    def wake(self) -> None:
        """Make the pump look at the outbox now; starts its thread if none ever was. Never blocks for long."""
        self._wanted = True
        if self._thread is None:
            self._start()
        self._bell.ring()

    def _start(self) -> None:
        if time.monotonic() < self._retry_s:
            self._outbox.ask_to_be_woken()
            return
        thread = Thread(target=self.run, name=f"farscope {self._who}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            # The system has no thread left, or the interpreter is ending: whoever comes next tries again.
            first = self._retry_s == -math.inf
            self._retry_s = time.monotonic() + THREAD_RETRY_S
            self._outbox.ask_to_be_woken()
            self._note(error)
            if first:
                LOGGER.warning("%s: no thread can be started, steps wait: %s", self._who, error)
        else:
            self._thread = self._thread or thread

    def _note(self, error: BaseException) -> None:
        self._outbox.ledger.last_error = f"{type(error).__name__}: {error}"

    @property
    def started(self) -> bool:
        """Whether there is or was a thread."""
        return self._thread is not None

    def run(self) -> None:
        """Work until told to leave; the body of the thread."""
        if not self._claim.acquire(blocking=False):
            return
        self._thread = current_thread()
        try:
            while self._until_s is None:
                self.turn()
                self.rest()
            self.leave()
        except BaseException as error:  # logged, and every step counted as dropped: no silent end
            self._fail(error)
            if not isinstance(error, Exception) or raised_by_a_signal_handler(error):
                raise
        finally:
            with self._in_libraries:
                self._guarded(partial(self._carrier.close, LEAST_TIMEOUT_S), "the log did not close in order")
                self._guarded(self._custody.look, "what was kept could not be accounted for")
            self._finish()

    def hold_still(self, timeout_s: float) -> bool:
        """Keep the pump out of the code of its log and its seals; False if it did not come out in time."""
        return self._in_libraries.acquire(timeout=timeout_s)

    def go_on(self) -> None:
        """Undo one ``hold_still`` that returned True; on the same thread."""
        self._in_libraries.release()

    def turn(self) -> bool:
        """Send what is due and what waits, once; False if it had to be given up because time is up."""
        self._hear_of_kept()
        with self._in_libraries:
            parcels = self._introductions()
            introductions = len(parcels)
            for _ in range(BATCHES_AT_ONCE):
                parcels += self._packer.steps(self._pace.batch_steps)
                if self._outbox.backlog < self._pace.batch_steps:
                    break
        self._busy = len(parcels) > introductions
        sent = not parcels or self._carry(parcels)
        self._trouble.watch(self._dropped())
        return sent

    def _introductions(self) -> list[Parcel]:
        now_s = self._clock.monotonic_s()
        head = self._outbox.head
        # What only says that the probe lives says nothing once it has waited on a disk.
        if not self._custody.holding and (
            now_s - self._sent_s >= self._pace.heartbeat_s
            or now_s - self._introduced_s >= self._pace.structures_s
        ):
            self._introduced_s = now_s
            return self._packer.announcement(self._roster.everything(head), Flags.HEARTBEAT)
        changes = self._roster.changes(head)
        return self._packer.announcement(changes, Flags.HEARTBEAT) if changes else []

    def rest(self) -> None:
        """Let steps gather behind those just sent; else sleep until one comes, or a heartbeat is due."""
        if self._pressed() or self._outbox.backlog >= self._pace.batch_steps:
            if self._custody.holding:
                self._clock.wait(self._bell, LOOK_S)
            return
        if not self._busy and not self._roster.has_changes() and self._outbox.fall_asleep():
            due_s = self._custody.shorter(self._sent_s + self._pace.heartbeat_s - self._clock.monotonic_s())
            # A change that came before the sleeping flag went up rang no bell.
            rang = self._roster.has_changes() or self._clock.wait(self._bell, due_s)
            self._outbox.stay_awake()
            if not rang or self._pressed() or not self._custody.holding:
                # What ends a silence goes on its way at once; what follows it gathers.
                return
        self._clock.wait(self._bell, self._custody.longer(self._pace.linger_s))

    def _pressed(self) -> bool:
        """Whether somebody waits for the pump: to flush, or to close."""
        return self._until_s is not None or not self._outbox.accounted(self._hurry_to)

    def _carry(self, parcels: list[Parcel]) -> bool:
        """Store parcels, however long it takes; False if the time for closing ran out first."""
        while not self._abandoned:
            self._roster.hear()
            error = self._attempt(parcels)
            if error is None:
                return True
            dropped = self._dropped()
            self._trouble.watch(dropped)
            pause_s = self._trouble.failed(error, dropped)
            if self._until_s is not None:
                left_s = self._until_s - self._clock.monotonic_s()
                if left_s <= 0 or isinstance(error, LogRefused):
                    break
                pause_s = min(pause_s, left_s)
            self._clock.wait(self._bell, pause_s)
        self._given_up = True
        return False

    def _attempt(self, parcels: list[Parcel]) -> Exception | None:
        """Hand parcels to the log once; return what went wrong."""
        try:
            with self._in_libraries:
                kept = self._carrier.carry([parcel.cargo for parcel in parcels], self._patience_s())
        except Exception as error:  # noqa: BLE001 - a log that raises what it should not is still one to come back to
            with self._outbox.lock:
                self._outbox.ledger.retries += 1
                self._note(error)
            return error
        if kept is None:
            self._stored(parcels)
        else:
            self._custody.hold(parcels, kept)
        self._sent_s = self._clock.monotonic_s()
        return None

    def _patience_s(self) -> float:
        if self._until_s is None:
            return APPEND_TIMEOUT_S
        until_s = self._until_s + (self._goodbye_s if self._given_up else 0.0)
        return max(LEAST_TIMEOUT_S, min(APPEND_TIMEOUT_S, until_s - self._clock.monotonic_s()))

    def _stored(self, parcels: list[Parcel]) -> None:
        with self._outbox.lock:
            for parcel in parcels:
                self._outbox.ledger.settle(parcel.haul, self._carrier.size(parcel.cargo))
        self._trouble.over(self._dropped())
        self._progress.ring()

    def _hear_of_kept(self) -> None:
        if self._custody.look():
            self._progress.ring()

    def _dropped(self) -> int:
        return sum(self._outbox.stats().dropped.values())

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was offered before this call is stored, or dropped and declared.

        Returns whether it was so within ``timeout_s``. On the pump's own thread it does not wait.
        """
        number = self._outbox.next_number
        if self._wanted and current_thread() is not self._thread and not self._outbox.accounted(number):
            self._hurry_to = max(self._hurry_to, number)
            self._press_on(lambda: self._done or self._outbox.accounted(number), timeout_s)
        return self._outbox.accounted(number)

    def _press_on(self, is_so: Callable[[], bool], timeout_s: float) -> bool:
        """Have the pump work at once, and wait until ``is_so``; as long as it has no thread, ask for one."""
        until_s = time.monotonic() + timeout_s
        while True:
            self.wake()
            if self._thread is not None:
                self._outbox.stay_awake()
                return self._progress.wait_for(is_so, until_s - time.monotonic())
            left_s = until_s - time.monotonic()
            if left_s <= 0 or self._progress.wait_for(is_so, min(left_s, THREAD_RETRY_S)):
                return is_so()

    def close(self, flush_s: float, goodbye_s: float) -> bool:
        """Send what waits for at most ``flush_s`` more, say goodbye within ``goodbye_s`` more, and end.

        Returns whether the thread has ended by itself. A thread that hangs in its log is abandoned:
        what it held is dropped, and counted so even if the log stores it after all.
        """
        if self._thread is None and not self._wanted:
            self._outbox.retire(CLOSING)
            return True
        end_s = time.monotonic() + flush_s + goodbye_s
        self.begin_closing(flush_s, goodbye_s)
        if self._thread is None:
            # Whoever closes has a thread, and waits for this anyway.
            self.run()
        thread = self._thread
        if thread is None or thread is current_thread():
            return True
        if not self.ended(flush_s):
            self.interrupt()
            self.ended(end_s - time.monotonic())
        if self._done:
            thread.join(max(LEAST_TIMEOUT_S, end_s - time.monotonic()))
        else:
            self._abandoned = True
            self._outbox.retire(CLOSING)
        return self._done

    def ended(self, timeout_s: float) -> bool:
        """Wait for the thread to end, at most ``timeout_s``; return whether it has, or is given up."""
        return self._progress.wait_for(lambda: self._done or self._abandoned, timeout_s)

    def interrupt(self) -> None:
        """Make the log end what it is at, if the thread has not ended; returns at once."""
        if not self._done:
            self._guarded(self._carrier.interrupt, "the log could not be interrupted")

    def begin_closing(self, flush_s: float, goodbye_s: float) -> None:
        """Let the thread leave as ``close`` says; does not wait for it."""
        if self._until_s is None:
            self._goodbye_s = goodbye_s
            self._until_s = self._clock.monotonic_s() + flush_s
        if self._thread is None and self._wanted:
            self._retry_s = -math.inf
            self._start()
        self._outbox.stay_awake()
        self._bell.ring()

    def leave(self) -> None:
        """Send what waits, as long as there is time; give up the rest; say goodbye."""
        until_s = self._until_s if self._until_s is not None else self._clock.monotonic_s()
        while not self._given_up and not self._outbox.accounted(self._outbox.next_number):
            self.turn()
            self._custody.wait(self._clock, self._bell, until_s)
            if self._clock.monotonic_s() >= until_s:
                self._given_up = True
        self._outbox.retire(CLOSING)
        if self._abandoned:
            return
        # There is no later in which to try again: without goodbye, scopes say that the probe fell silent.
        with self._in_libraries:
            error = self._attempt(self._packer.farewell())
        if error is not None:
            LOGGER.info("%s: left without goodbye: %s", self._who, error)
        while self._custody.wait(self._clock, self._bell, until_s + self._goodbye_s / 2):
            self._hear_of_kept()

    def _guarded(self, call: Callable[[], object], what: str) -> None:
        """Leave in order whatever the log does."""
        try:
            call()
        except Exception as error:  # noqa: BLE001 - everything is accounted for; nothing of ours depends on it
            LOGGER.warning("%s: %s: %s", self._who, what, error)

    def _fail(self, error: BaseException) -> None:
        LOGGER.error("%s: the pump failed; steps are dropped from now on", self._who, exc_info=error)
        self._note(error)
        self._outbox.retire(PROBE_FAILED)

    def _finish(self) -> None:
        self._done = True
        self._progress.ring()
