"""Snapshots: where a chart rests and what waits for it, as plain data from which it can be restored."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping
from time import time_ns
from typing import Any, Final

from farscope.engine.core.algorithm import START_SIGNAL
from farscope.engine.core.life import Life
from farscope.engine.core.mailbox import PLAIN_FIELDS
from farscope.engine.core.open_step import bounded
from farscope.engine.core.resting_places import RestingPlace, RestingPlaces, Situation
from farscope.engine.core.state_tree import HISTORIES, Vertex, in_document_order, outward
from farscope.engine.core.states import ERROR_PREFIX, RESULT_PREFIX, BuiltState, StateNode
from farscope.engine.core.states import outward as states_around
from farscope.engine.core.stays import Stays
from farscope.engine.event import Event, StateEvent, signals
from farscope.engine.timers.schedule import MAX_PERIOD_S, MIN_PERIOD_S
from farscope.errors import SnapshotError
from farscope.records.configuration import TOP, Configuration
from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.structure import StateKind

FORMAT: Final = "farscope chart"
VERSION: Final = 1
"""Name and version of the data; a release that changes it also reads the versions before."""

MAX_NESTING: Final = 100
"""Maximum nesting of lists and mappings in a payload; a deeper one is refused."""

ATTEMPTS: Final = 100
"""How often a snapshot is tried of a chart that handles events in the meantime, before that is reported."""

Data = dict[str, Any]


class Restoring:
    """A snapshot in the place of an initial state: the chart starts where the snapshot was made."""

    def __init__(self, data: object) -> None:
        if not isinstance(data, Mapping) or data.get("format") != FORMAT:
            raise SnapshotError("this is not a snapshot of a chart", "give what chart.snapshot() returned")
        if data.get("version") != VERSION:
            raise SnapshotError(
                f"this snapshot has version {data.get('version')!r}, and this release reads {VERSION}",
                "restore it with the release of farscope that wrote it, or a newer one",
            )
        self.data = dict(data)

    def field(self, name: str, kind: type) -> Any:
        """Return a field; raise ``SnapshotError`` if it is missing or of another type."""
        value = self.data.get(name)
        if isinstance(value, kind):
            return value
        raise SnapshotError(
            f"the field {name} of the snapshot is {value!r}", "give what chart.snapshot() returned"
        )


def snapshot(chart: Any, core: Any) -> Data:
    """Return the snapshot of a chart that rests.

    Raises:
        SnapshotError: it does not rest, or something cannot be written as JSON.
    """
    for _ in range(ATTEMPTS):
        leaf, number = core.algorithm.leaf, core.context.number
        _refuse_unless_between_steps(chart, core)
        data = _data(chart, core)
        if _is_between_steps(chart, core) and (leaf, number) == (core.algorithm.leaf, core.context.number):
            return data
    raise SnapshotError(
        f"chart {core.name} handled an event in each of {ATTEMPTS} attempts to make a snapshot",
        "make it when the chart is at rest",
    )


def _refuse_unless_between_steps(chart: Any, core: Any) -> None:
    if not _is_between_steps(chart, core):
        what = "is not started" if not core.has_started else "has something to do, or has ended"
        raise SnapshotError(
            f"no snapshot can be made of chart {core.name}, which {what}",
            "make it between two steps; if another thread runs the chart, when it is at rest",
        )


def _is_between_steps(chart: Any, core: Any) -> bool:
    """Return whether no step runs, and no other thread has taken an event to begin one."""
    if core.life is not Life.RESTING or core.completing or not core.has_started:
        return False
    driver = chart._driver  # noqa: SLF001 - a chart's own
    elsewhere = driver.thread is not None and driver.thread is not threading.current_thread()
    return not elsewhere or bool(driver.at_rest(core))


def _data(chart: Any, core: Any) -> Data:
    algorithm, timed, stays = core.algorithm, core.mailbox.timed, core.stays or _no_stays(core)
    owners = stays.numbers()
    posts = [post for post in timed.posts() if post.number not in owners]
    places = {post.number: index for index, post in enumerate(posts)}
    queue = []
    for item in list(core.queue):
        claim = item[PLAIN_FIELDS] if len(item) > PLAIN_FIELDS else 0
        number = timed.number_of(claim) if claim else 0
        if claim and not number:
            continue
        entry = _event(core, item[0], "in the queue")
        if number in owners:
            entry["state"] = owners[number]
        elif number:
            entry["timer"] = places.get(number)
        queue.append(entry)
    timers = [
        {
            **_event(core, post.e, "of a timed post"),
            "period_s": post.period_s,
            "left": post.left,
            "lifo": post.lifo,
            "remaining_s": post.remaining_s,
        }
        for post in posts
    ]
    return {
        "format": FORMAT,
        "version": VERSION,
        "chart": core.name,
        "configuration": [leaf.name for leaf in algorithm.active()],
        "parents": _parents(core),
        "history": _history(algorithm.leaf, algorithm.states.places),
        "queue": queue,
        "deferred": [_event(core, e, "deferred") for e in list(core.mailbox.deferred)],
        "timeouts": {
            state: {signals.name_for_signal(signal): seconds for signal, seconds in remaining.items()}
            for state, remaining in stays.remaining().items()
        },
        "tasks": stays.working(),
        "timers": timers,
        "subscriptions": [
            {"signal": signals.name_for_signal(signal), "lifo": lifo}
            for signal, lifo in core.fabric.subscriptions_of(chart)
        ],
    }


def _no_stays(core: Any) -> Stays:
    return Stays(core.mailbox.timed, core.step.note)


def _parents(core: Any) -> dict[str, str]:
    parents: dict[str, str] = {}
    for leaf in core.algorithm.active():
        for node in states_around(leaf):
            if not isinstance(node.fn, BuiltState):
                raise SnapshotError(
                    f"state {node.name} of chart {core.name} is a function, which has no lasting name",
                    "declare the states, or build them with a Factory",
                )
            parents[node.name] = node.parent.name if node.parent else ""
    return parents


def _history(leaf: Any, places: RestingPlaces | None) -> dict[str, list[str]]:
    if places is None or not isinstance(leaf, RestingPlace):
        return {}
    pairs = zip(places.histories, leaf.situation.remembered, strict=True)
    return {
        history.name: [vertex.name for vertex in stands_for] for history, stands_for in pairs if stands_for
    }


def _event(core: Any, e: Event, where: str) -> Data:
    for problem in _not_json(e.payload, MAX_NESTING):
        raise SnapshotError(
            f"the payload of {e.signal_name}, an event {where} of chart {core.name}, contains {problem}",
            "post plain data: None, booleans, numbers, strings, lists, and dictionaries with string keys",
        )
    return {"signal": e.signal_name, "payload": _copied(e.payload)}


def _not_json(value: object, nesting: int) -> Iterator[str]:
    """Yield what is not JSON, or would not come back as it is."""
    if value is None or type(value) in (bool, int, str):
        return
    if type(value) is float:
        if not math.isfinite(value):
            yield f"the number {value!r}"
    elif nesting == 0:
        yield f"more than {MAX_NESTING} levels of nesting"
    elif type(value) is list:
        for item in value:
            yield from _not_json(item, nesting - 1)
    elif type(value) is dict:
        for key, item in value.items():
            if type(key) is not str:
                yield f"the key {bounded(repr(key))}"
            yield from _not_json(item, nesting - 1)
    else:
        yield f"an object of type {type(value).__qualname__}"


def _copied(value: Any) -> Any:
    if type(value) is list:
        return [_copied(item) for item in value]
    if type(value) is dict:
        return {key: _copied(item) for key, item in value.items()}
    return value


def prepare(chart: Any, core: Any, snapshot: Restoring) -> tuple[Shape, Any]:
    """Return the shape of the step that starts a chart where a snapshot was made, and where it then rests.

    Raises:
        SnapshotError: the snapshot does not fit the chart.
    """
    algorithm = core.algorithm
    algorithm.complete_states(chart)
    states = algorithm.states
    parents = snapshot.field("parents", dict)
    names = snapshot.field("configuration", list)
    for name, parent in parents.items():
        found = _node(chart, states, name).parent
        here = found.name if found else ""
        if here != parent:
            raise _misfit(
                f"state {name} lies in {parent or 'no other state'} there, and in {here or 'none'} here"
            )
    leaves = [_node(chart, states, name) for name in names]
    if not leaves:
        raise _misfit("it rests nowhere there")
    if any(node.name not in parents for leaf in leaves for node in states_around(leaf)):
        raise _misfit(f"more states are active around {', '.join(names)} here")
    places: RestingPlaces | None = states.places
    leaf: Any
    start: Configuration
    end: Configuration
    if places is None:
        if len(leaves) != 1:
            raise _misfit(f"it rests in {len(leaves)} states there, and can rest in one here")
        leaf = leaves[0]
        start, end = TOP, leaf.name
    else:
        leaf = places.at(_situation(chart, states, places, leaves, snapshot.field("history", dict)))
        start, end = (), leaf.names
    _check_events(core, snapshot)
    _check_stays(states, snapshot)
    return Shape(StepKind.START, START_SIGNAL, start, end, (Fact(FactKind.START),)), leaf


def _node(chart: Any, states: Any, name: object) -> StateNode:
    if isinstance(name, str) and name in states.named:
        return states.resolve(chart, name, "the snapshot")  # type: ignore[no-any-return]
    raise _misfit(f"there is no state {name} here")


def _situation(
    chart: Any, states: Any, places: RestingPlaces, leaves: list[StateNode], history: Mapping[str, list[str]]
) -> Situation:
    tree = places.tree
    vertices = in_document_order(tree.of(leaf) for leaf in leaves)
    active = {vertex for leaf in vertices for vertex in outward(leaf)}
    for vertex in (tree.root, *active):
        inner = sum(child in active for child in vertex.children)
        wanted = len(vertex.children) if vertex.kind is StateKind.PARALLEL else min(inner, 1)
        if inner != wanted or vertex.kind in HISTORIES:
            raise _misfit(f"state {vertex.name or 'top'} cannot rest like that here")
    known = {vertex.name: vertex for vertex in places.histories}
    remembered: dict[Vertex, tuple[Vertex, ...]] = {}
    for name, stands_for in history.items():
        if name not in known:
            raise _misfit(f"there is no history state {name} here")
        inside = [tree.of(_node(chart, states, state)) for state in stands_for]
        around = tree.around(known[name])
        if not all(around.contains(vertex) for vertex in inside):
            raise _misfit(f"history state {name} stands for states elsewhere")
        remembered[known[name]] = tuple(in_document_order(inside))
    return Situation(tuple(vertices), tuple(remembered.get(vertex, ()) for vertex in places.histories))


def _misfit(why: str) -> SnapshotError:
    return SnapshotError(
        f"the snapshot does not fit the chart: {why}", "restore it in a chart that has the same states"
    )


def _check_events(core: Any, snapshot: Restoring) -> None:
    """Raise ``SnapshotError`` unless what waits in a snapshot has room in the chart."""
    timers = len(snapshot.field("timers", list))
    for name in ("queue", "deferred", "timers", "subscriptions"):
        entries = snapshot.field(name, list)
        if not all(isinstance(entry, Mapping) and _is_sound(name, entry, timers) for entry in entries):
            raise _damaged(name)
        size = core.mailbox.size
        if name in ("queue", "deferred") and sum("state" not in entry for entry in entries) > size:
            raise SnapshotError(
                f"{len(entries)} events are too many for chart {core.name}, which has room for {size}",
                "give the chart the queue_size of the one of which the snapshot was made",
            )


def _is_sound(field: str, entry: Mapping[str, Any], timers: int) -> bool:
    """Return whether an entry of a field, which is one of a list, has the values that belong there."""
    signal, left, timer = entry.get("signal"), entry.get("left"), entry.get("timer")
    if not (signal and isinstance(signal, str)):
        return False
    if field == "timers":
        is_counted = left is None or (isinstance(left, int) and left > 0)
        return (
            is_counted
            and MIN_PERIOD_S <= _seconds(entry.get("period_s")) <= MAX_PERIOD_S
            and (_seconds(entry.get("remaining_s")) >= 0)
        )
    return timer is None or (isinstance(timer, int) and 0 <= timer < timers)


def _seconds(value: object) -> float:
    """Return a number of seconds; -1 if it is not one."""
    return value if isinstance(value, int | float) and 0 <= value <= MAX_PERIOD_S else -1


def _damaged(field: str) -> SnapshotError:
    return SnapshotError(
        f"the field {field} of the snapshot is damaged", "give what chart.snapshot() returned"
    )


def _check_stays(states: Any, snapshot: Restoring) -> None:
    """Raise ``SnapshotError`` if timeouts or tasks of a snapshot belong to states that do not have them."""
    owned: list[tuple[Any, Any]] = []
    for state, timeouts in snapshot.field("timeouts", dict).items():
        if not (isinstance(timeouts, Mapping) and all(_seconds(left) >= 0 for left in timeouts.values())):
            raise _damaged("timeouts")
        owned += ((state, name) for name in timeouts)
    owned += [(state, f"{RESULT_PREFIX}{state}") for state in snapshot.field("tasks", list)]
    owned += [
        (entry["state"], entry["signal"]) for entry in snapshot.field("queue", list) if "state" in entry
    ]
    for state, name in owned:
        built = states.named.get(state)
        tasks = (f"{RESULT_PREFIX}{state}", f"{ERROR_PREFIX}{state}")
        has_it = built is not None and (
            signals.get(name) in built.timeouts or (built.task_function is not None and name in tasks)
        )
        if not has_it or state not in snapshot.field("parents", dict):
            raise _misfit(f"state {state} has no {name} here")


def resume(chart: Any, core: Any, snapshot: Restoring) -> None:
    """Put back what waited for a chart, which has just started where a snapshot was made."""
    timed = core.mailbox.timed
    for entry in snapshot.field("subscriptions", list):
        core.fabric.subscribe(chart, signals.append(entry["signal"]), lifo=bool(entry.get("lifo")))
    numbers = [
        timed.arm(
            Event(entry["signal"], _copied(entry.get("payload"))),
            None,
            entry["period_s"],
            entry["left"],
            None,
            lifo=bool(entry.get("lifo")),
            first_s=entry["remaining_s"],
        )
        for entry in snapshot.field("timers", list)
    ]
    _resume_stays(chart, core, snapshot)
    core.mailbox.deferred.extend(
        Event(entry["signal"], _copied(entry.get("payload"))) for entry in snapshot.field("deferred", list)
    )
    items = [_item(core, entry, numbers) for entry in snapshot.field("queue", list)]
    core.queue.extendleft(reversed(items))


def _resume_stays(chart: Any, core: Any, snapshot: Restoring) -> None:
    timeouts, tasks = snapshot.field("timeouts", dict), snapshot.field("tasks", list)
    seen: set[str] = set()
    for leaf in core.algorithm.active():
        for node in reversed(list(states_around(leaf))):
            if node.name in seen or not isinstance(node.fn, BuiltState):
                continue
            seen.add(node.name)
            holding = node.fn.holding_for(chart)
            if holding is None:
                continue
            remaining = {
                signals.append(name): seconds for name, seconds in timeouts.get(node.name, {}).items()
            }
            core.stays = core.stays or _no_stays(core)
            core.stays.restore(chart, holding, remaining, works=node.name in tasks)


def _item(core: Any, entry: Data, numbers: list[int]) -> Any:
    """Return an item for the queue."""
    timed, state = core.mailbox.timed, entry.get("state")
    payload = _copied(entry.get("payload"))
    e = Event(entry["signal"], payload) if state is None else StateEvent(entry["signal"], payload)
    item = (e, None, time_ns() if core.observers.wanted else 0)
    if state is not None:
        return (*item, timed.claim_again(core.stays.number_for(state, e.signal), e.signal))
    if "timer" in entry:
        index = entry["timer"]
        number = timed.new_number() if index is None else numbers[index]
        return (*item, timed.claim_again(number, e.signal))
    return item
