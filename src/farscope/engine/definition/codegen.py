"""Generates the source of a flat state function equivalent to a state built by parts."""

from __future__ import annotations

import inspect
import keyword
import re
from collections.abc import Callable, Mapping
from typing import Any

from farscope.engine.core.handlers import takes
from farscope.engine.core.states import OTHERWISE
from farscope.engine.event import Signals, signals

Handlers = Mapping[int, Callable[..., Any]]


def flat_code(name: str, parent: str | None, handlers: Handlers, chart: object) -> str:
    """Return the source of a state function named ``name``, in ``parent`` or outermost if that is None.

    It refers to ``spy_on``, ``return_status``, ``signals``, the parent and the handlers by their names.
    Handlers that are methods of ``chart`` are called as methods.
    """
    function = _identifier(name)
    branches: list[str] = []
    # The handler of all other signals is checked last.
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
    """Return the lookup of a signal on ``signals``: an attribute access where possible."""
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
        # A lambda, or one of several handlers with the same name: named after its state and signal.
        what = "otherwise" if signal == OTHERWISE else signals.name_for_signal(signal)
        name = _identifier(f"{function}_{what}")
    return f"{name}({arguments})"


def _can_be_written(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name)


def _identifier(name: str) -> str:
    """Return ``name``, or something similar that is a valid function name."""
    if _can_be_written(name):
        return name
    word = re.sub(r"\W", "_", name)
    return word if _can_be_written(word) else f"_{word}"
