from hypothesis import given
from hypothesis import strategies as st

from farscope.scope.ordering.order_bounds import SETTLE_SAMPLES, SPARED, OrderBounds, offset_between

SECOND = 1_000_000_000
BEGIN = 1_000 * SECOND
DELAY = SECOND // 10


def both(order: OrderBounds, count: int, *, ahead_ns: int, begin_ns: int = BEGIN) -> int:
    """Let "first" and "second" take turns, one clock ahead of the other."""
    for turn in range(count):
        order.add("first", begin_ns + turn * SECOND)
        order.add("second", begin_ns + turn * SECOND + SECOND // 2 + ahead_ns)
    return begin_ns + count * SECOND


def test_the_first_probe_is_what_others_are_compared_with():
    order = OrderBounds(10, DELAY)
    assert not order.settled("first")
    both(order, 5, ahead_ns=40 * SECOND)
    assert order.settled("first")
    assert (order.offset_ns("first"), order.offset_ns("second")) == (0, 40 * SECOND)


def test_clocks_that_differ_by_less_than_the_order_can_tell_count_as_agreeing():
    order = OrderBounds(10, DELAY)
    both(order, 5, ahead_ns=-SECOND // 2)
    assert order.settled("second")
    assert order.offset_ns("second") == 0


def test_clocks_that_differ_by_less_than_a_second_are_told_apart_where_the_order_tells():
    order = OrderBounds(10, DELAY)
    both(order, 5, ahead_ns=SECOND * 7 // 10)
    assert order.settled("second")
    assert order.offset_ns("second") == SECOND * 7 // 10


def test_a_clock_that_was_set_back_is_compared_anew():
    order = OrderBounds(10, DELAY)
    begin = both(order, 10, ahead_ns=40 * SECOND)
    order.set_back("second", 46 * SECOND)
    assert not order.settled("second")
    both(order, 10, ahead_ns=-7 * SECOND, begin_ns=begin)
    assert order.settled("second")
    assert order.offset_ns("second") == -7 * SECOND


def test_the_first_probe_may_be_set_back_too_and_is_compared_with_the_others():
    order = OrderBounds(10, DELAY)
    begin = both(order, 10, ahead_ns=40 * SECOND)
    order.set_back("first", 9 * SECOND)
    for turn in range(10):
        order.add("first", begin + turn * SECOND - 10 * SECOND)
        order.add("second", begin + turn * SECOND + SECOND // 2 + 40 * SECOND)
    assert order.settled("first")
    assert order.offset_ns("first") == -10 * SECOND
    assert order.offset_ns("second") == 40 * SECOND


BOUNDS = st.integers(-3_600 * SECOND, 3_600 * SECOND)


@given(
    BOUNDS,
    st.lists(st.integers(0, SECOND), min_size=1, max_size=64),
    st.lists(st.integers(0, SECOND), min_size=1, max_size=64),
)
def test_bounds_that_agree_leave_the_middle_between_the_tightest(offset_ns, below, above):
    least, most = [offset_ns - gap for gap in below], [offset_ns + gap for gap in above]
    found = offset_between(least, most, DELAY)
    if found:
        assert max(least) <= found <= min(most)
        assert abs(found - offset_ns) <= max(min(below), min(above))
    else:
        # All but a few that are spared, or that were held up, allow for clocks that agree.
        spared = min(len(least), len(most)) // SPARED
        assert sorted(least)[-1 - spared] <= DELAY
        assert sorted(most)[spared] >= -DELAY


@given(
    BOUNDS.filter(lambda ns: abs(ns) > 3 * SECOND),
    st.lists(st.integers(0, SECOND), min_size=9, max_size=64),
    st.lists(st.integers(SECOND, 3_600 * SECOND), max_size=2),
    st.booleans(),
)
def test_a_few_batches_held_up_do_not_mislead(offset_ns, gaps, held_up, early):
    least, most = [offset_ns - gap for gap in gaps], [offset_ns + gap for gap in gaps]
    if early:
        least += [offset_ns + late for late in held_up]
    else:
        most += [offset_ns - late for late in held_up]
    assert abs(offset_between(least, most, DELAY) - offset_ns) <= SECOND


def test_it_takes_a_few_batches_to_know():
    order = OrderBounds(10, DELAY)
    begin = both(order, SETTLE_SAMPLES, ahead_ns=40 * SECOND)
    assert not order.settled("second")
    both(order, 1, ahead_ns=40 * SECOND, begin_ns=begin)
    assert order.settled("second")


def test_probes_that_lived_one_after_the_other_are_not_compared():
    order = OrderBounds(10, DELAY)
    for turn in range(10):
        order.add("first", BEGIN + turn * SECOND)
    for turn in range(10):
        order.add("second", BEGIN + (3_600 + turn) * SECOND)
    assert order.settled("second")
    assert order.offset_ns("second") == 0


def test_a_spell_of_delayed_batches_does_not_move_an_offset():
    order = OrderBounds(10, DELAY)
    begin = both(order, 30, ahead_ns=40 * SECOND)
    for turn in range(10):
        order.add("first", begin + turn * SECOND)
    for turn in range(10):
        order.add("second", begin + turn * SECOND + 40 * SECOND)
    both(order, 3, ahead_ns=40 * SECOND, begin_ns=begin + 10 * SECOND)
    assert order.offset_ns("second") == 40 * SECOND


def test_a_third_is_compared_with_whoever_speaks():
    order = OrderBounds(10, DELAY)
    begin = both(order, 5, ahead_ns=40 * SECOND)
    for turn in range(6):
        order.add("second", begin + turn * SECOND + 40 * SECOND)
        order.add("third", begin + turn * SECOND + SECOND // 2 - 7 * SECOND)
    assert order.offset_ns("third") == -7 * SECOND


def test_at_the_limit_the_probe_unheard_for_longest_is_forgotten():
    order = OrderBounds(2, DELAY)
    for probe in ("first", "second", "third"):
        order.add(probe, BEGIN)
    assert order.settled("first") is False
    assert order.offset_ns("first") == 0
