from __future__ import annotations

import pytest

from farscope.errors import Invariant
from farscope.probe.accounting import DROPS_AT_ONCE, Chunk, SentAccount


def test_neighbouring_losses_of_one_reason_become_one():
    account = SentAccount()
    for number in (4, 5, 6):
        account.count_dropped(number, 1, "outbox_full")
    account.count_dropped(7, 2, "closing")
    assert account.open_chunk([], []).drops == ((4, 3, "outbox_full"), (7, 2, "closing"))
    assert account.dropped == {"outbox_full": 3, "closing": 2}


def test_losses_are_declared_in_rising_order_and_not_too_many_at_once():
    account = SentAccount()
    for number in reversed(range(0, 4 * DROPS_AT_ONCE, 2)):
        account.count_dropped(number, 1, "outbox_full")
    first, second = account.open_chunk([], []), account.open_chunk([], [])
    firsts = [drop.first for drop in first.drops + second.drops]
    assert len(first.drops) == DROPS_AT_ONCE
    assert firsts == sorted(firsts)
    assert not account.undeclared


def test_what_is_given_up_declares_again_what_it_was_to_declare(chart):
    account = SentAccount()
    account.count_dropped(0, 2, "outbox_full")
    chunk = account.open_chunk([2, 3], [chart.step(), chart.step()])
    account.drop(chunk, "closing")
    assert account.in_hand == 0
    assert account.open_chunk([], []).drops == ((0, 2, "outbox_full"), (2, 2, "closing"))


def test_what_was_given_up_is_not_counted_again_when_the_log_stores_it_after_all(chart):
    account = SentAccount()
    chunk = account.open_chunk([0], [chart.step()])
    account.drop_all("closing")
    account.confirm(chunk, 10)
    assert (account.stored, account.dropped, account.in_hand) == (0, {"closing": 1}, 0)
    account.drop(chunk, "closing")
    assert account.dropped == {"closing": 1}


def test_halves_of_a_haul_are_in_hand_in_its_place(chart):
    account = SentAccount()
    account.count_dropped(0, 1, "outbox_full")
    chunk = account.open_chunk([1, 2, 3], [chart.step(), chart.step(), chart.step()])
    first, second = account.split(chunk)
    assert (first.numbers, second.numbers) == ([1], [2, 3])
    assert (first.drops, second.drops) == (chunk.drops, ())
    assert account.in_hand == 3
    account.confirm(first, 1)
    assert account.open_from(4) == 2


def test_a_single_step_has_no_halves(chart):
    with pytest.raises(Invariant):
        SentAccount().split(Chunk([0], [chart.step()]))
