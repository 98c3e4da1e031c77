"""farscope shows what every statechart is doing, wherever it runs.

The words of a chart (``Event``, ``signals``, ``Factory`` ...) and of seeing it elsewhere
(``broadcast``, ``Scope`` ...) are imported from here; errors are in ``farscope.errors``.

A name is loaded when it is first used: a program that only runs charts never loads the encryption,
the logs or the command line.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from farscope.engine import ActiveObject, Event, Factory, Hsm, return_status, signals, spy_on
    from farscope.probe.broadcast import broadcast
    from farscope.records.cause_token import cause, caused_by
    from farscope.records.step import Step
    from farscope.records.text import pp, stripped
    from farscope.scope.foreign_chart import ForeignHsm
    from farscope.scope.scope import Scope
    from farscope.values import fields, payload

__all__ = [
    "ActiveObject",
    "Event",
    "Factory",
    "ForeignHsm",
    "Hsm",
    "Scope",
    "Step",
    "broadcast",
    "cause",
    "caused_by",
    "fields",
    "payload",
    "pp",
    "return_status",
    "signals",
    "spy_on",
    "stripped",
]

_HOMES = {
    "ActiveObject": "engine",
    "Event": "engine",
    "Factory": "engine",
    "ForeignHsm": "scope.foreign_chart",
    "Hsm": "engine",
    "Scope": "scope.scope",
    "Step": "records.step",
    "broadcast": "probe.broadcast",
    "cause": "records.cause_token",
    "caused_by": "records.cause_token",
    "fields": "values",
    "payload": "values",
    "pp": "records.text",
    "return_status": "engine",
    "signals": "engine",
    "spy_on": "engine",
    "stripped": "records.text",
}


def __getattr__(name: str) -> object:
    """Load a public name at its first use and keep it."""
    if name == "__version__":
        value: object = import_module("importlib.metadata").version("farscope")
    elif name in _HOMES:
        value = getattr(import_module(f"farscope.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module 'farscope' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES, "__version__"])
