"""Declared states: nested with ``with`` blocks, and extended by subclasses; final and history states."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, Self, TypeVar

from farscope.engine.core.handlers import name_of
from farscope.engine.core.states import BuiltState
from farscope.engine.definition.declared_state import DeclaredState
from farscope.engine.definition.guards import checked_function, checked_guard
from farscope.engine.definition.names import signal_number
from farscope.engine.definition.reactions import Clause, handler_of
from farscope.engine.definition.signatures import Guard
from farscope.engine.event import INIT_SIGNAL, Name, Signal, plain_name, signals
from farscope.errors import ChartBuildError
from farscope.records.structure import StateKind

_Any = TypeVar("_Any", bound=Callable[..., Any])


class _Drawing(threading.local):
    def __init__(self) -> None:
        self.around: list[State] = []


_drawing = _Drawing()
"""The states whose ``with`` blocks this thread is inside, innermost last."""


class State(DeclaredState):
    """A state of a definition, shared by every chart of that definition.

    States created inside the ``with`` block of a state are nested in it. In the class body of a ``Chart``
    each is named after its attribute; elsewhere a state must be given a name.

    Args:
        name: display name; by default the name of its attribute.
        initial: whether this is the initial state of its parent or, for an outermost state, whether the chart
            starts here.
        parallel: whether the states directly inside it are regions, which are all active while it is.

    """

    __slots__ = ("absorbed", "children", "starts")

    def __init__(self, name: Name | None = None, *, initial: bool = False, parallel: bool = False) -> None:
        super().__init__(name, StateKind.PARALLEL if parallel else StateKind.PLAIN)
        self.nested = True
        self.children: list[State] = []
        self.starts = initial
        """Whether a chart starts here, if this is one of its outermost states."""
        self.absorbed: tuple[State, ...] = ()
        """Extensions of the same state by other bases of the subclass, which are merged into this one."""
        if _drawing.around:
            outer = _drawing.around[-1]
            self.parent = outer
            outer.children.append(self)
            if initial:
                outer._add_initial(self, Clause(to=self))  # noqa: SLF001 - a state like this one

    def __enter__(self) -> Self:
        if self.definition:
            raise self._is_finished("nothing can be nested in it")
        _drawing.around.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        _drawing.around.remove(self)

    def extended(self, *, initial: bool = False) -> Self:
        """Return a state that takes the place of this one in a subclass of the chart, which may add to it.

        It has the same name, reactions and inner states. Reactions declared to a signal replace the inherited
        ones to that signal, ``redefine`` changes a part of one, and ``inherit`` tries the inherited ones
        last. States declared in its ``with`` block are added to the inner ones. Wherever inherited code or an
        inherited arrow refers to the original state, a chart of the subclass uses this one. ::

            class Lab(Oven):
                with Oven.on.extended() as on:
                    cooling = State()

                lit = Oven.lit.extended()
                lit.on("OPEN", to=cooling)

        Args:
            initial: whether the chart starts here or, in the ``with`` block of an extended state, whether
                this is now the initial state of that one.

        Raises:
            ChartBuildError: the state has no name yet.
        """
        if not self.__name__:
            raise ChartBuildError(
                "a state without a name cannot be extended",
                "extend states of finished classes; in the same class, declare everything at once",
            )
        state = type(self)(self.__name__, initial=initial)
        state.extends = self
        state.clauses = {signal: list(clauses) for signal, clauses in self.clauses.items()}
        state.handlers = dict(self.handlers)
        state.inherited = set(self.clauses)
        state.initials = list(self.initials)
        state.timeouts, state.task_function = dict(self.timeouts), self.task_function
        state.charts = self.charts
        state.kind, state.default = self.kind, self.default
        return state

    def redefine(
        self, *names: Signal, to: BuiltState | Name | None = None, guard: Guard | None = None
    ) -> Callable[[_Any], _Any]:
        """Change a part of the reaction that an extended state has inherited, and keep the rest.

        ``to`` gives an arrow another target, ``guard`` a reaction another guard, and the decorated function,
        if there is one, is its new action.

        Raises:
            ChartBuildError: the state has inherited none, or several, for a signal; or the target was not
                fixed.
        """
        numbers = tuple(signal_number(name, self._called) for name in names)
        changes: dict[str, Any] = {} if to is None else {"to": plain_name(to)}
        if guard is not None:
            changes["guard"] = checked_guard(guard, self._called)
        for number in numbers:
            self._redefine(number, changes)
        if not changes:
            self.unfinished += 1

        def react(function: Any) -> Any:
            if not changes:
                self.unfinished -= 1
            for number in numbers:
                self._redefine(number, {"function": checked_function(function, self._called)})
            return function

        return react

    def inherit(self, *names: Signal) -> None:
        """Try the inherited reactions to these signals after those declared so far in an extended state.

        Raises:
            ChartBuildError: they could never be reached, or there are none.
        """
        for name in names:
            number = signal_number(name, self._called)
            inherited = self._inherited_clauses(number)
            if number not in self.inherited:
                for clause in inherited:
                    self._add((number,), clause)

    def adopt(self, signal: int, other: State) -> None:
        """Replace the inherited clauses for a signal by those of another extension of the same state."""
        self.clauses[signal] = list(other.clauses[signal])
        self.handlers[signal] = handler_of(self.clauses[signal], self.__name__)
        self.inherited.add(signal)
        if signal in other.timeouts:
            self.timeouts[signal] = other.timeouts[signal]
        if signal == INIT_SIGNAL:
            self.initials = list(other.initials)

    def inherits(self, signal: int) -> bool:
        """Return whether what the state does about a signal was not declared for this state itself."""
        return signal in self.inherited or signal not in self.clauses

    def origin(self) -> State:
        """Return the state that this one extends, directly or not; the state itself if it extends none."""
        return self if self.extends is None else self.extends.origin()

    def layers(self) -> tuple[State, ...]:
        """Return the states that contribute to this one, from the first declaration to the state itself."""
        below: tuple[State, ...] = (self.extends, *self.absorbed) if self.extends is not None else ()
        return tuple(dict.fromkeys((*(layer for state in below for layer in state.layers()), self)))

    @property
    def is_extension(self) -> bool:
        """Whether it takes the place of an inherited state."""
        return self.extends is not None

    @property
    def home(self) -> object:
        """The state in which it, or the state that it extends, was declared, if any."""
        return self.origin().parent

    def stands_for(self, state: object) -> bool:
        """Return whether a reference to ``state`` means this state in a chart that has it."""
        return any(layer is state for layer in self.layers())

    def tree(self) -> Iterator[State]:
        """Yield this state and all states declared inside it, outer ones first."""
        yield self
        for child in self.children:
            yield from child.tree()

    def _redefine(self, number: int, changes: dict[str, Any]) -> None:
        if self.definition:
            raise self._is_finished("its reactions cannot be changed")
        self._inherited_clauses(number)
        clauses = self.clauses[number]
        what = signals.name_for_signal(number)
        if len(clauses) != 1:
            raise ChartBuildError(
                f"state {self.__name__} has {len(clauses)} reactions to {what}",
                f"declare them again with on({what!r}), which replaces them all",
                state=self.__name__,
            )
        if "to" in changes and clauses[0].to is None:
            deciding = name_of(clauses[0].function)
            raise ChartBuildError(
                f"function {deciding} decides where state {self.__name__} leads at {what}",
                "override that function as a method, or declare the reaction again with on",
                state=self.__name__,
            )
        self.inherited.discard(number)
        clauses[0] = clauses[0]._replace(**changes)
        self.handlers[number] = handler_of(clauses, self.__name__)

    def _inherited_clauses(self, number: int) -> list[Clause]:
        inherited = None if self.extends is None else self.extends.clauses.get(number)
        if inherited is None:
            raise ChartBuildError(
                f"state {self._called} has inherited no reaction to {signals.name_for_signal(number)}",
                "declare a new reaction with on, in a state made by extended()",
                state=self.__name__,
            )
        return inherited


class Final(State):
    """A final state: entering it completes the state around it or, if it is outermost, ends the chart.

    It may act on its entry and exit, and reacts to nothing else.

    Args:
        name: display name; by default the name of its attribute.
        initial: as for a ``State``.
    """

    __slots__ = ()

    def __init__(self, name: Name | None = None, *, initial: bool = False) -> None:
        super().__init__(name, initial=initial)
        self.kind = StateKind.FINAL


class History(State):
    """A history state: a transition to it enters what was active in the state around it when that was left.

    Args:
        name: display name; by default the name of its attribute.
        deep: whether all leaves that were active are entered again, rather than the child that was active,
            with its initial states.
        default: the state to enter as long as there is nothing to restore; by default, the initial state of
            the state around it.
        initial: whether entering the state around it leads here; a history state then needs a default.
    """

    __slots__ = ()

    def __init__(
        self,
        name: Name | None = None,
        *,
        deep: bool = False,
        default: BuiltState | Name | None = None,
        initial: bool = False,
    ) -> None:
        super().__init__(name, initial=initial)
        self.kind = StateKind.DEEP_HISTORY if deep else StateKind.HISTORY
        self.default = plain_name(default)
