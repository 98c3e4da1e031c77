"""Spy lines become facts that render to the very same lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farscope.miros_lines.spy_parser import Closing, SpyGroup, closing
from farscope.records.facts import FactKind
from farscope.records.shape import StepKind
from farscope.records.step import ChartId, Step

CHART = ChartId("c", "h", 0, 1)
GROUPS = {
    StepKind.HOOK: ["HOOK:inner", "HOOK:outer", "said: something", "POST_FIFO:NEXT", "HOOK:outer:HOOK"],
    StepKind.REFUSED: ["GUARD:inner", "GUARD:outer", "EMPTY_SIGNAL:outer"],
    StepKind.IGNORED: [
        "NOPE:inner",
        "NOPE:outer",
        "SUBSCRIBING TO:(B, TYPE:fifo)",
        "PUBLISH:(B, PRIORITY:1000)",
    ],
}


def rendered(group: SpyGroup) -> list[str]:
    shape = group.shape(None, "resting")
    return Step(CHART, 1, shape, 0, 0, group.queued, group.deferred, texts=group.texts).spy()


@pytest.mark.parametrize(("kind", "lines"), GROUPS.items(), ids=[kind.name for kind in GROUPS])
def test_a_step_without_a_trace_line_has_its_kind_signal_and_place(kind, lines):
    group = SpyGroup.of(lines, Closing(1, 2))
    shape = group.shape(None, "elsewhere")
    assert (shape.kind, shape.start, shape.end) == (kind, "inner", "inner")
    assert shape.signal == lines[0].partition(":")[0]
    assert not group.moves
    assert rendered(group) == [*lines, "<- Queued:(1) Deferred:(2)"]


def test_a_start_moves_and_its_signal_is_start_at():
    group = SpyGroup.of(
        ["START", "SEARCH_FOR_SUPER_SIGNAL:a", "ENTRY_SIGNAL:a", "INIT_SIGNAL:a"], Closing(0, 0)
    )
    assert group.moves
    assert group.signal == "start_at"
    assert [fact.kind for fact in group.facts] == [
        FactKind.START,
        FactKind.SEARCH,
        FactKind.ENTRY,
        FactKind.INIT,
    ]


words = st.sampled_from(
    ["START", "B", "c1", ":", "HOOK", "ENTRY_SIGNAL:", "POST_FIFO:", " ", "PUBLISH:(", ")", "ä"]
)


@given(st.lists(st.lists(words, max_size=6).map("".join), max_size=8))
def test_whatever_the_lines_are_they_come_back(lines):
    assert rendered(SpyGroup.of(lines, Closing(3, 4))) == [*lines, "<- Queued:(3) Deferred:(4)"]


def test_only_a_queue_line_closes_a_step():
    assert closing("<- Queued:(3) Deferred:(4)") == (3, 4)
    assert closing("<- Queued:(x) Deferred:(4)") is None
    assert closing("B:c1") is None
