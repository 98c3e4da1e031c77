from datetime import UTC, datetime, timedelta

import pytest

from farscope.errors import UsageError
from farscope.scope.since import since_ns

NOW_NS = 1_700_000_000 * 10**9


@pytest.mark.parametrize(
    ("since", "meant"),
    [
        (None, None),
        ("start", 0),
        ("10m", NOW_NS - 600 * 10**9),
        (90, NOW_NS - 90 * 10**9),
        (0.5, NOW_NS - 5 * 10**8),
        (timedelta(hours=1), NOW_NS - 3600 * 10**9),
        (datetime(2023, 1, 1, tzinfo=UTC), 1_672_531_200 * 10**9),
        ("90000w", 1),
    ],
)
def test_each_way_of_saying_since_means_one_moment(since, meant):
    assert since_ns(since, NOW_NS) == meant


def test_a_datetime_without_a_zone_is_local():
    naive = datetime(2023, 1, 1)  # noqa: DTZ001 - the zone is what the test leaves out
    assert since_ns(naive, NOW_NS) == int(naive.timestamp()) * 10**9


@pytest.mark.parametrize("since", ["yesterday", "", -1, float("nan"), datetime(1960, 1, 1, tzinfo=UTC)])
def test_what_makes_no_sense_is_refused_with_a_remedy(since):
    with pytest.raises(UsageError) as caught:
        since_ns(since, NOW_NS)
    assert caught.value.hint


def test_the_remedy_names_the_word_for_all_there_is():
    with pytest.raises(UsageError, match="start for all there is"):
        since_ns("yesterday", NOW_NS)
