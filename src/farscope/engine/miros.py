"""Names that programs written for miros import, and that have another name here or are not needed."""

from __future__ import annotations

from farscope.engine.definition.states import state_method_template
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
"""What is raised about states that make no sense, among other things."""


class ActiveFabric:
    """The fabric of the process, which nobody has to start: every instance stands for the same one."""

    def start(self) -> None:
        """Do nothing: a fabric has no threads of its own."""

    def is_alive(self) -> bool:
        """Return that events can be published, which is always so."""
        return True

    def stop(self) -> None:
        """End all charts of the process that run by themselves; wait a second for the steps that run."""
        running._end_all()  # noqa: SLF001 - what the end of the program does

    def clear(self) -> None:
        """End all subscriptions."""
        process_fabric.clear()

    def publish(self, event: Event, priority: int = PRIORITY) -> None:  # noqa: ARG002 - it changes no order
        """Put ``event`` in the queues of all charts that subscribed to its signal."""
        process_fabric.publish(event)
