"""The ready-made values functions show what is asked for, and never what is to be redacted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from farscope import Event, fields, payload
from farscope.errors import UsageError
from farscope.values import REDACTED, SHOWN_AT_MOST

HIDDEN = "4711"


def shown(function, chart=None, event=None):
    return dict(function(chart, event))


class Point(NamedTuple):
    x: int
    y: int


@dataclass
class Order:
    number: int
    card: str


class Colour(Enum):
    RED = 1


def test_fields_shows_attributes_in_the_order_of_their_names():
    chart = SimpleNamespace(amps=16, temp=20.5, volts=230)
    assert fields("temp", "amps")(chart, None) == (("temp", 20.5), ("amps", 16))


def test_fields_reads_attributes_of_attributes():
    chart = SimpleNamespace(battery=SimpleNamespace(level=0.5))
    assert shown(fields("battery.level"), chart) == {"battery.level": 0.5}


def test_fields_leaves_out_what_a_chart_does_not_have():
    chart = SimpleNamespace(amps=16)
    assert shown(fields("amps", "temp", "battery.level"), chart) == {"amps": 16}


@pytest.mark.parametrize("names", [(), ("",), (3,), ("a b",), ("a.",), ("class",), ("x)+(y",)])
def test_fields_refuses_what_cannot_be_an_attribute(names):
    with pytest.raises(UsageError, match="names of attributes"):
        fields(*names)


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        (None, {}),
        (3, {"payload": 3}),
        ("text", {"payload": "text"}),
        ([1], {"payload": [1]}),
        (Colour.RED, {"payload": Colour.RED}),
        ({"a": 1, 2: "b"}, {"a": 1, "2": "b"}),
        (Point(1, 2), {"x": 1, "y": 2}),
        (Order(7, "1234"), {"number": 7, "card": "1234"}),
        (SimpleNamespace(a=1, _b=2), {"a": 1}),
    ],
)
def test_payload_shows_the_parts_of_a_payload_by_name(given, parts):
    assert shown(payload(), event=Event("A", given)) == parts


@pytest.mark.parametrize(
    "given",
    [{"password": HIDDEN, "Card_Number": HIDDEN, "x": 1}, SimpleNamespace(password=HIDDEN, x=1)],
)
def test_redacted_parts_are_named_without_their_values_whatever_their_case(given):
    parts = shown(payload(redact=("password", "card*")), event=Event("A", given))
    assert HIDDEN not in parts.values()
    assert parts["password"] == REDACTED
    assert parts["x"] == 1


def test_a_payload_without_parts_can_be_redacted_as_a_whole():
    assert shown(payload(redact=["payload"]), event=Event("A", HIDDEN)) == {"payload": REDACTED}


def test_few_parts_of_a_large_payload_are_looked_at():
    assert len(shown(payload(), event=Event("A", dict.fromkeys(range(10_000), 0)))) == SHOWN_AT_MOST


def test_an_event_of_another_library_without_a_payload_shows_nothing():
    assert shown(payload(), event=object()) == {}


@pytest.mark.parametrize("redact", ["password", (3,), ("",)])
def test_redact_needs_several_names(redact):
    with pytest.raises(UsageError, match="redact needs"):
        payload(redact=redact)
