"""An error inside the engine is seen by a scope as a failed step, and nothing is unaccounted for."""

from __future__ import annotations

from typing import Any

import pytest

from farscope import Event, Scope, broadcast
from farscope.engine import Chart, Runner, State
from farscope.engine.core.algorithm import Walk
from farscope.engine.core.recorder import Recorder
from farscope.engine.core.step_cache import StepCache
from farscope.engine.drivers.pool import PoolDriver
from farscope.records.shape import StepKind
from farscope.wire.keys import new_key_file

SOON_S = 30


def lamp(runner: Runner | None) -> Chart:
    # A class of its own: charts of one class share what they learn, and then nothing that breaks is called.
    class Lamp(Chart):
        off = State(initial=True)
        on = State()
        off.on("SWITCH", to=on)

    return Lamp("lamp", runner=runner)


def breaks(*_: object, **__: object) -> Any:
    raise RuntimeError("broken inside")


BREAKING = [(Walk, "begin"), (StepCache, "rest"), (Recorder, "record")]
CASES = [
    *((driver, owner, name) for driver in ("thread", "runner") for owner, name in BREAKING),
    ("runner", PoolDriver, "work"),
]


@pytest.mark.parametrize(("driver", "owner", "name"), CASES)
def test_a_scope_sees_the_failed_step_and_the_end_and_misses_nothing(
    tmp_path, monkeypatch, driver, owner, name
):
    key = tmp_path / "key"
    new_key_file(key)
    url = f"memory:{tmp_path.name}"
    with Scope(url, key, since="start") as scope, Runner(1) as runner:
        broken = lamp(runner if driver == "runner" else None)
        with broadcast(broken, url=url, key=key):
            broken.start_at()
            monkeypatch.setattr(owner, name, breaks)
            broken.post_fifo(Event("SWITCH"))
            assert broken.join(SOON_S)
            monkeypatch.undo()
        assert scope.wait_for(lambda seen: any(chart.status == "failed" for chart in seen.charts), SOON_S)
        (chart,) = scope.charts
        assert (chart.steps, chart.lost, chart.unknown) == (2, 0, None)
        start, failed = (*scope.take(SOON_S, 1), *scope.take(SOON_S, 1))
        assert (start.kind, failed.kind) == (StepKind.START, StepKind.FAILED)
        assert "RuntimeError: broken inside" in failed.texts[-1]
