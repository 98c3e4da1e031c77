"""A scope over a recording."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from farscope.logs.base import Entry
from farscope.logs.recording.log import RecordingLog
from farscope.logs.recording.writer import RecordingWriter
from farscope.scope.gaps import NumberRange
from farscope.scope.notice import NoticeKind
from farscope.scope.scope import Scope
from farscope.scope.unknown import Why
from farscope.wire.envelope import Flags

YEAR_2020_NS = 1_577_836_800 * 10**9
SECOND_NS = 10**9


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.farscope"


def record(path: Path, *batches: tuple[int, bytes]) -> None:
    """Record batches, each stored so many seconds after 2020 began."""
    with RecordingWriter(path) as writer:
        writer.append([Entry(data, YEAR_2020_NS + second * SECOND_NS) for second, data in batches])


def test_iterating_ends_with_the_recording(path, keyring, hand_probe):
    probe = hand_probe()
    record(path, (0, probe.send(5)), (1, probe.send(7)))
    with Scope(str(path), keyring) as scope:
        assert not scope.ended
        assert [step.number for step in scope] == list(range(1, 13))
        assert scope.ended
        assert scope.caught_up
        assert scope.take(60.0) == []
        assert (scope.stats.received, scope.stats.lost) == (12, 0)


def test_what_else_a_recording_holds_is_unknown_where_its_end_is_missing_behind_a_whole_batch(
    path, keyring, hand_probe
):
    first, second = hand_probe("first"), hand_probe("second")
    writer = RecordingWriter(path)
    writer.append([Entry(first.send(3, Flags.GOODBYE), YEAR_2020_NS)])
    cut_off = writer.size
    writer.append([Entry(second.send(4, Flags.GOODBYE), YEAR_2020_NS + SECOND_NS)])
    writer.close()
    with Scope(str(path), keyring) as scope:
        assert (len(list(scope)), scope.stats.lost, scope.stats.unknown) == (7, 0, ())
    os.truncate(path, cut_off)
    with Scope(str(path), keyring) as scope:
        assert (len(list(scope)), scope.stats.lost) == (3, 0)
        assert [(each.why, each.subject) for each in scope.stats.unknown] == [(Why.UNREADABLE, path.name)]
    part = RecordingLog(path).part(0, YEAR_2020_NS)
    with Scope(part, keyring) as scope:
        assert (list(scope), scope.stats.unknown) == ([], ())


def test_a_recording_longer_than_what_may_wait_is_read_whole(path, keyring, hand_probe):
    probe = hand_probe()
    record(path, *((second, probe.send(1_000)) for second in range(150)))
    with Scope(RecordingLog(path), keyring) as scope:
        assert sum(1 for _ in scope) == 150_000
        assert scope.stats.unread == 0


def test_an_empty_recording_ends_at_once(path, keyring):
    record(path)
    with Scope(RecordingLog(path), keyring) as scope:
        assert list(scope) == []


def test_what_came_before_the_recorder_is_not_missing_and_what_came_while_it_recorded_is(
    path, keyring, hand_probe
):
    probe = hand_probe()
    probe.send(10)
    first = probe.send(5)
    probe.send(3)
    record(path, (0, first), (1, probe.send(2)))
    with Scope(str(path), keyring) as scope:
        assert len(list(scope)) == 7
        assert scope.stats.missing == 3


def test_announced_steps_a_recording_does_not_hold_are_missing_at_its_end(path, keyring, hand_probe):
    probe = hand_probe()
    steps = probe.send(5)
    probe.lose(3)
    record(path, (0, steps), (1, probe.send()))
    with Scope(str(path), keyring) as scope:
        assert len(list(scope)) == 5
        assert scope.stats.missing == 3
        (notice,) = [notice for notice in scope.notices() if notice.kind is NoticeKind.MISSING]
        assert notice.span == NumberRange(5, 7)


def test_steps_behind_the_end_of_a_part_are_not_missing(path, keyring, hand_probe):
    probe = hand_probe()
    late = probe.send(5)
    record(path, (0, probe.send()), (2, late))
    part = RecordingLog(path).part(to_ns=YEAR_2020_NS + SECOND_NS)
    with Scope(part, keyring) as scope:
        assert list(scope) == []
        assert (scope.stats.batches, scope.stats.missing) == (1, 0)


def test_charts_are_as_they_were_at_its_end(path, keyring, hand_probe):
    gone, ended, there = hand_probe("gone"), hand_probe("ended", pid=8), hand_probe("there", pid=9)
    record(
        path,
        (0, gone.send(1)),
        (1, ended.send(1)),
        (2, ended.goodbye()),
        (57, there.send(1)),
        (60, there.send()),
    )
    with Scope(str(path), keyring) as scope:
        list(scope)
        assert {chart.name: chart.status for chart in scope.charts} == {
            "gone": "silent",
            "ended": "closed",
            "there": "alive",
        }


def test_it_can_begin_in_the_middle_and_spans_count_back_from_its_end(path, keyring, hand_probe):
    probe = hand_probe()
    record(path, *((second, probe.send(1)) for second in range(100)))
    for since in ("10s", 10, datetime.fromtimestamp(YEAR_2020_NS // SECOND_NS + 89, UTC)):
        with Scope(str(path), keyring, since) as scope:
            assert [step.number for step in scope] == list(range(90, 101))
            assert scope.stats.lost == 0


def test_a_changed_batch_is_refused_by_its_seal_and_its_steps_are_missing(path, keyring, hand_probe):
    probe = hand_probe()
    middle = probe.send(4)
    record(path, (0, middle[:-1] + bytes([middle[-1] ^ 1])), (1, probe.send(2)))
    with Scope(str(path), keyring) as scope:
        assert len(list(scope)) == 2
        assert scope.stats.refused == {"tampered": 1}
