"""Signals, events and the statuses that handlers return."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from enum import Enum
from operator import itemgetter
from typing import Any, Self, TypeVar

from farscope.errors import ChartError, Malformed, UnknownSignal

INNER_SIGNALS = (
    "ENTRY_SIGNAL",
    "EXIT_SIGNAL",
    "INIT_SIGNAL",
    "REFLECTION_SIGNAL",
    "EMPTY_SIGNAL",
    "SEARCH_FOR_SUPER_SIGNAL",
    "STOP_FABRIC_SIGNAL",
    "STOP_ACTIVE_OBJECT_SIGNAL",
    "SUBSCRIBE_META_SIGNAL",
    "PUBLISH_META_SIGNAL",
)
"""Names of the engine's own signals, numbered from 1 in this order."""

Name = str | Enum
"""The name of a state: a string, or a member of an enumeration."""

Signal = int | Name
"""A signal, given by its number or its name."""

_Default = TypeVar("_Default")

LAST_INNER_SIGNAL = len(INNER_SIGNALS)


class Signals:
    """The signal registry of the process, which gives every signal name a number; thread-safe.

    ``signals.B`` is the number of ``B``, which is assigned at first use. Numbers are valid in one process
    only: between processes a signal is identified by its name.
    """

    ENTRY_SIGNAL: int
    EXIT_SIGNAL: int
    INIT_SIGNAL: int
    REFLECTION_SIGNAL: int
    EMPTY_SIGNAL: int
    SEARCH_FOR_SUPER_SIGNAL: int

    def __init__(self) -> None:
        self._next = itertools.count(1)
        self._numbers: dict[str, int] = {}
        self._names: dict[int, str] = {}
        for name in INNER_SIGNALS:
            self.append(name)

    def append(self, name: str) -> int:
        """Return the number of ``name``, which is created if it is new."""
        number = self._numbers.get(name)
        if number is not None:
            return number
        if not (name and isinstance(name, str)):
            raise ChartError(
                f"{name!r} is not a name for a signal", "name it by a string, or write signals.NAME"
            )
        # No lock: a finalizer or a signal handler may create a signal in the middle of this. Each operation
        # below is atomic, and a number has its name before it is returned to any caller.
        mine = next(self._next)
        self._names[mine] = name
        number = self._numbers.setdefault(name, mine)
        if number != mine:
            # Another call was first, and this number stays unused.
            del self._names[mine]
        if not hasattr(type(self), name):
            # An instance attribute: from now on its lookup never reaches __getattr__.
            self.__dict__[name] = number
        return number

    def __getattr__(self, name: str) -> int:
        if name.startswith("_"):
            raise AttributeError(name)
        return self.append(name)

    def __getitem__(self, name: str) -> int:
        try:
            return self._numbers[name]
        except (KeyError, TypeError):
            raise UnknownSignal(
                f"no signal is called {name!r} so far",
                "signals.append(NAME) makes one, and so does an event with that name",
            ) from None

    def get(self, name: str, default: _Default | None = None) -> int | _Default | None:
        """Return the number of ``name``, or ``default`` if the signal does not exist."""
        return self._numbers.get(name, default)

    @property
    def highest_inner_signal(self) -> int:
        """The highest number of the engine's own signals."""
        return LAST_INNER_SIGNAL

    def __contains__(self, name: object) -> bool:
        return name in self._numbers

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self._numbers)

    def keys(self) -> list[str]:
        """Return the names of all existing signals, in the order of their numbers."""
        return [name for name, _ in self.items()]

    def values(self) -> list[int]:
        """Return the numbers of all existing signals."""
        return [number for _, number in self.items()]

    def items(self) -> list[tuple[str, int]]:
        """Return name and number of all existing signals, in the order of their numbers."""
        return sorted(self._numbers.copy().items(), key=itemgetter(1))

    def name_for_signal(self, signal: int) -> str:
        """Return the name of the signal with this number.

        Raises:
            ChartError: no signal has that number.
        """
        try:
            return self._names[signal]
        except (KeyError, TypeError):
            raise _no_signal(signal) from None

    def is_inner_signal(self, other: int | str) -> bool:
        """Return whether a number or name is one of the engine's own signals, like ``ENTRY_SIGNAL``."""
        number = self._numbers.get(other, 0) if isinstance(other, str) else other
        return 0 < number <= len(INNER_SIGNALS)


def _no_signal(signal: object) -> ChartError:
    return ChartError(
        f"{signal!r} is not a signal", "write signals.NAME, or give the signal's name as a string"
    )


signals = Signals()
"""All signals of this process."""


class ReturnStatus:
    """The statuses that handlers return about an event. They are plain numbers, for speed."""

    def __init__(self) -> None:
        self.SUPER = SUPER
        """Not handled here: ask the parent state (flat functions also set ``chart.temp.fun`` to it)."""
        self.UNHANDLED = UNHANDLED
        """Refused by a guard: ask the parent state."""
        self.HANDLED = HANDLED
        """Handled, without a transition."""
        self.IGNORED = IGNORED
        """Ignored: no state is to handle the event."""
        self.TRAN = TRAN
        """A transition; the value that ``chart.trans`` returns."""
        self.TRAN_INIT = self.TRAN_HIST = self.TRAN_EP = self.TRAN_XP = TRAN
        """Same as ``TRAN``: there is only one kind of transition."""
        self.SUPER_SUB, self.ENTRY, self.EXIT, self.NULL = _UNUSED
        """Statuses that exist in miros but that no handler may return."""


# No status is 0 or 1: otherwise the answers False and True would count as statuses.
SUPER = 2
UNHANDLED = 3
HANDLED = 4
IGNORED = 5
TRAN = 9
_UNUSED = (12, 13, 14, 15)

return_status = ReturnStatus()

_STATUSES = frozenset({SUPER, UNHANDLED, HANDLED, IGNORED, TRAN})


def is_status(answer: object) -> bool:
    """Return whether ``answer`` equals a status; the step cache also distinguishes answers by equality."""
    try:
        return answer in _STATUSES
    except TypeError:
        return False


_signal_names = signals._names  # noqa: SLF001 - making an event is hot; a method call would double its cost


class Event:
    """An event: a signal and a payload for the handlers.

    ``signal`` is given as a number, a name or a member of an enumeration, and read as a number;
    ``signal_name`` is its name.
    """

    __slots__ = ("payload", "signal", "signal_name")

    signal: int
    signal_name: str
    payload: Any

    def __init__(self, signal: Signal, payload: Any = None) -> None:
        kind = signal.__class__
        if kind is str:
            self.signal = signals.append(signal)  # type: ignore[arg-type]  # it is a string
            self.signal_name = signal  # type: ignore[assignment]  # same
        elif kind is int:
            try:
                self.signal_name = _signal_names[signal]  # type: ignore[index]  # it is a number
            except KeyError:
                raise _no_signal(signal) from None
            self.signal = signal  # type: ignore[assignment]  # same
        else:
            self.signal, self.signal_name = _other_signal(signal)
        self.payload = payload

    def has_payload(self) -> bool:
        """Return whether the payload is not None."""
        return self.payload is not None

    def __str__(self) -> str:
        return f"{self.signal_name}::<{'' if self.payload is None else self.payload}>"

    def __repr__(self) -> str:
        payload = "" if self.payload is None else f", payload={self.payload!r}"
        return f"Event(signal={self.signal_name!r}{payload})"

    def __reduce__(self) -> tuple[type[Self], tuple[str, Any]]:
        return type(self), (self.signal_name, self.payload)

    @staticmethod
    def dumps(event: Event) -> str:
        """Return the event as JSON: its signal's name and its payload, which must be serializable as JSON."""
        return json.dumps({"signal_name": event.signal_name, "payload": event.payload})

    @staticmethod
    def loads(text: str) -> Event:
        """Return the event that ``dumps`` wrote, in this or another process.

        Raises:
            Malformed: the text is not an event.
        """
        try:
            fields = json.loads(text)
            name, payload = fields["signal_name"], fields["payload"]
        except (ValueError, KeyError, TypeError) as error:
            raise Malformed(f"no event: {error}", "only what Event.dumps wrote can be loaded") from error
        if not isinstance(name, str) or not name:
            raise Malformed("no event: its signal has no name", "only what Event.dumps wrote can be loaded")
        return Event(name, payload)


def plain_name(name: object) -> object:
    """Return what a member of an enumeration stands for as a signal or a state; return anything else as is.

    A member that is a string stands for that string, any other for its name.
    """
    if not isinstance(name, Enum):
        return name
    return str.__str__(name) if isinstance(name, str) else name.name


def _other_signal(signal: object) -> tuple[int, str]:
    """Return number and name of a signal that is neither a plain number nor a plain string."""
    name = plain_name(signal)
    if isinstance(name, str):
        name = str.__str__(name)
        return signals.append(name), name
    if not isinstance(name, int):
        raise _no_signal(signal)
    number = int(name)
    return number, signals.name_for_signal(number)


class StateEvent(Event):
    """An event that the engine posts for a state: a timeout, or the outcome of a task.

    It finds room in a full queue: at most one of each timeout and task waits there.
    """

    __slots__ = ()


def signal_of(event_or_signal: Event | Signal) -> int:
    """Return the number of a signal that is given as an event, or as for an ``Event``.

    Raises:
        ChartError: the signal does not exist.
    """
    if isinstance(event_or_signal, Event):
        return event_or_signal.signal
    return Event(event_or_signal).signal


ENTRY_SIGNAL = signals.ENTRY_SIGNAL
EXIT_SIGNAL = signals.EXIT_SIGNAL
INIT_SIGNAL = signals.INIT_SIGNAL
SEARCH_SIGNAL = signals.SEARCH_FOR_SUPER_SIGNAL

INNER_EVENTS = {number: Event(number) for number in (ENTRY_SIGNAL, EXIT_SIGNAL, INIT_SIGNAL, SEARCH_SIGNAL)}
"""The events that states receive from the engine; they carry nothing, so one of each is enough."""
