from hypothesis import given, settings
from hypothesis import strategies as st

from farscope.scope.gaps import FEW_HOLES, MAX_HOLES, HoleRoom, Span, Spans

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


def test_sequences_that_share_room_keep_few_holes_each_and_count_all_the_same():
    room = HoleRoom(limit=100)
    sequences = [Spans(0, room) for _ in range(50)]
    for number in range(1, 201, 2):
        for sequence in sequences:
            sequence.take(number, number)
    assert all(sequence.missing == 100 for sequence in sequences)
    assert sum(len(sequence.holes()) for sequence in sequences) <= 100 + 50 * (FEW_HOLES + 1)
    assert all(len(sequence.holes()) >= FEW_HOLES for sequence in sequences)
    for sequence in sequences:
        sequence.tell(0)
        sequence.forget()
    assert not room.full
    alone = Spans(0, room)
    for number in range(1, 101, 2):
        alone.take(number, number)
    assert len(alone.holes()) == 50


def test_holes_that_were_told_or_given_up_give_their_room_back():
    room = HoleRoom(limit=MAX_HOLES + 10)
    one = Spans(0, room)
    for number in range(1, 4 * MAX_HOLES, 2):
        one.take(number, number)
    crowded = Spans(0, room)
    for number in range(1, 2 * MAX_HOLES, 2):
        crowded.take(number, number)
    assert FEW_HOLES <= len(crowded.holes()) < MAX_HOLES
    assert crowded.missing == MAX_HOLES
    crowded.forget()
    one.tell(0)
    one.take(0, 4 * MAX_HOLES)
    other = Spans(0, room)
    for number in range(1, 2 * MAX_HOLES, 2):
        other.take(number, number)
    assert len(other.holes()) == MAX_HOLES
