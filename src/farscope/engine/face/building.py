"""Changing a chart before its start: attributes, and handlers and parents of its states."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from farscope.engine.core.handlers import adapted, name_of
from farscope.engine.core.reserved import is_reserved, is_users, taken
from farscope.engine.core.states import BuiltState, Template, is_top
from farscope.engine.event import Signal, signal_of
from farscope.engine.face.chart_face import ChartFace
from farscope.errors import AlreadyStarted, ChartBuildError

# ruff: noqa: SLF001 - functions for a chart are kept outside its class, where users' names cannot affect them


def augment(self: ChartFace, *, other: Any, name: str, relationship: str | None = None) -> None:
    """Set the attribute ``name`` of the chart to ``other``, unless the user already set one of that name.

    With ``relationship="mutual"``, this chart is also set as an attribute of the other, under this
    chart's name.

    Raises:
        ChartBuildError: the engine needs the name for itself.
    """
    if is_reserved(type(self), name):
        raise taken(name, f"chart {self._core.name}")
    if not is_users(self, name):
        setattr(self, name, other)
    if relationship == "mutual":
        other.augment(other=self, name=self._core.name)


def register_signal_callback(
    self: ChartFace, state_method: BuiltState, signal: Signal, fn: Callable[..., Any]
) -> None:
    """Register ``fn`` for ``signal`` in a state made by ``state_method_template`` or ``create``.

    Raises:
        AlreadyStarted: the chart was started.
        ChartBuildError: it is not such a state, or ``fn`` cannot be called with a chart and an event.
    """
    state = _registered(self, state_method)
    adapted(fn, self, state.__name__)
    state.handlers_for(self)[signal_of(signal)] = fn


def register_parent(self: ChartFace, state_method: BuiltState, parent_method: Any) -> None:
    """Nest a state made by ``state_method_template`` or ``create`` in another, or make it outermost.

    Raises:
        AlreadyStarted: the chart was started.
        ChartBuildError: it is not such a state.
    """
    state = _registered(self, state_method)
    outermost = parent_method is None or is_top(parent_method)
    self._core.algorithm.states.moved[state] = None if outermost else parent_method
    state.nested = True


def _registered(chart: ChartFace, state: object) -> BuiltState:
    if chart._core.has_started:
        raise AlreadyStarted(f"chart {chart._core.name} was started", "build a chart before its start")
    if not isinstance(state, BuiltState) or (state.shared and not isinstance(state, Template)):
        raise ChartBuildError(
            f"{name_of(state)} is not a state that handlers can be given to",
            "make it with state_method_template(NAME), or create(NAME).to_method()",
            state=name_of(state),
        )
    return state
