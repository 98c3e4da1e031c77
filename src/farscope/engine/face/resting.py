"""Where a chart rests, and what it could react to there."""

from __future__ import annotations

from typing import Any

from farscope.engine.core.allowed import Allowed
from farscope.engine.core.allowed import allowed as allowed_now
from farscope.engine.core.states import StateNode, outward
from farscope.engine.face.chart_face import ChartFace
from farscope.errors import ChartError, NotStarted


class Resting:
    """The state in which a chart rests: ``fun`` is the state as the user wrote it."""

    __slots__ = ("fun",)

    def __init__(self, fun: Any) -> None:
        self.fun = fun


def is_in(self: ChartFace, state: Any) -> bool:
    """Return whether ``state`` is active: the chart rests in it or in a state inside it."""
    return any(node.is_called(state) for leaf in leaves(self) for node in outward(leaf))


def allowed(self: ChartFace, payload: object = None) -> Allowed:
    """Return which signals could do something now, and why others could not.

    Guards are called on the caller's thread, with an event of the signal and this ``payload``; they
    should not change anything. If the chart runs by itself, the answer may be outdated when this returns.
    Of flat state functions nothing is known, so their signals are not listed.

    Raises:
        NotStarted: before the start.
    """
    leaves(self)
    return allowed_now(self, payload)


def child_state(self: ChartFace, state: Any) -> Any:
    """Return the child of ``state`` that leads to the state in which the chart rests.

    If the chart rests in ``state`` itself, return ``state``. If ``state`` is parallel, return its first
    region.

    Raises:
        ChartError: the chart is not in ``state``.
    """
    for leaf in leaves(self):
        child = leaf
        for here in outward(leaf):
            if here.is_called(state):
                return child.fn
            child = here
    raise ChartError(
        f"chart {self._core.name} is not in {getattr(state, '__name__', state)}",
        "ask is_in(state) first",
        state=self._core.algorithm.state_name,
    )


def current_state(self: ChartFace) -> str:
    """Return the name of the state in which the chart rests; several, in regions, are joined by ``|``.

    ``top`` if the chart has finished.
    """
    leaves(self)
    return self._core.algorithm.state_name


def leaves(self: ChartFace) -> tuple[StateNode, ...]:
    """Return the states in which a chart rests; raise ``NotStarted`` before its start."""
    algorithm = self._core.algorithm
    if algorithm.leaf is None:
        raise _not_started(self)
    return algorithm.active()


def acting(self: ChartFace) -> tuple[str, Any]:
    """Return name and function of the state whose code is running, or in which the chart rests.

    Raises:
        NotStarted: before the start.
    """
    found = self._core.algorithm.acting()
    if found is None:
        raise _not_started(self)
    return found


def _not_started(self: ChartFace) -> NotStarted:
    return NotStarted(f"chart {self._core.name} was not started", "call chart.start_at(STATE) first")
