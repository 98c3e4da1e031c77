"""Lines become steps of the right charts, in whatever order the two queues deliver them."""

from __future__ import annotations

import pytest

from farscope.errors import Invariant
from farscope.miros_lines import intake as lines_intake
from farscope.miros_lines.intake import ACTIVE_NS, HOLD_NS, MAX_GROUP, TICK, UNKNOWN, LinesIntake
from farscope.miros_lines.tokens import SPY, TRACE, Line, LineOpener, LineSealer, marked
from farscope.records.shape import StepKind
from farscope.scope.intake import Accepted, Refused
from farscope.wire.keyring import Keyring, new_key_text

RING = Keyring.from_text(new_key_text())
SEALER = LineSealer(RING)
STAMP = "[2018-01-10 18:23:35.647035]"
START = [
    "START",
    "SEARCH_FOR_SUPER_SIGNAL:c1",
    "ENTRY_SIGNAL:c1",
    "INIT_SIGNAL:c1",
    "<- Queued:(0) Deferred:(0)",
]
MOVE = ["B:c1", "EXIT_SIGNAL:c1", "ENTRY_SIGNAL:c1", "INIT_SIGNAL:c1", "<- Queued:(1) Deferred:(0)"]
HOOK = ["H:c1", "H:c1:HOOK", "<- Queued:(0) Deferred:(0)"]


class Feeder:
    """An intake, a clock to turn, and the steps that came of what was fed."""

    def __init__(self) -> None:
        self.intake = LinesIntake(LineOpener(RING))
        self.now_ns = 1_000
        self.steps: list[tuple[str, StepKind, list[str], str | None]] = []

    def take(self, data: bytes) -> None:
        outcome = self.intake.receive(data, self.now_ns)
        if isinstance(outcome, Accepted):
            (raw,) = outcome.posted.steps
            chart, _, shape, *_, texts, _ = raw
            self.steps.append((chart.name, shape.kind, list(shape.lines(texts)), shape.end))

    def spy(self, *lines: str) -> None:
        for line in lines:
            self.take(marked(Line(SPY, SEALER.seal(line))))

    def trace(self, text: str, name: str = "one") -> None:
        self.take(marked(Line(TRACE, SEALER.seal(f"\n{STAMP} [{name}] {text}\n"))))

    def wait(self, ns: int = HOLD_NS) -> None:
        self.now_ns += ns
        for _ in range(self.intake.waiting):
            self.take(TICK)


@pytest.fixture
def feeder() -> Feeder:
    return Feeder()


def test_trace_and_spy_of_the_only_chart_make_whole_steps(feeder):
    feeder.trace("e->start_at() top->c1")
    feeder.spy(*START)
    feeder.trace("e->B() c1->c1")
    feeder.spy(*MOVE)
    feeder.spy(*HOOK)
    assert feeder.steps == [
        ("one", StepKind.START, START[:-1], "c1"),
        ("one", StepKind.TRANSITION, MOVE[:-1], "c1"),
        ("one", StepKind.HOOK, HOOK[:-1], "c1"),
    ]
    assert feeder.intake.waiting == 0


def test_spy_lines_that_overtake_their_trace_line_wait_for_it(feeder):
    feeder.spy(*START)
    assert feeder.steps == []
    feeder.trace("e->start_at() top->c1")
    feeder.spy(*MOVE)
    feeder.trace("e->B() c1->c1")
    assert [(name, kind) for name, kind, *_ in feeder.steps] == [
        ("one", StepKind.START),
        ("one", StepKind.TRANSITION),
    ]


def test_a_trace_line_whose_spy_lines_do_not_come_is_a_step_without_facts(feeder):
    feeder.trace("e->start_at() top->c1")
    feeder.wait(HOLD_NS - 1)
    assert feeder.steps == []
    feeder.wait(1)
    assert feeder.steps == [("one", StepKind.START, [], "c1")]


def test_spy_lines_without_any_chart_around_are_shown_under_a_name_of_their_own(feeder):
    feeder.spy(*HOOK)
    feeder.spy(*MOVE)
    feeder.wait()
    assert [name for name, *_ in feeder.steps] == [UNKNOWN, UNKNOWN]
    assert [line for _, _, lines, _ in feeder.steps for line in lines] == HOOK[:-1] + MOVE[:-1]


def test_with_two_charts_around_traces_keep_their_names_and_spy_lines_belong_to_nobody(feeder):
    feeder.trace("e->start_at() top->c1", "one")
    feeder.spy(*START)
    feeder.trace("e->start_at() top->c1", "two")
    feeder.spy(*START)
    feeder.trace("e->B() c1->c1", "one")
    feeder.spy(*MOVE)
    assert [(name, bool(lines)) for name, _, lines, _ in feeder.steps] == [
        ("one", True),
        ("two", False),
        (UNKNOWN, True),
        ("one", False),
        (UNKNOWN, True),
    ]


def test_a_chart_that_said_nothing_for_long_is_not_around_any_more(feeder):
    feeder.trace("e->start_at() top->c1", "old")
    feeder.spy(*START)
    feeder.now_ns += ACTIVE_NS
    feeder.trace("e->start_at() top->c1", "new")
    feeder.spy(*START)
    assert [(name, bool(lines)) for name, _, lines, _ in feeder.steps] == [("old", True), ("new", True)]


def test_every_step_of_a_chart_has_the_next_number_and_nothing_is_missing(feeder):
    for _ in range(5):
        feeder.trace("e->B() c1->c1")
        feeder.spy(*MOVE)
    totals = feeder.intake.totals()
    assert (feeder.intake.accepted, totals.received, totals.missing) == (5, 5, 0)


def test_what_cannot_be_taken_is_refused_and_counted(feeder):
    stranger = LineSealer(Keyring.from_text(new_key_text()))
    assert isinstance(feeder.intake.receive(marked(Line(SPY, stranger.seal("START"))), 1), Refused)
    assert isinstance(feeder.intake.receive(marked(Line(SPY, b"rubbish")), 1), Refused)
    feeder.trace("no trace line at all")
    assert dict(feeder.intake.refused) == {"wrong key": 1, "malformed": 2}
    assert feeder.steps == []


def test_spy_lines_without_end_are_cut_into_steps(feeder):
    feeder.spy(*["B:c1"] * (MAX_GROUP + 1))
    assert [len(lines) for _, _, lines, _ in feeder.steps] == [MAX_GROUP]


def test_a_held_line_is_one_or_the_other():
    from farscope.miros_lines.intake import _Held

    with pytest.raises(Invariant):
        LinesIntake(LineOpener(RING))._step(_Held(0, 0), 0)


def test_long_lines_without_an_end_are_taken_for_a_step_early(monkeypatch):
    monkeypatch.setattr(lines_intake, "MAX_GROUP_BYTES", 100_000)
    feeder = Feeder()
    for _ in range(25):
        feeder.spy("x" * 10_000)
    assert [len(lines) for _, _, lines, _ in feeder.steps] == [10, 10]


def test_long_steps_that_wait_for_their_trace_line_go_without_it(monkeypatch):
    monkeypatch.setattr(lines_intake, "MAX_HELD_BYTES", 1_000_000)
    feeder = Feeder()
    feeder.trace("e->start_at() top->c1")
    for _ in range(100):
        feeder.spy("B:c1", "x" * 50_000, "ENTRY_SIGNAL:c1", "<- Queued:(0) Deferred:(0)")
    assert feeder.intake.waiting * 50_000 <= 1_000_000 + 8 * 50_000
    assert feeder.steps


def test_what_a_step_of_lines_takes_is_known(monkeypatch):
    feeder = Feeder()
    outcomes = []
    take = feeder.intake.receive
    monkeypatch.setattr(feeder.intake, "receive", lambda *args: outcomes.append(take(*args)) or outcomes[-1])
    feeder.spy("x" * 50_000, "<- Queued:(0) Deferred:(0)")
    (accepted,) = [outcome for outcome in outcomes if isinstance(outcome, Accepted)]
    assert accepted.batch.step_bytes >= 50_000
