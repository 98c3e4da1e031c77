from __future__ import annotations

import json
import re
import traceback

import pytest

from farscope import Event, Factory
from farscope.errors import NoStatus
from farscope.records.traceback_text import Frame, error_line, error_place, read_traceback


def fail(error: Exception) -> None:
    raise error


def reported(error: Exception) -> str:
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
    assert error_line(reported(error)).endswith(line)


def test_of_errors_raised_about_one_another_the_last_is_reported():
    error = ValueError("no door\nanywhere")
    error.__cause__ = KeyError("door")
    assert error_line(reported(error)) == "ValueError: no door"


@pytest.mark.parametrize(
    ("text", "line"), [("", ""), ("\n", ""), ("only this", "only this"), ("a\nb\n", "b")]
)
def test_what_is_no_traceback_is_reported_by_its_last_line(text: str, line: str):
    assert error_line(text) == line


def test_the_place_reported_is_the_users_own_whatever_called_it_or_was_called_by_it() -> None:
    def parse(chart: Factory, _event: Event) -> int:
        return json.loads("{")

    chart = Factory("door", threaded=False)
    chart.create("shut").catch("OPEN", parse)
    chart.nest("shut", parent=None)
    chart.start_at("shut")
    with pytest.raises(json.JSONDecodeError) as caught:
        chart.dispatch(Event("OPEN"))
    text = "".join(traceback.format_exception(caught.value.with_traceback(caught.value.__traceback__)))
    failure = read_traceback(text)
    assert failure.frames[0].file.endswith("decoder.py")
    assert failure.mine[0].function == "parse"
    assert failure.mine[0].source == 'return json.loads("{")'
    assert not any("/farscope/engine/" in frame.file for frame in failure.mine)
    assert re.fullmatch(r"test_traceback_text\.py, line \d+", error_place(text))


@pytest.mark.parametrize(
    ("file", "mine"),
    [
        ("/srv/plant/door.py", True),
        ("C:\\plant\\door.py", True),
        ("<string>", True),
        ("/srv/farscope/door.py", True),
        ("/opt/venv/lib/python3.12/site-packages/farscope/engine/core/algorithm.py", False),
        ("C:\\venv\\Lib\\site-packages\\farscope\\engine\\walk.py", False),
        ("/app/app.pyz/farscope/engine/core/algorithm.py", False),
        ("/usr/lib/python3.11/json/decoder.py", False),
        ("<frozen importlib._bootstrap>", False),
    ],
)
def test_frames_of_the_engine_and_of_libraries_are_not_the_users(file: str, mine: bool) -> None:
    assert Frame(file, 1, "f", "").mine is mine


def test_a_message_keeps_its_lines_and_the_last_of_chained_errors_its_own_frames() -> None:
    error = ValueError("no door\n    anywhere")
    error.__cause__ = KeyError("door")
    failure = read_traceback(reported(error))
    assert failure.error == ("ValueError: no door", "    anywhere")
    assert [frame.function for frame in failure.frames] == ["fail", "reported"]


@pytest.mark.parametrize("text", ["", "\n", "only this", '  File "x', "Traceback (most recent call last):"])
def test_what_is_no_traceback_has_no_frames(text: str) -> None:
    assert read_traceback(text).frames == ()
    assert error_place(text) == ""
