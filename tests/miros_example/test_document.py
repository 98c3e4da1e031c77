"""The programs of the miros example run here and print what the document shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from farscope.testing.waiting import eventually
from support.broker import Broker
from support.program import Program

pytestmark = pytest.mark.broker

DOCUMENT = Path(__file__).parent / "document"
SPY = [
    "START",
    "SEARCH_FOR_SUPER_SIGNAL:producer_outer",
    "ENTRY_SIGNAL:producer_outer",
    "INIT_SIGNAL:producer_outer",
    "SEARCH_FOR_SUPER_SIGNAL:c1",
    "ENTRY_SIGNAL:c1",
    "INIT_SIGNAL:c1",
    "<- Queued:(0) Deferred:(0)",
    "B:c1",
    "B:producer_outer",
    "EXIT_SIGNAL:c1",
    "EXIT_SIGNAL:producer_outer",
    "ENTRY_SIGNAL:producer_outer",
    "INIT_SIGNAL:producer_outer",
    "SEARCH_FOR_SUPER_SIGNAL:c1",
    "ENTRY_SIGNAL:c1",
    "INIT_SIGNAL:c1",
    "<- Queued:(0) Deferred:(0)",
]
STARTED = "[TIME] [producer_127.0.0.1] e->start_at() top->c1"
MOVED = "[TIME] [producer_127.0.0.1] e->B() c1->c1"
LIST = ["[" + repr(SPY[0]) + ",", *(f" {line!r}," for line in SPY[1:-1]), f" {SPY[-1]!r}]"]
LIVE = [
    f" [x] Trace: {STARTED}",
    *(f" [x] Spy: {line}" for line in SPY[:8]),
    f" [x] Trace: {MOVED}",
    *(f" [x] Spy: {line}" for line in SPY[8:]),
]


def timeless(text: str) -> list[str]:
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}", "TIME", text).splitlines()


def told(lines: list[str], word: str) -> list[str]:
    return [line for line in lines if line.startswith(f" [x] {word}: ")]


def test_producer_and_consumer_print_what_the_document_shows(surroundings, broker: Broker):
    with Program(str(DOCUMENT / "consumer.py"), env=surroundings) as consumer:
        # It says nothing when it is ready, and what comes before that is lost.
        eventually(lambda: broker.control("list_consumers").count("amq.gen") == 2)
        with Program(str(DOCUMENT / "producer.py"), env=surroundings) as producer:
            assert producer.wait() == 0, producer.err
            assert timeless(producer.out) == [*LIST, "", STARTED, MOVED, ""]
        consumer.wait_out("e->B() c1->c1\n\n", 30)
        shown = timeless(consumer.out)
    # Spy and trace come through two queues: between them there is no order, within each there is.
    assert told(shown, "Spy") == told(LIVE, "Spy")
    assert told(shown, "Trace") == told(LIVE, "Trace")
    assert shown[len(LIVE) :] == [*LIST, "", STARTED, MOVED, ""]
