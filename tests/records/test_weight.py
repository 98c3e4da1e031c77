"""The estimated memory of steps is never far from their actual memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from sys import getsizeof

import pytest

from farscope.records.facts import Fact, FactKind
from farscope.records.shape import KEPT_LINES_CHARACTERS, Shape, StepKind
from farscope.records.step import Cause, ChartId, RawStep
from farscope.records.structure import ChartStructure, Reaction, StateInfo
from farscope.records.weight import (
    Charges,
    Weighed,
    runs_of,
    structure_bytes,
    texts_bytes,
    together_bytes,
)

WIDE = "\U0001f600"
BIG = 1 << 40


def shape(number: int, facts: int = 5, length: int = 20) -> Shape:
    return Shape(
        StepKind.TRANSITION,
        f"signal {number:{length}}",
        f"a {number}",
        f"b {number}",
        tuple(Fact(FactKind.ENTRY, f"{number} {fact:{length}}") for fact in range(facts)),
    )


def step(number: int, its: Shape, texts: tuple[str, ...] = (), chart: ChartId | None = None) -> RawStep:
    numbers = [BIG + number + offset for offset in range(7)]
    cause = Cause(numbers[5], numbers[6])
    return (
        chart or ChartId("c", "h", 1, 1),
        numbers[0],
        its,
        *numbers[1:4],
        number,
        numbers[4],
        cause,
        texts,
        (),
    )


def plain() -> list[RawStep]:
    one, chart = shape(1), ChartId("c", "h", 1, 1)
    return [step(n, one, chart=chart) for n in range(3_000)]


def with_texts() -> list[RawStep]:
    one = shape(1)
    return [step(n, one, (WIDE + "x" * n, str(n))) for n in range(1_000)]


def with_ids() -> list[RawStep]:
    one = shape(1)
    return [
        (*step(n, one)[:8], Cause(n, n, f"{n:032x}", f"{n:032x}", f"{n:016x}", claimed=True), (), ())
        for n in range(1_000)
    ]


def unlike() -> list[RawStep]:
    return [step(n, shape(n, 30), chart=ChartId(f"{WIDE} {n:500}", f"h {n}", 1, n)) for n in range(500)]


def rendered() -> list[RawStep]:
    steps = [step(n, shape(n)) for n in range(500)]
    for one in steps:
        one[2].lines()
    return steps


@pytest.mark.parametrize("make", [plain, with_texts, with_ids, unlike, rendered])
def test_steps_take_no_more_than_is_said_and_at_least_a_third(make: Callable[[], list[RawStep]]):
    make()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        steps = make()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) <= together_bytes(steps) * 1.05
    assert together_bytes(steps) <= 3 * (after - before)


def test_a_structure_takes_no_more_than_is_said():
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        states = tuple(StateInfo(f"{WIDE} {n}", f"{n} up") for n in range(2_000))
        structure = ChartStructure(
            states, tuple(Reaction(state.name, "B", f"{state} to") for state in states)
        )
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) <= structure_bytes(structure) * 1.05


def test_long_lines_are_made_anew_and_short_ones_kept():
    short, long = shape(1), shape(2, facts=KEPT_LINES_CHARACTERS // 20)
    assert short.lines() is short.lines()
    assert long.lines() == long.lines()
    assert long.lines() is not long.lines()


def test_texts_count_with_four_bytes_a_character_where_they_take_them():
    assert texts_bytes((WIDE * 1_000,)) >= 4_000 + getsizeof(("",))
    assert texts_bytes(()) == 0


def test_what_comes_is_counted_until_it_goes_in_the_same_order():
    charges = Charges()
    charges.add(3, 100)
    charges.add(2, 10)
    charges.add(0, 7)
    assert (charges.count, charges.bytes) == (5, 320)
    assert charges.remove(2) == 200
    assert charges.remove(2) == 110
    charges.put_back(1, 50)
    assert (charges.count, charges.bytes) == (2, 60)
    assert charges.remove(2) == 60


@pytest.mark.parametrize(("limit", "gone"), [(320, 0), (319, 1), (220, 1), (219, 2), (20, 3), (9, 5), (0, 5)])
def test_as_many_go_as_have_to_for_the_rest_to_fit(limit: int, gone: int):
    charges = Charges()
    charges.add(3, 100)
    charges.add(2, 10)
    assert charges.over(limit) == gone
    charges.remove(gone)
    assert charges.bytes <= limit


@pytest.mark.parametrize(("limit", "fitting"), [(1_000, 5), (310, 4), (309, 3), (299, 2), (99, 1), (0, 1)])
def test_as_many_fit_as_take_no_more_and_one_at_least(limit: int, fitting: int):
    charges = Charges()
    charges.add(3, 100)
    charges.add(2, 10)
    assert charges.within(limit) == fitting


def test_nothing_fits_where_nothing_is():
    assert Charges().within(100) == 0


def some() -> Iterator[RawStep]:
    yield from (step(n, shape(n)) for n in range(4))


def test_steps_bring_with_them_what_they_take():
    taken = Weighed()
    taken.join(list(some()), 10)
    taken.join(list(some())[:1], 20)
    assert runs_of(taken) == [(4, 10), (1, 20)]
    steps = list(some())
    assert runs_of(steps) == [(4, -(-together_bytes(steps) // 4))]
    assert runs_of([]) == []
