from __future__ import annotations

import traceback

import pytest

from farscope.errors import NoStatus
from farscope.records.failure import error_line


def fail(error: Exception) -> None:
    raise error


def told(error: Exception) -> str:
    try:
        fail(error)
    except Exception as caught:  # noqa: BLE001 - what was given
        return "".join(traceback.format_exception(caught))
    return ""


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (KeyError("door"), "KeyError: 'door'"),
        (ValueError("first line\nsecond line"), "ValueError: first line"),
        (NoStatus("state a returned None", "return what chart.trans gives"), "state a returned None"),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_the_line_that_names_the_error_is_found_whatever_lines_its_message_has(error: Exception, line: str):
    assert error_line(told(error)).endswith(line)


def test_of_errors_raised_about_one_another_the_last_is_told():
    error = ValueError("no door\nanywhere")
    error.__cause__ = KeyError("door")
    assert error_line(told(error)) == "ValueError: no door"


@pytest.mark.parametrize(
    ("text", "line"), [("", ""), ("\n", ""), ("only this", "only this"), ("a\nb\n", "b")]
)
def test_what_is_no_traceback_is_told_by_its_last_line(text: str, line: str):
    assert error_line(text) == line
