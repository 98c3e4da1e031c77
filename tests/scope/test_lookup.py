from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farscope.records.step import ChartId
from farscope.scope.chart import Chart
from farscope.scope.lookup import candidates, meant


def run(began_ns: int, last_ns: int, host: str = "far", name: str = "lamp") -> Chart:
    return Chart(ChartId(name, host, began_ns, 1, f"{began_ns:032x}"), last_ns=last_ns)


def choose(*runs: Chart, alive: Chart | None = None) -> list[Chart]:
    return meant(list(runs), alive=lambda one: one is alive, began_ns=lambda one: one.id.pid)


def test_of_successive_runs_the_newest_is_meant():
    first, second, third = run(10, 15), run(20, 25), run(30, 35)
    assert choose(third, first, second) == [third]


def test_the_only_one_alive_is_meant_whenever_it_began():
    first, second = run(10, 15), run(20, 25)
    assert choose(first, second, alive=first) == [first]


def test_a_run_that_has_not_made_a_step_yet_can_be_the_newest():
    assert choose(run(10, 15), newest := run(20, 0)) == [newest]


@pytest.mark.parametrize(
    "runs",
    [
        (run(10, 25), run(20, 30)),
        (run(10, 15), run(20, 25, host="pi")),
        (run(10, 0), run(20, 25)),
        (run(0, 15), run(20, 25)),
    ],
    ids=["overlapping", "on two hosts", "of unknown end", "of unknown beginning"],
)
def test_runs_stay_ambiguous_when_they_are(runs):
    assert len(choose(*runs)) == 2


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 20)), min_size=2, max_size=6))
def test_never_is_one_chosen_of_runs_of_which_two_overlap(spans):
    runs = [run(began, began + length) for began, length in spans]
    ordered = sorted(spans)
    overlap = any(b + length >= later for (b, length), (later, _) in pairwise(ordered))
    chosen = choose(*runs)
    assert len(chosen) == (len(runs) if overlap else 1)
    assert overlap or chosen[0].last_ns == sum(ordered[-1])


def test_a_name_goes_before_a_label():
    lamp, odd = run(10, 15), run(20, 25, name="lamp@far:10")
    assert candidates("lamp", [lamp, odd]) == [lamp]
    assert candidates("lamp@far:10", [lamp, odd]) == [odd]
    assert candidates("lamp@far", [lamp, odd]) == [lamp]
