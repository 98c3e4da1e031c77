from farscope.scope.log_order import SETTLE_SAMPLES, LogOrder

SECOND = 1_000_000_000
BEGIN = 1_000 * SECOND


def both(order: LogOrder, count: int, *, ahead_ns: int, begin_ns: int = BEGIN) -> int:
    """Let "first" and "second" take turns, one clock ahead of the other."""
    for turn in range(count):
        order.take("first", begin_ns + turn * SECOND)
        order.take("second", begin_ns + turn * SECOND + SECOND // 2 + ahead_ns)
    return begin_ns + count * SECOND


def test_the_first_probe_is_what_others_are_compared_with():
    order = LogOrder(10)
    assert not order.settled("first")
    both(order, 5, ahead_ns=40 * SECOND)
    assert order.settled("first")
    assert (order.offset_ns("first"), order.offset_ns("second")) == (0, 40 * SECOND)


def test_clocks_that_differ_by_less_than_the_order_can_tell_count_as_agreeing():
    order = LogOrder(10)
    both(order, 5, ahead_ns=-SECOND // 2)
    assert order.settled("second")
    assert order.offset_ns("second") == 0


def test_it_takes_a_few_batches_to_know():
    order = LogOrder(10)
    begin = both(order, SETTLE_SAMPLES, ahead_ns=40 * SECOND)
    assert not order.settled("second")
    both(order, 1, ahead_ns=40 * SECOND, begin_ns=begin)
    assert order.settled("second")


def test_probes_that_lived_one_after_the_other_are_not_compared():
    order = LogOrder(10)
    for turn in range(10):
        order.take("first", BEGIN + turn * SECOND)
    for turn in range(10):
        order.take("second", BEGIN + (3_600 + turn) * SECOND)
    assert order.settled("second")
    assert order.offset_ns("second") == 0


def test_a_spell_of_delayed_batches_does_not_move_an_offset():
    order = LogOrder(10)
    begin = both(order, 30, ahead_ns=40 * SECOND)
    for turn in range(10):
        order.take("first", begin + turn * SECOND)
    for turn in range(10):
        order.take("second", begin + turn * SECOND + 40 * SECOND)
    both(order, 3, ahead_ns=40 * SECOND, begin_ns=begin + 10 * SECOND)
    assert order.offset_ns("second") == 40 * SECOND


def test_a_third_is_compared_with_whoever_speaks():
    order = LogOrder(10)
    begin = both(order, 5, ahead_ns=40 * SECOND)
    for turn in range(6):
        order.take("second", begin + turn * SECOND + 40 * SECOND)
        order.take("third", begin + turn * SECOND + SECOND // 2 - 7 * SECOND)
    assert order.offset_ns("third") == -7 * SECOND


def test_at_the_limit_the_probe_unheard_for_longest_is_forgotten():
    order = LogOrder(2)
    for probe in ("first", "second", "third"):
        order.take(probe, BEGIN)
    assert order.settled("first") is False
    assert order.offset_ns("first") == 0
