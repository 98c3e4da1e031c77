import weakref
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import Cause, ChartId
from farscope.scope.ordering.merge import Merge
from farscope.scope.ordering.run_queue import EVER_NS
from farscope.wire.batch import ChartEntry
from support.histories import effects_before_causes, key_of, make_history, order_of

SHAPE = Shape(StepKind.TRANSITION, "B", "c1", "c2", (Fact(FactKind.OFFER, "c1"),))


def step(probe: str, time_ns: int, *, serial: int = 1, number: int = 1, took: int = 0, cause=None):
    chart = ChartId("chart", "far", 7, serial, probe)
    return (chart, number, SHAPE, time_ns - took, took, 0, 0, 0, cause and Cause(*cause), (), ())


def times(steps) -> list[int]:
    return [step[3] + step[4] for step in steps]


def test_runs_of_two_probes_come_out_as_one():
    merge = Merge()
    merge.put("a", [step("a", 1), step("a", 4), step("a", 6)], 0, 0)
    merge.put("b", [step("b", 2), step("b", 3), step("b", 6), step("b", 9)], 0, 0)
    assert merge.next_ns == 1
    assert times(merge.pop_due(6, -1)) == [1, 2, 3, 4, 6, 6]
    assert len(merge) == 1
    assert times(merge.pop_all()) == [9]
    assert merge.next_ns is None
    assert merge.oldest_arrival_ns is None


def test_a_step_is_placed_by_its_time_less_its_probes_offset():
    merge = Merge()
    merge.put("ahead", [step("ahead", 1_002), step("ahead", 1_004)], 1_000, 0)
    merge.put("right", [step("right", 3)], 0, 0)
    assert times(merge.pop_due(3, -1)) == [1_002, 3]


def test_what_is_held_moves_when_more_is_known_of_its_clock():
    merge = Merge()
    merge.put("ahead", [step("ahead", 1_002)], 0, 0)
    merge.put("right", [step("right", 3)], 0, 0)
    merge.correct("ahead", 1_000)
    assert times(merge.pop_all()) == [1_002, 3]


def test_what_has_waited_for_long_enough_goes_with_everything_before_it():
    merge = Merge()
    merge.put("a", [step("a", 50)], 0, 10)
    merge.put("b", [step("b", 40), step("b", 60)], 0, 20)
    assert merge.oldest_arrival_ns == 10
    assert times(merge.pop_due(-EVER_NS, 9)) == []
    assert times(merge.pop_due(-EVER_NS, 10)) == [40, 50]
    assert merge.oldest_arrival_ns == 20
    assert times(merge.pop_due(-EVER_NS, 20)) == [60]


def test_a_chart_whose_clock_goes_back_keeps_its_order_and_others_do_not_wait_for_it():
    merge = Merge()
    merge.put("a", [step("a", 50, number=1), step("a", 60, number=2)], 0, 0)
    merge.put("a", [step("a", 10, number=3), step("a", 20, serial=2), step("a", 70, number=4)], 0, 0)
    taken = merge.pop_all()
    assert [(step[0].serial, step[1]) for step in taken] == [(2, 1), (1, 1), (1, 2), (1, 3), (1, 4)]


def test_what_is_handed_out_behind_a_later_step_is_late():
    merge = Merge()
    merge.put("a", [step("a", 50)], 0, 0)
    merge.pop_all()
    merge.put("a", [step("a", 40, serial=2)], 0, 0)
    assert times(merge.pop_all()) == [40]
    assert merge.late == 1
    merge.put("b", [step("b", 48), step("b", 49), step("b", 51)], 0, 0)
    assert times(merge.pop_all()) == [48, 49, 51]
    assert merge.late == 3


def test_a_step_is_late_by_what_is_known_of_its_clock_when_it_is_handed_out():
    merge = Merge()
    merge.put("right", [step("right", 50)], 0, 0)
    merge.pop_all()
    merge.put("ahead", [step("ahead", 60)], 0, 0)
    merge.correct("ahead", 20)
    assert times(merge.pop_all()) == [60]
    assert merge.late == 1
    assert merge.corrections.of(step("ahead", 60)[0], 1) == 20


def test_a_step_that_its_charts_order_holds_back_behind_later_ones_is_late():
    merge = Merge()
    merge.put("a", [step("a", 50, number=1), step("a", 10, number=2)], 0, 0)
    assert times(merge.pop_all()) == [50, 10]
    assert merge.late == 1


def test_what_was_held_before_a_clock_was_set_keeps_its_offset():
    merge = Merge()
    merge.put("a", [step("a", 1_010, number=1)], 1_000, 0)
    merge.freeze("a")
    merge.put("a", [step("a", 20, number=2)], 0, 0)
    merge.correct("a", 5)
    merge.put("b", [step("b", 12)], 0, 0)
    assert times(merge.pop_all()) == [1_010, 12, 20]
    assert [merge.corrections.of(step("a", 0)[0], number) for number in (1, 2)] == [1_000, 5]
    assert merge.late == 0


def test_at_its_limit_the_earliest_are_handed_out():
    merge = Merge(limit=3)
    merge.put("a", [step("a", 1), step("a", 5)], 0, 0)
    merge.put("b", [step("b", 2), step("b", 3), step("b", 4)], 0, 0)
    assert times(merge.pop_due(-EVER_NS, -1)) == [1, 2, 3, 4]
    assert len(merge) == 1


BATCHES = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.lists(st.tuples(st.integers(0, 30), st.integers(1, 2)), min_size=1, max_size=5),
        st.integers(-20, 20),
        st.integers(-10, 60),
    ),
    max_size=25,
)


@given(BATCHES)
def test_whatever_comes_nothing_is_lost_or_doubled_and_every_chart_keeps_its_order(batches):
    merge = Merge(limit=12)
    given_in: list[tuple[str, int]] = []
    out = []
    for now, (probe, drawn, offset, until) in enumerate(batches):
        steps = [
            step(probe, time, serial=serial, number=now * 10 + i) for i, (time, serial) in enumerate(drawn)
        ]
        given_in += [(probe, each[1]) for each in steps]
        merge.put(probe, steps, offset, now)
        out += merge.pop_due(until, now - 5)
        assert len(merge) == len(given_in) - len(out) <= 12
        assert merge.oldest_arrival_ns is None or merge.oldest_arrival_ns > now - 5
    out += merge.pop_all()
    corrected = [each[3] - merge.corrections.of(each[0], each[1]) for each in out]
    latest = accumulate(corrected, max)
    assert merge.late == sum(time < late for time, late in zip(corrected, latest, strict=True))
    assert sorted((each[0].probe, each[1]) for each in out) == sorted(given_in)
    for chart in {each[0] for each in out}:
        numbers = [each[1] for each in out if each[0] == chart]
        assert numbers == sorted(numbers)


@given(BATCHES)
def test_what_is_held_to_the_end_comes_out_sorted(batches):
    merge = Merge()
    for now, (probe, drawn, _, _) in enumerate(batches):
        merge.put(probe, [step(probe, time, serial=now) for time, _ in drawn[:1]], 0, now)
    assert times(merge.pop_all()) == sorted(drawn[0][0] for _, drawn, _, _ in batches)


def test_a_step_is_placed_by_its_end_and_not_late_because_it_took_long():
    merge = Merge()
    merge.put("a", [step("a", 50, serial=2)], 0, 0)
    assert times(merge.pop_all()) == [50]
    merge.put("a", [step("a", 60, took=55)], 0, 0)
    merge.put("b", [step("b", 55)], 0, 0)
    assert times(merge.pop_all()) == [55, 60]
    assert merge.late == 0


def test_an_effect_is_due_when_its_cause_is_and_so_is_what_its_chart_does_next():
    merge = Merge()
    entries = [ChartEntry(serial, "chart", ("c2",)) for serial in (1, 2)]
    merge.put("a", [step("a", 10, serial=2, cause=(1, 1)), step("a", 12, serial=2, number=2)], 0, 0, entries)
    merge.put("b", [step("b", 11), step("b", 30)], 0, 1)
    assert (len(merge), merge.effects) == (4, 2)
    assert times(merge.pop_due(9, -1)) == []
    merge.put("a", [step("a", 20, took=15)], 0, 2)
    assert times(merge.pop_all()) == [11, 20, 10, 12, 30]
    assert merge.late == 0


def test_an_effect_that_has_waited_for_long_enough_is_marked_and_not_late():
    merge = Merge()
    entries = [ChartEntry(serial, "chart", ("c2",)) for serial in (1, 2)]
    effect = step("a", 10, serial=2, cause=(1, 1))
    merge.put("a", [effect], 0, 5, entries)
    assert (merge.next_ns, merge.oldest_arrival_ns) == (10, 5)
    assert merge.pop_due(9, 4) == []
    assert merge.pop_due(9, 5) == [effect]
    assert merge.ran_ahead(effect[0], 1)
    cause = step("a", 40, took=35)
    merge.put("a", [cause], 0, 6)
    assert merge.pop_all() == [cause]
    assert not merge.ran_ahead(cause[0], 1)
    assert merge.late == 0


def test_an_effect_that_waits_does_not_keep_what_is_not_its_chart_from_coming():
    merge = Merge()
    entries = [ChartEntry(serial, "chart", ("c2",)) for serial in (1, 2)]
    effect, other = step("a", 10, serial=2, cause=(1, 1)), step("a", 12, serial=3)
    merge.put("a", [effect, other], 0, 5, entries)
    assert merge.pop_all(effects=False) == [other]
    cause = step("a", 40)
    merge.put("a", [cause], 0, 6)
    assert merge.pop_all() == [cause, effect]
    assert merge.late == 0


def test_when_a_clock_was_set_back_effects_before_that_wait_no_longer():
    merge = Merge()
    entries = [ChartEntry(serial, "chart", ("c2",)) for serial in (1, 2)]
    merge.put("a", [step("a", 1_010, serial=2, cause=(1, 1))], 1_000, 0, entries)
    merge.freeze("a")
    merge.put("b", [step("b", 12)], 0, 0)
    assert times(merge.pop_all()) == [1_010, 12]
    assert merge.late == 0


HISTORIES = st.integers(0, 2**32).map(make_history)


@given(HISTORIES, st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_what_is_held_to_the_end_comes_by_when_it_ended_and_behind_its_cause(history, sizes):
    merge = Merge()
    for now, (process, steps, offset) in enumerate(batches_of(history, sizes)):
        merge.put(process, steps, offset, now, entries_of(history, process))
    out = merge.pop_all()
    assert list(map(key_of, out)) == order_of(step for process in history for step in process.steps)
    assert effects_before_causes(out) == []
    assert merge.late == 0
    assert not any(merge.ran_ahead(each[0], each[1]) for each in out)


@given(HISTORIES, st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(0, 500))
def test_however_little_is_held_only_marked_effects_come_before_their_cause(history, sizes, window_ms):
    merge = Merge(limit=40)
    out = []
    for now, (process, steps, offset) in enumerate(batches_of(history, sizes)):
        merge.put(process, steps, offset, now, entries_of(history, process))
        out += merge.pop_due(max(map(ended_ns, steps)) - window_ms * 1_000_000, now - 5)
    out += merge.pop_all()
    ahead = {key_of(each) for each in out if merge.ran_ahead(each[0], each[1])}
    assert set(effects_before_causes(out)) == ahead
    assert sorted(map(key_of, out)) == sorted(key_of(step) for process in history for step in process.steps)


def ended_ns(step) -> int:
    return step[3] + step[4]


def batches_of(history, sizes):
    """Return batches of all processes in the order in which they would be sent."""
    batches = []
    for process in history:
        start = turn = 0
        while start < len(process.steps):
            size = sizes[turn % len(sizes)]
            batches.append((process.probe.hex(), process.steps[start : start + size], 0))
            start, turn = start + size, turn + 1
    return sorted(batches, key=lambda batch: ended_ns(batch[1][-1]))


def entries_of(history, probe):
    """Return what the first batch of a process tells of its charts."""
    (process,) = [process for process in history if process.probe.hex() == probe]
    return [ChartEntry(serial, "chart", ("a",)) for serial in {step[0].serial for step in process.steps}]


def test_long_texts_are_handed_out_early_rather_than_held_without_bound():
    merge = Merge(limit_bytes=1_000_000)
    out = []
    for number in range(20):
        text = ("x" * 50_000,)
        put = [(*step(probe, number, number=number)[:9], text, ()) for probe in ("a", "b")]
        merge.put("a", put[:1], 0, number)
        merge.put("b", put[1:], 0, number)
        out += merge.pop_due(-1, -1)
        assert len(merge) <= 1_000_000 // 50_000
    assert times(out + merge.pop_all()) == [number for number in range(20) for _ in "ab"]
    assert merge.late == 0


def test_what_was_handed_out_is_let_go_though_an_earlier_batch_is_still_held():
    merge = Merge()
    merge.put("slow", [step("slow", 1), step("slow", 1_000_000)], 0, 0)

    class Steps(list):
        """A list that can be looked after."""

    steps = Steps(step("quick", n) for n in range(2, 100))
    gone = weakref.ref(steps)
    merge.put("quick", steps, 0, 0)
    del steps
    assert len(merge.pop_due(1_000, -1)) == 99
    assert gone() is None
    assert len(merge) == 1


def test_long_texts_of_effects_that_wait_for_their_cause_are_handed_out_early():
    merge = Merge(limit_bytes=1_000_000)
    entries = [ChartEntry(serial, "chart", ("c2",)) for serial in (1, 2)]
    out = []
    for number in range(1, 41):
        effect = step("a", number, serial=2, number=number, cause=(1, 100))
        merge.put("a", [(*effect[:9], ("x" * 100_000,), ())], 0, number, entries if number == 1 else ())
        out += merge.pop_due(-1, -1)
        assert len(merge) <= 1_000_000 // 100_000
    assert times(out + merge.pop_all()) == list(range(1, 41))
