from __future__ import annotations

from datetime import UTC, datetime

import pytest

from farscope.cli.moment import MOMENT
from farscope.records.step import local_time


@pytest.mark.parametrize("text", ["2026-01-10 13:14:26.700001", "2026-06-10 13:14:26.000000"])
def test_a_moment_is_read_as_trace_lines_write_it(text):
    assert local_time(MOMENT.convert(text, None, None)) == text


def test_a_zone_may_be_named():
    moment = datetime(2026, 1, 10, 13, 14, 26, tzinfo=UTC)
    assert MOMENT.convert("2026-01-10T13:14:26Z", None, None) == int(moment.timestamp()) * 1_000_000_000


def test_a_time_alone_is_todays():
    today = datetime.now().astimezone().date()
    assert local_time(MOMENT.convert("13:14", None, None)) == f"{today} 13:14:00.000000"
