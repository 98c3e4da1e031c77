import pytest
from hypothesis import given
from hypothesis import strategies as st

from farscope.records.remarks import LONG_NS, remarks, took_text, without_remarks
from farscope.records.shape import Shape, StepKind
from farscope.records.step import ChartId, Step

MILLISECOND = 1_000_000
SHAPE = Shape(StepKind.TRANSITION, "GO", "a", "b", ())


def took(duration_ns: int) -> Step:
    return Step(ChartId("door", "pi", 3, 1), 1, SHAPE, 0, duration_ns, 0, 0)


@pytest.mark.parametrize(
    ("duration_ns", "text"),
    [
        (11 * MILLISECOND, "took 11 ms"),
        (310_400_000, "took 310 ms"),
        (9_999 * MILLISECOND, "took 9999 ms"),
        (12_340 * MILLISECOND, "took 12.3 s"),
        (86_400_000 * MILLISECOND, "took 86400.0 s"),
    ],
)
def test_how_long_something_took_is_told_in_the_unit_that_suits_it(duration_ns, text):
    assert took_text(duration_ns) == text


def test_a_step_is_told_to_have_taken_long_from_ten_milliseconds_on():
    assert remarks(took(LONG_NS)) == ""
    assert remarks(took(LONG_NS + 1)) == "  took 10 ms"


def test_a_step_whose_cause_was_running_is_told_so():
    assert remarks(took(5), ran_ahead=True) == "  cause still running"
    assert remarks(took(310 * MILLISECOND), ran_ahead=True) == "  took 310 ms, cause still running"


@given(st.integers(0, 10**15), st.booleans(), st.sampled_from(["a line", "", "took 5 ms", "a  b"]))
def test_remarks_come_off_again(duration_ns, ran_ahead, line):
    bare, told_ns = without_remarks(line + remarks(took(duration_ns), ran_ahead=ran_ahead))
    assert bare == line
    assert abs(told_ns - (duration_ns if duration_ns > LONG_NS else 0)) <= 50 * MILLISECOND


@pytest.mark.parametrize("line", ["a->b took 310 ms", "a->b  took 310", "  took 310 ms  ", "a  took 3,1 ms"])
def test_what_is_no_remark_stays(line):
    assert without_remarks(line) == (line, 0)
