from hypothesis import given
from hypothesis import strategies as st

from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import ChartId
from farscope.scope.ordering.run_queue import Run, RunQueue

SHAPE = Shape(StepKind.TRANSITION, "B", "c1", "c2", (Fact(FactKind.OFFER, "c1"),))


def step(time_ns: int, *, serial: int = 1, number: int = 1):
    return (ChartId("chart", "far", 7, serial, "a"), number, SHAPE, time_ns, 0, 0, 0, 0, None, (), ())


def test_a_run_in_order_keeps_its_own_times():
    queue = RunQueue()
    run = Run("a", 1, [step(10), step(20)], 5)
    queue.add(run)
    assert (run.due, run.times, run.reached_ns) == (None, [5, 15], 15)


def test_a_chart_does_not_get_in_front_of_what_is_held_of_it():
    queue = RunQueue()
    queue.add(Run("a", 1, [step(50), step(60, serial=2)], 0))
    run = Run("a", 2, [step(10), step(55, serial=2), step(70)], 0)
    queue.add(run)
    assert run.times == [50, 60, 70]
    assert run.due == [10, 55, 70]


def test_what_is_corrected_again_is_placed_by_its_own_times():
    queue = RunQueue()
    first, second = Run("a", 1, [step(50)], 0), Run("a", 2, [step(60)], 30)
    queue.add(first)
    queue.add(second)
    assert second.times == [50]
    assert queue.correct(10)
    assert (first.times, second.times) == ([40], [50])
    assert not queue.correct(10)


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
    queue = RunQueue()
    for order, (drawn, offset, correction, freeze) in enumerate(runs):
        steps = [step(time, serial=serial, number=100 * order + i) for i, (time, serial) in enumerate(drawn)]
        queue.add(Run("a", order, steps, offset))
        if correction is not None:
            queue.correct(correction)
        if freeze:
            queue.frozen = order
        placed = [
            (time, run.order, index, each)
            for run in queue.runs.values()
            for index, (time, each) in enumerate(zip(run.times, run.steps, strict=True))
        ]
        for run in queue.runs.values():
            assert run.times == sorted(run.times)
        reached: dict[int, int] = {}
        for _, _, _, each in sorted(placed, key=lambda one: one[:3]):
            assert each[1] > reached.get(each[0].serial, -1)
            reached[each[0].serial] = each[1]
