"""Converts steps to sequence diagrams, in which lanes are the states of a chart or the charts themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from farscope.records.configuration import TOP
from farscope.records.step import ChartId, ChartKey, Step
from farscope.views.labels import chart_labels, process_labels
from farscope.views.outcomes import note_of
from farscope.views.selection import Selection, in_order, in_time
from farscope.views.sequence.model import BORDER, Arrow, Diagram, Lane
from farscope.views.step_facts import completed_in, sent_by, transitions_of

EVERYTHING = Selection()

Resolve: TypeAlias = Callable[[Step], Step]
"""Returns a step with its cause, if that became known after the step was handed out."""

MAX_POSTERS = 8_192
"""Charts remembered as possible senders of events; at the limit, the oldest is forgotten, and its events come
from the border."""

NOTE_JOINT = "; "
"""Separates the parts of a note."""

NOTHING = Diagram(("",), (Lane("nothing to show", 0),), (), separate=False)
"""The diagram of a run without steps, because some formats have no empty diagram."""


def by_state(
    steps: Iterable[Step],
    selection: Selection = EVERYTHING,
    *,
    ordered: bool = False,
    resolved: Resolve = lambda step: step,  # noqa: ARG001 - as of ``by_chart``: a transition has no sender
) -> Diagram:
    """Draw each chart as a group whose lanes are its states, and each transition as an arrow.

    A step of a chart with regions is an arrow for each of its transitions, with the configuration it led to
    as a note. Steps without a trace line (hooked, ignored, refused, failed) leave no arrow. ``ordered``: the
    steps come in the order to draw them in, as those of a scope do; otherwise they are drawn by when they
    ended.
    """
    choose = in_order if ordered else in_time
    chosen = choose(steps, selection, also=lambda step: step.shape.traced)
    if not chosen:
        return NOTHING
    labels = chart_labels(step.chart for step in chosen)
    states: dict[ChartId, dict[str, int]] = {chart: {} for chart in labels}
    drawn = [(step, _moves_of(step)) for step in chosen]
    for step, moves in drawn:
        known = states[step.chart]
        for state in (name for move in moves for name in move):
            known.setdefault(state, len(known))
    lanes: list[Lane] = []
    first: dict[ChartId, int] = {}
    for group, (chart, known) in enumerate(states.items()):
        first[chart] = len(lanes)
        lanes += [Lane(state, group) for state in known]
    arrows: list[Arrow] = []
    for step, moves in drawn:
        places, begin = states[step.chart], first[step.chart]
        for further, (source, target) in enumerate(moves, start=1 - len(moves)):
            note = "" if further else _note_on_state(step)
            ends = begin + places[source], begin + places[target]
            arrows.append(Arrow(len(arrows) + 1, *ends, f"{step.shape.signal}()", note))
    groups = tuple(f"Chart: {labels[chart]}" for chart in states)
    return Diagram(groups, tuple(lanes), tuple(arrows), separate=True, left_out=chosen.left_out)


def by_chart(
    steps: Iterable[Step],
    selection: Selection = EVERYTHING,
    *,
    ordered: bool = False,
    resolved: Resolve = lambda step: step,
) -> Diagram:
    """Draw each chart as a lane, each process as a group, and each step as the arrow of its event.

    The arrow starts at the chart whose step posted the event; at the border when the event came
    from outside any chart, or from one that is not shown. It is marked as claimed if its start rests on a
    token. The note is the state it led to, or the outcome in round brackets. ``ordered`` as in ``by_state``;
    ``resolved`` returns a step with its cause, if that became known later.
    """
    everyone = _Directory()
    choose = in_order if ordered else in_time
    chosen = choose(everyone.watching(steps), selection)
    if not chosen:
        return NOTHING
    labels = chart_labels(step.chart for step in chosen)
    processes: dict[tuple[str, int], list[ChartId]] = {}
    for chart in labels:
        processes.setdefault((chart.host, chart.pid), []).append(chart)
    lanes: dict[ChartId, Lane] = {}
    for group, charts in enumerate(processes.values()):
        lanes |= {chart: Lane(labels[chart], group) for chart in charts}
    places = {chart: place for place, chart in enumerate(lanes)}
    arrows = []
    for number, step in enumerate(map(resolved, chosen), start=1):
        poster = everyone.poster(step)
        source = BORDER if poster is None else places.get(poster, BORDER)
        claimed = step.cause is not None and step.cause.claimed
        label = f"{step.shape.signal}()"
        arrows.append(Arrow(number, source, places[step.chart], label, _note(step), claimed))
    names = process_labels(labels)
    groups = tuple(names[process] for process in processes)
    drawn = tuple(lanes.values()), tuple(arrows)
    return Diagram(groups, *drawn, separate=False, left_out=chosen.left_out)


def _note(step: Step) -> str:
    """Return the configuration a step led to, or its outcome, and what it completed and sent elsewhere."""
    led_to = step.shape.end if step.shape.traced else note_of(step.shape.kind)
    return NOTE_JOINT.join((led_to, *_effects(step)))


def _note_on_state(step: Step) -> str:
    """Return what lanes do not show: a configuration of several states, what was completed and sent."""
    several = max(len(step.start_states), len(step.end_states)) > 1
    return NOTE_JOINT.join((*([step.end] if several else []), *_effects(step)))


def _effects(step: Step) -> Iterator[str]:
    """Yield what a step completed, and the signals that it sent elsewhere."""
    if completed := completed_in(step):
        yield f"completed {', '.join(completed)}"
    for sent in sent_by(step):
        yield f"sent {sent.signal} to {sent.address}"


def _moves_of(step: Step) -> list[tuple[str, str]]:
    """Return source and target of each arrow that a step is drawn as, at least one."""
    if max(len(step.start_states), len(step.end_states)) < 2:
        return [(step.start, step.end)]
    if moves := [(each.source, each.target) for each in transitions_of(step)]:
        return moves
    # Nothing says which transitions were taken: what was left led to what was entered.
    left = [state for state in step.start_states if state not in step.end_states] or [*step.start_states]
    entered = [state for state in step.end_states if state not in step.start_states]
    if not entered:
        return [(state, step.end_states[0] if step.end_states else TOP) for state in left[:1]]
    return [(left[min(place, len(left) - 1)] if left else TOP, state) for place, state in enumerate(entered)]


class _Directory:
    """Finds the chart of a cause, which holds only a serial number, and a probe if it is another one."""

    def __init__(self) -> None:
        self._by_probe: dict[tuple[str, int, str, int], ChartId] = {}
        self._elsewhere: dict[ChartKey, ChartId] = {}
        self._by_process: dict[tuple[str, int, int], ChartId] = {}

    def watching(self, steps: Iterable[Step]) -> Iterable[Step]:
        known: tuple[dict[Any, ChartId], ...] = (self._by_probe, self._by_process, self._elsewhere)
        for step in steps:
            chart = step.chart
            self._by_probe[chart.host, chart.pid, chart.probe, chart.serial] = chart
            self._by_process[chart.host, chart.pid, chart.serial] = chart
            self._elsewhere[chart.key] = chart
            for charts in known:
                if len(charts) > MAX_POSTERS:
                    del charts[next(iter(charts))]
            yield step

    def poster(self, step: Step) -> ChartId | None:
        if step.cause is None or not step.cause.serial:
            return None
        chart, serial = step.chart, step.cause.serial
        if step.cause.probe:
            return self._elsewhere.get(ChartKey(step.cause.probe, serial))
        same_probe = self._by_probe.get((chart.host, chart.pid, chart.probe, serial))
        return same_probe or self._by_process.get((chart.host, chart.pid, serial))
