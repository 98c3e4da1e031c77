"""Serialization for the page as JSON: short rows of plain values, with times relative to an origin.

A browser's numbers have 53 bits. Nanoseconds since the epoch need 61, so times are sent as nanoseconds since
the server's origin; this is exact within a hundred days of it and accurate to a few nanoseconds for years.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from farscope.records.kinds import UnknownKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import Step
from farscope.records.structure import ChartStructure, Reaction
from farscope.views.chart_activity import ENDED
from farscope.views.statechart.model import Statechart
from farscope.views.step_facts import failure_in, logs_of, plain_values
from farscope.views.web.chart_summary import ChartSummary

Plain = Any
"""A value that JSON can represent: lists, dictionaries, texts, numbers."""

LOGS_SHOWN: Final = 3
"""Log records of a step in its row; the facts of the step have all."""

ROW_FIELDS: Final = (
    "id", "state", "since", "status", "steps", "lost", "rate", "event", "at", "queued", "outcome",
    "unknown", "states",
)  # fmt: skip
"""The fields of ``plain_row`` in order; sent to a page in its first frame."""

STEP_FIELDS: Final = (
    "number", "at", "kind", "signal", "start", "end", "duration", "waited", "queued", "deferred", "more",
)  # fmt: skip
"""The fields of ``plain_step`` in order."""


def plain_row(row: ChartSummary, origin_ns: int, *, recorded: bool = False) -> list[Plain]:
    """Return the frequently changing data of a chart; no chart of a recording is alive."""
    view, activity = row.view, row.activity
    return [
        row.number,
        activity.state,
        moment(activity.since_ns, origin_ns),
        ENDED if recorded and view.status == "alive" else view.status,
        view.steps,
        view.lost,
        row.rate,
        activity.event,
        moment(activity.last_ns, origin_ns),
        activity.queued,
        activity.outcome,
        view.unknown is not None,
        several(activity.states),
    ]


def plain_chart(row: ChartSummary) -> dict[str, Plain]:
    """Return the data that identifies a chart."""
    view = row.view
    return {
        "id": row.number,
        "name": view.name,
        "label": view.label,
        "host": view.host,
        "pid": view.pid,
        "service": view.id.service,
        "parent": view.parent_label,
        "library": view.library,
        "regions": row.regions.names,
        "values": sorted(row.activity.values),
    }


def several(states: tuple[str, ...]) -> list[str] | None:
    """Return the leaves of a configuration of more than one; None otherwise, as its text is the only leaf."""
    return list(states) if len(states) > 1 else None


def plain_step(step: Step, origin_ns: int) -> list[Plain]:
    """Return a step as a row."""
    shape = step.shape
    return [
        step.number,
        step.ended_ns - origin_ns,
        int(shape.kind),
        shape.signal,
        shape.start,
        shape.end,
        step.duration_ns,
        step.waited_ns,
        step.queued,
        step.deferred,
        _more(step),
    ]


def _plain_reaction(reaction: Reaction) -> dict[str, Plain]:
    return {**reaction._asdict(), "flags": [flag.name.lower() for flag in reaction.flags]}


def _more(step: Step) -> dict[str, Plain] | None:
    """Return what most steps lack: several active states, values, log records, the name of a later kind."""
    more: dict[str, Plain] = {
        "starts": several(step.start_states),
        "ends": several(step.end_states),
        "values": plain_values(step.values),
        "logs": [list(record) for record in logs_of(step)[:LOGS_SHOWN]],
        "kind": step.kind.name.lower() if isinstance(step.kind, UnknownKind) else "",
        "raised": step.kind is not StepKind.FAILED and failure_in(step) is not None,
    }
    found = {name: thing for name, thing in more.items() if thing}
    return found or None


def plain_structure(picture: Statechart, announced: ChartStructure | None) -> dict[str, Plain]:
    """Return the tree of states, announced reactions, and initial transitions, seen or only announced."""
    parents = {state: parent for parent, states in picture.children().items() for state in states}
    return {
        "states": [
            {"name": state, "parent": parents[state] or "", "kind": picture.kind(state).name.lower()}
            for state in picture.states
        ],
        "reactions": [_plain_reaction(reaction) for reaction in announced.reactions] if announced else [],
        "initials": [
            {"state": state or "", "target": target, "seen": seen}
            for state, (target, seen) in picture.initials.items()
        ],
    }


def plain_moves(picture: Statechart, minus: Statechart | None = None) -> Iterable[list[Plain]]:
    """Yield [source, target, signal, count] for each arrow; no target without a transition.

    A fifth item is the outcome if a state did not handle the event. ``minus`` is subtracted from the counts:
    what had not happened yet.
    """
    for edge, count in picture.seen.items():
        yield [edge.source, edge.target, edge.signal, count - (minus.seen[edge] if minus else 0)]
    for hook, count in picture.hooked.items():
        state, signal = hook
        yield [state, "", signal, count - (minus.hooked[hook] if minus else 0)]
    later = minus.turned if minus else {}
    for turn, count in picture.turned.items():
        yield [turn.state, "", turn.signal, count - later.get(turn, 0), turn.outcome]


def plain_leaves(picture: Statechart, minus: Statechart | None = None) -> Iterable[list[Plain]]:
    """Yield [source, target, signal, leaf, count] for each arrow and each leaf it was taken from.

    Transitions taken from their source itself, or from around regions, have none. ``minus`` as above.
    """
    for taken, count in picture.taken.items():
        yield [*taken.edge, taken.leaf, count - (minus.taken[taken] if minus else 0)]


def plain_last(picture: Statechart, shape: Shape | None) -> list[list[Plain]]:
    """Return [source, target, signal, leaf] for each transition of a step; the leaf as in ``arrows_of``."""
    return [] if shape is None else [[*taken.edge, taken.leaf] for taken in picture.arrows_of(shape)]


def moment(time_ns: int, origin_ns: int) -> int | None:
    """Return a time relative to the origin, or None if it is unknown."""
    return time_ns - origin_ns if time_ns else None
