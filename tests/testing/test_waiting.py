from __future__ import annotations

import pytest

from farscope.testing.waiting import eventually


def test_the_first_true_answer_is_returned():
    answers = iter([0, "", "there"])
    assert eventually(lambda: next(answers)) == "there"


def test_a_passed_deadline_names_what_was_waited_for_and_the_last_answer():
    with pytest.raises(AssertionError, match=r"the broker did not come true within 0 s; last answer: \[\]"):
        eventually(list, 0, what="the broker")


def test_what_the_predicate_raises_ends_the_waiting():
    with pytest.raises(ZeroDivisionError):
        eventually(lambda: 1 / 0)
