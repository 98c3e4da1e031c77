from __future__ import annotations

import pytest

from farscope.errors import Invariant
from farscope.probe.accounting import DROPS_AT_ONCE, Haul, Ledger


def test_neighbouring_losses_of_one_reason_become_one():
    ledger = Ledger()
    for number in (4, 5, 6):
        ledger.lose(number, 1, "outbox_full")
    ledger.lose(7, 2, "closing")
    assert ledger.take([], []).drops == ((4, 3, "outbox_full"), (7, 2, "closing"))
    assert ledger.dropped == {"outbox_full": 3, "closing": 2}


def test_losses_are_declared_in_rising_order_and_not_too_many_at_once():
    ledger = Ledger()
    for number in reversed(range(0, 4 * DROPS_AT_ONCE, 2)):
        ledger.lose(number, 1, "outbox_full")
    first, second = ledger.take([], []), ledger.take([], [])
    firsts = [drop.first for drop in first.drops + second.drops]
    assert len(first.drops) == DROPS_AT_ONCE
    assert firsts == sorted(firsts)
    assert not ledger.undeclared


def test_what_is_given_up_declares_again_what_it_was_to_declare(chart):
    ledger = Ledger()
    ledger.lose(0, 2, "outbox_full")
    haul = ledger.take([2, 3], [chart.step(), chart.step()])
    ledger.give_up(haul, "closing")
    assert ledger.in_hand == 0
    assert ledger.take([], []).drops == ((0, 2, "outbox_full"), (2, 2, "closing"))


def test_what_was_given_up_is_not_counted_again_when_the_log_stores_it_after_all(chart):
    ledger = Ledger()
    haul = ledger.take([0], [chart.step()])
    ledger.give_up_all("closing")
    ledger.settle(haul, 10)
    assert (ledger.stored, ledger.dropped, ledger.in_hand) == (0, {"closing": 1}, 0)
    ledger.give_up(haul, "closing")
    assert ledger.dropped == {"closing": 1}


def test_halves_of_a_haul_are_in_hand_in_its_place(chart):
    ledger = Ledger()
    ledger.lose(0, 1, "outbox_full")
    haul = ledger.take([1, 2, 3], [chart.step(), chart.step(), chart.step()])
    first, second = ledger.split(haul)
    assert (first.numbers, second.numbers) == ([1], [2, 3])
    assert (first.drops, second.drops) == (haul.drops, ())
    assert ledger.in_hand == 3
    ledger.settle(first, 1)
    assert ledger.open_from(4) == 2


def test_a_single_step_has_no_halves(chart):
    with pytest.raises(Invariant):
        Ledger().split(Haul([0], [chart.step()]))
