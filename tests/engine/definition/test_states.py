"""Flat state functions: which facts a chart learns about them, and which states it refuses."""

from __future__ import annotations

import contextlib
import gc
import weakref
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farscope.engine import Event, Hsm, return_status, signals, spy_on
from farscope.engine.core import states as states_module
from farscope.engine.core.states import MAX_DEPTH, MAX_STATES
from farscope.errors import ChartBuildError, NoStatus, NotAState


def test_spy_on_returns_the_very_function():
    def state(chart, e):
        return return_status.HANDLED

    assert spy_on(state) is state
    assert state.is_state


def test_a_function_that_does_not_answer_super_when_asked_for_its_parent_is_named():
    def forgetful(chart, e):
        return None

    with pytest.raises(NoStatus, match="state forgetful returned None when it was asked") as caught:
        Hsm().start_at(forgetful)
    assert "return_status.SUPER" in caught.value.hint


def test_a_function_that_names_no_parent_is_named():
    def orphan(chart, e):
        return return_status.SUPER

    with pytest.raises(NotAState, match="orphan does not say"):
        Hsm().start_at(orphan)


def test_parents_in_a_loop_or_without_end_are_refused():
    def one(chart, e):
        chart.temp.fun = two
        return return_status.SUPER

    def two(chart, e):
        chart.temp.fun = one
        return return_status.SUPER

    with pytest.raises(ChartBuildError, match="form a loop"):
        Hsm().start_at(one)

    def deeper():
        def endless(chart, e):
            chart.temp.fun = deeper()
            return return_status.SUPER

        return endless

    with pytest.raises(ChartBuildError, match=f"more than {MAX_DEPTH} states"):
        Hsm().start_at(deeper())


def test_a_function_with_other_arguments_is_no_state():
    def state(only):
        return return_status.SUPER

    with pytest.raises(ChartBuildError, match="cannot be called with a chart and an event"):
        Hsm().start_at(state)


def test_callables_of_every_kind_can_be_states():
    class Callable:
        __name__ = "callable"

        def __call__(self, chart, e) -> int:
            if e.signal == signals.GO:
                return chart.trans(many)
            chart.temp.fun = chart.top
            return return_status.SUPER

    def many(chart, *args):
        chart.temp.fun = chart.top
        return return_status.SUPER

    chart = Hsm()
    chart.start_at(Callable())
    chart.dispatch(Event("GO"))
    assert [step.end for step in chart.steps()] == ["callable", "many"]


def test_states_that_become_known_are_announced_before_the_step_that_enters_them(watcher):
    def inner(chart, e):
        chart.temp.fun = outer
        return return_status.SUPER

    def outer(chart, e):
        if e.signal == signals.GO:
            return chart.trans(inner)
        chart.temp.fun = chart.top
        return return_status.SUPER

    chart = Hsm()
    chart.attach(watcher)
    chart.start_at(outer)
    chart.dispatch(Event("GO"))
    chart.dispatch(Event("GO"))
    assert [told[0] for told in watcher.told] == ["announce", "step", "announce", "step", "step"]
    first, second = watcher.told[0], watcher.told[2]
    assert [state.name for state in first[1].states] == ["outer"]
    assert second[1].parent_of("inner") == "outer"
    assert second[2:4] == ("outer", 1)


class Announced:
    """A sink that keeps the sizes of the structures it is given."""

    def __init__(self) -> None:
        self.sizes = []
        self.moves = []

    def step(self, step):
        self.moves.append((step[2].start, step[2].end))

    def announce(self, _chart, structure, _state, _number, *_):
        self.sizes.append(len(structure.states))

    def stopped(self, chart, _status):
        """Take the end."""


def endless(made, *, breaks=False):
    """Give a chart that goes to a new state function, around which is another, at each GO."""
    chart = Hsm("endless")

    def around(chart, e):
        if e.signal_name == "GO":
            return chart.trans(new_state())
        chart.temp.fun = chart.top
        return return_status.SUPER

    def new_state():
        def state(chart, e):
            if e.signal == signals.ENTRY_SIGNAL:
                if breaks and len(made) > 1:
                    raise RuntimeError("no entry")
                return return_status.HANDLED
            chart.temp.fun = around
            return return_status.SUPER

        state.__name__ = f"state{len(made)}"
        made.append(weakref.ref(state))
        return state

    chart.start_at(new_state())
    return chart


@pytest.mark.parametrize("breaks", [False, True])
def test_a_chart_that_makes_a_new_state_for_each_transition_stays_bounded_and_right(breaks):
    made, sink = [], Announced()
    chart = endless(made, breaks=breaks)
    chart.attach(sink)
    count = 2 * MAX_STATES if breaks else 3 * MAX_STATES
    for _ in range(count):
        with contextlib.suppress(RuntimeError):
            chart.dispatch(Event("GO"))
    names = ["state0", *(f"state{number}" for number in range(1, count + 1))]
    ends = names[:1] * count if breaks else names[1:]
    assert [end for _, end in sink.moves] == ends
    assert chart.current_state() == ends[-1]
    gc.collect()
    assert sum(reference() is not None for reference in made) <= MAX_STATES + 600
    assert len(chart._core.algorithm.states._by_key) <= MAX_STATES + 1
    assert chart._core.algorithm.cache.nodes <= 4 * MAX_STATES
    assert len(sink.sizes) <= MAX_STATES + 1
    assert max(sink.sizes) <= MAX_STATES + 1
    late = Announced()
    chart.attach(late)
    assert late.sizes[0] <= MAX_STATES + 1


@given(st.lists(st.sampled_from("ABCDE"), min_size=1, max_size=40))
def test_a_chart_that_forgets_states_does_the_same_as_one_that_knows_all(events):
    told = []
    for limit in (0, 1, 3, 1_000):
        with mock.patch.object(states_module, "MAX_STATES", limit):
            chart = nest_of_functions()
            for name in events:
                chart.dispatch(Event(name))
            told.append([step.spy() for step in chart.steps()])
            assert chart._core.algorithm.states.forgot or limit >= 3
    assert told[0] == told[1] == told[2] == told[3]


def nest_of_functions():
    """Give a chart of five nested and neighbouring flat functions, started in one of the innermost."""
    parents = {"a": None, "b": "a", "c": "b", "d": "a", "e": None}
    functions = {}

    def make(name):
        def state(chart, e):
            target = {"A": "a", "B": "b", "C": "c", "D": "d", "E": "e"}.get(e.signal_name)
            if target and (target != "c" or name in ("a", "e")):
                return chart.trans(functions[target])
            if e.signal == signals.INIT_SIGNAL and name == "a":
                return chart.trans(functions["c"])
            chart.temp.fun = functions[parents[name]] if parents[name] else chart.top
            return return_status.SUPER

        state.__name__ = name
        return state

    functions.update((name, make(name)) for name in parents)
    chart = Hsm("nest")
    chart.start_at(functions["c"])
    return chart
