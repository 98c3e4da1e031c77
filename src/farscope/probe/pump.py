"""The pump, a probe's only thread: moves steps from the outbox to the log, retrying until they are stored."""

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
"""Retry interval while the system cannot start another thread; meanwhile steps wait in the outbox."""


class Pump:
    """Moves steps from the outbox to the log. ``turn`` and ``rest`` form its thread's loop.

    A turn ends only after the log has stored everything the turn took: loaded batches wait and keep their
    numbers, while the outbox behind them fills up and, when full, drops steps.
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
        """Acquired permanently by the first thread that runs the pump: two may have been started at once."""
        self._in_libraries = RLock()
        """Held while SQLite, OpenSSL or a broker's client may hold internal locks: see ``lifecycle``."""
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
        """Make the pump check the outbox now; start its thread if it never ran. Never blocks for long."""
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
            # No thread available, or the interpreter is shutting down: the next caller tries again.
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
        """Whether the thread has ever been started."""
        return self._thread is not None

    def run(self) -> None:
        """Work until asked to leave; the body of the thread."""
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
        """Keep the pump out of log and sealing code; return False if it did not leave that code in time."""
        return self._in_libraries.acquire(timeout=timeout_s)

    def go_on(self) -> None:
        """Undo one ``hold_still`` that returned True; must be called on the same thread."""
        self._in_libraries.release()

    def turn(self) -> bool:
        """Send due announcements and waiting steps once; return False if it ran out of time and gave up."""
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
        # A mere heartbeat is meaningless once it has waited on a disk.
        if not self._custody.holding and (
            now_s - self._sent_s >= self._pace.heartbeat_s
            or now_s - self._introduced_s >= self._pace.structures_s
        ):
            self._introduced_s = now_s
            return self._packer.announcement(self._roster.everything(head), Flags.HEARTBEAT)
        changes = self._roster.changes(head)
        return self._packer.announcement(changes, Flags.HEARTBEAT) if changes else []

    def rest(self) -> None:
        """Let steps accumulate after those just sent, or sleep until a step arrives or a heartbeat is due."""
        if self._pressed() or self._outbox.backlog >= self._pace.batch_steps:
            if self._custody.holding:
                self._clock.wait(self._bell, LOOK_S)
            return
        if not self._busy and not self._roster.has_changes() and self._outbox.fall_asleep():
            due_s = self._custody.shorter(self._sent_s + self._pace.heartbeat_s - self._clock.monotonic_s())
            # A change made before the sleeping flag was set did not ring the bell.
            rang = self._roster.has_changes() or self._clock.wait(self._bell, due_s)
            self._outbox.stay_awake()
            if not rang or self._pressed() or not self._custody.holding:
                # The first step after a silence is sent at once; those after it accumulate.
                return
        self._clock.wait(self._bell, self._custody.longer(self._pace.linger_s))

    def _pressed(self) -> bool:
        """Whether a caller is waiting for the pump, to flush or to close."""
        return self._until_s is not None or not self._outbox.accounted(self._hurry_to)

    def _carry(self, parcels: list[Parcel]) -> bool:
        """Store parcels, however long it takes; return False if the closing timeout expired first."""
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
        """Pass parcels to the log once; return the error, if any."""
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
        """Wait until all steps offered before this call are stored, or dropped and declared.

        Returns whether this happened within ``timeout_s``. On the pump's own thread it does not wait.
        """
        number = self._outbox.next_number
        if self._wanted and current_thread() is not self._thread and not self._outbox.accounted(number):
            self._hurry_to = max(self._hurry_to, number)
            self._press_on(lambda: self._done or self._outbox.accounted(number), timeout_s)
        return self._outbox.accounted(number)

    def _press_on(self, is_so: Callable[[], bool], timeout_s: float) -> bool:
        """Make the pump work at once, and wait until ``is_so``; retry to start a missing thread."""
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
        """Send waiting steps for up to ``flush_s``, say goodbye within a further ``goodbye_s``, and end.

        Returns whether the thread ended by itself. A thread that hangs in its log is abandoned: the steps
        it held are dropped, and counted as dropped even if the log stores them after all.
        """
        if self._thread is None and not self._wanted:
            self._outbox.retire(CLOSING)
            return True
        end_s = time.monotonic() + flush_s + goodbye_s
        self.begin_closing(flush_s, goodbye_s)
        if self._thread is None:
            # The closing caller has a thread, and waits for this anyway.
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
        """Wait up to ``timeout_s`` for the thread to end; return whether it has ended or been abandoned."""
        return self._progress.wait_for(lambda: self._done or self._abandoned, timeout_s)

    def interrupt(self) -> None:
        """Interrupt the log's current operation if the thread has not ended; return immediately."""
        if not self._done:
            self._guarded(self._carrier.interrupt, "the log could not be interrupted")

    def begin_closing(self, flush_s: float, goodbye_s: float) -> None:
        """Ask the thread to leave as described for ``close``, without waiting for it."""
        if self._until_s is None:
            self._goodbye_s = goodbye_s
            self._until_s = self._clock.monotonic_s() + flush_s
        if self._thread is None and self._wanted:
            self._retry_s = -math.inf
            self._start()
        self._outbox.stay_awake()
        self._bell.ring()

    def leave(self) -> None:
        """Send waiting steps while there is time, give up the rest, and say goodbye."""
        until_s = self._until_s if self._until_s is not None else self._clock.monotonic_s()
        while not self._given_up and not self._outbox.accounted(self._outbox.next_number):
            self.turn()
            self._custody.wait(self._clock, self._bell, until_s)
            if self._clock.monotonic_s() >= until_s:
                self._given_up = True
        self._outbox.retire(CLOSING)
        if self._abandoned:
            return
        # Last chance: without a goodbye, scopes report that the probe fell silent.
        with self._in_libraries:
            error = self._attempt(self._packer.farewell())
        if error is not None:
            LOGGER.info("%s: left without goodbye: %s", self._who, error)
        while self._custody.wait(self._clock, self._bell, until_s + self._goodbye_s / 2):
            self._hear_of_kept()

    def _guarded(self, call: Callable[[], object], what: str) -> None:
        """Call ``call`` so that the pump ends in order whatever the log does."""
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
