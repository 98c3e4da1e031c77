"""Arranges the built states of a chart in a tree, and checks that regions, history and final states fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from farscope.engine.core.handlers import name_of
from farscope.engine.core.resting_places import RestingPlaces
from farscope.engine.core.state_tree import HISTORIES, Tree
from farscope.engine.core.states import COMPLETION_PREFIX, BuiltState, States
from farscope.engine.event import ENTRY_SIGNAL, EXIT_SIGNAL, INIT_SIGNAL, signals
from farscope.errors import ChartBuildError
from farscope.records.structure import StateKind

Problem = tuple[str, str]
"""Message and hint of an error."""


def resting_places(states: States, chart: Any) -> RestingPlaces | None:
    """Return where a chart of these states may rest; None if it has no regions, history or final states.

    States in the same parent are in the order in which they were created.

    Raises:
        ChartBuildError: one of them does not fit.
    """
    named = list(states.named.values())
    if all(built.kind is StateKind.PLAIN for built in named):
        for built in named:
            _check_completes(built, {})
        return None
    children: dict[BuiltState | None, list[BuiltState]] = {}
    for built in named:
        children.setdefault(_parent(states, built), []).append(built)
    tree = Tree()
    waiting = list(reversed(children.get(None, [])))
    while waiting:
        built = waiting.pop()
        inner = children.get(built, [])
        for problem in _problems(states, built, inner):
            raise ChartBuildError(*problem, state=built.__name__)
        _check_completes(built, children)
        node = states.resolve(chart, built, built.__name__)
        tree.add(node, built.kind, node.parent)
        waiting += reversed(inner)
    _check_whole(states, named, tree)
    for vertex in tree.vertices[1:]:
        built = vertex.its_state.fn
        vertex.alternatives = built.alternatives_for(chart)
        default = built.default
        if default is not None:
            vertex.default = states.resolve(chart, default, vertex.name)
    return RestingPlaces(tree)


def _parent(states: States, built: BuiltState) -> BuiltState | None:
    parent = states.around(built)
    if parent is None or isinstance(parent, BuiltState):
        return parent
    raise ChartBuildError(
        f"state {built.__name__} lies inside {name_of(parent)}, which is a flat function, in a chart with "
        "regions, history or final states",
        f"build {name_of(parent)} as well: the states of such a chart must be known at its start",
        state=built.__name__,
    )


def _check_whole(states: States, named: Iterable[BuiltState], tree: Tree) -> None:
    arranged = {vertex.its_state.fn for vertex in tree.vertices[1:]}
    for built in named:
        parent = states.around(built)
        if built not in arranged and states.named.get(name_of(parent)) is not parent:
            raise ChartBuildError(
                f"state {built.__name__} lies inside {name_of(parent)}, which the chart does not have",
                f"create {name_of(parent)} in the same chart, or nest it there",
                state=built.__name__,
            )


def _check_completes(built: BuiltState, children: Mapping[BuiltState | None, list[BuiltState]]) -> None:
    """Check that a state that reacts to its completion is not without any final state."""
    name = built.__name__
    if signals.get(COMPLETION_PREFIX + name) in built.handlers and not _completes(built, children):
        raise ChartBuildError(
            f"state {name} reacts to its completion, but has no final state with which it completes",
            "declare a Final() in it or, if it is parallel, in each of its regions",
            state=name,
        )


def _completes(built: BuiltState, children: Mapping[BuiltState | None, list[BuiltState]]) -> bool:
    inner = children.get(built, [])
    if built.kind is StateKind.PARALLEL:
        # Not all of them: a subclass may add a region that never completes, on purpose.
        return any(_completes(state, children) for state in inner)
    return any(state.kind is StateKind.FINAL for state in inner)


def _problems(states: States, built: BuiltState, inner: list[BuiltState]) -> Iterator[Problem]:
    """Yield what is wrong with a state in which the ``inner`` states lie directly."""
    active = [state for state in inner if state.kind not in HISTORIES]
    if built.kind is StateKind.PARALLEL:
        yield from _of_parallel(built, active)
    elif built.kind is StateKind.FINAL:
        yield from _of_final(built, inner)
    elif built.kind in HISTORIES:
        yield from _of_history(states, built, inner)
    else:
        yield from _of_plain(states, built, active)


def _of_parallel(built: BuiltState, regions: list[BuiltState]) -> Iterator[Problem]:
    name = built.__name__
    if not regions:
        yield f"parallel state {name} has no regions", f"nest at least one state in {name}"
    if INIT_SIGNAL in built.handlers:
        yield (
            f"parallel state {name} has an initial state, but all its regions are entered together",
            "leave initial=True out there, and write it in each region",
        )
    for region in regions:
        if region.kind is StateKind.FINAL:
            yield (
                f"final state {region.__name__} is a region of parallel state {name}",
                "a region completes when a final state inside it is entered: nest it one state further in",
            )


def _of_plain(states: States, built: BuiltState, inner: list[BuiltState]) -> Iterator[Problem]:
    name = built.__name__
    outer = states.around(built)
    is_region = outer is not None and outer.kind is StateKind.PARALLEL
    if is_region and inner and INIT_SIGNAL not in built.handlers:
        yield (
            f"region {name} of parallel state {name_of(outer)} does not say where it starts",
            f"write State(initial=True) for one of its states: {', '.join(map(name_of, inner))}",
        )
    if INIT_SIGNAL not in built.handlers:
        return
    for target in built.targets_of(INIT_SIGNAL):
        initial = states.named.get(target)
        if initial is not None and initial.kind in HISTORIES and initial.default is None:
            yield (
                f"history state {target} is the initial state of {name}, which at first has no history",
                "give it a default: History(default=STATE, initial=True)",
            )


def _of_final(built: BuiltState, inner: list[BuiltState]) -> Iterator[Problem]:
    name = built.__name__
    if inner:
        yield f"final state {name} has states inside", "a final state is a leaf: nest them elsewhere"
    for signal in built.handlers:
        if signal not in (ENTRY_SIGNAL, EXIT_SIGNAL):
            yield (
                f"final state {name} reacts to {_signal_name(signal)}",
                "a final state is the end: let the state around it react, or make it a plain state",
            )


def _of_history(states: States, built: BuiltState, inner: list[BuiltState]) -> Iterator[Problem]:
    name = built.__name__
    outer = states.around(built)
    if outer is None:
        yield (
            f"history state {name} lies in no state",
            "declare it inside the state whose active states it is to restore",
        )
        return
    if inner:
        yield f"history state {name} has states inside", "it only stands for others: nest them elsewhere"
    for signal in built.handlers:
        yield (
            f"history state {name} reacts to {_signal_name(signal)}, but it is never active",
            f"let {name_of(outer)}, or a state in it, react",
        )
    default = built.default
    if default is None:
        return
    target = states.named.get(default) if isinstance(default, str) else default
    target = states.stand_ins.get(target, target)
    inside = target
    while isinstance(inside, BuiltState) and inside is not outer:
        inside = states.around(inside)
    if target is None or target is outer or inside is not outer or target.kind in HISTORIES:
        where = name_of(outer)
        yield (
            f"the default of history state {name} is {name_of(default)}, which is not a state inside {where}",
            f"name a state that lies in {where} and is not a history state",
        )


def _signal_name(signal: int) -> str:
    return signals.name_for_signal(signal) if signal else "all other signals"
