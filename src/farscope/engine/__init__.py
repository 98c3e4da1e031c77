"""Statecharts: events, synchronous and active charts; declared, built by parts, or of flat functions.

``AsyncChart`` is loaded when it is first used: a program without an event loop never loads asyncio.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from farscope.engine.active import ActiveObject
from farscope.engine.chart import Chart
from farscope.engine.declare import State
from farscope.engine.event import Event, return_status, signals
from farscope.engine.fabric import Fabric
from farscope.engine.factory import Factory
from farscope.engine.hsm import Hsm
from farscope.engine.runner import Runner
from farscope.engine.shared import Shared, locked
from farscope.engine.states import spy_on

if TYPE_CHECKING:
    from farscope.engine.loop import AsyncChart

__all__ = [
    "ActiveObject",
    "AsyncChart",
    "Chart",
    "Event",
    "Fabric",
    "Factory",
    "Hsm",
    "Runner",
    "Shared",
    "State",
    "locked",
    "return_status",
    "signals",
    "spy_on",
]


def __getattr__(name: str) -> object:
    """Load ``AsyncChart`` at its first use and keep it."""
    if name != "AsyncChart":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value = import_module("farscope.engine.loop").AsyncChart
    return value
