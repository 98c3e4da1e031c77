"""Compatibility names for programs written for miros, which have another name here or are not needed."""

from __future__ import annotations

from farscope.engine.core.states import state_method_template
from farscope.engine.drivers import at_exit as running
from farscope.engine.event import Event
from farscope.engine.hsm import Hsm
from farscope.engine.pubsub import PRIORITY, process_fabric
from farscope.errors import ChartError

__all__ = [
    "ActiveFabric",
    "HsmTopologyException",
    "HsmWithQueues",
    "InstrumentedHsmEventProcessor",
    "state_method_template",
]

HsmWithQueues = InstrumentedHsmEventProcessor = Hsm

HsmTopologyException = ChartError
"""Raised for invalid states, among other errors."""


class ActiveFabric:
    """The fabric of the process, which does not have to be started; all instances stand for the same one."""

    def start(self) -> None:
        """Do nothing: a fabric has no threads."""

    def is_alive(self) -> bool:
        """Return True: events can always be published."""
        return True

    def stop(self) -> None:
        """End all charts of the process that run by themselves; wait one second for running steps."""
        running._end_all()  # noqa: SLF001 - same as at the end of the program

    def clear(self) -> None:
        """End all subscriptions."""
        process_fabric.clear()

    def publish(self, event: Event, priority: int = PRIORITY) -> None:  # noqa: ARG002 - it does not change the order
        """Put ``event`` in the queues of all charts that subscribed to its signal."""
        process_fabric.publish(event)
