from dataclasses import replace

from farscope.records.step import ChartId
from farscope.scope.notice import Notice, NoticeKind
from farscope.scope.ordering.notice_queue import MAX_WAITING, NoticeQueue
from farscope.scope.ordering.run_queue import EVER_NS, NEVER_NS

SECOND = 1_000_000_000
CHART = ChartId("lamp", "far", 7, 1, "aa")


def notice(time_ns: int | None, kind: NoticeKind = NoticeKind.STOPPED, probe: str = "aa") -> Notice:
    return Notice(kind=kind, probe=probe, time_ns=time_ns, chart=CHART)


def right(_probe: str) -> int:
    return 0


def test_what_introduces_stands_before_the_steps_of_its_time_and_the_rest_behind_them():
    noting = NoticeQueue(right)
    noting.add(notice(5), 0)
    noting.add(notice(5, NoticeKind.APPEARED), 0)
    assert noting.before(4) is None
    assert noting.before(5) == 4
    noting.place(10)
    assert noting.before(5) == 5
    noting.place(12)
    assert [(each.kind, each.place) for each in noting.pop_placed()] == [
        (NoticeKind.APPEARED, 10),
        (NoticeKind.STOPPED, 12),
    ]
    assert noting.pop_placed() == []


def test_a_notice_is_dated_by_the_clock_that_steps_are_shown_by():
    for ahead_ns, shown_ns in ((SECOND // 2, 100 * SECOND), (40 * SECOND, 60 * SECOND)):
        noting = NoticeQueue(lambda _probe, ahead_ns=ahead_ns: ahead_ns)
        noting.add(notice(100 * SECOND), 0)
        assert noting.next_ns == 100 * SECOND - ahead_ns
        noting.place(0)
        assert noting.pop_placed()[0].time_ns == shown_ns


def test_a_notice_moves_when_more_is_known_of_its_clock():
    ahead_ns = [0]
    noting = NoticeQueue(lambda _probe: ahead_ns[0])
    noting.add(notice(100), 0)
    ahead_ns[0] = 70
    noting.correct()
    assert noting.next_ns == 30


def test_a_clock_that_is_better_known_moves_the_notices_of_its_probe_and_is_asked_once_for_all_of_them():
    ahead_ns, asked = {"aa": 0, "bb": 0}, []
    noting = NoticeQueue(lambda probe: asked.append(probe) or ahead_ns[probe])
    for time_ns in range(100, 200):
        noting.add(notice(time_ns, probe="aa"), 0)
        noting.add(notice(time_ns, probe="bb"), 0)
    ahead_ns.update(aa=50, bb=70)
    asked.clear()
    noting.correct("aa")
    assert asked == ["aa"]
    assert noting.next_ns == 50
    noting.correct()
    assert noting.next_ns == 30
    placed = []
    while len(noting):
        placed.append(noting.next_ns)
        noting.place(0)
    assert placed == sorted([*range(50, 150), *range(30, 130)])


def test_what_has_waited_for_long_enough_is_due_and_so_is_what_there_is_no_room_for():
    noting = NoticeQueue(right)
    noting.add(notice(50), 7)
    assert noting.oldest_arrival_ns == 7
    assert noting.due_ns(NEVER_NS, 6) == NEVER_NS
    assert noting.due_ns(NEVER_NS, 7) == 50
    for time_ns in range(100, 100 + MAX_WAITING):
        noting.add(notice(time_ns), 8)
    assert noting.due_ns(NEVER_NS, 6) == 50


def test_a_chart_is_not_introduced_after_its_first_step(hand_probe):
    step = hand_probe().step()
    ended_ns = step[3] + step[4]
    noting = NoticeQueue(right)
    noting.add(replace(notice(ended_ns + 9, NoticeKind.APPEARED), chart=step[0]), 0)
    noting.introduce("another", [step])
    assert noting.next_ns == ended_ns + 9
    noting.introduce("aa", [step])
    assert noting.next_ns == ended_ns


def test_what_has_no_time_is_placed_at_once():
    noting = NoticeQueue(right)
    noting.add(notice(None), 0)
    assert noting.before(-EVER_NS) is not None
