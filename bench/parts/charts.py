"""The charts that are measured, described once, and built from that for each library."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, NamedTuple

import miros
import miros.hsm
import sismic.interpreter
import sismic.model
import statemachine
from transitions.extensions import HierarchicalMachine

import farscope.engine

Once = Callable[[], object]


class Spec(NamedTuple):
    """A chart: states with their parents, outermost first, and what its states react to."""

    parents: dict[str, str]
    initial: dict[str, str]
    transitions: tuple[tuple[str, str, str], ...]
    """State, signal, target."""
    hooks: tuple[tuple[str, str], ...]
    """State, signal handled without a transition."""
    start: str
    signal: str
    """What is sent, again and again."""

    def path(self, state: str) -> tuple[str, ...]:
        """States from the outermost to ``state``."""
        parent = self.parents[state]
        return (*(self.path(parent) if parent else ()), state)

    def children(self, state: str) -> list[str]:
        """States right inside ``state``; the outermost ones for an empty name."""
        return [child for child, parent in self.parents.items() if parent == state]


MIROS_EXAMPLE = Spec(
    parents={"outer": "", "c1": "outer", "c2": "outer"},
    initial={"outer": "c1"},
    transitions=(("outer", "B", "outer"), ("c1", "A", "c2"), ("c2", "A", "c1")),
    hooks=(),
    start="outer",
    signal="B",
)
NESTED = {"s1": "", "s2": "s1", "s3": "s2", "s4": "s3"}
HOOK = Spec(NESTED, {}, (("s1", "A", "s4"),), (("s1", "H"),), "s4", "H")
IGNORED = HOOK._replace(signal="NOBODY")
DEEP = Spec(
    parents={
        "root": "",
        **{f"a{n}": f"a{n - 1}" if n > 1 else "root" for n in range(1, 6)},
        **{f"b{n}": f"b{n - 1}" if n > 1 else "root" for n in range(1, 6)},
    },
    initial={},
    transitions=(("a5", "T", "b5"), ("b5", "T", "a5")),
    hooks=(),
    start="a5",
    signal="T",
)


def _goes_to(target: str, states: dict[str, Any]) -> Callable[[Any, Any], Any]:
    return lambda chart, _event: chart.trans(states[target])


def by_parts(spec: Spec, chart: Any, library: ModuleType) -> Any:
    """Build ``spec`` with a factory of ours or of miros; return the state to start in."""
    states: dict[str, Any] = {}
    for name in spec.parents:
        state = chart.create(state=name)
        if name in spec.initial:
            state = state.catch(
                signal=library.signals.INIT_SIGNAL, handler=_goes_to(spec.initial[name], states)
            )
        for source, signal, target in spec.transitions:
            if source == name:
                state = state.catch(signal=getattr(library.signals, signal), handler=_goes_to(target, states))
        for source, signal in spec.hooks:
            if source == name:
                state = state.catch(
                    signal=getattr(library.signals, signal),
                    handler=lambda _chart, _event: library.return_status.HANDLED,
                )
        states[name] = state.to_method()
    for name, parent in spec.parents.items():
        chart.nest(states[name], parent=states[parent] if parent else None)
    return states[spec.start]


def posted(post: Callable[[Any], object], run: Callable[[], object], event: Any) -> Once:
    """Make a step the way a chart gets its events: posted, then taken from the queue."""

    def once() -> None:
        post(event)
        run()

    return once


def ours(spec: Spec, *, instrumented: bool) -> tuple[farscope.engine.Factory, Once]:
    """Give our chart and what makes one step of it."""
    chart = farscope.engine.Factory("bench", instrumented, threaded=False)
    chart.start_at(by_parts(spec, chart, farscope.engine))
    return chart, posted(chart.post_fifo, chart.next_rtc, farscope.engine.Event(signal=spec.signal))


def in_miros(spec: Spec) -> Once:
    """Give what makes one step in miros, recorded, without its threads."""
    chart, hsm = miros.Factory("bench"), miros.hsm.HsmWithQueues
    hsm.start_at(chart, by_parts(spec, chart, miros))
    return posted(chart.post_fifo, lambda: hsm.next_rtc(chart), miros.Event(signal=spec.signal))


def in_transitions(spec: Spec) -> Once:
    """Give what makes one step of the hierarchical machine of transitions."""

    def nested(name: str) -> dict[str, Any]:
        children = [nested(child) for child in spec.children(name)]
        state: dict[str, Any] = {"name": name}
        if children:
            state["children"] = children
        if name in spec.initial:
            state["initial"] = spec.initial[name]
        return state

    def full(name: str) -> str:
        return "_".join(spec.path(name))

    machine = HierarchicalMachine(
        states=[nested(name) for name in spec.children("")],
        transitions=[[signal, full(source), full(target)] for source, signal, target in spec.transitions]
        + [[signal, full(source), None] for source, signal in spec.hooks],
        initial=full(spec.start),
        ignore_invalid_triggers=True,
    )
    if spec.signal == "NOBODY":
        machine.add_transition("NOBODY", full("s2"), full("s2"), conditions=lambda: False)
    send: Once = getattr(machine, spec.signal)
    return send


def in_sismic(spec: Spec) -> Once:
    """Give what makes one step of sismic."""
    chart = sismic.model.Statechart("bench")
    chart.add_state(sismic.model.CompoundState("everything", initial=spec.path(spec.start)[0]), None)
    first = spec.path(spec.start)
    for name, parent in spec.parents.items():
        inside = next((child for child in first if child in spec.children(name)), None)
        initial = spec.initial.get(name) or inside or next(iter(spec.children(name)), None)
        kind = sismic.model.CompoundState(name, initial=initial) if initial else sismic.model.BasicState(name)
        chart.add_state(kind, parent or "everything")
    for source, signal, target in spec.transitions:
        chart.add_transition(sismic.model.Transition(source, target, event=signal))
    for source, signal in spec.hooks:
        chart.add_transition(sismic.model.Transition(source, None, event=signal))
    interpreter = sismic.interpreter.Interpreter(chart)
    interpreter.execute()
    return posted(interpreter.queue, interpreter.execute_once, sismic.model.Event(spec.signal))


def in_python_statemachine(spec: Spec) -> Once:
    """Give what makes one step of python-statemachine."""
    states: dict[str, Any] = {}

    def compound(name: str, bases: tuple[type, ...]) -> Any:
        body: dict[str, Any] = {}
        for child in spec.children(name):
            first = spec.initial.get(name, spec.path(spec.start)[len(spec.path(name)) if name else 0 :][:1])
            initial = child == first or child in first
            if spec.children(child):
                state = compound(child, (statemachine.State.Compound,))
            else:
                state = statemachine.State(initial=initial)
            states[child] = body[child] = state
        if not name:
            for signal in dict.fromkeys(signal for _, signal, _ in spec.transitions):
                body[signal] = _united(
                    states[source].to(states[target])
                    for source, each, target in spec.transitions
                    if each == signal
                )
            for source, signal in spec.hooks:
                body[signal] = states[source].to.itself(internal=True)
        return type(bases[0])(name or "Bench", bases, body)

    machine = compound("", (statemachine.StateChart,))()
    return lambda: machine.send(spec.signal)


def _united(transitions: Iterable[Any]) -> Any:
    united = None
    for each in transitions:
        united = each if united is None else united | each
    return united
