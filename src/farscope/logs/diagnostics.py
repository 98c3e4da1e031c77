"""Findings from the examination of a log, one per line."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    """It works, but somebody should look at it."""
    FAIL = "fail"


class Check(NamedTuple):
    """One thing that was looked at."""

    name: str
    severity: Severity
    what: str
    """The finding, on one line."""
    remedy: str = ""
    """The remedy; empty if there is nothing to do."""


def ok(name: str, what: str) -> Check:
    """As it should be."""
    return Check(name, Severity.OK, what)


def warn(name: str, what: str, remedy: str) -> Check:
    """Usable, with a remark."""
    return Check(name, Severity.WARN, what, remedy)


def fail(name: str, what: str, remedy: str) -> Check:
    """Not usable like this."""
    return Check(name, Severity.FAIL, what, remedy)
