"""Calls a program's values function after each step, and bounds what it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from operator import index
from typing import Any, Final

from farscope.errors import UsageError
from farscope.probe.backoff import LOGGER
from farscope.records.outside import raised_by_a_signal_handler
from farscope.records.step import MAX_VALUES, Value
from farscope.records.tally import Tally
from farscope.records.weight import VALUE_BYTES
from farscope.values import ValuesFunction
from farscope.wire.body_schema import CUT_MARK, MAX_VALUE

Values = tuple[tuple[str, Value], ...]

NUMBERS: Final = frozenset({int, float, bool})
NUMBER_BYTES: Final = VALUE_BYTES + 32
"""Memory of a number and its pair."""

NAMES_KNOWN: Final = 256
"""Names of a chart that are remembered as being within the limits; others are checked each time."""

HINT: Final = "return a mapping of at most 16 names to numbers, short texts or booleans"


def checked_values(values: object) -> ValuesFunction:
    """Return a values function.

    Raises:
        UsageError: it cannot be called.
    """
    if not callable(values):
        raise UsageError(
            f"values cannot be {type(values).__name__}",
            'give a function of a chart and an event, such as farscope.values.fields("amps", "temp")',
        )
    return values


class ValueCounts:
    """A probe's counts about the values of all its charts."""

    __slots__ = ("_first", "failed", "refused")

    def __init__(self) -> None:
        self.failed = Tally()
        """Steps after which the values function raised, or returned no mapping."""
        self.refused = Tally()
        """Values that were left out, cut, or replaced by the name of their type."""
        self._first = iter((True,))

    def first(self) -> bool:
        """Return True once, for the first problem of the probe."""
        return next(self._first, False)


class ShownValues:
    """The values that one chart shows through one probe; used on the chart's thread.

    Args:
        function: returns them; an error it raises is counted, and the step then shows none.
        counts: what the probe counts; the first problem of a probe is logged.
        limit_room: called with the memory, in bytes, of the values of a step, whenever that exceeds what it
            was called with before.
    """

    __slots__ = (
        "_counts",
        "_function",
        "_heaviest",
        "_limit_room",
        "_most",
        "_numbers",
        "_reported",
        "problem",
    )

    def __init__(
        self, function: ValuesFunction, counts: ValueCounts, limit_room: Callable[[int], None]
    ) -> None:
        self._function = function
        self._counts = counts
        self._limit_room = limit_room
        self._heaviest = 0
        self._most = 0
        self._numbers: set[str] = set()
        """Names found to be within the limits, and how many at most have come at once: as many numbers with
        these names need no further check."""
        self._reported = False
        self.problem: str | None = None
        """The chart's first problem, until it has been reported to watchers: without texts of the program."""

    def after(self, subject: tuple[Any, Any]) -> Values:
        """Return the values after a step, given the chart and the event of the step."""
        try:
            shown: Any = self._function(*subject)
            if shown.__class__ is not tuple:
                # Most functions return a dict, which needs no closer look.
                if shown.__class__ is not dict and not isinstance(shown, Mapping):
                    return self._failed(f"returned {type(shown).__name__}, not a mapping", None)
                shown = tuple(shown.items())
            if len(shown) > self._most:
                return self._bounded(shown)
            known = self._numbers
            for name, value in shown:
                if value.__class__ not in NUMBERS or name not in known:
                    return self._bounded(shown)
        except Exception as error:
            if raised_by_a_signal_handler(error):
                raise
            return self._failed(f"raised {type(error).__name__}", error)
        return shown  # type: ignore[no-any-return]  # every part was checked

    def _failed(self, what: str, error: Exception | None) -> Values:
        self._counts.failed.add()
        self._report(f"the values function {what}", error)
        return ()

    def _bounded(self, shown: tuple[tuple[Any, Any], ...]) -> Values:
        """Return values within all limits, and count those that are not."""
        kept: list[tuple[str, Value]] = []
        weight = 0
        for name, value in shown:
            if not _is_name(name):
                self._refuse(f"a name is not a text of at most {MAX_VALUE} characters")
            elif len(kept) == MAX_VALUES:
                self._refuse(f"there are more than {MAX_VALUES}")
            else:
                plain = self._plain(name, value)
                weight += NUMBER_BYTES + (len(plain) if isinstance(plain, str) else 0)
                kept.append((name, plain))
                if len(self._numbers) < NAMES_KNOWN:
                    self._numbers.add(name)
        self._most = max(self._most, len(kept))
        if weight > self._heaviest:
            self._heaviest = weight
            self._limit_room(weight)
        return tuple(kept)

    def _plain(self, name: str, value: Any) -> Value:
        """Return a value as a number, a text or a boolean: in place of any other, its type's name."""
        if isinstance(value, bool):
            return value
        if isinstance(value, Enum):
            value = value.name
        if isinstance(value, str):
            text = str(value)
            if len(text) <= MAX_VALUE:
                return text
            self._refuse(f"the text {name!r} is longer than {MAX_VALUE} characters")
            return text[: MAX_VALUE - len(CUT_MARK)] + CUT_MARK
        if value is None:
            return "None"
        if not isinstance(value, (bytes, bytearray)):
            for number in (index, float):
                try:
                    return number(value)
                except (TypeError, ValueError, OverflowError):
                    # The numbers of other libraries can be converted by one of the two.
                    continue
        self._refuse(f"the value {name!r} is of type {type(value).__name__}")
        return f"<{type(value).__name__}>"[:MAX_VALUE]

    def _refuse(self, problem: str) -> None:
        self._counts.refused.add()
        self._report(problem, None)

    def _report(self, problem: str, error: Exception | None) -> None:
        if not self._reported:
            self._reported = True
            self.problem = f"{problem}; further problems are only counted"
        if self._counts.first():
            LOGGER.warning("values: %s; %s; further problems are only counted", problem, HINT, exc_info=error)


def _is_name(name: object) -> bool:
    return isinstance(name, str) and len(name) <= MAX_VALUE
