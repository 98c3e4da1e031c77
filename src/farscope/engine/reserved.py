"""Names that the engine needs for itself: a chart that takes one is refused before it breaks elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from types import FunctionType, MemberDescriptorType
from typing import Any, Final
from weakref import WeakKeyDictionary

from farscope.errors import ChartBuildError

OWN_METHODS: Final = frozenset(
    {"at_rest", "attach", "deliver", "detach", "halt", "join", "steps", "steps_made", "take_turn"}
)
"""Public names that the engine itself calls, and that are no place to put a handler or a state."""

AS_MADE: Final = {
    "_cell": "Cell",
    "_deferred": "deque",
    "_goal": "NoneType",
    "_here": "Here",
    "_id": "ChartId",
    "_leaf": "NoneType",
    "_made": "list",
    "_memo": "Memo",
    "_name": "str",
    "_place": "NoneType",
    "_poster": "Cell",
    "_queue": "deque",
    "_roots": "NoneType",
    "_sinks": "tuple",
    "_steps": "deque",
    "_stopped": "bool",
    "_texts": "list",
    "_timed": "TimedPosts",
    "_traced": "deque",
    "_traces": "int",
    "_walk": "NoneType",
}
"""Attributes that a program could take for its own without an error, and what they hold until the start."""

_ENGINE = "farscope.engine."
_METHOD_OR_SLOT = (FunctionType, MemberDescriptorType, property)


def refuse_taken_by(cls: type) -> None:
    """See that a class of charts, and what it is made of, leaves the engine's names alone.

    Raises:
        ChartBuildError: it takes one; the hint says what to do.
    """
    for base in _foreign(cls):
        for name in _reserved(cls).intersection(vars(base)):
            raise _taken(name, f"class {base.__name__}")


def refuse_taken_in(chart: Any) -> None:
    """See that a chart which is about to start was given no attributes by names of the engine's.

    Raises:
        ChartBuildError: it was; the hint says what to do.
    """
    cls = type(chart)
    # Not by looking into the chart's __dict__: that makes the interpreter build one, and from then on it
    # is slower to find the chart's methods, in every step.
    shadowing = (
        name
        for name in _shadowable(cls)
        if _function(getattr(chart, name, None)) is not getattr(cls, name, None)
    )
    replaced = (name for name, kind in AS_MADE.items() if not _is_a(getattr(chart, name), kind))
    for name in (*shadowing, *replaced):
        raise _taken(name, f"a chart of class {cls.__name__}")


def _reserved(cls: type) -> frozenset[str]:
    return OWN_METHODS.union(*(_private(base) for base in cls.__mro__ if _is_engine(base)))


@cache
def _private(engine: type) -> frozenset[str]:
    # What classes are to set themselves are plain values.
    return frozenset(
        name
        for name, value in vars(engine).items()
        if name.startswith("_") and not name.startswith("__") and isinstance(value, _METHOD_OR_SLOT)
    )


def _foreign(cls: type) -> Iterator[type]:
    bases: Iterable[type] = cls.__mro__
    return (base for base in bases if not _is_engine(base) and base.__module__ != "builtins")


def _is_engine(cls: type) -> bool:
    return cls.__module__.startswith(_ENGINE)


def _shadowable(cls: type) -> tuple[str, ...]:
    names = _names_of.get(cls)
    if names is None:
        plain = (FunctionType, type(None))
        names = tuple(name for name in _reserved(cls) if isinstance(getattr(cls, name, None), plain))
        _names_of[cls] = names
    return names


_names_of: WeakKeyDictionary[type, tuple[str, ...]] = WeakKeyDictionary()


def _function(method: Any) -> Any:
    return getattr(method, "__func__", method)


def _is_a(value: object, kind: str) -> bool:
    return type(value).__name__ == kind or any(base.__name__ == kind for base in type(value).__mro__)


def _taken(name: str, by: str) -> ChartBuildError:
    return ChartBuildError(
        f"{by} has a {name} of its own, which the engine needs for itself",
        f"call it differently, say {name.strip('_')}_of_mine",
    )
