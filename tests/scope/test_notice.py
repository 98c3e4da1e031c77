from farscope.scope.notice import Notice, NoticeInterleaver, NoticeKind


def notice(place: int) -> Notice:
    return Notice(kind=NoticeKind.FOUND, detail=str(place), place=place)


def test_notices_stand_where_the_scope_put_them_however_steps_are_taken(hand_probe):
    steps = [hand_probe().step() for _ in range(5)]
    reported = [[notice(0), notice(2), notice(4)], [], [notice(5)]]
    in_place = NoticeInterleaver(lambda: reported.pop(0))
    assert in_place.interleave(steps[:2]) == [notice(0), *steps[:2], notice(2)]
    assert in_place.interleave(steps[2:3]) == steps[2:3]
    assert in_place.interleave(steps[3:]) == [steps[3], notice(4), steps[4], notice(5)]


def test_a_notice_waits_for_steps_that_were_not_taken_yet(hand_probe):
    steps = [hand_probe().step()]
    reported = [[notice(1)], []]
    in_place = NoticeInterleaver(lambda: reported.pop(0))
    assert in_place.interleave(()) == []
    assert in_place.interleave(steps) == [*steps, notice(1)]


def test_interleaving_counts_steps_whether_or_not_the_result_is_used(hand_probe):
    reported = [[], [notice(1)]]
    in_place = NoticeInterleaver(lambda: reported.pop(0))
    in_place.interleave([hand_probe().step()])
    assert in_place.interleave(()) == [notice(1)]
