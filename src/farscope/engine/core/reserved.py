"""Reserved names: those the engine needs, those that users may take, and the error about a clash.

A clash is detected as early as possible: when a class is defined, when an attribute is assigned, when a chart
starts, or, for names whose assignment cannot be intercepted, at the end of the step that took the name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial, update_wrapper
from operator import attrgetter
from types import FunctionType, MemberDescriptorType, MethodType
from typing import TYPE_CHECKING, Any, Final, NoReturn
from weakref import WeakKeyDictionary

from farscope.errors import ChartBuildError
from farscope.records.observable import Observable

WHY_FIXED: Final = {
    "at_rest": "",
    "attach": "",
    "deliver": "",
    "detach": "",
    "dispatch": "events from the queue do not pass through it",
    "halt": "",
    "instrumented": "",
    "join": "",
    "live_spy": "",
    "live_trace": "",
    "name": "",
    "next_rtc": "a chart that runs by itself does not call it",
    "post_fifo": "timed and published events do not pass through it",
    "post_lifo": "timed and published events do not pass through it",
    "steps_made": "",
    "take_turn": "",
    "trans": "declared transitions do not pass through it",
}
"""Public names that users may not redefine, with the reason why an override would not do what it appears to
do; empty if the engine itself uses the name."""

EXTENSIBLE: Final = frozenset(
    {
        "aclose",
        "complete_circuit",
        "current_state",
        "defer",
        "post",
        "publish",
        "recall",
        "scribble",
        "spy",
        "start_at",
        "stop",
        "subscribe",
        "trace",
        "unsubscribe",
    }
)
"""Public names that may be overridden, but only by methods: only users of a chart call them, so an override
takes effect."""

_UNGUARDED: Final = frozenset({"dispatch", "next_rtc", "post_fifo", "post_lifo", "trans"})
"""Names looked up for every event. A guard would slow a step down by a tenth, so assigning to one of them is
not refused immediately, but fails the step that does it, or the chart when it comes to rest."""

_functions_of: Final = attrgetter(*(f"{name}.__func__" for name in sorted(_UNGUARDED)))
"""Returns the functions of a chart's unguarded methods."""

_CORE, _DRIVER = "_core", "_driver"

_ENGINE = "farscope.engine."
_LENT = ("builtins", Observable.__module__)
"""Modules whose classes may have the engine's names."""
_METHOD_OR_SLOT = (FunctionType, MemberDescriptorType, property)

if TYPE_CHECKING:
    gives_way = property
else:

    class gives_way:  # noqa: N801 - used as a decorator, like the property it is
        """A property that a user's attribute may hide, on a chart or in its class."""

        def __init__(self, read: Callable[[Any], Any]) -> None:
            self._read = read
            update_wrapper(self, read)

        def __get__(self, chart: Any, kind: type | None = None) -> Any:
            return self if chart is None else self._read(chart)


class Reserved(property):
    """A method that cannot be replaced by assignment.

    It is a property because then access to a chart's other attributes costs nothing extra, and the lookup of
    a property runs in C. Accessed through the class, it can be called like the function it wraps.
    """

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        refuse = partial(_refuse, name)
        super().__init__(partial(MethodType, function), refuse, refuse, function.__doc__)
        update_wrapper(self, function)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Call the function with a chart and its arguments."""
        return self.__wrapped__(*arguments, **options)  # type: ignore[attr-defined]


def guard(cls: type) -> None:
    """Make every assignment to a reserved name that ``cls`` defines raise the error about a clash."""
    for name, value in tuple(vars(cls).items()):
        if name in _UNGUARDED or not (name in WHY_FIXED or name in EXTENSIBLE):
            continue
        if isinstance(value, FunctionType):
            setattr(cls, name, Reserved(value, name))
        elif type(value) is property and value.fset is None:
            setattr(cls, name, value.setter(partial(_refuse, name)))


def refuse_taken_by(cls: type) -> None:
    """Check that a class of charts and its bases do not use the engine's names.

    Raises:
        ChartBuildError: one uses such a name; the hint says what to do.
    """
    private = _private_names(cls)
    for base in _foreign(cls):
        by = f"class {base.__name__}"
        for name, value in vars(base).items():
            if name in private:
                raise taken(name, by)
            if name in WHY_FIXED or (name == "top" and isinstance(value, FunctionType)):
                raise _overridden(name, by) if callable(value) else taken(name, by)
            if name in EXTENSIBLE and not (callable(value) or hasattr(value, "__get__")):
                raise taken(name, by)
    guard(cls)


def is_reserved(cls: type, name: str) -> bool:
    """Return whether charts of that class need that name for themselves."""
    return name in WHY_FIXED or name in EXTENSIBLE or name in _private_names(cls)


def of_users(cls: type, name: str) -> bool:
    """Return whether a class has an attribute of that name that is not the engine's."""
    found = next((base for base in cls.__mro__ if name in vars(base)), None)
    return found is not None and not is_engine(found)


def is_users(chart: Any, name: str) -> bool:
    """Return whether a chart has an attribute of that name that is not the engine's."""
    found = next((base for base in type(chart).__mro__ if name in vars(base)), None)
    if found is None:
        return hasattr(chart, name)
    value = vars(found)[name]
    if not is_engine(found):
        return True
    if isinstance(value, FunctionType):
        return _function(getattr(chart, name, None)) is not value
    if name == "temp":
        return chart.temp is not chart._core.temp  # noqa: SLF001 - a chart's own
    return type(value) is gives_way and name in chart.__dict__


def refuse_taken_in(chart: Any, core: Any) -> None:
    """Check that no attributes with the engine's names were assigned to a chart that is about to start.

    Raises:
        ChartBuildError: one was assigned; the hint says what to do.
    """
    for name in _taken_names(chart, core):
        raise taken(name, f"a chart of class {type(chart).__name__}")


def is_intact(chart: Any, algorithm: object) -> bool:
    """Return whether a chart still has its core, its driver and its unguarded methods.

    Much cheaper than ``mended``; the core is recognised by its algorithm.
    """
    cls = type(chart)
    try:
        core = chart._core  # noqa: SLF001 - a chart's own
        return (
            core.algorithm is algorithm
            and chart._driver is core.mailbox.driver  # noqa: SLF001 - same
            and _functions_of(chart) == _class_functions(cls)
        )
    except AttributeError:
        # Something else has taken the place of the core, or of a method.
        return False


def mended(chart: Any, core: Any) -> ChartBuildError | None:
    """Restore the engine's names that a running chart's attributes took; return the error about them."""
    names = list(_taken_names(chart, core))
    for name in names:
        if name == _CORE:
            chart._core = core  # noqa: SLF001 - a chart's own
        elif name == _DRIVER:
            chart._driver = core.mailbox.driver  # noqa: SLF001 - same
        else:
            delattr(chart, name)
    return taken(names[0], f"chart {core.name}") if names else None


def hiding(chart: Any) -> list[str]:
    """Return the public names of charts that attributes of the chart or of its class hide."""
    cls = type(chart)
    names = {name for base in cls.__mro__ if is_engine(base) for name in vars(base) if name[0] != "_"}
    return sorted(name for name in names if is_users(chart, name))


def taken(name: str, by: str) -> ChartBuildError:
    """Return the error about a name of the engine's that a user's class or attribute took."""
    return ChartBuildError(
        f"{by} has an attribute {name} of its own, which a chart needs for itself", _other_name(name)
    )


def switched(chart: Any, name: str, to: object) -> bool:
    """Return the new value of an on/off setting of a chart after ``to`` is assigned to it.

    Raises:
        ChartBuildError: ``to`` is neither: the name was taken for something else.
    """
    if not isinstance(to, int | None) or to not in (None, False, True):
        _refuse(name, chart)
    return bool(to)


def _overridden(name: str, by: str) -> ChartBuildError:
    if name == "top":
        return ChartBuildError(
            f"{by} overrides top, which is never called: the engine knows what is outside all states",
            "nest all states in one that reacts to what none of them handles",
        )
    why = WHY_FIXED[name]
    if not why:
        return taken(name, by)
    return ChartBuildError(f"{by} overrides {name}, but {why}", _other_name(name))


def _other_name(name: str) -> str:
    return f"rename it, e.g. {name.strip('_')}_of_mine"


def _refuse(name: str, chart: Any, _value: object = None) -> NoReturn:
    core = getattr(chart, _CORE, None)
    raise taken(name, f"chart {type(chart).__name__ if core is None else core.name}")


def _private_names(cls: type) -> frozenset[str]:
    return frozenset().union(*(_private(base) for base in cls.__mro__ if is_engine(base)))


@cache
def _private(engine: type) -> frozenset[str]:
    # Attributes that subclasses are meant to set are plain values.
    return frozenset(
        name
        for name, value in vars(engine).items()
        if name.startswith("_") and not name.startswith("__") and isinstance(value, _METHOD_OR_SLOT)
    )


def _foreign(cls: type) -> Iterator[type]:
    bases: Iterable[type] = cls.__mro__
    return (base for base in bases if not is_engine(base) and base.__module__ not in _LENT)


def is_engine(cls: type) -> bool:
    """Return whether the engine defines ``cls``."""
    return cls.__module__.startswith(_ENGINE)


def _shadowable(cls: type) -> tuple[str, ...]:
    names = _names_of.get(cls)
    if names is None:
        plain = (FunctionType, type(None))
        own = _private_names(cls) | _UNGUARDED
        names = tuple(name for name in own if isinstance(getattr(cls, name, None), plain))
        _names_of[cls] = names
    return names


_names_of: WeakKeyDictionary[type, tuple[str, ...]] = WeakKeyDictionary()


def _hidden(chart: Any, names: Iterable[str]) -> Iterator[str]:
    """Yield those names of class attributes that attributes of the chart itself hide."""
    # The chart's __dict__ is not used: accessing it makes the interpreter create one, which slows down method
    # lookup in every later step.
    cls = type(chart)
    return (n for n in names if _function(getattr(chart, n, None)) is not getattr(cls, n, None))


def _taken_names(chart: Any, core: Any) -> Iterator[str]:
    """Yield the engine's names that a chart's attributes have taken."""
    if getattr(chart, _CORE, None) is not core:
        yield _CORE
    if getattr(chart, _DRIVER, None) is not core.mailbox.driver:
        yield _DRIVER
    yield from _hidden(chart, _shadowable(type(chart)))


def _class_functions(cls: type) -> tuple[Any, ...]:
    functions = _functions_by_class.get(cls)
    if functions is None:
        functions = _functions_by_class[cls] = tuple(getattr(cls, name) for name in sorted(_UNGUARDED))
    return functions


_functions_by_class: WeakKeyDictionary[type, tuple[Any, ...]] = WeakKeyDictionary()


def _function(method: Any) -> Any:
    return getattr(method, "__func__", method)
