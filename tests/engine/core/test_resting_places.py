"""Resting places: one for equal situations, and no more than are allowed."""

from __future__ import annotations

import pytest

from farscope.engine import Chart, Event, Final, History, State
from farscope.engine.core import resting_places
from farscope.engine.core.resting_places import RestingPlaces, Situation
from farscope.engine.core.step_cache import MAX_NODES


class Memory(Chart):
    with State(initial=True) as box:
        one = State(initial=True)
        two = State()
        before = History()
    with State() as other:
        three = State(initial=True)
        four = State()
        last = History()
        done = Final()

    one.on("NEXT", to=two)
    two.on("NEXT", to=one)
    three.on("NEXT", to=four)
    four.on("NEXT", to=three)
    four.on("END", to=done)
    box.on("SWAP", to=last)
    other.on("SWAP", to=before)
    other.on_done(to=before)


def driven(*names):
    chart = Memory("memory", threaded=False)
    chart.start_at()
    for name in names:
        chart.dispatch(Event(name))
    return chart


def place_of(chart):
    return chart._core.algorithm.leaf


def test_equal_situations_share_one_place_among_all_charts_of_a_class():
    assert place_of(driven("NEXT")) is place_of(driven("NEXT"))
    assert place_of(driven("NEXT", "NEXT")) is place_of(driven())


def test_the_same_leaves_with_another_history_are_another_place():
    plain, remembering = driven(), driven("NEXT", "SWAP", "SWAP", "NEXT")
    assert plain.configuration == remembering.configuration == ("one",)
    assert place_of(plain) is not place_of(remembering)


def test_a_step_from_a_place_is_remembered_there():
    place = place_of(driven())
    driven("NEXT")
    assert set(place.roots) >= {Event("NEXT").signal}


def test_a_place_beyond_the_limit_is_not_kept_and_works_alike(monkeypatch):
    monkeypatch.setattr(resting_places, "MAX_PLACES", 1)
    tree = Memory._declaration.learnt[0].places.tree
    places = RestingPlaces(tree)
    leaves = [(vertex,) for vertex in tree.vertices if vertex.name in ("one", "two")]
    first, second = (Situation(leaf, places.nothing_remembered) for leaf in leaves)
    assert places.at(first) is places.at(first)
    assert places.at(second) is not places.at(second)
    assert places.at(second).names == ("two",)


def test_only_the_completions_that_a_state_reacts_to_are_reported():
    places = Memory._declaration.learnt[0].places
    assert {vertex.name for vertex in places.reported} == {"other"}


def test_a_completion_that_was_not_processed_makes_another_place():
    places = Memory._declaration.learnt[0].places
    done = next(vertex for vertex in places.tree.vertices if vertex.name == "done")
    other = done.outer
    waiting = places.at(Situation((done,), places.nothing_remembered, (other,)))
    assert not waiting.is_settled
    assert places.without_first_completion(waiting).is_settled


def test_a_chart_with_many_histories_keeps_a_bounded_number_of_steps():
    regions = 9
    names = {}
    with State("all", initial=True, parallel=True) as everything:
        for number in range(regions):
            with State(f"region {number}"):
                off = State(f"off {number}", initial=True)
                on = State(f"on {number}")
            off.on(f"FLIP {number}", to=on)
            on.on(f"FLIP {number}", to=off)
    names["everything"] = everything
    kind = type("Many", (Chart,), names)
    chart = kind("many", threaded=False, instrumented=False)
    chart.start_at()
    previous = 0
    for count in range(1, 2**regions):
        code = count ^ (count >> 1)
        flipped = (code ^ previous).bit_length() - 1
        chart.dispatch(Event(f"FLIP {flipped}"))
        previous = code
        on = [f"on {number}" if code >> number & 1 else f"off {number}" for number in range(regions)]
        assert chart.configuration == tuple(on)
    states, cache = kind._declaration.learnt
    assert cache.nodes <= MAX_NODES
    assert len(states.places._known) <= resting_places.MAX_PLACES


@pytest.mark.parametrize("events", [(), ("NEXT",), ("SWAP", "NEXT", "END")])
def test_a_place_names_its_leaves_and_gives_them_as_they_were_written(events):
    chart = driven(*events)
    place = place_of(chart)
    assert place.names == chart.configuration
    assert place.name == chart.current_state()
    assert chart.state.fun is place.fn
