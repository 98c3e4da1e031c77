from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from farscope.logs.base import Unread
from farscope.logs.recording.log import RecordingReader
from farscope.scope import header_survey as module
from farscope.scope.header_survey import HeaderSurvey
from farscope.scope.unknown import Why
from farscope.wire.envelope import Flags

SECOND_NS = 10**9


def test_what_headers_tell_is_counted_by_probe(keyring, hand_probe):
    one, two = hand_probe("one"), hand_probe("two")
    survey = HeaderSurvey()
    for time, data in enumerate([one.send(5), two.send(0), one.send(1, Flags.ANNOUNCE), one.goodbye()], 10):
        survey.add(data, time)
    first, second = survey.probes.values()
    assert (first.id, first.batches, first.heartbeats, first.announcements) == (one.id.hex(), 3, 1, 1)
    assert (first.first_ns, first.last_ns, first.goodbye) == (10, 13, True)
    assert (second.batches, second.heartbeats, second.goodbye) == (1, 1, False)
    assert survey.keys == [keyring.sealing.fingerprint]
    assert (survey.batches, survey.first_ns, survey.last_ns) == (4, 10, 13)


def test_batches_that_are_missing_or_there_twice_are_counted(hand_probe):
    probe = hand_probe()
    batches = [probe.send(1) for _ in range(6)]
    survey = HeaderSurvey()
    for number in (1, 2, 2, 5):
        survey.add(batches[number], 1)
    (seen,) = survey.probes.values()
    assert (seen.missing, seen.repeated, seen.numbers.first, survey.missing) == (2, 1, 1, 2)


def test_whoever_said_no_goodbye_is_unknown_after_its_last_batch(hand_probe):
    polite, killed, running = hand_probe(), hand_probe(), hand_probe()
    survey = HeaderSurvey()
    for second, batch in (
        (1, killed.send(3)),
        (2, killed.send(1)),
        (3, polite.send(1)),
        (4, polite.goodbye()),
    ):
        survey.add(batch, second * SECOND_NS)
    survey.add(running.send(1), 9 * SECOND_NS)
    dead, ended = survey.unknown()
    assert (dead.probe, dead.batch, dead.after, dead.why) == (killed.id.hex(), 1, None, Why.SILENT)
    assert (ended.probe, ended.batch, ended.why) == (running.id.hex(), 0, Why.NO_GOODBYE)
    assert [each.probe for each in survey.unknown(10 * SECOND_NS)] == [killed.id.hex()]


def test_parts_that_could_not_be_read_are_unknown_and_what_retention_removed_is_counted():
    class Reader(RecordingReader):
        cut = 3
        unread = (Unread("a.db", "no such file"),)

        def __init__(self) -> None:
            """Read nothing."""

    survey = HeaderSurvey()
    survey.record_unread(Reader())
    (unknown,) = survey.unknown()
    assert (survey.cut, unknown.why, unknown.subject) == (3, Why.NOT_OPENED, "a.db")


def test_probes_beyond_the_limit_are_only_counted(hand_probe, monkeypatch):
    monkeypatch.setattr(module, "MAX_PROBES_LISTED", 2)
    survey = HeaderSurvey()
    for _ in range(5):
        survey.add(hand_probe().send(1), 1)
    assert (len(survey.probes), survey.further, survey.batches) == (2, 3, 5)


@given(st.lists(st.tuples(st.binary(max_size=90), st.integers(0, 2**64 - 1)), max_size=20))
def test_anything_at_all_can_be_looked_at(entries):
    survey = HeaderSurvey()
    for data, stored_ns in entries:
        survey.add(data, stored_ns)
    assert survey.batches + sum(survey.strangers.values()) == len(entries)
    assert survey.bytes == sum(len(data) for data, _ in entries)


def test_the_heartbeat_of_a_probe_is_estimated_from_the_times_of_its_batches(hand_probe):
    survey, slow, quick = HeaderSurvey(), hand_probe("slow"), hand_probe("quick")
    for second in range(0, 100, 20):
        survey.add(slow.send(0), second * SECOND_NS)
    for second in range(100):
        survey.add(quick.send(0), second * SECOND_NS)
    silent = [unknown.probe for unknown in survey.unknown(105 * SECOND_NS) if unknown.why is Why.SILENT]
    assert silent == [quick.id.hex()]
    assert len(survey.unknown(180 * SECOND_NS)) == 2
