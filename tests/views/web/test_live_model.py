"""The live model: one clock for all machines, and the probes heard at each moment."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from farscope import Scope
from farscope.logs.url import open_log
from farscope.records.step import NANOSECONDS, Step
from farscope.scope.chart import ChartView
from farscope.scope.liveness import Liveness
from farscope.testing.waiting import eventually
from farscope.views.web.at_time import Moment
from farscope.views.web.live_model import LiveModel
from farscope.views.web.serialize import ROW_FIELDS
from farscope.wire.keyring import Keyring, new_key_text
from support.recorded_probe import RecordedProbe, in_true_order

KEYRING = Keyring.from_text(new_key_text())
S = NANOSECONDS
HOUR_NS = 3_600 * S


@pytest.fixture
def url(tmp_path) -> str:
    return f"memory:{tmp_path.name}"


@contextmanager
def writer(url: str, probe: RecordedProbe) -> Iterator:
    with closing(open_log(url).writer(probe.id.hex())) as made:
        yield lambda *entries: made.append([entry.data for entry in entries], 5.0)


def rows_at(model: LiveModel, time_ns: int) -> dict[str, dict]:
    moment = Moment(model.past(time_ns), time_ns)
    with model.lock:
        rows = list(model.rows.values())
        return {row.view.name: dict(zip(ROW_FIELDS, moment.row(row, 0), strict=True)) for row in rows}


def test_steps_of_a_machine_whose_clock_is_ahead_stand_where_they_happened(url):
    right = RecordedProbe(KEYRING, 1, host="right")
    ahead = RecordedProbe(KEYRING, 1, host="ahead", ahead_ns=HOUR_NS)
    with Scope(url, KEYRING) as scope, LiveModel(scope) as model:
        with writer(url, right) as say_right, writer(url, ahead) as say_ahead:
            began_ns = time.time_ns()
            for probe, say in ((right, say_right), (ahead, say_ahead)):
                probe.step(time.time_ns(), 0, "on", "start_at")
                say(probe.send(time.time_ns(), all_charts=True))
            rows = eventually(lambda: len(model.history.charts) == 2 and list(model.rows.values()))
        ended_ns = time.time_ns()
        told = [row.activity.last_ns for row in rows]
        # An offset may be told too low by as long as a batch was on its way, and never too high.
        assert all(began_ns - S // 100 <= last_ns for last_ns in told)
        assert all(last_ns <= ended_ns + (ended_ns - began_ns) for last_ns in told)
        assert rows_at(model, began_ns - 60 * S)["ahead 0"]["status"] == "not yet"
        with model.lock:
            stored = model.history.charts[ahead.charts[0].key]
            place = stored.numbered(1)
            assert (
                stored.own_ns(place) - stored.at(place).time_ns == model.history.corrections[ahead.id.hex()]
            )


def test_a_moment_of_the_past_tells_who_was_heard_then(url):
    began_ns = time.time_ns() - HOUR_NS
    stays, silent, closed, stops = (RecordedProbe(KEYRING, 1, host=host) for host in ("a", "b", "c", "d"))
    sent = []
    for second in range(60):
        now_ns = began_ns + second * S
        for probe, until in ((stays, 60), (silent, 20), (closed, 30), (stops, 60)):
            if second == 0:
                probe.step(now_ns, 0, "on", "start_at")
            if probe is stops and second == 40:
                probe.stopped.add(1)
            if second < until:
                goodbye = probe is closed and second == until - 1
                sent.append((probe, probe.send(now_ns + 1, all_charts=True, goodbye=goodbye)))
    with Scope(url, KEYRING, since="start") as scope, LiveModel(scope) as model, writer(url, stays) as say:
        say(*in_true_order(sent))
        eventually(lambda: len(model.history) == 4)
        eventually(lambda: [life.closed_ns for life in scope.lives.values()].count(None) == 3)
        expected = {
            -1: ("not yet", "not yet", "not yet", "not yet"),
            10: ("alive", "alive", "alive", "alive"),
            28: ("alive", "silent", "alive", "alive"),
            35: ("alive", "silent", "closed", "alive"),
            50: ("alive", "silent", "closed", "stopped"),
            70: ("silent", "silent", "closed", "stopped"),
        }
        for second, statuses in expected.items():
            rows = rows_at(model, began_ns + second * S)
            assert tuple(rows[f"{host} 0"]["status"] for host in "abcd") == statuses, second


class ScopeByHand:
    """A scope whose steps and clocks the test decides about."""

    stats = None
    ended = False
    untaken = 0
    charts: tuple[ChartView, ...] = ()

    def __init__(self, probe: RecordedProbe) -> None:
        self.probe, self.correction_ns, self.jumps = probe, 0, ()
        self._steps: list[Step] = []

    def do(self, *own_times_s: int) -> None:
        for time_s in own_times_s:
            self.probe.step(time_s * S, 0, f"s{time_s}")
        self._steps += [Step._make(step) for step in self.probe._waiting]
        self.probe._waiting.clear()

    def take(self, timeout_s: float, limit: int) -> list[Step]:
        del timeout_s, limit
        taken, self._steps = self._steps, []
        return taken

    def corrected_ns(self, step: Step) -> int:
        return step.time_ns - self.correction_ns

    def notices(self) -> list:
        return []

    @property
    def lives(self) -> dict[str, Liveness]:
        return {self.probe.id.hex(): Liveness((), None, {}, self.jumps, self.correction_ns)}


@pytest.fixture
def by_hand() -> tuple[ScopeByHand, LiveModel]:
    scope = ScopeByHand(RecordedProbe(KEYRING, 1))
    chart = scope.probe.charts[0]
    scope.charts = (
        ChartView(
            id=chart, name=chart.name, host=chart.host, pid=7, label=chart.name, state="", status="alive",
            steps=0, lost=0, last_number=0, last_ns=0, structure=None,
        ),
    )  # fmt: skip
    return scope, LiveModel(scope)


def times_s(model: LiveModel) -> list[float]:
    (stored,) = model.history.charts.values()
    return [step.ended_ns / S for step in stored.newest(100, -(1 << 62), 1 << 62)]


def test_when_a_clock_becomes_better_known_the_whole_chart_moves_and_nothing_goes_back(by_hand):
    scope, model = by_hand
    scope.do(1_000, 1_001)
    model._round()
    assert times_s(model) == [1_000, 1_001]
    scope.correction_ns = 40 * S
    scope.do(1_002)
    model._round()
    assert times_s(model) == [960, 961, 962]
    scope.correction_ns = 45 * S
    scope.do(1_003)
    model._round()
    assert times_s(model) == [955, 956, 957, 958]
    (row,) = model.rows.values()
    assert (row.activity.last_ns, row.activity.since_ns) == (958 * S, 958 * S)


def test_a_clock_that_becomes_better_known_moves_also_what_does_nothing_any_more(by_hand):
    scope, model = by_hand
    scope.do(1_000, 1_001)
    model._round()
    epoch, scope.correction_ns = model.epoch, 40 * S
    model._update_charts()
    assert times_s(model) == [960, 961]
    assert [row.activity.last_ns for row in model.rows.values()] == [961 * S]
    assert model.epoch > epoch


def test_when_a_clock_was_set_what_was_before_stays(by_hand):
    scope, model = by_hand
    scope.correction_ns = -5_000 * S
    scope.do(1_000, 1_001)
    model._round()
    scope.correction_ns, scope.jumps = 0, (5_001 * S,)
    scope.do(6_002)
    model._round()
    assert times_s(model) == [6_000, 6_001, 6_002]


def test_a_clock_that_is_off_by_little_is_shown_as_it_is_and_does_not_flicker(by_hand):
    scope, model = by_hand
    scope.do(1_000)
    told = []
    for correction_s in (0.9, 1.1, 0.9, 0.6, 0.4, 0.9):
        scope.correction_ns = int(correction_s * S)
        model._update_charts()
        model._round()
        told.append(times_s(model)[0])
    assert told == [1_000, 998.9, 999.1, 999.4, 1_000, 1_000]
