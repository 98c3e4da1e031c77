"""Charts as a scope shows them, and rows of a table, made by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import ChartId, ChartKey, RawStep
from farscope.scope.chart import ChartView
from farscope.views.top.table import SPARK_S, ChartRow

NOW_NS = int(datetime(2026, 1, 10, 13, 14, 26).timestamp()) * 10**9  # noqa: DTZ001 - shown in local time
SECOND_NS = 10**9


@pytest.fixture
def now_ns() -> int:
    return NOW_NS


@pytest.fixture
def step() -> Callable[..., RawStep]:
    def make(
        chart: ChartId,
        number: int,
        ago_s: float = 0.0,
        *,
        kind: StepKind = StepKind.TRANSITION,
        signal: str = "B",
        states: tuple[str, str] = ("c1", "c2"),
        queued: int = 0,
        texts: tuple[str, ...] = (),
    ) -> RawStep:
        facts = (Fact(FactKind.OFFER, states[0]), *(Fact(FactKind.FAILED, states[0]) for _ in texts))
        shape = Shape(kind, signal, *states, facts)
        return (chart, number, shape, NOW_NS - int(ago_s * SECOND_NS) - 5, 5, queued, 0, 0, None, texts, ())

    return make


@pytest.fixture
def chart_view() -> Callable[..., ChartView]:
    def make(chart: ChartId, **more: object) -> ChartView:
        known = {
            "id": chart,
            "name": chart.name,
            "host": chart.host,
            "pid": chart.pid,
            "label": chart.name,
            "state": "c1",
            "status": "alive",
            "steps": 0,
            "lost": 0,
            "last_number": 0,
            "last_ns": 0,
            "structure": None,
        }
        return ChartView(**(known | more))

    return make


@pytest.fixture
def row() -> Callable[..., ChartRow]:
    def make(name: str, **more: object) -> ChartRow:
        known = {
            "key": ChartKey(name, 1),
            "label": name,
            "name": name,
            "host": "pi:7",
            "status": "alive",
            "state": "idle",
            "in_state_ns": 3_200_000_000,
            "rate": 1.5,
            "spark": (0,) * (SPARK_S - 2) + (1, 2),
            "event": "TICK",
            "failed": False,
            "queued": 0,
            "deferred": 0,
            "lost": 0,
            "steps": 12,
            "recent": (),
        }
        known["over"] = more.get("status") in ("closed", "stopped")
        return ChartRow(**(known | more))

    return make
