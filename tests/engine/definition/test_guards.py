"""Guards are shown by the name of their function, or by the expression of a lambda."""

from __future__ import annotations

from functools import partial
from typing import Any

from farscope.engine import Chart, State
from farscope.engine.definition.guards import checked_guard, guard_text
from farscope.records.structure import Reaction


def is_hot(chart: Any) -> bool:
    return bool(chart.degrees > 100)


def text_of(guard: Any) -> str:
    return guard_text(checked_guard(guard, "a"))


def test_a_function_is_shown_by_its_name_however_many_arguments_it_takes():
    assert text_of(is_hot) == "is_hot"
    assert text_of(lambda chart, e: is_hot(chart) and e) == "is_hot(chart) and e"


def test_a_lambda_is_shown_by_its_expression():
    assert text_of(lambda oven: oven.left > 0) == "oven.left > 0"
    assert (
        text_of(lambda _oven, e: (e.payload > 0) and (e.payload < 9)) == "(e.payload > 0) and (e.payload < 9)"
    )
    assert text_of(lambda oven: oven.wärme["ö"] == "é") == 'oven.wärme["ö"] == "é"'
    assert text_of(lambda _oven: True) == "True"


def test_a_lambda_of_several_lines_or_without_source_is_shown_as_one():
    several = lambda oven: (  # noqa: E731 - it is about lambdas
        oven.this_is_a_long_name_of_an_attribute > 3
        and oven.this_is_another_long_name_of_an_attribute > 3
        and oven.this_is_yet_another_one > 3
    )
    assert text_of(several) == "<lambda>"
    assert text_of(eval("lambda oven: oven.left")) == "<lambda>"  # noqa: S307 - there is no source of it


def test_a_callable_without_a_name_is_shown_as_python_shows_it():
    assert text_of(partial(is_hot)).startswith("functools.partial(")


def test_the_structure_shows_the_guard_of_each_arrow():
    class Oven(Chart):
        degrees = 20
        off = State(initial=True)
        on = State()
        broken = State()
        off.on("START", to=broken, guard=is_hot)
        off.on("START", to=on)

        @on.on("LOOK", guard=lambda oven: oven.degrees > 50)
        def look(self) -> None:
            """Do nothing."""

    oven = Oven("oven", threaded=False)
    oven.start_at()
    assert oven._core.standing().structure().reactions == (
        Reaction("off", "START", "broken", "is_hot"),
        Reaction("off", "START", "on"),
        Reaction("on", "LOOK", "", "oven.degrees > 50"),
    )
