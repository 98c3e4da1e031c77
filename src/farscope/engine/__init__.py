"""Statecharts: events, synchronous and active charts, charts built by parts."""

from farscope.engine.active import ActiveObject
from farscope.engine.event import Event, return_status, signals
from farscope.engine.fabric import Fabric
from farscope.engine.factory import Factory
from farscope.engine.hsm import Hsm
from farscope.engine.shared import Shared, locked
from farscope.engine.states import spy_on

__all__ = [
    "ActiveObject",
    "Event",
    "Fabric",
    "Factory",
    "Hsm",
    "Shared",
    "locked",
    "return_status",
    "signals",
    "spy_on",
]
