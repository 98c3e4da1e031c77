from __future__ import annotations

from datetime import UTC, datetime

import click
import pytest

from farscope.cli.timespec import DURATION, Recorded, window_ns
from farscope.errors import UsageError
from farscope.records.step import NANOSECONDS, local_time

MORNING_NS = int(datetime.fromisoformat("2026-01-11 08:30:00").timestamp()) * 1_000_000_000


def shown(from_text: str | None, to_text: str | None, recorded: Recorded | None = None) -> list[str | None]:
    """Return the window that somebody means at half past eight in the morning, as trace lines show times."""
    bounds = (
        window_ns(from_text, to_text, MORNING_NS)
        if recorded is None
        else recorded.window_ns(from_text, to_text)
    )
    return [None if bound is None else local_time(bound).removesuffix(".000000") for bound in bounds]


@pytest.mark.parametrize("text", ["2026-01-10 13:14:26.700001", "2026-06-10 13:14:26.500000"])
def test_a_moment_is_read_as_trace_lines_write_it(text):
    assert shown(text, None) == [text, None]
    assert shown(None, text) == [None, text]


def test_a_zone_may_be_named():
    moment = datetime(2026, 1, 10, 13, 14, 26, tzinfo=UTC)
    from_ns, _ = window_ns("2026-01-10T13:14:26Z", None, MORNING_NS)
    assert from_ns == int(moment.timestamp()) * 1_000_000_000


def test_a_time_alone_is_todays_or_last_nights_if_today_it_is_to_come():
    assert shown("07:15", None) == ["2026-01-11 07:15:00", None]
    assert shown("23:14", None) == ["2026-01-10 23:14:00", None]
    assert shown(None, "23:14") == [None, "2026-01-10 23:14:00"]


def test_a_second_time_is_the_first_one_behind_the_first():
    assert shown("23:14", "01:00") == ["2026-01-10 23:14:00", "2026-01-11 01:00:00"]
    assert shown("23:14", "23:20") == ["2026-01-10 23:14:00", "2026-01-10 23:20:00"]
    assert shown("08:00", "09:00") == ["2026-01-11 08:00:00", "2026-01-11 09:00:00"]
    assert shown("2026-01-09 23:14", "01:00") == ["2026-01-09 23:14:00", "2026-01-10 01:00:00"]


def test_of_a_recording_times_are_those_behind_its_beginning():
    begin_ns = int(datetime.fromisoformat("2026-01-05 22:00:03").timestamp()) * 1_000_000_000
    recorded = Recorded(begin_ns, begin_ns + 3 * 3600 * 1_000_000_000)
    assert shown("23:14", "01:00", recorded) == ["2026-01-05 23:14:00", "2026-01-06 01:00:00"]
    assert shown("30s", None, recorded) == ["2026-01-05 22:00:33", None]
    assert shown("20:00", "22:10", recorded) == ["2026-01-05 20:00:00", "2026-01-05 22:10:00"]
    assert shown("02:00", None, recorded) == ["2026-01-06 02:00:00", None]
    assert shown(None, "22:00:02.5", recorded) == [None, "2026-01-05 22:00:02.500000"]


def test_the_whole_microsecond_that_is_shown_of_a_step_belongs_to_the_window():
    from_ns, to_ns = window_ns("2026-01-10 13:14:26.7", "2026-01-10 13:14:26.7", MORNING_NS)
    assert from_ns is not None
    assert to_ns == from_ns + 999


def test_a_window_that_ends_before_it_begins_is_refused():
    with pytest.raises(UsageError, match="--from is later than --to"):
        shown("2026-01-10 13:14", "2026-01-10 13:13")


@pytest.mark.parametrize("text", ["soon", "30s", "25:00", "9999-12-31 23:59:59+00:00x"])
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(UsageError, match="invalid time"):
        shown(text, None)


def local_ns(*moment: int) -> int:
    return int(datetime(*moment).timestamp()) * NANOSECONDS  # noqa: DTZ001 - local time is what is tested


BEGIN_NS = local_ns(2026, 1, 10, 23, 50, 0) + 7


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("30s", BEGIN_NS + 30 * NANOSECONDS),
        ("1h30m", BEGIN_NS + 5_400 * NANOSECONDS),
        ("0", BEGIN_NS),
        ("23:50", local_ns(2026, 1, 10, 23, 50, 0)),
        ("23:55:30.5", local_ns(2026, 1, 10, 23, 55, 30) + NANOSECONDS // 2),
        ("00:10", local_ns(2026, 1, 11, 0, 10, 0)),
        ("2026-01-10 23:59", local_ns(2026, 1, 10, 23, 59, 0)),
        ("2025-12-31T08:00:00", local_ns(2025, 12, 31, 8, 0, 0)),
    ],
)
def test_a_place_is_a_span_from_the_beginning_or_a_moment_on_its_first_day(text, place):
    recorded = Recorded(BEGIN_NS, BEGIN_NS + 3_600 * NANOSECONDS)
    assert recorded.stop_ns(text, None) == place
    assert recorded.start_ns(text) == (place if text != "0" else 0)


def test_who_begins_at_a_round_time_shortly_before_the_beginning_means_that_day():
    begin_ns = int(datetime.fromisoformat("2026-01-05 22:00:03").timestamp()) * NANOSECONDS
    end_ns = begin_ns + 3600 * NANOSECONDS
    recorded = Recorded(begin_ns, end_ns)
    assert recorded.start_ns("21:00") < begin_ns
    assert recorded.start_ns("23:30") > end_ns
    assert recorded.start_ns("22:00:02") == begin_ns - NANOSECONDS


def test_a_second_place_lies_behind_the_first():
    begin_ns = int(datetime.fromisoformat("2026-01-05 22:00:03").timestamp()) * NANOSECONDS
    first_ns = begin_ns - 3600 * NANOSECONDS
    recorded = Recorded(begin_ns, begin_ns + 3600 * NANOSECONDS)
    assert recorded.stop_ns("22:00", first_ns) == begin_ns - 3 * NANOSECONDS


@pytest.mark.parametrize(
    "text", ["soon", "25:00", "2026-13-01 00:00", "1:2:3:4", "", "9999999-01-01 10:00:00"]
)
def test_what_is_no_place_is_refused(text):
    recorded = Recorded(BEGIN_NS, BEGIN_NS + 3_600 * NANOSECONDS)
    with pytest.raises(UsageError, match=r"invalid position|invalid span of time"):
        recorded.start_ns(text)
    with pytest.raises(UsageError, match=r"invalid position|invalid span of time"):
        recorded.stop_ns(text, BEGIN_NS)


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30.0), ("500ms", 0.5), ("1h30m", 5400.0), ("1.5", 1.5), ("0", 0.0)]
)
def test_a_span_becomes_seconds(text, seconds):
    assert DURATION.convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-3s", "3 parsecs", "9" * 100])
def test_anything_else_is_refused_with_an_example(text):
    with pytest.raises(click.BadParameter, match="write a span like 10m"):
        DURATION.convert(text, None, None)
