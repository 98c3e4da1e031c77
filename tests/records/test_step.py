"""Steps: their lines and their times."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import Cause, ChartId, Step, local_time

CHART = ChartId("oven", "pi", 42, 1)
SHAPE = Shape(StepKind.TRANSITION, "B", "c1", "c2", (Fact(FactKind.OFFER, "c1"), Fact(FactKind.SCRIBBLE)))
STEP = Step(CHART, 7, SHAPE, 1_515_590_066_739_622_999, 1500, 2, 1, 10, Cause(2, 3), ("hot",))


def test_a_step_tells_what_its_shape_tells() -> None:
    assert (STEP.kind, STEP.signal, STEP.start, STEP.end) == (StepKind.TRANSITION, "B", "c1", "c2")
    assert STEP.facts == SHAPE.facts


def test_the_spy_ends_with_the_depths_of_the_queues() -> None:
    assert STEP.spy() == ["B:c1", "hot", "<- Queued:(2) Deferred:(1)"]


def test_the_trace_carries_local_time_name_and_states() -> None:
    assert STEP.trace() == f"[{local_time(STEP.ended_ns)}] [oven] e->B() c1->c2"


def test_the_trace_carries_the_time_the_step_ended() -> None:
    slow = STEP._replace(duration_ns=310_000_000)
    assert slow.trace() == STEP._replace(time_ns=STEP.time_ns + 310_000_000, duration_ns=0).trace()


def test_a_step_without_a_transition_leaves_no_trace_line() -> None:
    hooked = Shape(StepKind.HOOK, "B", "c1", "c1", ())
    assert STEP._replace(shape=hooked).trace() is None


def test_its_time_is_aware_and_cut_to_microseconds() -> None:
    assert STEP.time == datetime(2018, 1, 10, 13, 14, 26, 739622, tzinfo=UTC)


def test_a_plain_tuple_of_its_fields_makes_a_step() -> None:
    assert Step._make(tuple(STEP)) == STEP


def test_a_label_tells_the_chart_from_its_namesakes() -> None:
    assert CHART.label == "oven@pi:42"


@given(st.integers(min_value=0, max_value=4_102_444_800_000_000_000))
def test_local_time_is_the_local_time_of_that_microsecond(time_ns: int) -> None:
    seconds, rest = divmod(time_ns, 1_000_000_000)
    expected = datetime.fromtimestamp(seconds).replace(microsecond=rest // 1000)  # noqa: DTZ006 - local on purpose
    assert local_time(time_ns) == expected.isoformat(sep=" ", timespec="microseconds")
