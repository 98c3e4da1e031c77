"""Charts built by parts: states made of handlers, nested into one another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self, Unpack

from farscope.engine.definition.codegen import flat_code
from farscope.engine.definition.handlers import adapted, name_of
from farscope.engine.definition.states import BuiltState, is_top
from farscope.engine.drivers.thread import ActiveObject
from farscope.engine.event import signal_of
from farscope.engine.options import ActiveOptions
from farscope.errors import AlreadyStarted, ChartBuildError, UsageError


class Blueprint:
    """A state in the making."""

    def __init__(self, factory: Factory, state: BuiltState) -> None:
        self._factory = factory
        self._state = state

    def catch(self, signal: int | str, handler: Callable[..., Any]) -> Self:
        """Have ``handler`` called for ``signal``, with the chart and the event; return the blueprint.

        If the state catches the signal already, this handler takes the place of that one.

        Raises:
            AlreadyStarted: the chart runs.
            ChartBuildError: the handler cannot be called so, or there is no such signal.
        """
        Factory.refuse_change(self._factory)
        number = signal_of(signal)
        adapted(handler, self._factory, self._state.__name__)
        self._state.handlers[number] = handler
        return self

    def to_method(self) -> BuiltState:
        """Return the state: a target for transitions, and a parent for other states."""
        return self._state


class Factory(ActiveObject):
    """A chart built by parts: ``create`` states that ``catch`` signals, and ``nest`` them.

    Args:
        name: what the chart is called in traces; if it is None, one is made as for an ``ActiveObject``.
        instrumented: whether it records its steps; may be changed at any time.
        threaded: whether the chart runs on its own thread; if not, its caller drives it like an ``Hsm``.
        options: see ``ActiveOptions``.

    Raises:
        UsageError: the options make no sense, together or at all.
    """

    __slots__ = ()

    def __init__(
        self,
        name: str | None = None,
        instrumented: bool | None = True,
        *,
        threaded: bool = True,
        **options: Unpack[ActiveOptions],
    ) -> None:
        if not threaded and options.get("runner") is not None:
            raise UsageError(
                "a runner cannot run a chart that has no thread",
                "leave runner= out: its caller or an event loop drives such a chart",
            )
        super().__init__(name, instrumented, **options)
        self._threaded = self._idle = threaded

    def create(self, state: str) -> Blueprint:
        """Begin a state named ``state``, or go on with the one that was created by that name.

        So a subclass redefines some of the states that its base class created, and leaves the rest.

        Raises:
            AlreadyStarted: the chart runs.
            ChartBuildError: the chart's class declares a state of that name.
        """
        Factory.refuse_change(self)
        if not (state and isinstance(state, str)):
            raise ChartBuildError(f"{state!r} is not a name for a state", "name a state by a string")
        built = self._states.named.setdefault(state, BuiltState(state))
        if built.shared:
            raise _twice(self._name, state)
        return Blueprint(self, built)

    def nest(self, state: Any, parent: Any) -> Self:
        """Put ``state`` inside ``parent``, or outermost if that is None; return the chart.

        Both are what ``to_method`` returned, or names; the parent may also be a flat state function. A state
        that was nested before lies where it is nested last.

        Raises:
            AlreadyStarted: the chart runs.
            ChartBuildError: one is unknown, the state is declared inside another, or a loop would form.
        """
        Factory.refuse_change(self)
        built = self._built(state)
        name = built.__name__
        if built.shared and built.parent is not None:
            raise ChartBuildError(
                f"state {name} is declared inside {name_of(built.parent)}",
                "nest the outermost of the states it is declared in",
                state=name,
            )
        around = self._around(name, parent)
        outer: Any = around
        while isinstance(outer, BuiltState):
            if outer is built:
                raise ChartBuildError(
                    f"state {name} would lie inside itself", f"nest {name_of(around)} elsewhere", state=name
                )
            outer = self._states.around(outer)
        if built.shared:
            self._take(built)
            self._states.moved[built] = around
        else:
            built.parent = around
            built.nested = True
        return self

    def to_code(self, state: Any) -> str:
        """Return the text of a flat state function that does what ``state`` does, with the same spy lines.

        It calls the handlers by their names; a lambda, or one of several handlers of one name in the state,
        is called ``STATE_SIGNAL``. Besides them it uses ``spy_on``, ``return_status``, ``signals`` and the
        state around it.

        Raises:
            ChartBuildError: the chart has no such state, or it was not nested yet.
        """
        built = self._built(state)
        name = built.__name__
        if not built.nested:
            raise ChartBuildError(f"state {name} was not nested yet", "nest it first", state=name)
        around = self._states.around(built)
        return flat_code(name, None if around is None else name_of(around), built.handlers_for(self), self)

    def start_at(self, initial_state: Any) -> None:
        """Start the chart in ``initial_state``, given as a state or by name.

        Raises:
            ChartBuildError: a state was created and never nested.
            AlreadyStarted: it was started before.
        """
        super().start_at(initial_state)

    def _prepare_start(self, target: Any) -> None:
        for name, built in self._states.named.items():
            if not built.nested:
                raise ChartBuildError(
                    f"state {name} was created and never nested",
                    f"call chart.nest({name}, parent=...); an outermost state has the parent None",
                    state=name,
                )
        super()._prepare_start(target)

    def refuse_change(self) -> None:
        """Raise ``AlreadyStarted`` if the chart was started: what it is made of is then fixed."""
        if self._leaf is not None:
            raise AlreadyStarted(f"chart {self._name} was started", "build a chart before its start")

    def _take(self, outermost: BuiltState) -> None:
        """Have states of a definition as this chart's own."""
        named = self._states.named
        for state in outermost.tree():
            name = state.__name__
            if not name:
                raise ChartBuildError("a state without a name cannot be nested", "write State('NAME')")
            if named.setdefault(name, state) is not state:
                raise _twice(self._name, name)

    def _built(self, state: Any) -> BuiltState:
        built = self._states.named.get(state) if isinstance(state, str) else state
        if not isinstance(built, BuiltState):
            raise ChartBuildError(
                f"chart {self._name} has no state {name_of(state)}",
                "give what create(...).to_method() returned, or the name it was created with",
                state=name_of(state),
            )
        return built

    def _around(self, name: str, parent: Any) -> Any:
        if parent is None or is_top(parent):
            return None
        if callable(parent) and not isinstance(parent, BuiltState):
            return parent
        if isinstance(parent, str) and parent not in self._states.named:
            raise ChartBuildError(
                f"state {name} is to be nested in {parent}, which chart {self._name} does not have",
                f"create {parent} first",
                state=name,
            )
        return self._built(parent)


def _twice(chart: str, state: str) -> ChartBuildError:
    return ChartBuildError(f"chart {chart} has two states named {state}", "rename one of them", state=state)
