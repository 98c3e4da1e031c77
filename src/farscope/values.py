"""Ready-made values functions for ``broadcast(chart, values=...)``.

A values function is called with the chart and the event at the end of each step, on the chart's thread, and
returns what to show, by name. Any function of this kind will do, such as
``lambda chart, event: {"amps": chart.amps}``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from fnmatch import translate
from keyword import iskeyword
from operator import attrgetter
from typing import Any, Final, TypeAlias

from farscope.errors import UsageError

ValuesFunction: TypeAlias = Callable[[Any, Any], Mapping[str, Any] | tuple[tuple[str, Any], ...]]
"""Returns what a chart shows after the step about an event, by name; called with the chart and the event.

In place of a mapping it may return a tuple of names and values, which costs less."""

REDACTED: Final = "[redacted]"
"""Stands for a value whose name is redacted."""

WHOLE: Final = "payload"
"""Name of a payload that has no named parts, such as a number."""

SHOWN_AT_MOST: Final = 64
"""Maximum number of parts of a payload that are looked at; the probe shows fewer of them anyway."""

_LISTINGS: Final = ("_fields", "__dataclass_fields__", "__struct_fields__", "__dict__")
"""Where named tuples, dataclasses, structs of msgspec, and other objects list their parts."""

_READ_FIELDS: Final = """
def read_fields(chart, event):
    try:
        return ({pairs})
    except AttributeError:
        return those_there(chart, there)
"""


def fields(*names: str) -> ValuesFunction:
    """Return a values function that shows attributes of the chart; those it does not have are left out.

    A name may have dots: ``fields("amps", "battery.level")``.

    Raises:
        UsageError: no name is given, or one is not a string.
    """
    if not names or not all(map(_is_attribute, names)):
        raise UsageError("fields needs the names of attributes", 'write fields("amps", "temp")')
    there = {name: attrgetter(name) for name in names}
    pairs = "".join(f"({name!r}, chart.{name})," for name in names)
    code = _READ_FIELDS.format(pairs=pairs)
    scope: dict[str, Any] = {"those_there": _those_there, "there": there}
    # All parts of the names are identifiers, so this reads attributes and does nothing else.
    exec(code, scope)  # noqa: S102 - written out, reading takes a third of the time of a loop over readers
    return scope["read_fields"]  # type: ignore[no-any-return]  # which the code defines


def payload(*, redact: Iterable[str] = ()) -> ValuesFunction:
    """Return a values function that shows the payload of the event.

    The parts of a mapping, a dataclass, a named tuple or an object with attributes are shown by name, any
    other payload as ``payload``. Parts of parts are not shown. An event without a payload shows nothing, and
    what the last payload showed remains.

    Args:
        redact: names of parts whose values are replaced by ``[redacted]``. ``*`` and ``?`` stand for any text
            and any character; upper and lower case are the same.

    Raises:
        UsageError: ``redact`` is a single string, or has something other than strings.
    """
    patterns = () if isinstance(redact, str) else tuple(redact)
    if isinstance(redact, str) or not all(map(_is_name, patterns)):
        raise UsageError(
            "redact needs several names or patterns", 'write payload(redact=("password", "card*"))'
        )
    hidden = re.compile("|".join(map(translate, patterns)), re.IGNORECASE).match if patterns else None

    def read_payload(_chart: Any, event: Any) -> Mapping[str, Any]:
        parts = _parts(getattr(event, "payload", None))
        if hidden is None:
            return parts
        return {name: REDACTED if hidden(name) else value for name, value in parts.items()}

    return read_payload


def _is_name(name: object) -> bool:
    return isinstance(name, str) and bool(name)


def _is_attribute(name: object) -> bool:
    if not isinstance(name, str):
        return False
    return all(part.isidentifier() and not iskeyword(part) for part in name.split("."))


def _those_there(chart: Any, readers: Mapping[str, Callable[[Any], Any]]) -> tuple[tuple[str, Any], ...]:
    found = []
    for name, read in readers.items():
        try:
            found.append((name, read(chart)))
        except AttributeError:
            # Not there yet, or an attribute of another class of charts.
            continue
    return tuple(found)


def _parts(whole: Any) -> dict[str, Any]:
    """Return the named parts of a payload."""
    if whole is None:
        return {}
    if isinstance(whole, Mapping):
        # Names are compared with patterns and shown, so they are text from here on.
        return {str(name): whole[name] for name in _first(whole)}
    if isinstance(whole, (int, float, str, Enum, type)):
        return {WHOLE: whole}
    for listing in _LISTINGS:
        if hasattr(whole, listing):
            names = [name for name in _first(getattr(whole, listing)) if not name.startswith("_")]
            return {name: getattr(whole, name) for name in names if hasattr(whole, name)}
    return {WHOLE: whole}


def _first(names: Iterable[Any]) -> list[Any]:
    return [name for name, _ in zip(names, range(SHOWN_AT_MOST), strict=False)]
