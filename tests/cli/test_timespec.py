from __future__ import annotations

from datetime import UTC, datetime

import pytest

from farscope.cli.timespec import window_ns
from farscope.errors import UsageError
from farscope.records.step import local_time

MORNING_NS = int(datetime.fromisoformat("2026-01-11 08:30:00").timestamp()) * 1_000_000_000


def shown(
    from_text: str | None, to_text: str | None, recorded: tuple[int, int] | None = None
) -> list[str | None]:
    """Return the window that somebody means at half past eight in the morning, as trace lines show times."""
    bounds = window_ns(from_text, to_text, MORNING_NS, recorded)
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
    recorded = (begin_ns, begin_ns + 3 * 3600 * 1_000_000_000)
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
