from farscope.scope.timeline import Timeline


def test_steps_are_found_by_chart_and_time(hand_probe):
    probe = hand_probe("a", "b")
    steps = [probe.step(index % 2) for index in range(10)]
    timeline = Timeline()
    timeline.extend(steps)
    assert timeline.steps() == steps
    assert timeline.steps(chart=probe.chart(1)) == steps[1::2]
    moment = steps[4][3] + steps[4][4]
    assert timeline.steps(since_ns=moment) == [step for step in steps if step[3] + step[4] >= moment]
    assert timeline.steps(until_ns=moment) == [step for step in steps if step[3] + step[4] < moment]
    assert timeline.steps(limit=3) == steps[-3:]
    assert timeline.steps(limit=0) == []


def test_only_the_newest_are_kept_and_the_others_counted(hand_probe):
    probe = hand_probe()
    steps = [probe.step() for _ in range(10)]
    timeline = Timeline(limit=4)
    timeline.extend(steps)
    assert timeline.steps() == steps[6:]
    assert (len(timeline), timeline.forgotten) == (4, 6)


def test_long_texts_take_the_place_of_many_steps(hand_probe):
    probe = hand_probe()
    timeline = Timeline(limit_bytes=1_000_000)
    for _ in range(20):
        timeline.extend([probe.step(texts=("x" * 100_000,))])
    assert (len(timeline), timeline.forgotten) == (9, 11)
