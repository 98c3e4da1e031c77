"""A step keeps the log records that are wanted, and all its other facts and texts."""

from __future__ import annotations

import logging

import pytest

from farscope.probe.log_facts import VALUES_PROBLEM, with_logs_from
from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.sink import NO_LOGS
from farscope.records.step import ChartId, Step

FACTS = (
    (Fact(FactKind.OFFER, "idle"), None),
    (Fact(FactKind.LOG, "app", "DEBUG"), "debug"),
    (Fact(FactKind.SCRIBBLE), "scribble"),
    (Fact(FactKind.LOG, "app", "Level 25"), "unnamed"),
    (Fact(FactKind.LOG, "app", "ERROR"), "error"),
    (Fact(FactKind.LOG, "app", "LOUD"), "of another program"),
    (VALUES_PROBLEM, "problem"),
    (Fact(FactKind.FAILED, "idle"), "failed"),
)
SHAPE = Shape(StepKind.FAILED, "A", "idle", "idle", tuple(fact for fact, _ in FACTS))
STEP = Step(
    ChartId("chart", "here", 1, 1), 1, SHAPE, 5, 6, 7, 8, texts=tuple(text for _, text in FACTS if text)
)


@pytest.mark.parametrize(
    ("level", "gone"),
    [
        (0, set()),
        (logging.INFO, {"debug"}),
        (logging.WARNING, {"debug", "unnamed"}),
        (logging.CRITICAL, {"debug", "unnamed", "error"}),
        (NO_LOGS, {"debug", "unnamed", "error", "of another program"}),
    ],
)
def test_records_below_the_level_are_removed_with_their_texts_and_nothing_else(level, gone):
    kept = Step._make(with_logs_from(STEP, level))
    assert kept.texts == tuple(text for text in STEP.texts if text not in gone)
    assert kept.facts == tuple(fact for fact, text in FACTS if text not in gone)
    assert kept._replace(shape=SHAPE, texts=STEP.texts) == STEP


def test_a_step_with_nothing_to_remove_stays_the_same_object():
    assert with_logs_from(STEP, 0) is STEP
