from farscope.records.step import ChartId
from farscope.scope.ordering import applied_offsets as corrections_module
from farscope.scope.ordering.applied_offsets import KEPT, AppliedOffsets


def chart(probe: str = "a", serial: int = 1) -> ChartId:
    return ChartId("chart", "far", 7, serial, probe)


def steps(*numbers: int, probe: str = "a", serial: int = 1) -> list:
    return [(chart(probe, serial), number) for number in numbers]


def test_what_was_never_corrected_has_no_correction():
    corrections = AppliedOffsets()
    corrections.record("a", steps(1, 2), 0)
    assert corrections.of(chart(), 1) == corrections.of(chart("unknown"), 7) == 0


def test_each_step_keeps_the_correction_it_was_handed_out_with():
    corrections = AppliedOffsets()
    corrections.record("a", steps(1, 2), 0)
    corrections.record("a", steps(3, 4), 40)
    corrections.record("a", [*steps(5), *steps(1, serial=2)], 41)
    corrections.record("a", steps(6), 0)
    assert [corrections.of(chart(), number) for number in range(1, 7)] == [0, 0, 40, 40, 41, 0]
    assert corrections.of(chart(serial=2), 1) == 41


def test_a_step_that_was_found_again_later_does_not_change_those_behind_it():
    corrections = AppliedOffsets()
    corrections.record("a", steps(5), 40)
    corrections.record("a", steps(2), 50)
    assert corrections.of(chart(), 5) == 40


def test_of_a_chart_corrected_again_and_again_the_newest_corrections_are_kept():
    corrections = AppliedOffsets()
    for number in range(1, 2 * KEPT + 1):
        corrections.record("a", steps(number), number)
    assert corrections.of(chart(), 2 * KEPT) == 2 * KEPT
    assert corrections.of(chart(), 1) == KEPT + 1


def test_corrections_of_all_charts_together_are_bounded(monkeypatch):
    monkeypatch.setattr(corrections_module, "KEPT_CHARTS", 20)
    monkeypatch.setattr(corrections_module, "ALL_KEPT", 50)
    corrections = AppliedOffsets()
    for number in range(1, 11):
        for probe in "abc":
            for serial in range(1, 11):
                corrections.record(probe, steps(number, probe=probe, serial=serial), number)
                kept = [changes for charts in corrections._probes.values() for changes in charts.values()]
                assert len(kept) <= 20
                assert sum(map(len, kept)) <= 50
    assert corrections.of(chart("c", 10), 10) == 10
    alone = AppliedOffsets()
    for serial in range(1, 101):
        alone.record("a", steps(1, serial=serial), 7)
    assert (alone.of(chart(serial=100), 1), alone.of(chart(serial=1), 1)) == (7, 0)
