from __future__ import annotations

import pytest

from farscope.cli.otlp.sender import (
    EVENTS_A_REQUEST,
    FIRST_WAIT_S,
    LONGEST_ASKED_WAIT_S,
    LONGEST_WAIT_S,
    Answer,
    Sender,
    Verdict,
)
from farscope.errors import NotDelivered
from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import ChartId, Step

CHART = ChartId("p", "pi", 42, 1, "ab")
TAKEN = Answer(Verdict.TAKEN)
LATER = Answer(Verdict.LATER, "busy")


class Scripted:
    """A collector that answers as it was told to, and to everything behind that with yes."""

    address = "http://collector"

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[list[int]] = []

    def deliver(self, spans):
        self.asked.append([span.attributes["statechart.step"] for span in spans])
        return self.answers.pop(0) if self.answers else TAKEN


class Waiting:
    """Waits in no time, and ends it after so many seconds."""

    def __init__(self, end_s: float = float("inf")) -> None:
        self.waited_s = 0.0
        self.end_s = end_s

    def wait(self, seconds: float) -> None:
        self.waited_s += seconds

    def over(self) -> bool:
        return self.waited_s >= self.end_s


def steps(*numbers: int) -> list[Step]:
    shape = Shape(StepKind.TRANSITION, "S", "a", "b", ())
    return [Step(CHART, number, shape, 10**18, 5, 0, 0) for number in numbers]


def sender(collector: Scripted, waiting: Waiting | None = None) -> Sender:
    waiting = waiting or Waiting()
    return Sender(collector, waiting.over, waiting.wait)


def test_steps_with_very_many_facts_go_in_requests_of_their_own_and_none_is_made_once_given_up():
    facts = (Fact(FactKind.HOOK, "a"),) * (EVENTS_A_REQUEST // 2)
    shape = Shape(StepKind.HOOK, "S", "a", "a", facts)
    heavy = [step._replace(shape=shape) for step in steps(1, 2, 3)]
    collector = Scripted()
    sender(collector).send([*heavy, *steps(4, 5)])
    assert collector.asked == [[1, 2], [3, 4, 5]]
    dead = Scripted(LATER)
    ended = sender(dead, Waiting(end_s=0.0))
    ended.send([*heavy, *steps(4, 5)])
    assert dead.asked == [[1, 2]]
    assert ended.missing == 5


def test_waits_between_attempts_double_up_to_the_longest():
    waiting, collector = Waiting(), Scripted(*[LATER] * 10)
    sender(collector, waiting).send(steps(1))
    expected, wait_s = 0.0, FIRST_WAIT_S
    for _ in range(10):
        expected += wait_s
        wait_s = min(2 * wait_s, LONGEST_WAIT_S)
    assert waiting.waited_s == pytest.approx(expected)
    assert collector.asked == [[1]] * 11


def test_a_collector_is_left_alone_for_as_long_as_it_asks_within_reason():
    waiting = Waiting()
    sender(Scripted(Answer(Verdict.LATER, wait_s=7.0)), waiting).send(steps(1))
    assert waiting.waited_s == pytest.approx(7.0)
    sender(Scripted(Answer(Verdict.LATER, wait_s=1e9)), waiting := Waiting()).send(steps(1))
    assert waiting.waited_s == pytest.approx(LONGEST_ASKED_WAIT_S)


def test_once_it_is_over_nothing_is_tried_after_a_failure_and_all_is_counted():
    collector = Scripted(TAKEN, *[LATER] * 100)
    sending = sender(collector, Waiting(end_s=1.0))
    sending.send(steps(1, 2))
    sending.send(steps(3))
    tried = len(collector.asked)
    sending.send(steps(4, 5, 6))
    assert len(collector.asked) == tried
    assert sending.account().startswith("exported 2 spans to http://collector, not delivered 4, refused 0, ")
    with pytest.raises(NotDelivered, match=r"4 spans not taken by http://collector: busy"):
        sending.check()


def test_when_it_is_over_what_comes_is_still_tried_once():
    collector = Scripted()
    sending = sender(collector, Waiting(end_s=0.0))
    sending.send(steps(1))
    sending.check()
    assert collector.asked == [[1]]


def test_what_is_too_large_is_cut_in_two_in_order_and_a_span_that_never_fits_is_refused():
    too_large = Answer(Verdict.TOO_LARGE, "413")
    collector = Scripted(too_large, too_large, too_large)
    sending = sender(collector)
    sending.send(steps(1, 2, 3))
    assert collector.asked == [[1, 2, 3], [1], [2, 3], [2], [3]]
    assert sending.account() == "exported 2 spans to http://collector, not delivered 0, refused 1"


def test_refused_spans_hold_up_no_others(capsys):
    sending = sender(Scripted(Answer(Verdict.REFUSED, "400 \x1b[2J")))
    sending.send(steps(1, 2))
    sending.send(steps(3))
    assert sending.account() == "exported 1 span to http://collector, not delivered 0, refused 2"
    assert capsys.readouterr().err.endswith("] collector refused 2 spans: 400 \\x1b[2J\n")
    with pytest.raises(NotDelivered):
        sending.check()


def test_where_there_is_no_hope_nothing_more_is_tried():
    collector = Scripted(Answer(Verdict.HOPELESS, "401 Unauthorized"))
    sending = sender(collector)
    sending.send(steps(1))
    assert sending.gave_up
    sending.send(steps(2))
    assert collector.asked == [[1]]
    with pytest.raises(NotDelivered, match="2 spans") as caught:
        sending.check()
    assert "OTEL_EXPORTER_OTLP_HEADERS" in caught.value.hint


def test_nothing_to_send_asks_nobody():
    collector = Scripted()
    sender(collector).send([])
    assert collector.asked == []
