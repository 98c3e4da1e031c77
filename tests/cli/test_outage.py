"""A log that stays away ends commands that read to its end; one that comes back does not."""

from __future__ import annotations

import re

import pytest

from farscope.cli.outage import GIVE_UP_S, NEVER_S, NoticeListener, OutageTimer
from farscope.errors import LogUnavailable
from farscope.scope.notice import Notice, NoticeKind


class Told:
    """Stands for a scope: hands out the notices it is given."""

    def __init__(self) -> None:
        self.waiting: list[Notice] = []

    def notices(self) -> list[Notice]:
        waiting, self.waiting = self.waiting, []
        return waiting


def dated(told: str) -> list[str]:
    """Return lines without the times in front of them."""
    lines = told.splitlines()
    return [re.sub(r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\] ", "", line) for line in lines]


def test_it_gives_up_when_its_time_is_over_and_says_what_was_wrong(capsys):
    now_s = 0.0
    outage = OutageTimer(clock=lambda: now_s)
    outage.check()
    outage.lost("nothing listens on there:1")
    now_s = GIVE_UP_S - 1
    outage.check()
    outage.lost("there:1 did not answer in time")
    now_s = GIVE_UP_S
    with pytest.raises(LogUnavailable, match="not read to its end: there:1 did not answer in time"):
        outage.check()
    assert dated(capsys.readouterr().err) == ["log unavailable: nothing listens on there:1"]


def test_a_log_that_is_back_is_told_and_its_time_begins_anew(capsys):
    now_s = 0.0
    outage = OutageTimer(clock=lambda: now_s)
    outage.found()
    outage.lost("gone")
    now_s = GIVE_UP_S
    outage.found()
    outage.check()
    outage.lost("gone")
    outage.check()
    told = dated(capsys.readouterr().err)
    assert told == ["log unavailable: gone", "log available", "log unavailable: gone"]


def test_it_can_be_without_end():
    now_s = 0.0
    outage = OutageTimer(NEVER_S, clock=lambda: now_s)
    outage.lost("gone")
    now_s = 1e9
    outage.check()


def test_of_what_a_scope_reports_it_prints_the_state_of_the_log_and_what_was_asked_for(capsys):
    scope = Told()
    listener = NoticeListener(scope, {NoticeKind.REFUSED})
    scope.waiting = [
        Notice(kind=NoticeKind.LOG_UNAVAILABLE, detail="gone"),
        Notice(kind=NoticeKind.LOG_AVAILABLE),
        Notice(kind=NoticeKind.REFUSED, detail="another key", count=1),
        Notice(kind=NoticeKind.REFUSED, detail="a third key", count=2),
        Notice(kind=NoticeKind.APPEARED, subject="lamp"),
    ]
    listener.check()
    told = capsys.readouterr().err
    assert dated(told)[:2] == ["log unavailable: gone", "log available"]
    assert ("another key" in told, "a third key" in told, "lamp" in told) == (True, True, False)
