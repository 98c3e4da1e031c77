"""The pump, a probe's only thread: moves steps from the outbox to the log, retrying until they are stored."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from threading import Lock, RLock, Thread, current_thread

from farscope.errors import LogRefused
from farscope.probe.accounting import CLOSING, PROBE_FAILED
from farscope.probe.announcements import ChartDirectory
from farscope.probe.backoff import LOGGER, BackOff
from farscope.probe.batcher import Batcher, OutgoingBatch
from farscope.probe.clock import Clock, Waiters, Wakeup
from farscope.probe.outbox import Outbox
from farscope.probe.transport import AnyTransport, Kept
from farscope.records.heartbeat import HEARTBEAT_S
from farscope.records.outside import raised_by_a_signal_handler
from farscope.wire.envelope import Flags

BATCH_STEPS = 4_096
"""Maximum number of steps in a batch; further steps go into another batch."""
BATCHES_AT_ONCE = 8
"""Maximum number of batches passed to the log together; the pump holds no other steps."""
LINGER_S = 0.01
"""How long steps accumulate before they are sent; adds this much to the delay seen by a scope. The first step
after a silence is sent at once. At a thousand steps per second, doubling this would save a third of the bytes
and 2 % of a core."""
STRUCTURES_S = 5.0
"""How often charts are introduced to late joiners while a steady flow of steps leaves no heartbeats."""
APPEND_TIMEOUT_S = 10.0
"""How long the log may take to store batches before they are passed to it again."""
LEAST_TIMEOUT_S = 0.05
"""Minimum time given to a log, however little is left for closing."""
THREAD_RETRY_S = 0.5
"""Retry interval while the system cannot start another thread; meanwhile steps wait in the outbox."""
POLL_KEPT_S = 0.05
"""How often the pump asks about kept batches; ``flush`` and ``stats`` see the outcome with this delay."""
KEPT_LINGER_S = 0.25
"""Minimum time steps accumulate while batches are kept: nobody sees them yet, and it makes fewer batches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Timing and batch sizes of a pump; the constants above explain each field."""

    batch_steps: int = BATCH_STEPS
    linger_s: float = LINGER_S
    heartbeat_s: float = HEARTBEAT_S
    structures_s: float = STRUCTURES_S


class Life(IntEnum):
    """The stages of a pump's life. It only ever moves to a later one, and may skip some."""

    NEW = 0
    """Nothing was ever to be sent."""
    WANTED = 1
    """A thread is wanted; it may be impossible to start one at the moment."""
    RUNNING = 2
    """The thread sends steps."""
    FLUSHING = 3
    """The thread was asked to end, and sends the steps that wait."""
    OVERDUE = 4
    """The time for flushing has expired: steps are dropped, and only the goodbye is still sent."""
    ABANDONED = 5
    """The thread hangs in its log, and is no longer waited for."""
    ENDED = 6
    """The thread has ended; nothing is sent any more."""


class KeptBatches:
    """Batches that the transport keeps, such as in a spool; used only by the pump's thread."""

    def __init__(self, outbox: Outbox, transport: AnyTransport) -> None:
        self._outbox = outbox
        self._transport = transport

    def __bool__(self) -> bool:
        return self._outbox.account.has_kept

    def add(self, batches: Sequence[OutgoingBatch], first_key: int) -> None:
        """Record that the transport keeps ``batches``, the first under ``first_key``."""
        with self._outbox.lock:
            for key, batch in enumerate(batches, first_key):
                self._outbox.account.keep(batch.chunk, key, self._transport.size(batch.payload))

    def poll(self) -> bool:
        """Record the outcome of kept batches; return whether that of any has become known."""
        if not self:
            return False
        report = self._transport.delivery_report()
        with self._outbox.lock:
            account = self._outbox.account
            for key in report.stored:
                account.confirm_kept(key)
            for key, reason in report.lost:
                account.drop_kept(key, reason)
            account.retries += report.failures
            account.last_error = report.last_error or account.last_error
        return bool(report.stored or report.lost)

    def wait(self, clock: Clock, wakeup: Wakeup, until_s: float) -> bool:
        """Wait briefly if anything is kept and time is left; return whether both were true."""
        left_s = until_s - clock.monotonic_s()
        if not self or left_s <= 0:
            return False
        clock.wait(wakeup, min(POLL_KEPT_S, left_s))
        return True


class Pump:
    """Moves steps from the outbox to the log. ``turn`` and ``rest`` form its thread's loop.

    A turn ends only after the log has stored everything the turn took: loaded batches wait and keep their
    numbers, while the outbox behind them fills up and, when full, drops steps.
    """

    def __init__(
        self,
        outbox: Outbox,
        directory: ChartDirectory,
        batcher: Batcher,
        transport: AnyTransport,
        *,
        clock: Clock,
        pace: Pace,
        who: str,
    ) -> None:
        self._outbox = outbox
        self._directory = directory
        self._batcher = batcher
        self._transport = transport
        self._clock = clock
        self._pace = pace
        self._who = who
        self._kept = KeptBatches(outbox, transport)
        self._back_off = BackOff(clock, who)
        self._wakeup = Wakeup()
        self._claim = Lock()
        """Acquired permanently by the first thread that runs the pump: two may have been started at once."""
        self._in_libraries = RLock()
        """Held while SQLite, OpenSSL or a broker's client may hold internal locks: see ``lifecycle``."""
        self._thread: Thread | None = None
        self._retry_s = -math.inf
        self._progress = Waiters()
        self._stages = [Life.NEW]
        """All stages reached so far. Appended to only: appending is atomic, and a late entry does no harm."""
        self._flush_until_s = math.inf
        self._goodbye_s = 0.0
        self._flush_number = 0
        """Callers of ``flush`` wait for the steps below this number."""
        self._sent_steps = False
        """Whether the last turn had steps to send."""
        self._sent_s = self._introduced_s = -math.inf

    @property
    def life(self) -> Life:
        """The stage that the pump has reached."""
        return max(self._stages)

    def _reach(self, stage: Life) -> None:
        if self.life < stage:
            self._stages.append(stage)

    def wake(self) -> None:
        """Make the pump check the outbox now; start its thread if it never ran. Never blocks for long."""
        self._reach(Life.WANTED)
        if self._thread is None:
            self._start()
        self._wakeup.set()

    def _start(self) -> None:
        if time.monotonic() < self._retry_s:
            self._outbox.mark_asleep()
            return
        thread = Thread(target=self.run, name=f"farscope {self._who}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            # No thread available, or the interpreter is shutting down: the next caller tries again.
            first = self._retry_s == -math.inf
            self._retry_s = time.monotonic() + THREAD_RETRY_S
            self._outbox.mark_asleep()
            self._note(error)
            if first:
                LOGGER.warning("%s: no thread can be started, steps wait: %s", self._who, error)
        else:
            self._thread = self._thread or thread

    def _note(self, error: BaseException) -> None:
        self._outbox.account.last_error = f"{type(error).__name__}: {error}"

    @property
    def started(self) -> bool:
        """Whether the thread has ever been started."""
        return self._thread is not None

    def run(self) -> None:
        """Work until asked to leave; the body of the thread."""
        if not self._claim.acquire(blocking=False):
            return
        self._thread = current_thread()
        self._reach(Life.RUNNING)
        try:
            while self.life < Life.FLUSHING:
                self.turn()
                self.rest()
            self.leave()
        except BaseException as error:  # logged, and every step counted as dropped: no silent end
            self._fail(error)
            if not isinstance(error, Exception) or raised_by_a_signal_handler(error):
                raise
        finally:
            with self._in_libraries:
                self._guarded(
                    partial(self._transport.close, LEAST_TIMEOUT_S), "the log did not close in order"
                )
                self._guarded(self._kept.poll, "what was kept could not be accounted for")
            self._reach(Life.ENDED)
            self._progress.notify_all()

    def pause(self, timeout_s: float) -> bool:
        """Keep the pump out of log and sealing code; return False if it did not leave that code in time."""
        return self._in_libraries.acquire(timeout=timeout_s)

    def resume(self) -> None:
        """Undo one ``pause`` that returned True; must be called on the same thread."""
        self._in_libraries.release()

    def turn(self) -> bool:
        """Send due announcements and waiting steps once; return False if its time has expired."""
        self._poll_kept()
        with self._in_libraries:
            outgoing = self._introductions()
            introductions = len(outgoing)
            for _ in range(BATCHES_AT_ONCE):
                outgoing += self._batcher.steps(self._pace.batch_steps)
                if self._outbox.backlog < self._pace.batch_steps:
                    break
        self._sent_steps = len(outgoing) > introductions
        sent = not outgoing or self._send(outgoing)
        self._back_off.watch_drops(self._dropped())
        return sent

    def _introductions(self) -> list[OutgoingBatch]:
        now_s = self._clock.monotonic_s()
        head = self._outbox.head
        # A mere heartbeat is meaningless once it has waited on a disk.
        if not self._kept and (
            now_s - self._sent_s >= self._pace.heartbeat_s
            or now_s - self._introduced_s >= self._pace.structures_s
        ):
            self._introduced_s = now_s
            return self._batcher.announcement(self._directory.all_entries(head), Flags.HEARTBEAT)
        changes = self._directory.changes(head)
        return self._batcher.announcement(changes, Flags.HEARTBEAT) if changes else []

    def rest(self) -> None:
        """Let steps accumulate after those just sent, or sleep until a step arrives or a heartbeat is due."""
        if self._pressed() or self._outbox.backlog >= self._pace.batch_steps:
            if self._kept:
                self._clock.wait(self._wakeup, POLL_KEPT_S)
            return
        if not self._sent_steps and not self._directory.has_changes() and self._outbox.try_to_sleep():
            # A delivery report wakes nobody.
            due_s = self._sent_s + self._pace.heartbeat_s - self._clock.monotonic_s()
            sleep_s = POLL_KEPT_S if self._kept else due_s
            # A change made before the sleeping flag was set did not set the wakeup.
            woken = self._directory.has_changes() or self._clock.wait(self._wakeup, sleep_s)
            self._outbox.mark_awake()
            if not woken or self._pressed() or not self._kept:
                # The first step after a silence is sent at once; those after it accumulate.
                return
        linger_s = self._pace.linger_s
        self._clock.wait(self._wakeup, max(linger_s, KEPT_LINGER_S) if self._kept else linger_s)

    def _pressed(self) -> bool:
        """Whether a caller is waiting for the pump, to flush or to close."""
        return self.life >= Life.FLUSHING or not self._outbox.accounted(self._flush_number)

    def _send(self, outgoing: list[OutgoingBatch]) -> bool:
        """Store batches, however long it takes; return False if the closing timeout expired first."""
        while self.life < Life.ABANDONED:
            self._directory.apply_changes()
            error = self._attempt(outgoing)
            if error is None:
                return True
            dropped = self._dropped()
            self._back_off.watch_drops(dropped)
            pause_s = self._back_off.failed(error, dropped)
            if self.life >= Life.FLUSHING:
                left_s = self._flush_until_s - self._clock.monotonic_s()
                if left_s <= 0 or isinstance(error, LogRefused):
                    break
                pause_s = min(pause_s, left_s)
            self._clock.wait(self._wakeup, pause_s)
        self._reach(Life.OVERDUE)
        return False

    def _attempt(self, outgoing: list[OutgoingBatch]) -> Exception | None:
        """Pass batches to the log once; return the error, if any."""
        try:
            with self._in_libraries:
                delivery = self._transport.send([batch.payload for batch in outgoing], self._timeout_s())
        except Exception as error:  # noqa: BLE001 - a log that raises what it should not is still one to come back to
            with self._outbox.lock:
                self._outbox.account.retries += 1
                self._note(error)
            return error
        if isinstance(delivery, Kept):
            self._kept.add(outgoing, delivery.first_key)
        else:
            self._stored(outgoing)
        self._sent_s = self._clock.monotonic_s()
        return None

    def _timeout_s(self) -> float:
        if self.life < Life.FLUSHING:
            return APPEND_TIMEOUT_S
        until_s = self._flush_until_s + (self._goodbye_s if self.life >= Life.OVERDUE else 0.0)
        return max(LEAST_TIMEOUT_S, min(APPEND_TIMEOUT_S, until_s - self._clock.monotonic_s()))

    def _stored(self, outgoing: list[OutgoingBatch]) -> None:
        with self._outbox.lock:
            for batch in outgoing:
                self._outbox.account.confirm(batch.chunk, self._transport.size(batch.payload))
        self._back_off.succeeded(self._dropped())
        self._progress.notify_all()

    def _poll_kept(self) -> None:
        if self._kept.poll():
            self._progress.notify_all()

    def _dropped(self) -> int:
        return sum(self._outbox.stats().dropped.values())

    def flush(self, timeout_s: float) -> bool:
        """Wait until all steps offered before this call are stored, or dropped and declared.

        Returns whether this happened within ``timeout_s``. On the pump's own thread it does not wait.
        """
        number = self._outbox.next_number
        wanted = self.life > Life.NEW and current_thread() is not self._thread
        if wanted and not self._outbox.accounted(number):
            self._flush_number = max(self._flush_number, number)
            self._hurry(lambda: self.life is Life.ENDED or self._outbox.accounted(number), timeout_s)
        return self._outbox.accounted(number)

    def _hurry(self, is_so: Callable[[], bool], timeout_s: float) -> bool:
        """Make the pump work at once, and wait until ``is_so``; retry to start a missing thread."""
        until_s = time.monotonic() + timeout_s
        while True:
            self.wake()
            if self._thread is not None:
                self._outbox.mark_awake()
                return self._progress.wait_for(is_so, until_s - time.monotonic())
            left_s = until_s - time.monotonic()
            if left_s <= 0 or self._progress.wait_for(is_so, min(left_s, THREAD_RETRY_S)):
                return is_so()

    def close(self, flush_s: float, goodbye_s: float) -> bool:
        """Send waiting steps for up to ``flush_s``, say goodbye within a further ``goodbye_s``, and end.

        Returns whether the thread ended by itself. A thread that hangs in its log is abandoned: the steps
        it held are dropped, and counted as dropped even if the log stores them after all.
        """
        if self._thread is None and self.life is Life.NEW:
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
        if self.life is Life.ENDED:
            thread.join(max(LEAST_TIMEOUT_S, end_s - time.monotonic()))
        else:
            self._reach(Life.ABANDONED)
            self._outbox.retire(CLOSING)
        return self.life is Life.ENDED

    def ended(self, timeout_s: float) -> bool:
        """Wait up to ``timeout_s`` for the thread to end; return whether it has ended or been abandoned."""
        return self._progress.wait_for(lambda: self.life >= Life.ABANDONED, timeout_s)

    def interrupt(self) -> None:
        """Interrupt the log's current operation if the thread has not ended; return immediately."""
        if self.life is not Life.ENDED:
            self._guarded(self._transport.interrupt, "the log could not be interrupted")

    def begin_closing(self, flush_s: float, goodbye_s: float) -> None:
        """Ask the thread to leave as described for ``close``, without waiting for it."""
        wanted = self.life > Life.NEW
        if self.life < Life.FLUSHING:
            self._goodbye_s = goodbye_s
            self._flush_until_s = self._clock.monotonic_s() + flush_s
            self._reach(Life.FLUSHING)
        if self._thread is None and wanted:
            self._retry_s = -math.inf
            self._start()
        self._outbox.mark_awake()
        self._wakeup.set()

    def leave(self) -> None:
        """Send waiting steps while there is time, drop the rest, and say goodbye."""
        until_s = self._flush_until_s
        while self.life < Life.OVERDUE and not self._outbox.accounted(self._outbox.next_number):
            self.turn()
            self._kept.wait(self._clock, self._wakeup, until_s)
            if self._clock.monotonic_s() >= until_s:
                self._reach(Life.OVERDUE)
        self._outbox.retire(CLOSING)
        if self.life is Life.ABANDONED:
            return
        # Last chance: without a goodbye, scopes report that the probe fell silent.
        with self._in_libraries:
            error = self._attempt(self._batcher.goodbye())
        if error is not None:
            LOGGER.info("%s: left without goodbye: %s", self._who, error)
        while self._kept.wait(self._clock, self._wakeup, until_s + self._goodbye_s / 2):
            self._poll_kept()

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
