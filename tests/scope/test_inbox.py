import threading

from farscope.scope.inbox import MAX_GET_BYTES, Inbox


def test_hands_out_steps_in_order_and_once(hand_probe):
    probe = hand_probe()
    steps = [probe.step() for _ in range(5)]
    inbox = Inbox()
    inbox.put(steps)
    assert list(inbox.get(3, 0)) == steps[:3]
    assert list(inbox.get(3, 0)) == steps[3:]
    assert not inbox.get(3, 0)


def test_what_is_put_back_comes_first(hand_probe):
    probe = hand_probe()
    steps = [probe.step() for _ in range(5)]
    inbox = Inbox()
    inbox.put(steps)
    taken = inbox.get(3, 0)
    taken.popleft()
    inbox.put_back(taken)
    assert list(inbox.get(9, 0)) == steps[1:]


def test_without_a_taker_the_oldest_leave_and_are_counted(hand_probe):
    probe = hand_probe()
    steps = [probe.step() for _ in range(10)]
    inbox = Inbox(limit=4)
    inbox.put(steps[:7])
    assert inbox.wait_for_room(0)
    inbox.put(steps[7:])
    assert inbox.unread == 6
    assert list(inbox.get(9, 0)) == steps[6:]


def test_a_taker_loses_nothing_and_makes_the_other_side_wait(hand_probe):
    probe = hand_probe()
    steps = [probe.step() for _ in range(10)]
    inbox = Inbox(limit=4)
    with inbox.iterating():
        inbox.put(steps)
        assert not inbox.wait_for_room(0)
        inbox.get(7, 0)
        assert inbox.wait_for_room(0)
        assert inbox.unread == 0


def test_who_took_a_moment_ago_counts_as_a_taker(hand_probe):
    probe = hand_probe()
    inbox = Inbox(limit=4)
    inbox.get(1, 0)
    inbox.put([probe.step() for _ in range(10)])
    assert not inbox.wait_for_room(0)
    assert (len(inbox), inbox.unread) == (10, 0)


def test_the_end_wakes_who_waits_and_leaves_what_is_there(hand_probe):
    step = hand_probe().step()
    inbox = Inbox()
    waiting = threading.Thread(target=inbox.get, args=(1, None))
    waiting.start()
    inbox.end()
    waiting.join(10)
    assert not waiting.is_alive()
    inbox.put([step])
    assert list(inbox.get(1, None)) == [step]
    assert not inbox.get(1, None)
    assert inbox.wait_beyond(inbox.version, 10)


def test_long_texts_fill_it_as_many_steps_do(hand_probe):
    probe = hand_probe()
    inbox = Inbox(limit_bytes=1_000_000)
    for _ in range(20):
        inbox.put([probe.step(texts=("x" * 100_000,))])
    assert len(inbox) == 9
    assert inbox.unread == 11
    with inbox.iterating():
        inbox.put([probe.step(texts=("x" * 100_000,))])
        assert not inbox.wait_for_room(0)
        inbox.get(5, 0)
        assert inbox.wait_for_room(0)
    assert inbox.unread == 11


def test_what_is_too_much_at_once_is_handed_out_in_parts_and_put_back_as_it_was(hand_probe):
    probe = hand_probe()
    steps = [probe.step(texts=("x" * (MAX_GET_BYTES // 3),)) for _ in range(5)]
    inbox = Inbox()
    inbox.put(steps)
    first = inbox.get(9, 0)
    assert list(first) == steps[:2]
    first.popleft()
    inbox.put_back(first)
    assert [list(inbox.get(9, 0)) for _ in range(2)] == [steps[1:3], steps[3:]]
    inbox.put([probe.step(texts=("x" * (2 * MAX_GET_BYTES),))])
    assert len(inbox.get(9, 0)) == 1
