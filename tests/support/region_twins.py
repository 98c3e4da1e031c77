"""The random charts of ``region_charts`` as charts of both styles, and what their steps did."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from farscope.engine import AsyncChart, Chart, Event, Factory, Final, History, State, return_status, signals
from farscope.engine.definition.builder import Blueprint
from farscope.records.facts import FactKind
from farscope.records.step import Step
from support.region_charts import Story
from support.scxml_model import DEEP, FINAL, HISTORY, PARALLEL, PLAIN, ROOT, Arrow, Microstep, Node

RING_STEPS = 5_000
"""Enough for all steps of a story."""


class Log:
    """What the handlers of one chart noted, and the number of the external event that is being handled."""

    def __init__(self) -> None:
        self.now = 0
        self.calls: list[str] = []


def declared(story: Story, base: type[Chart] = Chart) -> type[Chart]:
    """Return a class of charts that does what the story's nodes say; its charts need a ``log``."""
    names: dict[str, Any] = {}

    def draw(parent: int) -> None:
        for index, node in enumerate(story.nodes):
            if node.parent == parent:
                starts = parent != ROOT and story.nodes[parent].initial == index
                state = names[f"s{index}"] = _state(node, initial=starts and _is_plain(story, parent))
                with state:
                    draw(index)

    draw(ROOT)
    for index, node in enumerate(story.nodes):
        state = names[f"s{index}"]
        if node.kind in (HISTORY, DEEP):
            continue
        if node.kind == PLAIN and node.initial is not None and story.nodes[node.initial].parent != index:
            state.initial(lambda _self, *, to=names[f"s{node.initial}"]: to)
        for what in ("entry", "exit"):
            getattr(state, what)(_declared_noting(f"{what} {index}", waits=issubclass(base, AsyncChart)))
        for arrow in _reachable(node.arrows):
            _declare(state, arrow, names)
    return type("Twin", (base,), names)


def built(story: Story, log: Log) -> Factory:
    """Return a chart built by parts that does what the story's nodes say, and notes its calls in ``log``."""
    chart = Factory("twin", threaded=False, ring_size=RING_STEPS)
    for index, node in enumerate(story.nodes):
        blueprint = _special(chart.create(f"s{index}"), node)
        if node.kind in (HISTORY, DEEP):
            continue
        for what in ("entry", "exit"):
            blueprint.catch(signals[f"{what.upper()}_SIGNAL"], _noting(log, f"{what} {index}"))
        if node.kind == PLAIN and node.initial is not None:
            blueprint.catch(signals.INIT_SIGNAL, _leading_to(f"s{node.initial}"))
        for event in dict.fromkeys(arrow.event for arrow in node.arrows):
            chosen = [arrow for arrow in node.arrows if arrow.event == event]
            blueprint.catch(signals.append(signal_name(event)), _choosing(log, chosen))
    for index, node in enumerate(story.nodes):
        chart.nest(f"s{index}", parent=None if node.parent == ROOT else f"s{node.parent}")
    return chart


def did(step: Step) -> Microstep:
    """Return what a step did, in the model's terms."""
    moves = [fact for fact in step.facts if fact.kind in (FactKind.EXIT, FactKind.ENTRY)]
    entries = [index for index, fact in enumerate(moves) if fact.kind is FactKind.ENTRY]
    first, after = (entries[0], entries[-1] + 1) if entries else (len(moves), len(moves))
    completed = [fact.name for fact in step.facts if fact.kind is FactKind.DONE]
    return Microstep(
        "start" if step.signal == "start_at" else step.signal.replace("done.state.s", "done "),
        [_number(fact.name) for fact in moves[:first]],
        [_number(fact.name) for fact in moves[first:after]],
        [_number(fact.name) for fact in moves[after:]],
        [_number(name) for name in completed],
        tuple(_number(name) for name in step.end_states),
    )


def calls_in(steps: Sequence[Microstep]) -> list[str]:
    """Return the calls of entry and exit handlers that steps should have made."""
    calls: list[str] = []
    for step in steps:
        calls += [f"exit {state}" for state in step.exited]
        calls += [f"entry {state}" for state in step.entered]
        calls += [f"exit {state}" for state in step.exited_at_the_end]
    return calls


def signal_name(event: str) -> str:
    """Return the signal of an event of the model."""
    return event.replace("done ", "done.state.s")


def _number(name: str) -> int:
    return ROOT if name == "top" else int(name.removeprefix("s"))


def _is_plain(story: Story, index: int) -> bool:
    return story.nodes[index].kind == PLAIN


def _state(node: Node, *, initial: bool) -> State:
    if node.kind == FINAL:
        return Final(initial=initial)
    if node.kind in (HISTORY, DEEP):
        default = None if node.initial is None else f"s{node.initial}"
        return History(deep=node.kind == DEEP, default=default, initial=initial)
    return State(initial=initial, parallel=node.kind == PARALLEL)


def _reachable(arrows: Sequence[Arrow]) -> list[Arrow]:
    """Return the arrows without those that follow one that never refuses."""
    kept: list[Arrow] = []
    for arrow in arrows:
        if not any(other.event == arrow.event and not other.refuses for other in kept):
            kept.append(arrow)
    return kept


def _declare(state: State, arrow: Arrow, names: dict[str, Any]) -> None:
    options: dict[str, Any] = {}
    if arrow.target is not None:
        options["to"] = names[f"s{arrow.target}"]
    if arrow.refuses:
        options["guard"] = lambda self, _e: self.log.now not in arrow.refuses
    react: Any = state.on(signal_name(arrow.event), **options)
    if arrow.target is None:
        react(lambda _self: None)


def _special(blueprint: Blueprint, node: Node) -> Blueprint:
    if node.kind == PARALLEL:
        return blueprint.parallel()
    if node.kind == FINAL:
        return blueprint.final()
    if node.kind in (HISTORY, DEEP):
        default = None if node.initial is None else f"s{node.initial}"
        return blueprint.history(deep=node.kind == DEEP, default=default)
    return blueprint


def _declared_noting(call: str, *, waits: bool) -> Any:
    def note(self: Any) -> None:
        self.log.calls.append(call)

    async def wait_and_note(self: Any) -> None:
        await asyncio.sleep(0)
        note(self)

    return wait_and_note if waits else note


def _noting(log: Log, call: str) -> Any:
    def note(_chart: Any, _e: Event) -> int:
        log.calls.append(call)
        return return_status.HANDLED

    return note


def _leading_to(target: str) -> Any:
    return lambda chart, _e: chart.trans(target)


def _choosing(log: Log, arrows: Sequence[Arrow]) -> Any:
    def choose(chart: Any, _e: Event) -> Any:
        for arrow in arrows:
            if log.now not in arrow.refuses:
                return return_status.HANDLED if arrow.target is None else chart.trans(f"s{arrow.target}")
        return return_status.UNHANDLED

    return choose
