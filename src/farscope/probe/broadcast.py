"""``broadcast`` and ``Probe``: make charts visible to other processes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Self

from farscope.errors import UsageError
from farscope.log_records import hold_handler, level_number, release_handler
from farscope.probe import lifecycle as registry
from farscope.probe import termination
from farscope.probe.accounting import CLOSING, ProbeStats
from farscope.probe.announcements import ChartDirectory
from farscope.probe.backoff import LOGGER
from farscope.probe.batcher import Batcher, Origin
from farscope.probe.clock import Clock, SystemClock
from farscope.probe.lifecycle import GOODBYE_SHARE
from farscope.probe.outbox import OUTBOX_STEPS, DropPolicy, Outbox
from farscope.probe.pump import LINGER_S, Pace, Pump
from farscope.probe.route import AnyKey, SpoolPlace, route
from farscope.probe.service import OriginProcess, service_name
from farscope.probe.shown_values import ShownValues, ValueCounts, checked_values
from farscope.probe.sinks import AnySink, PlainSink, SinkEnds, ValuedSink, Watched, held_weakly
from farscope.probe.transport import AnyTransport, TransportMaker
from farscope.records.cause_token import invalid_tokens
from farscope.records.heartbeat import HEARTBEAT_S, MAX_HEARTBEAT_S, MAX_SILENCE_S, SILENT_AFTER_S
from farscope.records.observable import Observable
from farscope.records.sink import NO_LOGS
from farscope.records.structure import ChartStatus
from farscope.values import ValuesFunction
from farscope.wire.batch import TokenEntry
from farscope.wire.registry import Wire

CLOSE_S = 2.0
"""Default timeout of ``close``; steps not stored by then are dropped and counted under ``closing``."""
FLUSH_S = 5.0
"""Default timeout of ``flush``."""
TOKENS_KEPT = 65_536
"""Tokens of steps that wait to be sent, as while the log is unreachable; beyond this, the oldest is never
sent, and what it caused is shown without its cause."""
_SILENT = f"scopes call a chart silent after {SILENT_AFTER_S:g} without one"

_parents_transports: list[AnyTransport] = []
"""In a forked child: transports the parent still uses. Closing or freeing them could disturb the parent."""


class Probe:
    """Broadcasts the steps of charts; made by ``broadcast``.

    All methods may be called from any thread. A probe lives until it is closed or the program ends, whether
    or not the program keeps a reference to it. It keeps no charts alive: a chart that runs by itself lives
    until it ends, one driven by its caller lives as long as the caller keeps a reference. A chart that is
    stopped or garbage-collected is released, and watchers see it as stopped; one that is removed is released
    too, and watchers see that it is no longer observed.

    In a forked child a probe continues as a new one, with a new id and all counts at zero; pending steps
    stay with the parent.
    """

    def __init__(
        self,
        make_transport: TransportMaker,
        address: str,
        *,
        capacity: int = OUTBOX_STEPS,
        drop: DropPolicy = "newest",
        pace: Pace | None = None,
        clock: Clock | None = None,
        service: str = "",
        origin: OriginProcess | None = None,
        children: bool = True,
        values: ValuesFunction | None = None,
        log_level: int = NO_LOGS,
    ) -> None:
        self._children = children
        self._service = service
        self._elsewhere = origin
        self._values = values
        self._log_level = log_level
        self._value_counts = ValueCounts()
        self._make_transport = make_transport
        self._address = address
        self._pace = pace or Pace()
        self._clock = clock or SystemClock()
        self._watched: dict[int, Watched] = {}
        self._closed = False
        self._reported = False
        self._outbox = Outbox(self._wake, capacity, drop)
        self._directory = ChartDirectory()
        self._tokens: deque[TokenEntry] = deque(maxlen=TOKENS_KEPT)
        self._ends = SinkEnds(self._outbox, self._directory, self._tokens, lambda: self.id)
        self._begin()

    def _begin(self) -> None:
        self._origin = (
            Origin.here(self._clock, self._service)
            if self._elsewhere is None
            else Origin.elsewhere(self._clock, self._elsewhere)
        )
        self._transport = self._make_transport(self._origin.probe)
        batcher = Batcher(
            self._origin,
            self._outbox,
            self._directory,
            self._transport,
            self._clock,
            heartbeat_s=self._pace.heartbeat_s,
            tokens=self._tokens,
        )
        who = f"probe {self.id[:8]} to {self._address}"
        self._pump = Pump(
            self._outbox,
            self._directory,
            batcher,
            self._transport,
            clock=self._clock,
            pace=self._pace,
            who=who,
        )

    def _wake(self) -> None:
        registry.look_for_fork()
        if not self._pump.started:
            registry.hook_children()
        self._pump.wake()

    @property
    def id(self) -> str:
        """Hex of 16 random bytes that identify this probe uniquely."""
        registry.look_for_fork()
        return self._origin.probe.hex()

    @property
    def stats(self) -> ProbeStats:
        """A consistent snapshot of the outcome of every step."""
        registry.look_for_fork()
        counts = self._value_counts
        return replace(
            self._outbox.stats(),
            invalid_tokens=invalid_tokens.count,
            values_failed=counts.failed.value,
            values_refused=counts.refused.value,
        )

    def add(
        self, *charts: Observable, values: ValuesFunction | None = None, logs: str | int | None = None
    ) -> None:
        """Broadcast these charts as well, and those they contain, unless the probe leaves these out.

        Charts that are already broadcast are left alone.

        Args:
            charts: the charts.
            values: as for ``broadcast``; None means the values function of the probe, if it has one.
            logs: as for ``broadcast``; None means the level of the probe, if it has one.

        Raises:
            UsageError: the probe is closed, an argument is not a chart, or an option has an invalid value.
        """
        _check_charts(charts)
        function = self._values if values is None else checked_values(values)
        log_level = self._log_level if logs is None else level_number(logs)
        for chart in charts:
            if self._closed:
                raise UsageError("the probe is closed", "call broadcast() again")
            if log_level != NO_LOGS:
                hold_handler(self)
            self._add(chart, function, log_level)

    def _follow(self, values: ValuesFunction | None, log_level: int, child: Observable) -> None:
        """Broadcast a chart inside one that is broadcast, unless the probe leaves these out."""
        if self._children and not self._closed:
            self._add(child, values, log_level)

    def _add(self, chart: Observable, values: ValuesFunction | None, log_level: int) -> None:
        key = id(chart)
        watched = self._watched.get(key)
        if watched is None or watched.chart() is not chart:
            sink = self._sink(partial(self._watched.pop, key, None), values, log_level)
            self._watched[key] = watched = Watched(held_weakly(chart, partial(self._gone, key)), sink)
        try:
            # Repeated for a chart already listed: an error may have struck before it was attached.
            chart.attach(watched.sink)
        except BaseException:
            self.remove(chart)
            raise
        if self._closed:
            # Closed by another thread or a signal handler, perhaps before the chart could be detached.
            self.remove(chart)

    def _sink(self, release: Callable[[], object], values: ValuesFunction | None, log_level: int) -> AnySink:
        follow = partial(self._follow, values, log_level)
        if values is None:
            return PlainSink(self._ends, release, follow, log_level)
        shown = ShownValues(values, self._value_counts, self._outbox.limit_room)
        return ValuedSink(self._ends, release, follow, log_level, shown)

    def _gone(self, key: int, chart: object) -> None:
        """Handle the garbage collection of a chart; may be called on any thread at any time."""
        watched = self._watched.get(key)
        if watched is not None and watched.chart is chart:
            self._watched.pop(key, None)
            watched.sink.end()

    def remove(self, *charts: Observable) -> None:
        """Stop broadcasting these charts; watchers see that they are no longer observed, and may go on.

        Charts not broadcast are left alone. Charts that they contain are broadcast on, but those that start
        in them later are not.

        Stopped charts, and those with no other references, need not be removed. A chart may be added again.

        Raises:
            UsageError: an argument is not a chart.
        """
        _check_charts(charts)
        for chart in charts:
            watched = self._watched.get(id(chart))
            if watched is not None and watched.chart() is chart:
                chart.detach(watched.sink)
                watched.sink.end(ChartStatus.UNOBSERVED)
                self._watched.pop(id(chart), None)

    def flush(self, timeout_s: float = FLUSH_S) -> bool:
        """Wait until all steps offered before this call are stored, or dropped and declared.

        Returns whether this happened within ``timeout_s`` seconds. Never raises because the log fails.
        """
        registry.look_for_fork()
        return self._pump.flush(timeout_s)

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Stop broadcasting: store pending steps, say goodbye, and end within ``timeout_s`` seconds.

        Steps still pending then are dropped and counted under ``closing``; those in the spool stay there for
        the next program. Both are reported through the logger ``farscope``. Closing twice has no effect.
        """
        first, self._reported = not self._reported, True
        began_s = time.monotonic()
        self.begin_closing(timeout_s)
        left_s = max(0.0, timeout_s - (time.monotonic() - began_s))
        in_order = self._pump.close(left_s * (1 - GOODBYE_SHARE), left_s * GOODBYE_SHARE)
        registry.unregister(self)
        if not registry.any_open():
            termination.restore_signals()
        lost, spooled = self.stats.dropped.get(CLOSING, 0), self.stats.spooled
        if first and lost:
            LOGGER.warning("%s: %d steps were not stored: %s", self, lost, self.stats.last_error or "no time")
        if first and spooled:
            LOGGER.warning(
                "%s: %d steps wait in the spool and are sent by the next program that broadcasts to %s",
                *(self, spooled, self._address),
            )
        elif first and not in_order and not lost:
            LOGGER.warning("%s: the log hangs; no steps were pending", self)

    def begin_closing(self, timeout_s: float = CLOSE_S) -> None:
        """Detach from all charts and ask the pump to leave, without waiting for it as ``close`` does."""
        registry.look_for_fork()
        self._closed = True
        for key, watched in self._watched.copy().items():
            chart = watched.chart()
            if chart is not None:
                chart.detach(watched.sink)
            self._watched.pop(key, None)
        release_handler(self)
        if self._pump.started:
            self._pump.begin_closing(timeout_s * (1 - GOODBYE_SHARE), timeout_s * GOODBYE_SHARE)

    def ended(self, timeout_s: float) -> bool:
        """Wait up to ``timeout_s`` seconds for the pump to leave; return whether it has."""
        return not self._pump.started or self._pump.ended(timeout_s)

    def interrupt(self) -> None:
        """Interrupt the log's current operation."""
        self._pump.interrupt()

    def pause_for_fork(self, timeout_s: float) -> bool:
        """Keep the pump out of log and sealing code; return False if it did not leave that code in time."""
        return self._pump.pause(timeout_s)

    def resume_after_fork(self) -> None:
        """Undo one ``pause_for_fork`` that returned True; must be called on the same thread."""
        self._pump.resume()

    def restart_in_child(self, since_ns: int | None) -> None:
        """Continue as a new probe in a forked child.

        Called before anything else runs there. If the fork was noticed late, called as soon as it is noticed;
        steps that began at ``since_ns`` or later are then the child's.
        """
        if self._closed:
            return
        _parents_transports.append(self._transport)
        self._directory.reset()
        self._tokens.clear()
        self._begin()
        if since_ns is None:
            self._outbox.reset(asleep=True)
        else:
            self._outbox.start_over(since_ns)

    def send_waiting(self) -> None:
        """Wake the pump if there are waiting steps made before the fork was noticed."""
        if self._outbox.backlog:
            self._outbox.wake_if_asleep()

    def start(self) -> None:
        """Start the pump; from now on the probe is kept alive until it is closed."""
        registry.register(self)
        if registry.is_about_to_fork():
            self._outbox.mark_asleep()
        else:
            self._wake()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<probe {self.id[:8]} to {self._address}{', closed' if self._closed else ''}>"


def broadcast(
    *charts: Observable,
    url: str | None = None,
    key: AnyKey = None,
    wire: Wire = "batches",
    spool: SpoolPlace = True,
    capacity: int = OUTBOX_STEPS,
    drop: DropPolicy = "newest",
    linger_s: float = LINGER_S,
    heartbeat_s: float = HEARTBEAT_S,
    handle_sigterm: bool = True,
    clock: Clock | None = None,
    service: str | None = None,
    origin: OriginProcess | None = None,
    children: bool = True,
    values: ValuesFunction | None = None,
    logs: str | int | None = None,
) -> Probe:
    """Broadcast every step of ``charts`` from now on; the returned probe may be used in a ``with`` block.

    A chart never waits: its steps go into a bounded outbox, and another thread sends them. An unreachable
    log is retried indefinitely; ``Probe.stats`` reports the outcome of every step.

    Args:
        charts: the charts to broadcast; more can be added later.
        url: the destination; None means ``FARSCOPE_URL``, else the embedded log in the user's state folder.
        key: the key to seal with: a keyring, a key in base64, or the path of a key file; None means
            ``FARSCOPE_KEY_FILE``, else ``FARSCOPE_KEY``, else the user's key file. A file is reloaded when
            it changes.
        wire: the format of the steps: ``batches`` for sealed batches, ``lines`` for the miros Fernet lines.
        spool: the folder where sealed batches wait while a network log is unreachable. True means one in
            the user's state folder; False or None means no spool: steps then wait in memory only.
        capacity: the maximum number of steps in the outbox.
        drop: which step a full outbox drops: the ``newest`` or the ``oldest``.
        linger_s: how long steps accumulate before they are sent: 0 to 2 seconds.
        heartbeat_s: the number of seconds without a step after which the probe sends a heartbeat: more than
            0, at most 3,600. Scopes report a chart as silent after 5 intervals, at least 5 seconds.
        handle_sigterm: whether SIGTERM and SIGHUP close all probes of the program, within 2 seconds, before
            they end it. Has no effect on a signal that is already handled or ignored, or when called on a
            thread other than the main one.
        clock: the source of time and randomness; None means the machine's.
        service: the name under which this process is shown; None means ``FARSCOPE_SERVICE``, else the name of
            the program.
        origin: the process in which the charts run, if that is not this one, as with a bridge to programs
            that cannot broadcast themselves; its host, number and service are shown in place of this
            process's. ``service`` then replaces the service it names. One probe has one origin.
        children: whether charts that these charts contain, at any depth, are broadcast as well: those that
            run, and those that start later.
        values: returns what each step shows besides its record, by name: numbers, texts and booleans; None
            means nothing. Called with the chart and the event at the end of each step, on the chart's thread;
            ``farscope.values`` has ready-made ones. At most 16 values are kept, with names and texts of at
            most 256 characters. An error it raises does not reach the chart; it is counted in ``Probe.stats``
            and reported once.
        logs: the lowest level, such as ``"INFO"``, of the ``logging`` records that become facts of the step
            inside which they are made; None means no records do. Records that a logger does not make, because
            of its level or that of a logger above it, do not become facts either.

    Raises:
        BadUrl, LogRefused: the address is invalid or unusable.
        KeyringError: there is no key, or it may not be used.
        UsageError: an argument is not a chart, or an option has an invalid value.
    """
    _check_charts(charts)
    if drop not in ("newest", "oldest"):
        raise UsageError(f"a full outbox cannot drop the {drop!r}", 'use drop="newest" or drop="oldest"')
    if capacity < 1:
        raise UsageError(f"an outbox with room for {capacity} steps", "give a capacity of 1 or more")
    _check_pace(linger_s, heartbeat_s)
    name = service_name(service) if origin is None or service is not None else origin.service
    if origin is not None:
        origin = origin._replace(service=name).checked()
    function = None if values is None else checked_values(values)
    log_level = NO_LOGS if logs is None else level_number(logs)
    way = route(url, key, wire, spool)
    probe = Probe(
        way.make_transport,
        way.address,
        capacity=capacity,
        drop=drop,
        pace=Pace(linger_s=linger_s, heartbeat_s=heartbeat_s),
        clock=clock,
        service=name,
        origin=origin,
        children=children,
        values=function,
        log_level=log_level,
    )
    try:
        probe.add(*charts)
        probe.start()
        if handle_sigterm:
            termination.close_on_signals()
    except BaseException:
        probe.close()
        raise
    return probe


def _check_pace(linger_s: float, heartbeat_s: float) -> None:
    """Reject times that would make scopes report a healthy probe as silent."""
    if not 0 < heartbeat_s <= MAX_HEARTBEAT_S:
        raise UsageError(
            f"a heartbeat every {heartbeat_s:g} seconds is not a sign of life",
            f"give heartbeat_s more than 0 and at most {MAX_HEARTBEAT_S:g} seconds",
        )
    if not 0 <= linger_s <= MAX_SILENCE_S:
        raise UsageError(
            f"steps that gather for {linger_s:g} seconds: {_SILENT}",
            f"give linger_s 0 to {MAX_SILENCE_S:g} seconds",
        )


def _check_charts(charts: tuple[object, ...]) -> None:
    for chart in charts:
        if not isinstance(chart, Observable):
            # The value itself is not shown: an address or a key may be a secret.
            raise UsageError(
                f"{_kind_of(chart)} is not a chart that can be broadcast",
                "give charts of farscope, or objects whose class derives from farscope.records.observable."
                'Observable, first, and the address by name: broadcast(chart, url="sqlite:x")',
            )


def _kind_of(value: object) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__} itself"
    kind = type(value)
    article = "an" if kind.__name__[0] in "AEIOU" else "a"
    library = kind.__module__.partition(".")[0]
    of = "" if library in ("builtins", "__main__") else f" of {library}"
    return f"{article} {kind.__name__}{of}"
