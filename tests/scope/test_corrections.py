from farscope.records.step import ChartId
from farscope.scope.corrections import KEPT, Corrections


def chart(probe: str = "a", serial: int = 1) -> ChartId:
    return ChartId("chart", "far", 7, serial, probe)


def steps(*numbers: int, probe: str = "a", serial: int = 1) -> list:
    return [(chart(probe, serial), number) for number in numbers]


def test_what_was_never_corrected_has_no_correction():
    corrections = Corrections()
    corrections.note("a", steps(1, 2), 0)
    assert corrections.of(chart(), 1) == corrections.of(chart("unknown"), 7) == 0


def test_each_step_keeps_the_correction_it_was_handed_out_with():
    corrections = Corrections()
    corrections.note("a", steps(1, 2), 0)
    corrections.note("a", steps(3, 4), 40)
    corrections.note("a", [*steps(5), *steps(1, serial=2)], 41)
    corrections.note("a", steps(6), 0)
    assert [corrections.of(chart(), number) for number in range(1, 7)] == [0, 0, 40, 40, 41, 0]
    assert corrections.of(chart(serial=2), 1) == 41


def test_a_step_that_was_found_again_later_does_not_change_those_behind_it():
    corrections = Corrections()
    corrections.note("a", steps(5), 40)
    corrections.note("a", steps(2), 50)
    assert corrections.of(chart(), 5) == 40


def test_of_a_chart_corrected_again_and_again_the_newest_corrections_are_kept():
    corrections = Corrections()
    for number in range(1, 2 * KEPT + 1):
        corrections.note("a", steps(number), number)
    assert corrections.of(chart(), 2 * KEPT) == 2 * KEPT
    assert corrections.of(chart(), 1) == KEPT + 1
