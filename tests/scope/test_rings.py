"""The rings of all foreign charts keep within their bytes, and the largest give way first."""

from __future__ import annotations

import pytest

from farscope.records.step import RawStep
from farscope.records.weight import together_bytes
from farscope.scope.foreign_chart import SPY_LINES, ForeignHsm
from farscope.scope.rings import Rings, level_of

LIMIT = 400_000


def held(rings: list[ForeignHsm]) -> int:
    return together_bytes(step for ring in rings for step in ring.held())


def extra(steps: list[RawStep]) -> int:
    return sum(len(text) * 4 + 100 for step in steps for text in step[9]) + 5_000


def test_long_texts_give_way_and_short_ones_stay(hand_probe):
    probe = hand_probe("quiet", "chatty")
    quiet, chatty = ForeignHsm(), ForeignHsm()
    rings = Rings(lambda: (quiet, chatty), LIMIT)
    steps = [probe.step(0) for _ in range(50)]
    rings.add(quiet.append_steps(steps), extra(steps), 0)
    for number in range(200):
        said = [probe.step(1, texts=(f"{number} " + "x" * 10_000,))]
        rings.add(chatty.append_steps(said), extra(said), 0)
        assert held([quiet, chatty]) <= LIMIT
    assert len(quiet.held()) == 100
    assert chatty.held()[-1][1] == said[-1][1]
    assert 0 < len(chatty.held()) < 200


def test_trace_lines_outlive_the_texts_of_their_steps(hand_probe):
    probe, ring = hand_probe(), ForeignHsm()
    ring.append_steps([probe.step(texts=("x" * 2_000_000,))])
    ring.append_steps([probe.step() for _ in range(SPY_LINES)])
    assert held([ring]) < 2_000_000
    assert len(ring.trace().splitlines()) == SPY_LINES + 1


def test_full_rings_are_not_counted_anew_with_each_batch(hand_probe, monkeypatch):
    probe, ring = hand_probe(), ForeignHsm()
    counted: list[None] = []
    rings = Rings(lambda: counted.append(None) or (ring,), LIMIT * 10)
    for _ in range(5_000):
        rings.add(ring.append_steps([probe.step()]), 0, 0)
    assert len(counted) == 0


def test_shapes_that_were_forgotten_have_all_counted_anew(hand_probe):
    probe, ring = hand_probe(), ForeignHsm()
    counted: list[None] = []
    rings = Rings(lambda: counted.append(None) or (ring,), LIMIT)
    rings.add(ring.append_steps([probe.step()]), 0, 0)
    rings.add(ring.append_steps([probe.step()]), 0, 1)
    assert len(counted) == 1


@pytest.mark.parametrize(
    ("sizes", "room", "level"),
    [((1, 2, 3), 6, 3), ((1, 2, 9), 6, 3), ((5, 5), 6, 3), ((4,), 0, 0), ((), 5, 0)],
)
def test_the_larger_ones_shrink_to_one_level(sizes: tuple[int, ...], room: int, level: int):
    assert level_of(sizes, room) == level
    assert sum(min(size, level) for size in sizes) <= room
