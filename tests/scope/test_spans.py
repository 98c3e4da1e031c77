from hypothesis import given, settings
from hypothesis import strategies as st

from farscope.scope.spans import MAX_HOLES, Span, Spans

SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)), max_size=40)


def _numbers(spans: list[Span]) -> set[int]:
    return {number for span in spans for number in range(span.first, span.last + 1)}


@settings(deadline=None)
@given(SPANS, st.booleans())
def test_agrees_with_a_set_of_numbers(spans, from_start):
    taken = Spans(0 if from_start else None)
    had: set[int] = set()
    for first, extra in spans:
        last = first + extra
        whole = set(range(first, last + 1))
        assert _numbers(taken.take(first, last).new) == whole - had
        had |= whole
        lowest = 0 if from_start else min(had)
        missing = set(range(lowest, max(had))) - had
        assert _numbers(taken.holes()) == missing
        assert taken.missing == len(missing)
        assert taken.end == max(had) + 1


@settings(deadline=None)
@given(SPANS, st.integers(0, 80))
def test_tells_each_missing_number_once_and_takes_back_what_is_found(spans, end):
    taken = Spans(0)
    believed: set[int] = set()
    for now, (first, extra) in enumerate(spans):
        believed -= _numbers(list(taken.take(first, first + extra, now).found))
        told = _numbers(taken.tell(now))
        assert not told & believed
        believed |= told
        assert believed == _numbers(taken.holes())
    taken.expect(end)
    believed |= _numbers(taken.tell(len(spans)))
    assert believed == _numbers(taken.holes())


def test_tells_a_hole_only_when_it_is_old_enough():
    taken = Spans(0)
    taken.take(5, 9, 100)
    assert taken.tell(99) == []
    assert taken.tell(100) == [Span(0, 4)]
    assert taken.tell(100) == []


def test_a_hole_filled_before_it_was_told_is_not_taken_back():
    taken = Spans(0)
    taken.take(5, 9)
    assert taken.take(0, 4).found == ()
    assert taken.tell(0) == []
    assert taken.missing == 0


def test_gaps_of_powers_of_two_are_exact():
    taken = Spans(0)
    taken.take(256, 256)
    taken.take(257 + 65_536, 257 + 65_536)
    assert taken.holes() == [Span(0, 255), Span(257, 256 + 65_536)]


def test_memory_stays_bounded_under_endless_gaps_and_the_count_stays_exact():
    taken = Spans(0)
    for number in range(1, 20 * MAX_HOLES, 2):
        taken.take(number, number)
    assert len(taken.holes()) == MAX_HOLES
    assert taken.missing == 10 * MAX_HOLES
    assert taken.take(0, 0).new == ()
    assert len(taken.tell(0)) == 2 * MAX_HOLES
