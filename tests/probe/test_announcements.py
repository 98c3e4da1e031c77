from __future__ import annotations

import pytest

from farscope.probe.announcements import NEWS_KEPT, STOPPED_KEPT, UNSAID_KEPT, Roster


@pytest.fixture
def roster():
    return Roster()


def test_an_announced_chart_is_a_change_once(roster, chart, kit):
    roster.announce(chart.id, kit.STRUCTURE, "inner", 3)
    assert roster.has_changes()
    [entry] = roster.changes(0)
    assert entry == (1, "chart", "inner", 3, False, kit.STRUCTURE)
    assert not roster.has_changes()
    assert roster.changes(0) == []


def test_steps_bring_state_and_number_up_to_date(roster, chart, kit):
    roster.announce(chart.id, kit.STRUCTURE, "inner", 0)
    assert roster.follow([chart.step(), chart.step()]) == {1}
    [entry] = roster.everything(2)
    assert (entry.state, entry.number) == ("outer", 2)


def test_an_announcement_is_not_undone_by_steps_from_before_it(roster, chart, kit):
    step = chart.step()
    roster.announce(chart.id, kit.STRUCTURE, "elsewhere", 9)
    roster.follow([step])
    [entry] = roster.everything(1)
    assert (entry.state, entry.number) == ("elsewhere", 9)


def test_a_chart_that_was_never_announced_is_known_by_its_steps(roster, chart):
    roster.follow([chart.step()])
    [entry] = roster.mentioned({1}, 1)
    assert (entry.name, entry.state, entry.structure) == ("chart", "outer", None)


def test_a_stop_waits_until_the_charts_last_step_was_sent(roster, chart, kit):
    roster.announce(chart.id, kit.STRUCTURE, "inner", 0)
    roster.changes(0)
    roster.stopped(chart.id, 5)
    assert roster.changes(4) == []
    assert not roster.everything(4)[0].stopped
    assert roster.has_changes()
    assert roster.changes(5)[0].stopped


def test_a_chart_that_is_announced_after_its_stop_lives_again(roster, chart, kit):
    roster.stopped(chart.id, 0)
    roster.announce(chart.id, kit.STRUCTURE, "inner", 0)
    assert not roster.everything(0)[0].stopped


def test_charts_of_one_name_are_told_apart_by_serial(roster, kit):
    for serial in (1, 2):
        roster.announce(kit.SmallChart(serial, "twin").id, kit.STRUCTURE, "inner", serial)
    assert [(entry.serial, entry.number) for entry in roster.everything(0)] == [(1, 1), (2, 2)]


def test_of_stopped_charts_only_so_many_are_remembered(roster, kit):
    for serial in range(1, STOPPED_KEPT + 11):
        roster.stopped(kit.SmallChart(serial).id, 0)
    roster.changes(0)
    assert [entry.serial for entry in roster.everything(0)] == list(range(11, STOPPED_KEPT + 11))


def test_however_many_charts_stop_between_two_looks_each_stop_is_said(roster, kit):
    for serial in range(1, 1001):
        roster.announce(kit.SmallChart(serial).id, kit.STRUCTURE, "inner", 0)
        roster.stopped(kit.SmallChart(serial).id, 0)
    said = roster.changes(0)
    assert [(entry.serial, entry.stopped) for entry in said] == [(serial, True) for serial in range(1, 1001)]
    assert len(roster._known) == STOPPED_KEPT


def test_charts_that_come_and_go_while_nothing_can_be_sent_are_forgotten_in_the_end(roster, kit):
    for serial in range(1, UNSAID_KEPT + 101):
        roster.announce(kit.SmallChart(serial).id, kit.STRUCTURE, "inner", 0)
        roster.stopped(kit.SmallChart(serial).id, 1)
        if serial % 500 == 0:
            roster.changes(0)
    assert roster.changes(0) == []
    assert len(roster._known) == UNSAID_KEPT


def test_news_that_no_pump_hears_are_bounded(roster, kit):
    chart = kit.SmallChart(1)
    for _ in range(NEWS_KEPT + 5):
        roster.stopped(chart.id, 0)
    assert len(roster._news) == NEWS_KEPT


def test_steps_of_charts_that_were_forgotten_bring_none_of_them_back_for_good(roster, kit):
    for serial in range(1, 1001):
        roster.follow([kit.SmallChart(serial).step()])
    assert len(roster._known) == STOPPED_KEPT


def test_after_a_fork_charts_are_announced_once_they_show_life(roster, kit):
    living, still = kit.SmallChart(1), kit.SmallChart(2)
    for chart in (living, still):
        roster.announce(chart.id, kit.STRUCTURE, "inner", 0)
    roster.reset()
    assert roster.everything(0) == []
    assert not roster.has_changes()
    roster.follow([living.step()])
    [entry] = roster.changes(1)
    assert (entry.serial, entry.structure) == (1, kit.STRUCTURE)
