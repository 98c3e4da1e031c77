from dataclasses import replace

import pytest

from farscope.errors import AmbiguousChart, UnknownChart
from farscope.records.heartbeat import LATELY_NS, SETTLE_NS, SILENT_AFTER_NS
from farscope.records.kinds import UnknownKind
from farscope.records.step import ChartRef
from farscope.records.structure import ChartStatus, ChartStructure, StateInfo
from farscope.scope import world
from farscope.scope.accounting import PATIENCE_NS
from farscope.scope.gaps import NumberRange
from farscope.scope.intake import Accepted, Intake
from farscope.scope.notice import Notice, NoticeKind
from farscope.scope.unknown import Why
from farscope.scope.world import World
from farscope.wire.envelope import Flags
from farscope.wire.seal import Opener


class Watched:
    """An intake and a world with a clock that the test moves."""

    def __init__(self, keyring, since_ns=0) -> None:
        self.intake = Intake(Opener(keyring), since_ns=since_ns)
        self.world = World()
        self.now_ns = 0
        self.listening_since_ns = 0

    def take(self, data, age_ns=0):
        outcome = self.intake.receive(data, self.now_ns)
        assert isinstance(outcome, Accepted)
        return self.world.apply(outcome, self.now_ns, age_ns)

    def wait(self, ns):
        self.now_ns += ns
        return self.world.tick(self.now_ns, self.listening_since_ns)

    def unknown(self):
        return [(each.subject, each.after, each.why) for each in self.world.unknown()]

    def statuses(self):
        return {chart.label: chart.status for chart in self.world.charts()}


@pytest.fixture
def watched(keyring):
    return Watched(keyring)


def kinds(notices):
    return [notice.kind for notice in notices]


def test_a_chart_appears_with_state_and_place_before_it_made_a_step(watched, hand_probe):
    structure = ChartStructure((StateInfo("c1"),))
    notices = watched.take(hand_probe("producer", host="pi", pid=3).send(structure=structure))
    assert kinds(notices) == [NoticeKind.APPEARED]
    (chart,) = watched.world.charts()
    assert (chart.label, chart.host, chart.pid, chart.state) == ("producer", "pi", 3, "c2")
    assert (chart.status, chart.alive, chart.steps, chart.lost) == ("alive", True, 0, 0)
    assert chart.structure == structure


def test_a_structure_once_announced_stays_known(watched, hand_probe):
    probe = hand_probe()
    structure = ChartStructure((StateInfo("c1"),))
    watched.take(probe.send(structure=structure))
    watched.take(probe.send(3))
    assert watched.world.charts()[0].structure == structure


def test_each_chart_gets_its_own_steps(watched, hand_probe):
    probe = hand_probe("a", "b")
    watched.take(probe.send([probe.step(index % 2) for index in range(9)]))
    a, b = watched.world.charts()
    assert (a.steps, a.last_number, b.steps, b.last_number) == (5, 5, 4, 4)
    assert len(watched.world.find("a").foreign.trace().splitlines()) == 6
    assert "[b]" not in watched.world.find("a").foreign.trace()


def test_a_chart_counts_what_it_lost_between_steps_and_at_its_end(watched, hand_probe):
    probe = hand_probe()
    watched.take(probe.send(2))
    probe.lose(3)
    watched.take(probe.send(2))
    assert watched.world.charts()[0].lost == 3
    probe.lose(4)
    watched.take(probe.send())
    assert watched.world.charts()[0].lost == 3
    watched.take(probe.goodbye())
    assert watched.world.charts()[0].lost == 7


def test_a_chart_none_of_whose_steps_came_has_lost_them_all(watched, hand_probe):
    probe = hand_probe("full", "lucky")
    watched.take(probe.send())
    probe.lose(5)
    watched.take(probe.send([probe.step(1)]))
    assert [chart.lost for chart in watched.world.charts()] == [0, 0]
    watched.take(probe.goodbye())
    assert [(chart.steps, chart.lost) for chart in watched.world.charts()] == [(0, 5), (1, 0)]


def test_a_chart_has_lost_what_it_made_between_being_heard_of_and_its_first_step_received(
    watched, hand_probe
):
    probe = hand_probe()
    watched.take(probe.send())
    probe.lose(3)
    watched.take(probe.send(2))
    assert watched.world.charts()[0].lost == 3


def test_what_a_chart_did_before_it_was_heard_of_is_not_lost(keyring, hand_probe):
    watched, probe = Watched(keyring, since_ns=None), hand_probe()
    probe.lose(500)
    watched.take(probe.send())
    watched.take(probe.send(2))
    watched.take(probe.goodbye())
    assert watched.world.charts()[0].lost == 0


def test_charts_forgotten_at_a_limit_are_unknown_unless_they_ended(watched, hand_probe, monkeypatch):
    monkeypatch.setattr(world, "MAX_CHARTS", 2)
    polite = hand_probe("polite")
    watched.take(polite.send(1))
    watched.take(polite.goodbye())
    for _ in range(3):
        watched.take(hand_probe().send(1))
    (unknown,) = watched.world.unknown()
    assert (unknown.why, unknown.count, watched.world.forgotten) == (Why.FORGOTTEN, 1, 2)


def test_a_goodbye_closes_the_charts_of_its_probe_only(watched, hand_probe):
    one, two = hand_probe("one"), hand_probe("two")
    watched.take(one.send(1))
    watched.take(two.send(1))
    notices = watched.take(one.goodbye())
    assert [(notice.kind, notice.subject) for notice in notices] == [(NoticeKind.CLOSED, "one")]
    assert watched.statuses() == {"one": "closed", "two": "alive"}
    assert NoticeKind.FELL_SILENT not in kinds(
        [n for n in watched.wait(SILENT_AFTER_NS) if n.subject == "one"]
    )


def test_a_stopped_chart_is_reported_once_and_stays_stopped(watched, hand_probe):
    probe = hand_probe()
    watched.take(probe.send(1))
    assert kinds(watched.take(probe.send(stopped=True))) == [NoticeKind.STOPPED]
    assert watched.take(probe.send(0, Flags.GOODBYE, stopped=True)) == []
    assert watched.statuses() == {"producer": "stopped"}


def test_a_probe_that_says_nothing_falls_silent_after_its_last_step_and_speaks_again(watched, hand_probe):
    probe = hand_probe()
    watched.take(probe.send(4))
    assert watched.wait(SILENT_AFTER_NS - 1) == []
    (notice,) = watched.wait(1)
    assert (notice.kind, notice.subject, notice.count) == (NoticeKind.FELL_SILENT, "producer", 4)
    assert watched.statuses() == {"producer": "silent"}
    assert watched.wait(SILENT_AFTER_NS) == []
    assert kinds(watched.take(probe.send())) == [NoticeKind.SPOKE_AGAIN]
    assert watched.statuses() == {"producer": "alive"}


def test_silence_shows_that_announced_steps_will_not_come(watched, hand_probe):
    probe = hand_probe()
    watched.take(probe.send(4))
    probe.lose(2)
    watched.take(probe.send())
    notices = watched.wait(SILENT_AFTER_NS)
    assert kinds(notices) == [NoticeKind.FELL_SILENT, NoticeKind.MISSING]
    assert notices[1].span == NumberRange(4, 5)


def test_nobody_is_called_silent_while_the_past_is_read(watched, hand_probe):
    watched.listening_since_ns = None
    watched.take(hand_probe("dead").send(1), age_ns=10 * SILENT_AFTER_NS)
    watched.take(hand_probe("fresh").send(1), age_ns=SILENT_AFTER_NS // 2)
    assert watched.statuses() == {"dead": "silent", "fresh": "alive"}
    assert watched.wait(SILENT_AFTER_NS) == []


def test_the_dead_of_the_past_are_reported_soon_after_it_was_read(watched, hand_probe):
    alive = hand_probe("alive")
    watched.listening_since_ns = None
    watched.take(hand_probe("dead").send(7), age_ns=10 * SILENT_AFTER_NS)
    watched.take(alive.send(1), age_ns=10 * SILENT_AFTER_NS)
    watched.listening_since_ns = watched.now_ns
    assert watched.wait(SETTLE_NS - 1) == []
    assert watched.take(alive.send()) == []
    (notice,) = watched.wait(1)
    assert (notice.kind, notice.subject, notice.count) == (NoticeKind.FELL_SILENT, "dead", 7)
    assert watched.statuses() == {"alive": "alive", "dead": "silent"}


def test_a_gap_is_reported_once_after_a_while_and_taken_back_when_it_fills(watched, hand_probe):
    probe = hand_probe()
    watched.take(probe.send(2))
    late = probe.send(3)
    assert watched.take(probe.send(2)) == []
    (notice,) = watched.wait(PATIENCE_NS)
    assert (notice.kind, notice.subject, notice.span) == (NoticeKind.MISSING, "far:7", NumberRange(2, 4))
    assert watched.wait(PATIENCE_NS) == []
    (notice,) = watched.take(late)
    assert (notice.kind, notice.span) == (NoticeKind.FOUND, NumberRange(2, 4))
    assert watched.world.charts()[0].lost == 0


def test_at_the_end_of_the_past_the_silent_lose_what_they_owe_and_others_owe_on(watched, hand_probe):
    watched.listening_since_ns = None
    for probe, age_ns in (
        (hand_probe(pid=1), SILENT_AFTER_NS),
        (hand_probe(pid=2), SILENT_AFTER_NS - 1),
    ):
        watched.take(probe.send(4), age_ns)
        probe.lose(2)
        watched.take(probe.send(), age_ns)
    watched.world.reach_end(watched.now_ns, for_good=False)
    assert watched.intake.totals().missing == 2
    (notice,) = watched.world.settle(watched.now_ns)
    assert (notice.subject, notice.span) == ("far:1", NumberRange(4, 5))
    watched.world.reach_end(watched.now_ns, for_good=True)
    assert watched.intake.totals().missing == 4


def test_what_waits_to_be_reported_is_reported_at_the_end(watched, hand_probe):
    probe = hand_probe()
    probe.send(2)
    watched.take(probe.send(2))
    (notice,) = watched.world.settle(watched.now_ns)
    assert notice.span == NumberRange(0, 1)


def test_drops_at_the_source_are_reported_by_reason(watched, hand_probe):
    notices = watched.take(hand_probe().send(1, drop=(5, "outbox full")))
    assert [(n.detail, n.count) for n in notices if n.kind is NoticeKind.DROPPED] == [("outbox full", 5)]


def test_an_older_batch_that_comes_late_changes_no_state(watched, hand_probe):
    probe = hand_probe()
    watched.take(probe.send(1))
    late = probe.send(1)
    watched.take(probe.send(3))
    watched.take(late)
    (chart,) = watched.world.charts()
    assert (chart.last_number, chart.steps, chart.lost) == (5, 5, 0)


def test_charts_of_one_name_are_told_apart_by_label_and_id(watched, hand_probe):
    pi, mac = hand_probe(host="pi"), hand_probe(host="mac")
    watched.take(pi.send(1))
    watched.take(mac.send(2))
    with pytest.raises(AmbiguousChart) as caught:
        watched.world.find("producer")
    assert caught.value.labels == ("producer@mac:7", "producer@pi:7")
    assert watched.world.find("producer@mac:7").steps == 2
    assert watched.world.find("producer@pi").steps == 1
    assert watched.world.find(mac.chart()).steps == 2


def test_a_shared_name_means_the_only_one_alive(watched, hand_probe):
    old = hand_probe(pid=1)
    watched.take(old.send(1))
    watched.take(old.goodbye())
    watched.take(hand_probe(pid=2).send(2))
    assert watched.world.find("producer").id.pid == 2


def test_a_chart_that_shares_its_name_appears_with_its_full_label(watched, hand_probe):
    (first,) = watched.take(hand_probe(pid=1).send(1))
    (second,) = watched.take(hand_probe(pid=2).send(1))
    assert (first.kind, first.subject) == (NoticeKind.APPEARED, "producer")
    assert (second.kind, second.subject) == (NoticeKind.APPEARED, "producer@far:2")


def test_an_unknown_chart_is_refused_with_the_names_there_are(watched, hand_probe):
    with pytest.raises(UnknownChart, match="no chart was seen yet"):
        watched.world.find("x")
    watched.take(hand_probe().send(1))
    with pytest.raises(UnknownChart, match="producer") as caught:
        watched.world.find("x")
    assert caught.value.name == "x"


def test_a_chart_that_gets_its_name_late_keeps_its_history(watched, hand_probe):
    probe = hand_probe("unnamed")
    watched.take(probe.send(1))
    probe.names = ("named",)
    watched.take(probe.send(1))
    (chart,) = watched.world.charts()
    assert (chart.label, chart.steps) == ("named", 2)


def test_endless_charts_and_probes_do_not_fill_the_memory(watched, hand_probe, monkeypatch):
    monkeypatch.setattr("farscope.scope.world.MAX_CHARTS", 6)
    monkeypatch.setattr("farscope.scope.world.MAX_PROBES", 4)
    for _ in range(10):
        probe = hand_probe("a", "b")
        watched.take(probe.send([probe.step(0), probe.step(1)]))
    assert len(watched.world.charts()) == 6
    assert watched.world.forgotten == 14
    assert len(watched.world._probes) == 4
    assert watched.world.find(probe.chart(1)).steps == 1


def test_what_a_probe_did_after_it_fell_silent_is_unknown_until_it_speaks_again(watched, hand_probe):
    probe = hand_probe("one", "two")
    watched.take(probe.send([probe.step(0), probe.step(1), probe.step(0)]))
    watched.wait(SILENT_AFTER_NS - 1)
    assert watched.unknown() == []
    watched.wait(1)
    assert watched.unknown() == [("one", 2, Why.SILENT), ("two", 1, Why.SILENT)]
    assert [chart.unknown for chart in watched.world.charts()] == [Why.SILENT] * 2
    assert [chart.lost for chart in watched.world.charts()] == [0, 0]
    watched.take(probe.send())
    assert watched.unknown() == []
    assert [chart.unknown for chart in watched.world.charts()] == [None] * 2


def test_nothing_is_unknown_of_a_probe_that_said_goodbye(watched, hand_probe):
    probe = hand_probe()
    watched.take(probe.send(2))
    watched.take(probe.goodbye())
    watched.wait(2 * SILENT_AFTER_NS)
    watched.world.end(watched.now_ns, for_good=True)
    assert watched.unknown() == []


def test_a_silent_probe_without_a_chart_is_unknown_itself(watched, hand_probe):
    probe = hand_probe(host="pi", pid=3)
    watched.take(probe.seal(replace(probe.batch(), charts=())))
    watched.wait(SILENT_AFTER_NS)
    assert watched.unknown() == [("pi:3", None, Why.SILENT)]


def test_a_chart_that_was_stopped_before_its_probe_fell_silent_is_known_to_its_end(watched, hand_probe):
    probe = hand_probe("one", "two")
    watched.take(
        probe.seal(
            replace(
                batch := probe.batch(2),
                charts=(batch.charts[0]._replace(status=ChartStatus.STOPPED), batch.charts[1]),
            )
        )
    )
    watched.wait(SILENT_AFTER_NS)
    assert watched.unknown() == [("two", 0, Why.SILENT)]
    assert [view.unknown for view in watched.world.charts()] == [None, Why.SILENT]


def test_a_probe_that_fell_silent_when_all_its_charts_had_stopped_is_unknown_itself(watched, hand_probe):
    probe = hand_probe(host="pi", pid=3)
    watched.take(probe.send(2, stopped=True))
    watched.wait(SILENT_AFTER_NS - 1)
    assert watched.unknown() == []
    watched.wait(1)
    assert watched.unknown() == [("pi:3", None, Why.SILENT)]
    watched.take(probe.goodbye())
    assert watched.unknown() == []


def test_a_probe_forgotten_when_all_its_charts_had_stopped_is_unknown(watched, hand_probe, monkeypatch):
    monkeypatch.setattr(world, "MAX_PROBES", 1)
    watched.take(hand_probe("stopped").send(2, stopped=True))
    watched.take(hand_probe("closed").goodbye())
    watched.take(hand_probe("last").goodbye())
    assert [(each.why, each.count) for each in watched.world.unknown()] == [(Why.FORGOTTEN, 1)]


def test_a_chart_that_is_broadcast_again_after_it_stopped_lives_again(watched, hand_probe):
    probe = hand_probe()
    watched.take(probe.send(1))
    watched.take(probe.send(stopped=True))
    assert kinds(watched.take(probe.send(1))) == [NoticeKind.APPEARED]
    assert watched.statuses() == {"producer": "alive"}
    (life,) = watched.world.lives().values()
    assert life.status(1, life.heard[-1][1]) == "alive"
    assert NoticeKind.FELL_SILENT in kinds(watched.wait(SILENT_AFTER_NS))
    assert watched.unknown() == [("producer", 2, Why.SILENT)]


@pytest.mark.parametrize("announced_first", [True, False])
def test_what_a_chart_did_while_it_was_not_broadcast_is_not_lost(watched, hand_probe, announced_first):
    probe = hand_probe()
    watched.take(probe.send(2))
    watched.take(probe.send(stopped=True))
    probe.numbers[0] += 5
    if announced_first:
        watched.take(probe.send())
    watched.take(probe.send(1))
    assert watched.world.charts()[0].lost == 0
    probe.lose(3)
    watched.take(probe.send(1))
    assert watched.world.charts()[0].lost == 3


def test_a_chart_says_when_it_ended(watched, hand_probe):
    probe = hand_probe("one", "two")
    watched.take(probe.send(1))
    assert [view.ended_ns for view in watched.world.charts()] == [None, None]
    stopped_ns = 0
    for flags in (Flags.NONE, Flags.GOODBYE):
        batch = probe.batch()
        stopped = batch.charts[0]._replace(status=ChartStatus.STOPPED)
        watched.take(probe.seal(replace(batch, charts=(stopped, batch.charts[1])), flags))
        stopped_ns = stopped_ns or probe.sent_ns
    ended = {view.name: view.ended_ns for view in watched.world.charts()}
    assert ended == {"one": stopped_ns, "two": probe.sent_ns}


def test_numbers_a_chart_left_out_are_not_lost_where_its_probe_lost_nothing(watched, hand_probe):
    """It was removed and added again between two batches, so that no batch says that it was stopped."""
    probe = hand_probe()
    watched.take(probe.send(2))
    probe.numbers[0] += 5
    watched.take(probe.send(1))
    assert watched.world.charts()[0].lost == watched.intake.totals().missing == 0
    probe.lose(3)
    watched.take(probe.send(1))
    assert watched.world.charts()[0].lost == watched.intake.totals().missing == 3


def test_a_stop_that_comes_late_does_not_stop_a_chart_that_lives_again(watched, hand_probe):
    probe = hand_probe()
    watched.take(probe.send(1))
    stop, again = probe.send(stopped=True), probe.send(1)
    watched.take(again)
    watched.take(stop)
    assert watched.statuses() == {"producer": "alive"}


@pytest.mark.parametrize(
    ("heard_ago_ns", "for_good", "unknown"),
    [
        (LATELY_NS - 1, False, []),
        (LATELY_NS, False, [("producer", 4, Why.SILENT)]),
        (0, True, [("producer", 4, Why.NO_GOODBYE)]),
        (SILENT_AFTER_NS, True, [("producer", 4, Why.SILENT)]),
    ],
)
def test_when_the_reading_is_over_whoever_may_have_gone_on_is_unknown(
    watched, hand_probe, heard_ago_ns, for_good, unknown
):
    watched.take(hand_probe().send(4))
    watched.world.end(watched.now_ns + heard_ago_ns, for_good=for_good)
    assert watched.unknown() == unknown


def test_who_is_silent_in_a_past_that_is_still_read_may_speak_in_its_rest(watched, hand_probe):
    watched.listening_since_ns = None
    watched.take(hand_probe().send(4), age_ns=SILENT_AFTER_NS)
    assert watched.unknown() == []
    watched.world.at_end = True
    assert watched.unknown() == [("producer", 4, Why.SILENT)]


def read_past(world, intake, entries) -> list[Notice]:
    """Apply batches with the second they were stored in; return what was reported."""
    reported: list[Notice] = []
    for second, data in entries:
        outcome = intake.receive(data, 0)
        assert isinstance(outcome, Accepted)
        reported += world.apply(outcome, 10**15, 10**15 - second * 10**9, second * 10**9)
    return reported


def test_in_the_past_a_chart_is_reported_to_have_fallen_silent_while_others_were_heard(keyring, hand_probe):
    steady, dying = hand_probe("steady"), hand_probe("dying")
    entries = [(100, dying.send(1))] + [(100 + second, steady.send(1)) for second in range(8)]
    world, intake = World(), Intake(Opener(keyring), since_ns=0)
    silent = [each for each in read_past(world, intake, entries) if each.kind is NoticeKind.FELL_SILENT]
    assert [(each.subject, each.count) for each in silent] == [("dying", 1)]
    assert silent[0].time_ns == dying.sent_ns + SILENT_AFTER_NS
    again = read_past(world, intake, [(108, dying.send(1)), (109, steady.send(1))])
    assert [each.kind for each in again] == [NoticeKind.SPOKE_AGAIN]


def test_in_the_past_nobody_is_silent_where_nobody_was_heard(keyring, hand_probe):
    one, other = hand_probe("one"), hand_probe("other")
    entries = [(100, one.send(1)), (101, other.send(1)), (400, one.send(1)), (401, other.send(1))]
    reported = read_past(World(), Intake(Opener(keyring), since_ns=0), entries)
    assert {each.kind for each in reported} == {NoticeKind.APPEARED}


def test_every_notice_is_dated_and_what_is_missing_by_when_it_showed(keyring, hand_probe):
    probe = hand_probe()
    intake, world = Intake(Opener(keyring), since_ns=0), World()
    reported = read_past(world, intake, [(100, probe.send(1))])
    probe.lose(3)
    reported += read_past(world, intake, [(101, probe.send(1))])
    showed_ns = probe.sent_ns
    reported += read_past(world, intake, [(102, probe.send(1, drop=(2, "full"))), (103, probe.goodbye())])
    reported += world.settle(10**16)
    assert all(each.time_ns is not None for each in reported)
    assert [each.time_ns for each in reported if each.kind is NoticeKind.MISSING] == [showed_ns]


def test_a_probe_that_announced_a_slow_heartbeat_is_silent_after_a_multiple_of_it(watched, hand_probe):
    probe = hand_probe()
    slow = 20 * SILENT_AFTER_NS // 5
    watched.take(probe.seal(replace(probe.batch(1), heartbeat_ns=slow), Flags.NONE))
    assert watched.wait(5 * slow - 1) == []
    assert watched.statuses() == {"producer": "alive"}
    assert kinds(watched.wait(1)) == [NoticeKind.FELL_SILENT]
    assert watched.statuses() == {"producer": "silent"}


def with_entry(probe, **more):
    batch = probe.batch(1)
    return probe.seal(replace(batch, charts=tuple(entry._replace(**more) for entry in batch.charts)))


@pytest.mark.parametrize(
    ("status", "word", "notice"),
    [
        (ChartStatus.STOPPED, "stopped", (NoticeKind.STOPPED, "")),
        (ChartStatus.FINISHED, "finished", (NoticeKind.FINISHED, "")),
        (ChartStatus.FAILED, "failed", (NoticeKind.FAILED, "")),
        (ChartStatus.UNOBSERVED, "unobserved", (NoticeKind.UNOBSERVED, "")),
        (UnknownKind(40, "RETIRED"), "retired", (NoticeKind.STOPPED, "retired")),
    ],
)
def test_how_a_chart_ended_is_its_status_and_a_notice(watched, hand_probe, status, word, notice):
    probe = hand_probe()
    watched.take(probe.send(1))
    notices = watched.take(with_entry(probe, status=status))
    assert [(each.kind, each.detail) for each in notices] == [notice]
    (chart,) = watched.world.charts()
    assert (chart.status, chart.alive, chart.condition) == (word, False, status)
    life = watched.world.lives()[chart.id.probe]
    assert life.status(1, chart.ended_ns) == word
    assert life.status(1, chart.ended_ns - 1) == "alive"


def test_a_chart_of_a_later_status_that_may_go_on_is_alive_and_silent_if_it_is_not_heard(watched, hand_probe):
    watched.take(with_entry(hand_probe(), status=UnknownKind(200, "PAUSED")))
    (chart,) = watched.world.charts()
    assert (chart.status, chart.alive) == ("paused", True)
    watched.wait(SETTLE_NS + SILENT_AFTER_NS)
    assert watched.statuses() == {"producer": "silent"}


def test_a_chart_has_its_configuration_values_service_and_the_chart_that_created_it(watched, hand_probe):
    probe = hand_probe("boss", "worker")
    batch = probe.batch(2)
    boss, worker = batch.charts
    worker = worker._replace(states=("a", "b"), values=(("amps", 3), ("mode", "eco")), parent=ChartRef(1))
    watched.take(probe.seal(replace(batch, charts=(boss, worker), service="plant")))
    boss, worker = watched.world.charts()
    assert (worker.states, worker.state) == (("a", "b"), "a | b")
    assert worker.values == (("amps", 3), ("mode", "eco"))
    assert (worker.parent, worker.parent_label, boss.parent) == (boss.id.key, "boss", None)
    assert worker.id.service == "plant"


def test_a_finished_chart_has_no_active_state(watched, hand_probe):
    watched.take(with_entry(hand_probe(), states=(), number=9, status=ChartStatus.FINISHED))
    (chart,) = watched.world.charts()
    assert (chart.states, chart.state) == ((), "top")
