"""Trace contexts: strict reading of ``traceparent``, and ids that never change."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farscope.records.trace_context import TraceParent, parse_traceparent, span_id, trace_id

PROBE = bytes(range(100, 116)).hex()
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{SPAN}-01"

GOLDEN = {
    (PROBE, 1, 1): ("bcec97c55f735774", "1195bcb70d3093efd485f5ce96c13aa4"),
    (PROBE, 7, 900): ("baa96d829d7c1923", "1ae1a2b81fb01db62e49b30fd591585f"),
    ("00" * 16, 2**63 - 1, 2**63 - 1): ("49a921f615223382", "bd32c6b81b2d628f5f9d974691d0fd69"),
}
"""Span and trace ids of steps; other programs compute them too, so they may never change."""


@pytest.mark.parametrize(("step", "ids"), GOLDEN.items(), ids=str)
def test_the_ids_of_a_step_are_those_ever_published(step, ids):
    assert (span_id(*step), trace_id(*step)) == ids


@given(st.binary(min_size=16, max_size=16), st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_the_ids_of_any_step_make_a_valid_traceparent(probe, serial, number):
    step = probe.hex(), serial, number
    made = TraceParent(trace_id(*step), span_id(*step))
    assert parse_traceparent(str(made)) == made


def test_the_example_of_the_recommendation_is_read():
    assert parse_traceparent(GOOD) == TraceParent(TRACE, SPAN, 1)
    assert str(TraceParent(TRACE, SPAN)) == GOOD


@pytest.mark.parametrize(
    "text",
    [
        f"cc-{TRACE}-{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like",
        f"cc-{TRACE}-{SPAN}-01-",
    ],
)
def test_of_a_later_version_the_known_fields_are_read(text):
    assert parse_traceparent(text) == TraceParent(TRACE, SPAN, 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD.upper(),
        GOOD + " ",
        " " + GOOD,
        GOOD + "\n",
        GOOD + "-more",
        GOOD[:-1],
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}g-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0x",
        f"00-{TRACE}{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-01.what",
        f"00_{TRACE}_{SPAN}_01",
    ],
)
def test_anything_else_is_no_traceparent(text):
    assert parse_traceparent(text) is None


@given(st.text(max_size=80))
def test_no_text_raises(text):
    parse_traceparent(text)
