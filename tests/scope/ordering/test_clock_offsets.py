from hypothesis import given
from hypothesis import strategies as st

from farscope.records.heartbeat import GONE_AFTER_NS
from farscope.scope.notice import NoticeKind
from farscope.scope.ordering.clock_offsets import (
    BEHIND_NS,
    OLD_NS,
    SAME_CLOCK_NS,
    ClockOffsets,
)

SECOND = 1_000_000_000
DELAY = SECOND // 10
BEGIN = 1_000_000 * SECOND


class Beats:
    """Probes that say something each second, to a scope whose own clock may be set."""

    def __init__(self, **more) -> None:
        self.clocks = ClockOffsets("here", DELAY, **more)
        self.at_ns = BEGIN
        self.own_ns = 0
        self.number = 0
        self.reported = []

    def new(self, count: int, *, probe: str = "a", host: str = "there", offset_ns=0, delay_ns=0) -> bool:
        set_back = False
        for _ in range(count):
            self.at_ns += SECOND
            self.number += 1
            sent_ns = self.at_ns + offset_ns
            set_back = self.clocks.set_back(probe, host, self.number, sent_ns) or set_back
            received_ns = self.at_ns + delay_ns + self.own_ns
            self.reported += self.clocks.add_live(probe, host, sent_ns, received_ns, self.at_ns + delay_ns)
        return set_back


OFFSETS = st.integers(-3_600 * SECOND, 3_600 * SECOND)


@given(OFFSETS, OFFSETS, st.integers(0, DELAY))
def test_a_clock_that_is_set_is_followed_at_once(before_ns, after_ns, delay_ns):
    beats = Beats()
    beats.new(5, offset_ns=before_ns, delay_ns=delay_ns)
    set_back = beats.new(1, offset_ns=after_ns, delay_ns=delay_ns)
    # Set back by less than the second between two batches, nothing proves it.
    assert set_back == (after_ns < before_ns - SECOND)
    if set_back or after_ns >= before_ns:
        error_ns = after_ns - beats.clocks.correction_ns("a")
        assert -SAME_CLOCK_NS <= error_ns <= delay_ns + 2 * SAME_CLOCK_NS or abs(after_ns) <= SECOND


def test_a_batch_that_comes_late_proves_nothing():
    clocks = ClockOffsets("here", DELAY)
    assert not clocks.set_back("a", "there", 7, BEGIN)
    assert not clocks.set_back("a", "there", 6, BEGIN - SECOND)
    assert clocks.set_back("a", "there", 8, BEGIN - 1)


@given(st.integers(-3_600 * SECOND, 3_600 * SECOND), st.integers(-3_600 * SECOND, 3_600 * SECOND))
def test_when_the_scopes_own_clock_is_set_other_machines_are_reported_as_moved(offset_ns, set_ns):
    beats = Beats()
    beats.new(5, offset_ns=offset_ns)
    beats.own_ns = set_ns
    beats.new(1, offset_ns=offset_ns)
    expected_ns = offset_ns - set_ns
    error_ns = expected_ns - beats.clocks.correction_ns("a")
    assert error_ns == 0 or -SECOND <= expected_ns <= SAME_CLOCK_NS or abs(error_ns) < SECOND // 20


@given(st.integers(-SECOND, SECOND), st.integers(0, 10 * SECOND))
def test_a_program_of_this_machine_goes_by_its_clock_however_late_it_is_heard(set_ns, delay_ns):
    beats = Beats()
    beats.new(1, host="here", delay_ns=delay_ns)
    assert beats.clocks.correction_ns("a") == 0
    beats.new(5, host="here")
    beats.own_ns = set_ns
    beats.new(1, host="here", offset_ns=set_ns)
    assert beats.clocks.correction_ns("a") == 0
    assert beats.reported == []


def test_probes_of_the_past_go_by_the_scopes_clock_as_soon_as_one_of_them_is_heard_live():
    beats = Beats()
    for turn in range(10):
        for probe, ahead_s, later_s in (("wrong", 40, 0.0), ("right", 0, 0.5)):
            stamp = BEGIN + int((turn + later_s + ahead_s) * SECOND)
            beats.reported += beats.clocks.add_past(probe, probe, stamp)
    assert [beats.clocks.correction_ns(probe) for probe in ("wrong", "right")] == [0, -40 * SECOND]
    beats.new(1, probe="wrong", host="wrong", offset_ns=40 * SECOND)
    assert [beats.clocks.correction_ns(probe) for probe in ("wrong", "right")] == [40 * SECOND, 0]
    assert beats.clocks.offset_ns("right") is None


def test_a_clock_that_moved_is_reported_again():
    beats = Beats()
    beats.new(5, offset_ns=40 * SECOND)
    beats.new(5, offset_ns=-7 * SECOND)
    beats.new(5)
    assert [(notice.kind, notice.detail) for notice in beats.reported] == [
        (NoticeKind.CLOCK_OFF, "40.0 s ahead of this machine's"),
        (NoticeKind.CLOCK_OFF, "7.0 s behind this machine's"),
        (NoticeKind.CLOCK_RIGHT, ""),
    ]


def test_a_past_that_ended_long_ago_is_not_of_the_present():
    for one_machine, quiet_ns in ((True, GONE_AFTER_NS), (False, GONE_AFTER_NS + BEHIND_NS)):
        clocks = ClockOffsets("here", DELAY, one_machine=one_machine)
        clocks.add_past("a", "there", BEGIN)
        assert clocks.may_be_present(BEGIN + quiet_ns - 1)
        assert not clocks.may_be_present(BEGIN + quiet_ns)


def test_what_is_too_old_for_a_clock_that_is_off_keeps_its_times_and_is_reported_once():
    beats = Beats()
    beats.new(9, offset_ns=-OLD_NS - SECOND)
    assert beats.clocks.correction_ns("a") == 0
    assert beats.clocks.offset_ns("a") is None
    assert [(notice.kind, notice.subject, notice.detail) for notice in beats.reported] == [
        (NoticeKind.OLD, "there", "10,801.0 s")
    ]


def test_a_clock_that_is_just_not_too_far_behind_is_corrected():
    beats = Beats()
    beats.new(9, offset_ns=-OLD_NS)
    assert beats.clocks.correction_ns("a") == -OLD_NS
    assert {notice.kind for notice in beats.reported} == {NoticeKind.CLOCK_OFF}


def test_in_a_log_of_one_machine_whatever_is_behind_is_old():
    beats = Beats(one_machine=True)
    beats.new(9, host="here", offset_ns=-60 * SECOND)
    assert beats.clocks.correction_ns("a") == 0
    assert [notice.kind for notice in beats.reported] == [NoticeKind.OLD]


def test_in_a_log_of_one_machine_an_old_run_is_reported_at_any_speed_and_once_for_all_its_programs():
    for speed in (1, 2, 20):
        beats = Beats(one_machine=True)
        for second in range(6):
            for probe in "abcd":
                beats.new(1, probe=probe, host="here", offset_ns=(second * 4 * speed - 3_600) * SECOND)
        assert [(notice.kind, notice.subject) for notice in beats.reported] == [(NoticeKind.OLD, "here")]


def test_what_waited_in_a_spool_is_shown_at_its_times_and_reported_by_nobody():
    beats = Beats()
    for _ in range(3):
        beats.at_ns -= SECOND
        beats.new(1, offset_ns=-2 * OLD_NS)
        assert beats.clocks.correction_ns("a") == 0
    beats.new(9)
    assert beats.clocks.correction_ns("a") == 0
    assert beats.reported == []


def test_adding_a_batch_takes_effect_whether_or_not_its_notices_are_read():
    clocks = ClockOffsets("here", DELAY)
    clocks.add_past("a", "there", BEGIN)
    assert clocks.past_ns == BEGIN
    clocks.add_live("a", "there", BEGIN, BEGIN, BEGIN)
    assert clocks.heard_live("a")
