import json
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import Cause, ChartId, Step
from farscope.scope.gaps import NumberRange
from farscope.scope.notice import Notice, NoticeKind
from farscope.scope.stats import ScopeStats
from farscope.scope.unknown import Unknown, Why
from farscope.views.text import (
    escape,
    json_line,
    notice_line,
    outcome_line,
    spy_lines,
    stats_line,
    step_dict,
    trace_line,
)

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))
NASTY = "\x1b[31m\r\n\x00\x7f\x9b\u202e\u2066\u200b\u2028\ufeff\ud800"
FORBIDDEN_CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp"}


UNDRAWN = [
    ("\u034f", "\u034f"),
    ("\u115f", "\u1160"),
    ("\u17b4", "\u17b5"),
    ("\u180b", "\u180f"),
    ("\u3164", "\u3164"),
    ("\ufe00", "\ufe0f"),
    ("\uffa0", "\uffa0"),
    ("\U000e0000", "\U000e0fff"),
]
"""First and last of the letters and marks that Unicode does not draw."""


def harmless(text: str) -> bool:
    return not any(unicodedata.category(char) in FORBIDDEN_CATEGORIES for char in text)


def make(name="producer", signal="B", text="hello", *, kind=StepKind.TRANSITION) -> Step:
    shape = Shape(kind, signal, "c1", "c2", (Fact(FactKind.OFFER, "c1"), Fact(FactKind.SCRIBBLE)))
    return Step(
        ChartId(name, "pi", 3, 1, "ab"), 9, shape, 1_515_590_066_739_622_000, 5, 1, 2, 7, Cause(2, 4), (text,)
    )


@settings(deadline=None)
@given(ANY_TEXT)
def test_escaped_text_never_holds_what_acts_on_a_terminal(text):
    assert harmless(escape(text))
    escape(text).encode()
    assert escape(escape(text)) == escape(text)


@settings(deadline=None)
@given(ANY_TEXT)
def test_text_that_is_printable_and_drawn_stays_as_it_is(text):
    drawn = "".join(
        char
        for char in text
        if char.isprintable() and not any(first <= char <= last for first, last in UNDRAWN)
    )
    assert escape(drawn) == drawn


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Tür → öffnen 😀", "Tür → öffnen 😀"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\x9b", r"\x9b"),
        ("\u202eevil", r"\u202eevil"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_what_is_escaped_stays_legible(text, shown):
    assert escape(text) == shown


def test_lines_of_a_hostile_step_are_harmless_and_single():
    step = make(NASTY, NASTY, NASTY)
    lines = [
        trace_line(step),
        *spy_lines(step),
        json_line(step),
        *spy_lines(step, NASTY),
        trace_line(step, NASTY),
        *(outcome_line(make(NASTY, NASTY, NASTY, kind=kind), NASTY) or "" for kind in StepKind),
    ]
    assert all(harmless(line) for line in lines)


def test_a_trace_line_is_the_charts_own_unless_a_label_is_given():
    step = make()
    assert trace_line(step) == step.trace()
    assert "[producer@pi:3] e->B() c1->c2" in trace_line(step, "producer@pi:3")
    assert trace_line(make(kind=StepKind.HOOK)) is None


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        (StepKind.START, None),
        (StepKind.TRANSITION, None),
        (StepKind.HOOK, "[producer, hook] e->B() in c1"),
        (StepKind.IGNORED, "[producer, ignored] e->B() in c1"),
        (StepKind.REFUSED, "[producer, refused] e->B() in c1"),
        (StepKind.FAILED, "[producer, failed] e->B() in c1"),
    ],
)
def test_a_step_that_came_to_nothing_has_its_outcome_in_the_charts_brackets(kind, shown):
    line = outcome_line(make(kind=kind))
    assert (line and line.partition("] ")[2]) == shown


def test_no_text_of_a_charts_own_can_pass_for_an_outcome():
    said = "[producer, ignored] e->B() in c1"
    lines = list(spy_lines(make(text=said)))
    assert not any(line.partition("] ")[2].startswith("[producer, ") for line in lines)


def test_spy_lines_tell_the_time_and_the_chart():
    lines = list(spy_lines(make(), "producer@pi:3"))
    assert [line.split("] ", 2)[2] for line in lines] == ["B:c1", "hello", "<- Queued:(1) Deferred:(2)"]
    assert all("] [producer@pi:3] " in line for line in lines)


def test_a_json_line_tells_every_field():
    told = json.loads(json_line(make(text="Tür"), "label"))
    assert told == step_dict(make(text="Tür"), "label")
    assert told["time"] == "2018-01-10T13:14:26.739622+00:00"
    assert (told["chart"], told["name"], told["host"], told["pid"]) == ("label", "producer", "pi", 3)
    assert (told["kind"], told["signal"], told["start"], told["end"]) == ("transition", "B", "c1", "c2")
    assert told["cause"] == {
        "serial": 2,
        "number": 4,
        "probe": "",
        "trace_id": "",
        "span_id": "",
        "claimed": False,
    }
    assert told["facts"][0] == {"kind": "offer", "name": "c1", "detail": ""}
    assert told["texts"] == ["Tür"]
    assert (told["queued"], told["deferred"], told["waited_ns"], told["duration_ns"]) == (1, 2, 7, 5)


@pytest.mark.parametrize(
    ("notice", "line"),
    [
        (Notice(kind=NoticeKind.APPEARED, subject="a"), "a: appeared"),
        (Notice(kind=NoticeKind.FELL_SILENT, subject="a", count=9), "a: fell silent after step 9"),
        (
            Notice(kind=NoticeKind.MISSING, subject="h:1", count=3, span=NumberRange(4, 6)),
            "h:1: missing 4..6 (3 steps)",
        ),
        (Notice(kind=NoticeKind.FOUND, subject="h:1", span=NumberRange(4, 6)), "h:1: 4..6 arrived after all"),
        (
            Notice(kind=NoticeKind.DROPPED, subject="h:1", count=1, detail="full"),
            "h:1: dropped 1 step at the source: full",
        ),
        (
            Notice(kind=NoticeKind.REFUSED, detail="changed {x}\n", count=10),
            r"refused a batch: changed {x}\n (10 times so far)",
        ),
        (Notice(kind=NoticeKind.LOG_UNAVAILABLE, detail="away"), "log unavailable: away"),
        (Notice(kind=NoticeKind.LOG_CUT, count=2), "retention removed 2 batches before they could be read"),
    ],
)
def test_a_notice_reads_as_one_line(notice, line):
    assert notice_line(notice) == line


@pytest.mark.parametrize("kind", list(NoticeKind))
def test_every_notice_reads_and_is_harmless(kind):
    notice = Notice(kind=kind, subject=NASTY, detail=NASTY, count=2, span=NumberRange(1, 2))
    assert harmless(notice_line(notice))


ACCOUNT = ScopeStats(
    received=200_000,
    duplicated=0,
    missing=0,
    dropped={},
    refused={},
    probes=2,
    batches=40,
    repeated=0,
    waiting=0,
    unread=0,
    cut=0,
)


def test_the_account_names_what_is_not_nothing():
    stats = ACCOUNT
    assert stats_line(stats) == "seen 200,000 steps of 2 probes, lost 0, duplicated 0"
    late = replace(stats, late=3, unread=5, cut=1)
    assert stats_line(late) == (
        "seen 200,000 steps of 2 probes, lost 0, duplicated 0, "
        "cut by retention 1 batch, not taken 5, out of order 3"
    )


def silent(number: int) -> Unknown:
    chart = ChartId(f"c{number}", "pi", 3, number, "00")
    return Unknown(why=Why.SILENT, subject=chart.name, after=10 * number, chart=chart)


@pytest.mark.parametrize(
    ("unknown", "told"),
    [
        ([silent(1)], "unknown after step 10 of c1"),
        ([silent(1), silent(2)], "unknown after step 10 of c1 and step 20 of c2"),
        (
            [silent(number) for number in range(1, 401)],
            "unknown after step 10 of c1, step 20 of c2, step 30 of c3 and the last steps of 397 more charts",
        ),
        ([Unknown(why=Why.NO_GOODBYE, subject="a\n", after=0)], r"unknown after step 0 of a\n"),
        ([Unknown(why=Why.SILENT, subject="pi:3", probe="00")], "unknown what pi:3 did"),
        ([Unknown(why=Why.FORGOTTEN, count=7)], "unknown after the last steps of 7 charts"),
        ([Unknown(why=Why.NOT_OPENED, subject="a.db")], "unknown what a.db holds (could not be opened)"),
        (
            [Unknown(why=Why.NOT_OPENED, subject=f"{number}.db") for number in range(400)],
            "unknown what 0.db, 1.db, 2.db and 397 more files holds (could not be opened)",
        ),
        ([Unknown(why=Why.UNREADABLE, subject="a.db")], "unknown what else a.db holds (unreadable)"),
        (
            [silent(1), Unknown(why=Why.NOT_OPENED, subject="a.db")],
            "unknown after step 10 of c1, unknown what a.db holds (could not be opened)",
        ),
    ],
)
def test_the_account_tells_in_a_few_words_what_nobody_can_know(unknown, told):
    line = stats_line(replace(ACCOUNT, unknown=tuple(unknown)))
    assert line == f"seen 200,000 steps of 2 probes, lost 0, {told}, duplicated 0"


def test_the_account_tells_at_its_end_what_ended_it_too_early():
    line = stats_line(replace(ACCOUNT, unknown=(Unknown(why=Why.NOT_READ),)))
    assert line.endswith(", lost 0, duplicated 0; ended before the log's end was reached")
    line = stats_line(replace(ACCOUNT, unknown=(Unknown(why=Why.FAILED, detail="OSError: a\nb"),)))
    assert line.endswith(r", lost 0, duplicated 0; reading failed: OSError: a\nb")


def test_where_nothing_is_numbered_nothing_is_called_lost_or_not():
    line = stats_line(replace(ACCOUNT, unknown=(Unknown(why=Why.NOT_NUMBERED), silent(1))))
    assert line == "seen 200,000 steps of 2 charts, lost and duplicated unknown (lines carry no numbers)"


def test_batches_that_were_refused_are_told_once():
    refused = replace(
        ACCOUNT,
        refused={"tampered": 2},
        unknown=(Unknown(why=Why.UNREADABLE, count=2, detail="tampered"),),
    )
    assert stats_line(refused).endswith(", lost 0, duplicated 0, refused 2 batches (tampered 2)")


@pytest.mark.parametrize("why", list(Why))
def test_every_unknown_reads_and_is_harmless(why):
    unknown = Unknown(why=why, subject=NASTY, after=2, detail=NASTY, count=2)
    assert harmless(stats_line(replace(ACCOUNT, unknown=(unknown, unknown))))


DEFAULT_IGNORABLE = (
    (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
    (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
)  # fmt: skip
"""Of Unicode 16, from its file DerivedCoreProperties.txt."""


def test_no_character_that_is_not_drawn_passes_raw():
    hidden = [chr(code) for first, last in DEFAULT_IGNORABLE for code in range(first, last + 1)]
    assert len({escape(f"lamp{char}") for char in hidden}) == len(hidden)
    assert [char for char in hidden if not escape(char).isascii()] == []


def test_what_is_drawn_stays_as_it_is():
    text = "L\u00e4mpchen \u1102\u1161 \u1785\u17b6 \U0001f600 e\u0301"
    assert escape(text) == text
