"""The states of a class of charts: declared in it, inherited from its bases, or extended by it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from farscope.engine.core.handlers import name_of
from farscope.engine.core.states import OTHERWISE
from farscope.engine.definition.state import State
from farscope.engine.event import signals
from farscope.errors import ChartBuildError


class ClassStates(NamedTuple):
    """The states that the charts of one class have."""

    all: tuple[State, ...] = ()
    """In document order: inherited states precede those added by a subclass."""
    outermost: tuple[State, ...] = ()
    parents: dict[State, State | None] = {}  # noqa: RUF012 - never changed
    """The parents of those states that are not where they were declared, because a state around them was
    extended."""
    stand_ins: dict[State, State] = {}  # noqa: RUF012 - never changed
    """For each state that the class extends: the state that takes its place, also as a target."""
    start: State | None = None
    """The outermost state declared as initial, if any."""
    overruled: frozenset[State] = frozenset()
    """Inherited outermost states at which charts of this class do not start, because it declares another."""


def states_of(cls: type, bases: Iterable[ClassStates]) -> ClassStates:
    """Return the states of charts of a class, whose body has been executed; ``bases`` are those of its bases.

    Raises:
        ChartBuildError: a state is extended that the class does not inherit, or is extended twice; or the
            class has several initial states outermost.
    """
    roots = _roots(value for base in reversed(cls.__mro__) for value in vars(base).values())
    declared = [state for root in roots for state in root.tree()]
    own = {state for root in _roots(vars(cls).values()) for state in root.tree() if not state.definition}
    stand_ins = _stand_ins(cls, declared, own)
    outermost = _in_place((root for root in roots if root.extends is None), stand_ins)
    parents: dict[State, State | None] = {}
    placed: list[State] = []
    waiting: list[tuple[State, State | None]] = [(state, None) for state in reversed(outermost)]
    while waiting:
        state, outer = waiting.pop()
        placed.append(state)
        if state.parent is not outer:
            parents[state] = outer
        inner = (child for layer in state.layers() for child in layer.children if child.extends is None)
        waiting += ((child, state) for child in reversed(_in_place(inner, stand_ins)))
    for state in own:
        _check_place(state, parents.get(state, state.parent), stand_ins)
    start, overruled = _start(cls, outermost, own, frozenset().union(*(base.overruled for base in bases)))
    return ClassStates(tuple(placed), outermost, parents, stand_ins, start, overruled)


def _roots(values: Iterable[object]) -> list[State]:
    """Return the outermost of the states in which those among ``values`` were declared, in their order."""
    return list(dict.fromkeys(_outermost_of(value) for value in values if isinstance(value, State)))


def _outermost_of(state: State) -> State:
    while isinstance(state.parent, State):
        state = state.parent
    return state


def _in_place(states: Iterable[State], stand_ins: dict[State, State]) -> tuple[State, ...]:
    return tuple(dict.fromkeys(stand_ins.get(state, state) for state in states))


def _stand_ins(cls: type, declared: list[State], own: set[State]) -> dict[State, State]:
    """Return what takes the place of each extended state.

    A state that several bases extend is extended by the class itself, and so merges theirs.
    """
    known = set(declared)
    families: dict[State, list[State]] = {}
    for state in declared:
        if state.extends is None:
            continue
        for layer in state.layers():
            if layer not in known:
                raise ChartBuildError(
                    f"chart class {cls.__name__} extends state {name_of(layer)}, which it does not inherit",
                    f"derive it from the class that declares {name_of(layer)}, or declare a new state",
                    state=name_of(state),
                )
        families.setdefault(state.origin(), []).append(state)
    stand_ins: dict[State, State] = {}
    for origin, extensions in families.items():
        last = _last(cls, extensions, own)
        stand_ins.update((state, last) for state in (origin, *extensions) if state is not last)
    return stand_ins


def _last(cls: type, extensions: list[State], own: set[State]) -> State:
    """Return the extension that all others of the same state contribute to."""
    below = {layer for state in extensions for layer in state.layers() if layer is not state}
    ends = [state for state in extensions if state not in below]
    name = name_of(ends[0])
    mine = [state for state in ends if state in own]
    if len(mine) > 1:
        raise ChartBuildError(
            f"chart class {cls.__name__} extends state {name} twice", "extend it once", state=name
        )
    if len(ends) == 1:
        return ends[0]
    if not mine:
        raise ChartBuildError(
            f"several bases of chart class {cls.__name__} extend state {name}",
            f"extend it here too, which merges them: {name} = BASE.{name}.extended()",
            state=name,
        )
    for other in ends:
        if other is not mine[0]:
            _absorb(cls, mine[0], other)
    return mine[0]


def _absorb(cls: type, state: State, other: State) -> None:
    """Merge what another base declares for the same state into ``state``.

    Raises:
        ChartBuildError: both change the reactions to the same signal, and the class itself does not.
    """
    shared = next(layer for layer in reversed(state.layers()) if layer in other.layers())
    for signal, theirs in other.clauses.items():
        ours, before = state.clauses.get(signal), shared.clauses.get(signal)
        if theirs in (ours, before) or not state.inherits(signal):
            continue
        if ours != before:
            what = "all other signals" if signal == OTHERWISE else signals.name_for_signal(signal)
            raise ChartBuildError(
                f"several bases of chart class {cls.__name__} change what state {state.__name__} does about "
                f"{what}",
                "declare in this class what it does",
                state=state.__name__,
            )
        state.adopt(signal, other)
    task, base_task = other.task_function, shared.task_function
    if task not in (state.task_function, base_task):
        if state.task_function is not base_task:
            raise ChartBuildError(
                f"several bases of chart class {cls.__name__} change the task of state {state.__name__}",
                "declare its task in this class",
                state=state.__name__,
            )
        state.task_function = task
    state.charts += tuple(make for make in other.charts if make not in state.charts)
    state.absorbed += (other,)


def _check_place(state: State, outer: object, stand_ins: dict[State, State]) -> None:
    """Check that an extension declared inside another state does not lie elsewhere."""
    written = state.parent
    if state.extends is None or not isinstance(written, State):
        return
    where = stand_ins.get(written, written)
    if outer is not where:
        raise ChartBuildError(
            f"state {state.__name__} lies in {name_of(outer) if outer else 'no state'}, and is extended "
            f"inside {written.__name__}",
            "an extension stays where the state is: write it outside the block",
            state=state.__name__,
        )


def _start(
    cls: type, outermost: tuple[State, ...], own: set[State], overruled: frozenset[State]
) -> tuple[State | None, frozenset[State]]:
    """Return the outermost initial state, and the inherited ones that it, or one of a base, replaces."""
    mine = [state for state in outermost if state in own and state.starts]
    inherited = [state for state in outermost if state not in mine and _starts(state, overruled)]
    candidates = mine or inherited
    if len(candidates) > 1:
        raise ChartBuildError(
            f"chart class {cls.__name__} has {len(candidates)} initial states outermost: "
            + ", ".join(map(name_of, candidates)),
            "a chart starts in one of them: leave initial=True with that one only",
            state=candidates[1].__name__,
        )
    if mine:
        overruled |= {layer for state in inherited for layer in state.layers()}
    return next(iter(candidates), None), overruled


def _starts(state: State, overruled: frozenset[State]) -> bool:
    return any(layer.starts and layer not in overruled for layer in state.layers())
