"""What a chart learns about flat state functions, and refuses."""

from __future__ import annotations

import pytest

from farscope.engine import Event, Hsm, return_status, signals, spy_on
from farscope.engine.states import MAX_DEPTH
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
