"""Random charts with regions, history and final states do what a model of the SCXML algorithm does."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from support.region_charts import Story, stories
from support.scxml_model import Interpreter
from support.walked_chart import Walked


def agree(story: Story) -> None:
    model, walked = Interpreter(story.nodes), Walked(story.nodes)
    assert walked.start(story.start) == model.start(story.start)
    for event in story.events:
        assert walked.finished is not model.running
        if walked.finished or walked.pending:
            # At its end, or in an endless chain of completions.
            return
        assert walked.external(event) == model.external(event)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stories())
def test_walks_enter_leave_and_complete_the_states_that_the_model_does(story):
    agree(story)


@pytest.mark.soak
@settings(max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stories())
def test_ten_thousand_walks_do_what_the_model_does(story):
    agree(story)
