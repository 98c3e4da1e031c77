"""A flood of refused batches is told in a few lines."""

from __future__ import annotations

from farscope.scope.intake import Refusal, Refused
from farscope.scope.refusals import MAX_FINGERPRINTS, Refusals


def told(refusals, refused, counts):
    return [notice.count for count in counts for notice in refusals.tell(refused, count)]


def test_a_reason_is_told_the_first_tenth_and_hundredth_time():
    refused = Refused(Refusal.MALFORMED, "cut off")
    assert told(Refusals(), refused, range(1, 2_000)) == [1, 10, 100, 1_000]


def test_each_foreign_key_is_told_once():
    refusals = Refusals()
    keys = [Refused(Refusal.WRONG_KEY, f"sealed with {name}", fingerprint=name) for name in "ba"]
    assert [told(refusals, key, range(1, 200)) for key in keys] == [[1], [1]]
    assert refusals.fingerprints == ["a", "b"]


def test_of_very_many_foreign_keys_the_rest_is_only_counted():
    refusals = Refusals()
    for number in range(2 * MAX_FINGERPRINTS):
        refusals.tell(Refused(Refusal.WRONG_KEY, "sealed", fingerprint=str(number)), number + 1)
    assert len(refusals.fingerprints) == MAX_FINGERPRINTS
