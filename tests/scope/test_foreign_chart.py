import threading

from farscope.records.step import Step
from farscope.records.text import spy_text, trace_text
from farscope.scope.foreign_chart import SPY_LINES, TRACE_LINES, ForeignHsm


def test_lines_appended_one_by_one_come_back_as_a_chart_shows_them():
    foreign = ForeignHsm()
    foreign.append_to_spy("START")
    foreign.append_to_spy("ENTRY_SIGNAL:c1")
    foreign.append_to_trace("[t] [producer] e->start_at() top->c1")
    assert foreign.spy() == ["START", "ENTRY_SIGNAL:c1"]
    assert foreign.trace() == "\n[t] [producer] e->start_at() top->c1\n"


def test_one_filled_line_by_line_knows_no_state():
    foreign = ForeignHsm()
    assert (foreign.state, foreign.states, foreign.status) == ("", (), "")
    assert (foreign.service, foreign.values) == ("", {})


def test_clearing_one_leaves_the_other():
    foreign = ForeignHsm()
    foreign.append_to_spy("a")
    foreign.append_to_trace("b")
    foreign.clear_spy()
    assert (foreign.spy(), foreign.trace()) == ([], "\nb\n")
    foreign.clear_trace()
    assert foreign.trace() == "\n"


def test_steps_read_as_the_chart_itself_would(hand_probe):
    probe = hand_probe()
    steps = [probe.step(texts=("hello",)) for _ in range(3)]
    foreign = ForeignHsm()
    foreign.append_steps(steps)
    rich = [Step._make(step) for step in steps]
    assert foreign.spy() == spy_text(rich)
    assert foreign.trace() == trace_text([step.trace() or "" for step in rich])


def test_rings_keep_the_newest_lines(hand_probe):
    probe = hand_probe()
    steps = [probe.step() for _ in range(2_000)]
    foreign = ForeignHsm()
    foreign.append_steps(steps)
    foreign.append_to_spy("last")
    whole = [*spy_text(Step._make(step) for step in steps), "last"]
    assert foreign.spy() == whole[-SPY_LINES:]
    assert len(foreign.trace().splitlines()) == TRACE_LINES + 1


def test_can_be_read_while_it_is_filled(hand_probe):
    probe = hand_probe()
    foreign = ForeignHsm()
    batches = [[probe.step() for _ in range(20)] for _ in range(100)]

    def fill() -> None:
        for batch in batches:
            foreign.append_steps(batch)

    writer = threading.Thread(target=fill)
    writer.start()
    while writer.is_alive():
        assert len(foreign.spy()) <= SPY_LINES
        foreign.trace()
    writer.join()
    assert foreign.spy()[-1] == "<- Queued:(0) Deferred:(0)"
