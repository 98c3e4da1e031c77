"""Statecharts: events, and synchronous and active charts, declared, built by parts, or of flat functions.

``AsyncChart`` is loaded on first use, so a program without an event loop never imports asyncio.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from farscope.engine.active_object import ActiveObject
from farscope.engine.core.states import spy_on
from farscope.engine.core.work import Cancellation
from farscope.engine.definition.builder import Factory
from farscope.engine.definition.declared import Chart
from farscope.engine.definition.state import Final, History, State
from farscope.engine.drivers.pool import Runner
from farscope.engine.event import Event, return_status, signals
from farscope.engine.hsm import Hsm
from farscope.engine.pubsub import Fabric
from farscope.engine.shared import Shared, locked

if TYPE_CHECKING:
    from farscope.engine.async_chart import AsyncChart

__all__ = [
    "ActiveObject",
    "AsyncChart",
    "Cancellation",
    "Chart",
    "Event",
    "Fabric",
    "Factory",
    "Final",
    "History",
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
    """Load ``AsyncChart`` on first use and keep it."""
    if name != "AsyncChart":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value = import_module("farscope.engine.async_chart").AsyncChart
    return value
