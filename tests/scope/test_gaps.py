from hypothesis import given, settings
from hypothesis import strategies as st

from farscope.scope.gaps import FEW_GAPS, MAX_GAPS, GapBudget, GapTracker, NumberRange

SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)), max_size=40)


def _numbers(spans: list[NumberRange]) -> set[int]:
    return {number for span in spans for number in range(span.first, span.last + 1)}


@settings(deadline=None)
@given(SPANS, st.booleans())
def test_agrees_with_a_set_of_numbers(spans, from_start):
    taken = GapTracker(0 if from_start else None)
    had: set[int] = set()
    for first, extra in spans:
        last = first + extra
        whole = set(range(first, last + 1))
        assert _numbers(taken.add(first, last).new) == whole - had
        had |= whole
        lowest = 0 if from_start else min(had)
        missing = set(range(lowest, max(had))) - had
        assert _numbers(taken.gaps()) == missing
        assert taken.missing == len(missing)
        assert taken.end == max(had) + 1


@settings(deadline=None)
@given(SPANS, st.integers(0, 80))
def test_tells_each_missing_number_once_and_takes_back_what_is_found(spans, end):
    taken = GapTracker(0)
    believed: set[int] = set()
    for now, (first, extra) in enumerate(spans):
        believed -= _numbers(list(taken.add(first, first + extra, now).found))
        reported = _numbers(taken.report(now))
        assert not reported & believed
        believed |= reported
        assert believed == _numbers(taken.gaps())
    taken.expect(end)
    believed |= _numbers(taken.report(len(spans)))
    assert believed == _numbers(taken.gaps())


def test_tells_a_hole_only_when_it_is_old_enough():
    taken = GapTracker(0)
    taken.add(5, 9, 100)
    assert taken.report(99) == []
    assert taken.report(100) == [NumberRange(0, 4)]
    assert taken.report(100) == []


def test_a_hole_filled_before_it_was_reported_is_not_taken_back():
    taken = GapTracker(0)
    taken.add(5, 9)
    assert taken.add(0, 4).found == ()
    assert taken.report(0) == []
    assert taken.missing == 0


def test_gaps_of_powers_of_two_are_exact():
    taken = GapTracker(0)
    taken.add(256, 256)
    taken.add(257 + 65_536, 257 + 65_536)
    assert taken.gaps() == [NumberRange(0, 255), NumberRange(257, 256 + 65_536)]


def test_memory_stays_bounded_under_endless_gaps_and_the_count_stays_exact():
    taken = GapTracker(0)
    for number in range(1, 20 * MAX_GAPS, 2):
        taken.add(number, number)
    assert len(taken.gaps()) == MAX_GAPS
    assert taken.missing == 10 * MAX_GAPS
    assert taken.add(0, 0).new == ()
    assert len(taken.report(0)) == 2 * MAX_GAPS


def test_sequences_that_share_room_keep_few_holes_each_and_count_all_the_same():
    room = GapBudget(limit=100)
    sequences = [GapTracker(0, room) for _ in range(50)]
    for number in range(1, 201, 2):
        for sequence in sequences:
            sequence.add(number, number)
    assert all(sequence.missing == 100 for sequence in sequences)
    assert sum(len(sequence.gaps()) for sequence in sequences) <= 100 + 50 * (FEW_GAPS + 1)
    assert all(len(sequence.gaps()) >= FEW_GAPS for sequence in sequences)
    for sequence in sequences:
        sequence.report(0)
        sequence.forget()
    assert not room.full
    alone = GapTracker(0, room)
    for number in range(1, 101, 2):
        alone.add(number, number)
    assert len(alone.gaps()) == 50


def test_holes_that_were_reported_or_given_up_give_their_room_back():
    room = GapBudget(limit=MAX_GAPS + 10)
    one = GapTracker(0, room)
    for number in range(1, 4 * MAX_GAPS, 2):
        one.add(number, number)
    crowded = GapTracker(0, room)
    for number in range(1, 2 * MAX_GAPS, 2):
        crowded.add(number, number)
    assert FEW_GAPS <= len(crowded.gaps()) < MAX_GAPS
    assert crowded.missing == MAX_GAPS
    crowded.forget()
    one.report(0)
    one.add(0, 4 * MAX_GAPS)
    other = GapTracker(0, room)
    for number in range(1, 2 * MAX_GAPS, 2):
        other.add(number, number)
    assert len(other.gaps()) == MAX_GAPS
