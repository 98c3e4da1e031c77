from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import ChartId
from farscope.scope.accounting import (
    EMPTY_APART_NS,
    MAX_REASON,
    MAX_REASONS,
    OTHER_REASON,
    PATIENCE_NS,
    ReceivedAccount,
)
from farscope.scope.gaps import NumberRange
from farscope.wire.batch import Batch, Drop

SHAPE = Shape(StepKind.HOOK, "A", "s", "s", (Fact(FactKind.OFFER, "s"), Fact(FactKind.HOOK, "s")))
CHART = ChartId("chart", "host", 1, 1, "00" * 16)


def make(numbers=(), next_number=None, drops=(), sent_ns=0) -> Batch:
    numbers = list(numbers)
    ends = [number + 1 for number in numbers[-1:]] + [drop.first + drop.count for drop in drops]
    return Batch(
        host="host",
        pid=1,
        started_ns=0,
        sent_ns=sent_ns,
        next_number=max(ends, default=0) if next_number is None else next_number,
        numbers=numbers,
        steps=[(CHART, number + 1, SHAPE, 0, 0, 0, 0, 0, None, (), ()) for number in numbers],
        drops=tuple(drops),
    )


def _set(spans) -> set[int]:
    return {number for span in spans for number in range(span.first, span.last + 1)}


@st.composite
def runs(draw):
    """What a probe sent (cut into batches, with declared drops), and the batches that arrive, in an order."""
    count = draw(st.integers(1, 60))
    cuts = sorted(draw(st.sets(st.integers(0, count), max_size=10)) | {0, count})
    dropped = draw(st.sets(st.integers(0, count - 1), max_size=20))
    batches = [
        make(
            [n for n in range(low, high) if n not in dropped],
            next_number=high,
            drops=[Drop(n, 1, "full" if n % 2 else "old") for n in range(low, high) if n in dropped],
        )
        for low, high in pairwise(cuts)
    ]
    arriving = draw(st.lists(st.sampled_from(range(len(batches))), max_size=20))
    return batches, arriving, dropped


@settings(max_examples=300, deadline=None)
@given(runs())
def test_every_number_is_in_exactly_one_account(run):
    batches, arriving, dropped = run
    account = ReceivedAccount(from_start=True)
    steps: list[int] = []
    seen: set[int] = set()
    for index in arriving:
        batch = batches[index]
        steps += [step[1] - 1 for step in account.post(batch, 0).steps]
        seen |= set(batch.numbers) | {drop.first for drop in batch.drops}
    end = max((batches[index].next_number for index in arriving), default=0)
    account.expect_announced(0)
    assert sorted(steps) == sorted(seen - dropped)
    assert account.received == len(seen - dropped)
    assert sum(account.dropped.values()) == len(seen & dropped)
    assert _set(account.gaps()) == set(range(end)) - seen
    assert account.received + sum(account.dropped.values()) + account.missing == end
    assert account.duplicated == sum(len(batches[index].numbers) for index in arriving) - len(steps)


@settings(deadline=None)
@given(st.permutations(range(8)), st.lists(st.integers(0, 7), max_size=8))
def test_no_gap_is_reported_when_everything_comes_in_time_whatever_the_order(order, again):
    account = ReceivedAccount(from_start=True)
    for index in [*order, *again]:
        account.post(make(range(index * 10, index * 10 + 10)), index)
        assert account.report_gaps(index) == []
    assert account.report_gaps(10 * PATIENCE_NS) == []
    assert account.missing == 0


@settings(deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=40), st.sampled_from([1, 2, 256]))
def test_each_lost_batch_is_reported_once_with_its_exact_numbers(arrives, size):
    account = ReceivedAccount(from_start=True)
    reported: list[NumberRange] = []
    lost: set[int] = set()
    for index, arrived in enumerate(arrives):
        now = index * 2 * PATIENCE_NS
        if arrived:
            account.post(make([index * size + size - 1], next_number=(index + 1) * size), now)
            lost |= {(index * size, index * size + size - 1)} if size > 1 else set()
        else:
            lost.add((index * size, (index + 1) * size))
        reported += account.report_gaps(now)
    account.post(make(next_number=len(arrives) * size), 100 * PATIENCE_NS, goodbye=True)
    reported += account.report_gaps(200 * PATIENCE_NS)
    expected = {n for first, end in lost for n in range(first, end)}
    assert _set(reported) == expected
    assert sum(span.size for span in reported) == len(expected)


def test_a_late_joiner_misses_nothing_from_before_its_first_batch():
    account = ReceivedAccount(from_start=False)
    account.post(make(range(1000, 1010)), 0)
    assert account.missing == 0
    account.post(make(range(1015, 1020)), 0)
    assert account.gaps() == [NumberRange(1010, 1014)]


def test_a_late_joiner_takes_steps_that_were_on_their_way_when_its_first_heartbeat_was_sent():
    account = ReceivedAccount(from_start=False)
    account.post(make(next_number=1005), 0)
    assert len(account.post(make(range(1000, 1008)), 0).steps) == 8
    assert account.missing == 0


def test_steps_announced_but_not_sent_yet_are_owed_and_not_missing():
    account = ReceivedAccount(from_start=True)
    account.post(make(range(10), next_number=15), 0)
    assert (account.owed, account.missing) == (5, 0)
    account.post(make(range(10, 15), next_number=15), 0)
    assert (account.owed, account.missing) == (0, 0)


def test_a_loss_at_the_end_shows_with_the_second_heartbeat():
    account = ReceivedAccount(from_start=True)
    account.post(make(range(10), next_number=15), 0)
    account.post(make(next_number=15, sent_ns=0), 0)
    assert account.missing == 0
    account.post(make(next_number=17, sent_ns=EMPTY_APART_NS), 0)
    assert account.gaps() == [NumberRange(10, 14)]
    assert account.owed == 2


def test_announcements_made_while_steps_wait_to_be_sent_show_no_loss():
    account = ReceivedAccount(from_start=True)
    for turn in range(5):
        account.post(make(next_number=100, sent_ns=turn * EMPTY_APART_NS), 0)
        account.post(make(next_number=100, sent_ns=turn * EMPTY_APART_NS + 1), 0)
        account.post(make(range(turn * 20, turn * 20 + 20), next_number=100), 0)
        assert account.missing == 0


def test_a_loss_at_the_end_shows_with_the_goodbye():
    account = ReceivedAccount(from_start=True)
    account.post(make(range(10), next_number=15), 0, goodbye=True)
    assert account.gaps() == [NumberRange(10, 14)]


def test_a_gap_that_was_reported_is_taken_back_when_it_is_filled():
    account = ReceivedAccount(from_start=True)
    account.post(make(range(20, 30)), 0)
    assert account.report_gaps(PATIENCE_NS) == [NumberRange(0, 19)]
    posted = account.post(make(range(5, 10)), PATIENCE_NS)
    assert posted.found == (NumberRange(5, 9),)
    assert [step[1] - 1 for step in posted.steps] == [5, 6, 7, 8, 9]
    assert account.missing == 15


def test_drops_are_counted_by_reason_once():
    account = ReceivedAccount(from_start=True)
    for _ in range(2):
        account.post(make([0, 9], drops=[Drop(1, 5, "full"), Drop(6, 3, "log refused")]), 0)
    assert account.dropped == {"full": 5, "log refused": 3}
    assert (account.received, account.duplicated, account.missing) == (2, 2, 0)


def test_reasons_made_up_without_end_do_not_fill_the_memory():
    account = ReceivedAccount(from_start=True)
    account.post(make(drops=[Drop(n, 1, f"reason {n}") for n in range(100)]), 0)
    assert len(account.dropped) == MAX_REASONS + 1
    assert account.dropped[OTHER_REASON] == 100 - MAX_REASONS


def test_long_reasons_are_cut_and_their_steps_counted():
    account = ReceivedAccount(from_start=True)
    drops = [Drop(number, 1, "x" * 1_000 + str(number)) for number in range(5)]
    account.post(make(drops=drops), 0)
    assert list(account.dropped.values()) == [5]
    assert [len(reason) for reason in account.dropped] == [MAX_REASON]
