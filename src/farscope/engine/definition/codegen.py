"""The text of a flat state function that does what a state built by parts does."""

from __future__ import annotations

import inspect
import keyword
import re
from collections.abc import Callable, Mapping
from typing import Any

from farscope.engine.definition.handlers import takes
from farscope.engine.definition.states import OTHERWISE
from farscope.engine.event import Signals, signals

Handlers = Mapping[int, Callable[..., Any]]


def flat_code(name: str, parent: str | None, handlers: Handlers, chart: object) -> str:
    """Return the text of a state function named ``name``, inside ``parent`` or outermost if that is None.

    It uses ``spy_on``, ``return_status``, ``signals``, the parent and the handlers by their names.
    ``chart`` is the one whose own methods are called as such.
    """
    function = _identifier(name)
    branches: list[str] = []
    # What is done about all other signals is asked last.
    for signal in sorted(handlers, key=lambda signal: signal == OTHERWISE):
        branches.append(f"    {'elif' if branches else 'if'} {_condition(signal)}:")
        branches.append(f"        status = {_call(function, signal, handlers, chart)}")
    around = "chart.top" if parent is None else _identifier(parent)
    lines = [
        "@spy_on",
        f"def {function}(chart, e):",
        "    status = return_status.UNHANDLED",
        *branches,
        "    if status == return_status.UNHANDLED:",
        f"        status, chart.temp.fun = return_status.SUPER, {around}",
        "    return status",
    ]
    if function != name:
        lines.append(f"{function}.__name__ = {name!r}")
    return "\n".join(lines) + "\n"


def _condition(signal: int) -> str:
    if signal == OTHERWISE:
        return "not signals.is_inner_signal(e.signal)"
    return f"e.signal == signals{_member(signals.name_for_signal(signal))}"


def _member(name: str) -> str:
    """Return how to get a signal by its name: as an attribute if that can be written."""
    hidden = name.startswith("_") or hasattr(Signals, name)
    return f".{name}" if _can_be_written(name) and not hidden else f".append({name!r})"


def _call(function: str, signal: int, handlers: Handlers, chart: object) -> str:
    handler = handlers[signal]
    name = getattr(handler, "__name__", "")
    if inspect.ismethod(handler):
        arguments = "e" if takes(handler, 1) else "chart, e"
        if handler.__self__ is chart:
            return f"chart.{name}({arguments})"
    else:
        arguments = "chart, e"
    alike = [other for other in handlers.values() if getattr(other, "__name__", "") == name]
    if not _can_be_written(name) or any(other != handler for other in alike):
        # A lambda, or one of several of one name: called after what it is for.
        what = "otherwise" if signal == OTHERWISE else signals.name_for_signal(signal)
        name = _identifier(f"{function}_{what}")
    return f"{name}({arguments})"


def _can_be_written(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name)


def _identifier(name: str) -> str:
    """Return ``name``, or something like it that can be the name of a function."""
    if _can_be_written(name):
        return name
    word = re.sub(r"\W", "_", name)
    return word if _can_be_written(word) else f"_{word}"
