"""Random charts with regions, history and final states, as the model of SCXML reads them."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import strategies as st

from support.scxml_model import DEEP, FINAL, HISTORY, PARALLEL, PLAIN, ROOT, Arrow, Node

EVENTS = ("A", "B", "C")
MAX_STATES = 18
MAX_DEPTH = 6
MAX_EVENTS = 16

_KINDS = [PLAIN] * 6 + [PARALLEL] * 3 + [FINAL] * 2 + [HISTORY, DEEP]
_REGIONS = [PLAIN] * 6 + [PARALLEL, HISTORY, DEEP]
_OUTERMOST = [PARALLEL] * 4 + [PLAIN] * 4 + [FINAL]
_CHILDREN = ([4, 3, 2], [3, 2, 0, 4], [2, 0, 3], [0, 2, 0, 0])
"""Numbers of children of plain states, by depth."""


class Story(NamedTuple):
    """A chart, where it starts, and the events that happen to it."""

    nodes: tuple[Node, ...]
    start: int
    events: tuple[str, ...]


@st.composite
def skeletons(draw: st.DrawFn) -> list[tuple[str, int]]:
    """Draw kinds and parents, in document order."""
    found: list[tuple[str, int]] = []

    def grow(kind: str, parent: int, depth: int) -> None:
        if len(found) >= MAX_STATES:
            return
        index = len(found)
        found.append((kind, parent))
        if kind == PARALLEL:
            for _ in range(draw(st.integers(2, 3))):
                grow(draw(st.sampled_from(_REGIONS)), index, depth + 1)
        if kind == PLAIN and depth < MAX_DEPTH:
            for _ in range(draw(st.sampled_from(_CHILDREN[min(depth, len(_CHILDREN) - 1)]))):
                grow(draw(st.sampled_from(_KINDS)), index, depth + 1)
            if parent != ROOT and found[parent][0] == PARALLEL and draw(st.integers(0, 2)) == 0:
                grow(FINAL, index, depth + 1)

    for _ in range(draw(st.integers(1, 3))):
        grow(draw(st.sampled_from(_OUTERMOST)), ROOT, 0)
    return _tidy(found)


def _tidy(skeleton: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Make parallel states without regions, and history states without siblings, plain ones."""
    while True:
        parents = [parent for kind, parent in skeleton if kind not in (HISTORY, DEEP)]
        tidied = [
            (PLAIN, parent)
            if (kind == PARALLEL and index not in parents)
            or (kind in (HISTORY, DEEP) and parent not in parents)
            else (kind, parent)
            for index, (kind, parent) in enumerate(skeleton)
        ]
        if tidied == skeleton:
            return skeleton
        skeleton = tidied


def inside(skeleton: list[tuple[str, int]], outer: int) -> list[int]:
    """Return the states inside another one."""
    found: list[int] = []
    for index, (_, parent) in enumerate(skeleton):
        if parent == outer or parent in found:
            found.append(index)
    return found


def _may_complete(skeleton: list[tuple[str, int]], state: int) -> bool:
    inner = [index for index, (_, parent) in enumerate(skeleton) if parent == state]
    if skeleton[state][0] == PARALLEL:
        return any(_may_complete(skeleton, region) for region in inner)
    return any(skeleton[index][0] == FINAL for index in inner)


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Draw a chart, where it starts, and events."""
    skeleton = draw(skeletons())
    every = list(range(len(skeleton)))
    finals = [state for state in every if skeleton[state][0] == FINAL and skeleton[state][1] != ROOT]
    histories = [state for state in every if skeleton[state][0] in (HISTORY, DEEP)]
    completions = [f"done {state}" for state in every if _may_complete(skeleton, state)]
    names = st.sampled_from([*EVENTS, *EVENTS, *EVENTS, *completions])
    arrows = st.lists(
        st.builds(
            Arrow,
            names,
            st.sampled_from([*every, *every, *finals, *finals, *histories, *histories, *histories, None]),
            st.one_of(st.just(frozenset()), st.frozensets(st.integers(0, MAX_EVENTS))),
        ),
        min_size=1,
        max_size=5,
    ).map(tuple)
    nodes = []
    for index, (kind, parent) in enumerate(skeleton):
        initial = _initial(draw, skeleton, index)
        nodes.append(Node(kind, parent, initial, draw(arrows) if kind in (PLAIN, PARALLEL) else ()))
    events = draw(st.lists(st.sampled_from(EVENTS), min_size=5, max_size=MAX_EVENTS))
    return Story(tuple(nodes), draw(st.sampled_from(every)), tuple(events))


def _initial(draw: st.DrawFn, skeleton: list[tuple[str, int]], index: int) -> int | None:
    """Draw the initial state of a plain state, or the default of a history state."""
    kind, parent = skeleton[index]
    if kind in (HISTORY, DEEP):
        siblings = [
            state
            for state in inside(skeleton, parent)
            if skeleton[state][0] not in (HISTORY, DEEP) and (kind == DEEP or skeleton[state][1] == parent)
        ]
        # A history state right inside a composite one may be its initial state: then it needs a default.
        return draw(st.sampled_from(siblings))
    if kind != PLAIN:
        return None
    below = inside(skeleton, index)
    if not any(skeleton[state][0] not in (HISTORY, DEEP) for state in below):
        return None
    is_region = parent != ROOT and skeleton[parent][0] == PARALLEL
    if not is_region and draw(st.integers(0, 7)) == 0:
        return None
    return draw(st.sampled_from(below))
