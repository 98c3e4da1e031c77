from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farscope.scope.ordering.offset_estimator import SETTLE_NS, STEADY_NS, WINDOW_NS, OffsetEstimator

SECOND = 1_000_000_000
MILLISECOND = 1_000_000
BEGIN = 1_000 * SECOND


def beats(estimate: OffsetEstimator, count: int, *, offset_ns=0, delay_ns=0, begin_ns=BEGIN) -> int:
    """Let a probe say something each second; return when it will the next time."""
    for beat in range(count):
        sent = begin_ns + beat * SECOND
        estimate.add(sent + offset_ns, sent + delay_ns, sent + delay_ns)
    return begin_ns + count * SECOND


def test_nothing_is_known_before_the_first_batch():
    estimate = OffsetEstimator()
    assert estimate.offset_ns is None
    assert not estimate.settled


@pytest.mark.parametrize("offset_s", [-40, -1, 0, 1, 40])
def test_the_offset_is_reported_less_the_delay_of_the_quickest_batch(offset_s):
    estimate = OffsetEstimator()
    begin = BEGIN
    for delay_ms in (30, 10, 90, 20):
        begin = beats(
            estimate, 1, offset_ns=offset_s * SECOND, delay_ns=delay_ms * MILLISECOND, begin_ns=begin
        )
    assert estimate.offset_ns == offset_s * SECOND - 10 * MILLISECOND
    assert estimate.settled


def test_a_burst_settles_nothing_however_many_batches_it_has():
    estimate = OffsetEstimator()
    for late_ms in range(5_000, 0, -10):
        estimate.add(BEGIN - late_ms * MILLISECOND, BEGIN, BEGIN)
    assert not estimate.settled
    beats(estimate, 4, begin_ns=BEGIN + SECOND)
    assert estimate.settled
    assert estimate.offset_ns == 0


def test_a_clock_ahead_is_known_from_one_batch_and_reported_when_it_has_settled():
    estimate = OffsetEstimator()
    begin = beats(estimate, 5)
    beats(estimate, 1, offset_ns=40 * SECOND, begin_ns=begin)
    assert estimate.offset_ns == 40 * SECOND
    assert not estimate.settled
    beats(estimate, SETTLE_NS // SECOND + 1, offset_ns=40 * SECOND, begin_ns=begin + SECOND)
    assert estimate.settled


def test_a_clock_known_to_be_set_back_is_followed_with_the_next_batch():
    estimate = OffsetEstimator()
    begin = beats(estimate, 5, offset_ns=SECOND)
    estimate.reset()
    assert estimate.offset_ns is None
    beats(estimate, 1, offset_ns=-40 * SECOND, begin_ns=begin)
    assert estimate.offset_ns == -40 * SECOND
    assert not estimate.settled


def test_an_offset_moves_with_the_scopes_own_clock():
    estimate = OffsetEstimator()
    estimate.shift(SECOND)
    assert estimate.offset_ns is None
    begin = beats(estimate, 5, offset_ns=SECOND)
    estimate.shift(-3 * SECOND)
    assert estimate.offset_ns == -2 * SECOND
    beats(estimate, 1, offset_ns=-2 * SECOND, delay_ns=SECOND, begin_ns=begin)
    assert estimate.offset_ns == -2 * SECOND
    assert estimate.settled


def test_a_clock_set_back_is_followed_when_nothing_better_is_left_in_the_window():
    estimate = OffsetEstimator()
    begin = beats(estimate, 5, offset_ns=SECOND)
    begin = beats(estimate, 30, offset_ns=-SECOND, begin_ns=begin)
    assert estimate.offset_ns == SECOND
    beats(estimate, WINDOW_NS // SECOND, offset_ns=-SECOND, begin_ns=begin)
    assert estimate.offset_ns == -SECOND


def test_a_drift_is_followed_both_ways():
    for rate in (100, -100):
        estimate = OffsetEstimator()
        for second in range(3_600):
            sent = BEGIN + second * SECOND
            estimate.add(sent + rate * second * 1_000, sent, sent)
        assert estimate.offset_ns == pytest.approx(rate * 3_599 * 1_000, abs=61 * 100 * 1_000)
        assert estimate.settled


def test_after_a_long_silence_a_slow_batch_does_not_spoil_what_was_known():
    estimate = OffsetEstimator()
    begin = beats(estimate, 5) + 2 * WINDOW_NS
    beats(estimate, 1, delay_ns=90 * SECOND, begin_ns=begin)
    assert estimate.offset_ns == 0
    assert not estimate.settled


def test_small_improvements_do_not_put_off_the_settling():
    estimate = OffsetEstimator()
    for beat in range(4):
        sent = BEGIN + beat * SECOND
        delay = (STEADY_NS - 1) * (4 - beat)
        estimate.add(sent, sent + delay, sent + delay)
    assert estimate.settled


@given(
    st.integers(-3_600 * SECOND, 3_600 * SECOND),
    st.lists(st.integers(0, 5 * SECOND), min_size=1, max_size=40),
    st.integers(-200, 200),
)
def test_an_estimate_is_never_too_high_and_too_low_by_the_least_delay_only(offset_ns, delays, drift_ppm):
    estimate = OffsetEstimator()
    arrived = BEGIN
    for beat, delay in enumerate(delays):
        sent = BEGIN + beat * SECOND
        arrived = max(arrived, sent + delay)
        now_offset_ns = offset_ns + drift_ppm * beat * 1_000
        estimate.add(sent + now_offset_ns, arrived, arrived)
    waits = [BEGIN, *(BEGIN + beat * SECOND + delay for beat, delay in enumerate(delays))]
    least = min(high - (BEGIN + beat * SECOND) for beat, high in enumerate(accumulate(waits[1:], max)))
    drifted_ns = 200 * len(delays) * 1_000
    assert estimate.offset_ns is not None
    assert -least - drifted_ns <= estimate.offset_ns - offset_ns <= drifted_ns
