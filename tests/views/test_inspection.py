from __future__ import annotations

import json
from datetime import datetime

from farscope.logs.base import Unread
from farscope.scope.header_survey import HeaderSurvey
from farscope.views.inspection import Container, is_whole, survey_dict, survey_lines
from farscope.wire.envelope import FORMAT_VERSION, HEADER_BYTES, Flags, Header

BEGIN_NS = int(datetime(2026, 1, 10, 13, 14, 26).timestamp()) * 10**9  # noqa: DTZ001 - shown in local time
SOUND = Container(size=4_321, version=1, closed=True, torn=0, damaged=0, unsound=0)


def batch(number: int, flags: Flags = Flags.NONE, probe: int = 1) -> bytes:
    header = Header(FORMAT_VERSION, flags, bytes(range(8)), bytes([probe]) * 16, number)
    return header.pack() + bytes(100 - HEADER_BYTES)


def surveyed(*batches: bytes) -> HeaderSurvey:
    survey = HeaderSurvey()
    for place, data in enumerate(batches):
        survey.add(data, BEGIN_NS + place * 10**9)
    return survey


def test_all_there_is_to_tell_of_a_recording_that_is_whole():
    survey = surveyed(batch(0, Flags.ANNOUNCE), batch(1), batch(2, Flags.HEARTBEAT | Flags.GOODBYE))
    assert "\n".join(survey_lines("file:/run.farscope", survey, SOUND)) == (
        "file:/run.farscope\n"
        "recording of version 1, 4.3 kB, closed in order\n"
        "3 batches of 1 probe, 300 B sealed\n"
        "stored 2026-01-10 13:14:26.000000 to 2026-01-10 13:14:28.000000, 2.0s\n"
        "sealed with 1 key: 0001020304050607\n"
        "\n"
        "PROBE                             KEY               BATCHES  QUIET  NUMBERS  MISSING  REPEATED"
        "   SIZE  FROM                        TO                          END\n"
        "01010101010101010101010101010101  0001020304050607        3      1  0..2           0         0"
        "  300 B  2026-01-10 13:14:26.000000  2026-01-10 13:14:28.000000  goodbye"
    )
    assert is_whole(survey, SOUND)


def test_what_is_not_whole_is_told_line_by_line():
    survey = surveyed(
        batch(5), batch(5), batch(9), b"what is this", batch(3, probe=2)[:4] + b"\0\7" + bytes(99)
    )
    container = SOUND._replace(closed=False, torn=7, damaged=1, unsound=2)
    lines = survey_lines("x", survey, container)
    assert lines[1:5] == [
        "recording of version 1, 4.3 kB, not closed: its recorder was cut off, or is at work",
        "torn: 7 bytes at the end are not a whole batch and were dropped",
        "damaged: 1 byte between batches were passed over",
        "changed: 2 batches with another checksum than written",
    ]
    assert "1 entry no batch at all" in lines
    assert "1 entry of format version 7" in lines
    assert lines[-1] == "probe 01010101010101010101010101010101: missing batches 6..8"
    assert "no goodbye" in lines[-2]
    assert not is_whole(survey, container)
    assert not is_whole(survey, SOUND)


def test_the_same_in_plain_types():
    told = json.loads(json.dumps(survey_dict("x", surveyed(batch(5), batch(9), batch(9)), None)))
    (probe,) = told["probes"]
    assert (told["file"], told["whole"], told["batches"]) == (None, False, 3)
    assert (probe["gaps"], probe["missing"], probe["repeated"]) == ([[6, 8]], 3, 1)
    assert (probe["first_number"], probe["last_number"], probe["last_ns"]) == (5, 9, BEGIN_NS + 2 * 10**9)


def test_control_characters_in_a_name_are_made_visible():
    assert survey_lines("file:\x1b[2J", HeaderSurvey(), None)[0] == r"file:\x1b[2J"


def test_nothing_at_all_is_whole():
    assert survey_lines("x", HeaderSurvey(), None) == ["x", "0 batches of 0 probes, 0 B sealed"]
    assert is_whole(HeaderSurvey(), None)


def test_whoever_said_no_goodbye_is_told_as_unknown_before_the_table():
    survey = surveyed(batch(0), batch(4), batch(2, probe=2))
    lines = survey_lines("x", survey, None)
    told = "unknown after batch 4 of probe 01010101010101010101010101010101 and batch 2 of probe "
    assert lines[lines.index("") - 1] == told + "02" * 16
    assert [unknown["batch"] for unknown in survey_dict("x", survey, None)["unknown"]] == [4, 2]
    assert is_whole(surveyed(batch(0)), SOUND)


def test_a_log_of_which_something_could_not_be_read_is_not_whole():
    survey = surveyed(batch(0, Flags.GOODBYE))
    survey.cut = 2
    assert "retention removed 2 batches before they could be read" in survey_lines("x", survey, None)
    assert not is_whole(survey, None)
    survey.cut, survey.unread = 0, (Unread("a.db", "no such file"),)
    assert "unknown what a.db holds (could not be opened)" in survey_lines("x", survey, None)
    assert not is_whole(survey, None)
