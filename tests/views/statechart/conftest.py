"""A chart of which some was seen and some only announced."""

from __future__ import annotations

import pytest

from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.structure import ChartStructure, Reaction, StateInfo
from farscope.views.statechart.model import Statechart


@pytest.fixture
def oven() -> Statechart:
    """Return an oven that was started and opened; it was never switched on."""
    chart = Statechart()
    nested = (
        ("oven", ""),
        ("shut", "oven"),
        ("off", "shut"),
        ("on", "shut"),
        ("lit", "on"),
        ("open", "oven"),
    )
    reactions = (
        ("oven", "INIT_SIGNAL", "off"),
        ("on", "INIT_SIGNAL", "lit"),
        ("off", "START", "on"),
        ("shut", "OPEN", "open"),
        ("lit", "TICK", ""),
        ("on", "TOAST", ""),
    )
    chart.add_structure(
        ChartStructure(tuple(StateInfo(*one) for one in nested), tuple(Reaction(*one) for one in reactions))
    )
    chart.add_shape(
        Shape(
            StepKind.START,
            "start_at",
            "top",
            "off",
            tuple(Fact(FactKind.INIT, one) for one in ("oven", "off")),
        ),
        1,
    )
    chart.add_shape(Shape(StepKind.TRANSITION, "OPEN", "shut", "open", (Fact(FactKind.OFFER, "shut"),)), 2)
    return chart
