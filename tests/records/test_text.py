"""Text made from steps, and texts compared without their time stamps."""

import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import ChartId, Step
from farscope.records.text import (
    LONG_NS,
    encodable,
    pp,
    print_line,
    remarks,
    spy_text,
    stripped,
    took_text,
    trace_text,
    without_remarks,
)

START = Step(
    ChartId("x", "h", 1, 1),
    1,
    Shape(StepKind.START, "start_at", "top", "a", (Fact(FactKind.START),)),
    0,
    0,
    0,
    0,
)


def test_a_spy_is_all_lines_of_all_steps() -> None:
    assert spy_text([START, START]) == ["START", "<- Queued:(0) Deferred:(0)"] * 2


def test_a_trace_begins_with_a_newline_and_ends_each_line_with_one() -> None:
    assert trace_text(["one", "two"]) == "\none\ntwo\n"


def test_a_trace_loses_its_stamps_and_keeps_its_names() -> None:
    text = "\n[2017-11-05 15:17:39.424492] [75c8c] e->B() a->b\n[2017-11-05 15:17:39.5] [75c8c] e->C() b->c\n"
    with stripped(text) as lines:
        assert lines == ["[75c8c] e->B() a->b", "[75c8c] e->C() b->c"]


def test_one_line_stays_a_string() -> None:
    with stripped("[2017-11-05 15:17:39.424492] [75c8c] e->B() a->a") as line:
        assert line == "[75c8c] e->B() a->a"


def test_a_list_of_lines_stays_a_list() -> None:
    with stripped(["START", " [2017-11-05 15:17:39.424492] [x] e->B() a->a "]) as lines:
        assert lines == ["START", "[x] e->B() a->a"]


def test_a_name_in_brackets_is_no_time_stamp() -> None:
    with stripped("[75c8c] e->B() a->a") as line:
        assert line == "[75c8c] e->B() a->a"


def test_pp_prints_one_spy_line_under_another(capsys: pytest.CaptureFixture[str]) -> None:
    pp(
        [
            "SEARCH_FOR_SUPER_SIGNAL:producer_outer",
            "ENTRY_SIGNAL:producer_outer",
            "INIT_SIGNAL:producer_outer",
        ]
    )
    assert capsys.readouterr().out.count("\n") == 3


class Narrow(io.TextIOWrapper):
    """A stream that takes one encoding and nothing else."""

    def __init__(self, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, errors="strict", write_through=True)

    @property
    def text(self) -> str:
        raw = self.buffer
        assert isinstance(raw, io.BytesIO)
        return raw.getvalue().decode(self.encoding)


@pytest.mark.parametrize(
    ("encoding", "shown"), [("ascii", r"\xf6\u2192"), ("cp1252", r"ö\u2192"), ("utf-8", "ö→")]
)
def test_what_is_printed_is_escaped_where_the_encoding_has_no_such_letter(
    encoding: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Narrow(encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    print_line("ö→")
    pp(["ö→"])
    assert stream.text == f"{shown}\n['{shown}']\n"


def test_a_stream_without_an_encoding_takes_any_text() -> None:
    assert encodable("ö→", None) == "ö→"


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
def test_how_long_something_took_is_reported_in_the_unit_that_suits_it(duration_ns, text):
    assert took_text(duration_ns) == text


def test_a_step_is_reported_to_have_taken_long_from_ten_milliseconds_on():
    assert remarks(took(LONG_NS)) == ""
    assert remarks(took(LONG_NS + 1)) == "  took 10 ms"


def test_a_step_whose_cause_was_running_is_reported_so():
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
