from __future__ import annotations

import pytest

from farscope.engine import ActiveObject, Factory, Hsm
from farscope.engine.reserved import AS_MADE
from farscope.errors import ChartBuildError


@pytest.mark.parametrize("name", ["_run", "_leaf", "deliver", "halt", "steps"])
@pytest.mark.parametrize("base", [Hsm, ActiveObject, Factory])
def test_a_class_that_takes_a_name_of_the_engine_is_refused_with_the_remedy(base: type, name: str):
    with pytest.raises(ChartBuildError, match=f"class Mine has a {name} of its own") as refused:
        type("Mine", (base,), {name: lambda _self: None})
    assert refused.value.hint == f"call it differently, say {name.strip('_')}_of_mine"


def test_a_name_taken_by_what_a_class_is_mixed_with_is_refused_too():
    class Runs:
        def _run(self) -> None:
            """Do something quite different."""

    with pytest.raises(ChartBuildError, match="class Runs has a _run of its own"):
        type("Mine", (Runs, Factory), {})


@pytest.mark.parametrize("name", ["_queue", "_id", "_walk", "_cell", "_record", "steps", "halt"])
def test_a_chart_with_an_attribute_by_a_name_of_the_engine_does_not_start(name: str):
    chart = Factory("mine", threaded=False)
    chart.nest(chart.create("rest").to_method(), parent=None)
    setattr(chart, name, "mine")
    with pytest.raises(ChartBuildError, match=f"a chart of class Factory has a {name} of its own"):
        chart.start_at("rest")


def test_names_of_ones_own_and_methods_made_to_be_overridden_are_fine():
    class Mine(Factory):
        _limits = (1, 2)

        def start_at(self, initial_state: object) -> None:
            self._tally = 3
            super().start_at(initial_state)

        def stop(self, timeout_s: float = 1.0) -> BaseException | None:
            return super().stop(timeout_s)

    chart = Mine("mine", threaded=False)
    chart.nest(chart.create("rest").to_method(), parent=None)
    chart.start_at("rest")
    assert chart.current_state() == "rest"


def test_what_is_looked_at_before_the_start_is_there():
    chart = Factory("mine", threaded=False)
    assert not [name for name in AS_MADE if not hasattr(chart, name)]
