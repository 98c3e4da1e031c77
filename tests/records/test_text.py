"""Text made from steps, and texts compared without their time stamps."""

import io
import sys

import pytest

from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import ChartId, Step
from farscope.records.text import encodable, pp, print_line, spy_text, stripped, trace_text

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
