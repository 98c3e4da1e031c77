from hypothesis import given
from hypothesis import strategies as st

from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import ChartId
from farscope.scope.ordering.run_queue import Lane, Run

SHAPE = Shape(StepKind.TRANSITION, "B", "c1", "c2", (Fact(FactKind.OFFER, "c1"),))


def step(time_ns: int, *, serial: int = 1, number: int = 1):
    return (ChartId("chart", "far", 7, serial, "a"), number, SHAPE, time_ns, 0, 0, 0, 0, None, ())


def test_a_run_in_order_keeps_its_own_times():
    lane = Lane()
    run = Run("a", 1, [step(10), step(20)], 5)
    lane.add(run)
    assert (run.due, run.times, run.reached_ns) == (None, [5, 15], 15)


def test_a_chart_does_not_get_in_front_of_what_is_held_of_it():
    lane = Lane()
    lane.add(Run("a", 1, [step(50), step(60, serial=2)], 0))
    run = Run("a", 2, [step(10), step(55, serial=2), step(70)], 0)
    lane.add(run)
    assert run.times == [50, 60, 70]
    assert run.due == [10, 55, 70]


def test_what_is_corrected_again_is_placed_by_its_own_times():
    lane = Lane()
    first, second = Run("a", 1, [step(50)], 0), Run("a", 2, [step(60)], 30)
    lane.add(first)
    lane.add(second)
    assert second.times == [50]
    assert lane.correct(10)
    assert (first.times, second.times) == ([40], [50])
    assert not lane.correct(10)


RUNS = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(0, 60), st.integers(1, 3)), min_size=1, max_size=6),
        st.integers(-30, 30),
        st.one_of(st.none(), st.integers(-30, 30)),
        st.booleans(),
    ),
    max_size=12,
)


@given(RUNS)
def test_whatever_becomes_known_runs_rise_and_every_chart_keeps_its_order(runs):
    lane = Lane()
    for order, (drawn, offset, correction, fix) in enumerate(runs):
        steps = [step(time, serial=serial, number=100 * order + i) for i, (time, serial) in enumerate(drawn)]
        lane.add(Run("a", order, steps, offset))
        if correction is not None:
            lane.correct(correction)
        if fix:
            lane.fixed = order
        placed = [
            (time, run.order, index, each)
            for run in lane.runs.values()
            for index, (time, each) in enumerate(zip(run.times, run.steps, strict=True))
        ]
        for run in lane.runs.values():
            assert run.times == sorted(run.times)
        reached: dict[int, int] = {}
        for _, _, _, each in sorted(placed, key=lambda one: one[:3]):
            assert each[1] > reached.get(each[0].serial, -1)
            reached[each[0].serial] = each[1]
