from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from farscope import Event, Factory, broadcast, return_status
from farscope.cli.exit_codes import exit_code_of
from farscope.cli.main import farscope as command
from farscope.cli.selecting import check_lines, in_words
from farscope.cli.step_printer import LIVES, LOSSES, wants_notice
from farscope.errors import UsageError
from farscope.records.step import NANOSECONDS, ChartId
from farscope.scope.notice import Notice, NoticeKind
from farscope.views.matching import Matching
from farscope.views.selection import KINDS, Selection
from farscope.wire.keys import Keyring, new_key_file
from support.recorded_probe import BEGIN_NS, RecordedProbe
from support.recorded_probe import recording as tape

CHOOSING = (
    ("--signal", "OPEN"),
    ("--not-signal", "[KLB]*"),
    ("--state", "shut"),
    ("--only", "refused"),
)


def _breaks(_chart: Factory, _event: Event):
    raise OSError("hinge")


@pytest.fixture
def door(log_url: str) -> str:
    """The address of a door that refused, ignored, handled and failed at something, beside a gong."""
    chart = Factory("door", threaded=False)
    shut = (
        chart.create("shut")
        .catch("OPEN", lambda _chart, _event: return_status.UNHANDLED)
        .catch("LOOK", lambda _chart, _event: return_status.HANDLED)
        .catch("BREAK", _breaks)
        .catch("UNLOCK", lambda chart, _event: chart.trans("unlocked"))
        .to_method()
    )
    chart.nest(shut, parent=None)
    chart.nest(chart.create("unlocked").to_method(), parent=None)
    gong = Factory("gong", threaded=False)
    gong.nest(gong.create("still").to_method(), parent=None)
    with broadcast(chart, gong, url=log_url):
        chart.start_at("shut")
        gong.start_at("still")
        for name in ("KNOCK", "OPEN", "LOOK"):
            chart.dispatch(Event(name))
        with pytest.raises(OSError, match="hinge"):
            chart.dispatch(Event("BREAK"))
        chart.dispatch(Event("UNLOCK"))
    return log_url


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def farscope(capfd: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Run our command in this process, which saves the time to start another one."""

    def run(*arguments: object) -> Done:
        capfd.readouterr()
        code = exit_code_of(lambda: command.main([*map(str, arguments)], standalone_mode=False))
        return Done(code, *capfd.readouterr())

    return run


@pytest.fixture
def taped(door: str, tmp_path: Path, farscope: Callable[..., Done]) -> Path:
    path = tmp_path / "door.farscope"
    assert farscope("record", path, door, "--snapshot").returncode == 0
    return path


def shown(text: str) -> list[str]:
    """Return lines without their times, and without how long a step took, as on a busy machine."""
    return [re.sub(r"^\[[^]]*\] |  took .*$", "", line) for line in text.splitlines()]


FAILURE = "door: BREAK failed in shut: OSError: hinge"


def test_watch_only_failed_prints_the_failures_and_nothing_else(door, farscope):
    done = farscope("watch", door, "--since", "start", "--for", "300ms", "--only", "failed")
    assert shown(done.stdout) == ["[door, failed] e->BREAK() in shut"]
    told = [line for line in done.stderr.splitlines() if FAILURE not in line]
    assert [line.partition(" ")[0] for line in told] == ["watching", "seen"]
    assert FAILURE in done.stderr


def test_replay_chooses_as_watch_does(taped, farscope):
    for options in (
        ("--only", "ignored,refused"),
        ("--signal", "LOOK", "--only", "hook"),
        ("--state", "unl*"),
    ):
        seen = farscope("watch", taped, *options)
        played = farscope("replay", taped, "--speed", "max", *options)
        assert shown(played.stdout) == shown(seen.stdout) != []
    assert shown(farscope("watch", taped, "--signal", "LOOK", "--only", "hook").stdout) == [
        "[door, hook] e->LOOK() in shut"
    ]


@pytest.mark.parametrize("options", CHOOSING, ids=" ".join)
def test_every_verb_chooses_the_same_steps(options, taped, farscope):
    watched = [json.loads(line) for line in farscope("watch", taped, "--json", *options).stdout.splitlines()]
    signals = [step["signal"] for step in watched if "signal" in step]
    assert signals
    exported = farscope("export", taped, "--format", "jsonl", *options).stdout.splitlines()
    assert [json.loads(line)["signal"] for line in exported] == signals
    drawn = farscope("sequence", taped, "--by", "chart", "--format", "mermaid", *options).stdout
    assert re.findall(r"(\w+)\(\)", drawn) == signals


def test_in_a_pipe_steps_without_a_transition_that_were_chosen_are_not_passed_over_in_silence(
    taped, farscope
):
    done = farscope("watch", taped, "--signal", "OPEN")
    assert done.stdout == ""
    assert "1 step without a transition fitted; --only or --spy shows such steps" in done.stderr
    drawn = farscope("sequence", taped, "--signal", "OPEN")
    assert "1 step without a transition fitted; --by chart shows such steps" in drawn.stderr


@pytest.mark.parametrize(
    "verb",
    [
        ("watch",),
        ("replay", "--speed", "max"),
        ("export", "--format", "csv"),
        ("sequence", "--by", "chart"),
    ],
    ids=lambda verb: verb[0],
)
def test_every_verb_tells_what_matched_nothing_from_what_only_came_to_nothing(verb, taped, farscope):
    name, *options = verb
    mistyped = farscope(
        name, taped, *options, "--state", "shot", "--signal", "OPNE", "--chart", "doro"
    ).stderr
    for line in ("no chart matched 'doro'", "no signal matched 'OPNE'", "no state matched 'shot'"):
        assert line in mistyped.splitlines()
    nothing = farscope(name, taped, *options, "--signal", "OPEN", "--only", "failed").stderr
    assert "none of 7 steps fits --signal 'OPEN' --only failed" in nothing.splitlines()
    assert "matched" not in nothing


def test_a_chart_without_a_step_in_the_window_is_told_apart_from_one_that_is_not_there(taped, farscope):
    last = farscope("watch", taped).stdout.splitlines()[-1][1:27]
    for verb in (("replay", "--speed", "max"), ("sequence",)):
        told = farscope(
            *verb, taped, "--from", last, "--chart", "gon*", "--chart", "gnu*"
        ).stderr.splitlines()
        assert "chart 'gon*' matched, but has no step there" in told
        assert "no chart matched 'gnu*'" in told


@pytest.mark.parametrize(
    "verb", [("export", "--format", "csv"), ("sequence",), ("watch",)], ids=lambda verb: verb[0]
)
def test_a_chart_without_a_step_since_then_is_told_apart_from_one_that_is_not_there(verb, tmp_path, farscope):
    new_key_file(tmp_path / "key")
    probe, later_ns = RecordedProbe(Keyring.load(tmp_path / "key")), BEGIN_NS + 600 * NANOSECONDS
    probe.step(BEGIN_NS, 0, "on")
    first = probe.send(BEGIN_NS, all_charts=True)
    probe.step(later_ns, 1, "on")
    path = tmp_path / "run.farscope"
    tape(path, [first, probe.send(later_ns, all_charts=True)])
    asked = ("--since", "1m", "--chart", "far 0", "--chart", "far 7", "--key", tmp_path / "key")
    told = farscope(*verb, path, *asked).stderr.splitlines()
    assert "chart 'far 0' matched, but has no step there" in told
    assert "no chart matched 'far 7'" in told


def test_where_nothing_was_broadcast_nothing_is_called_mistyped(log_url, farscope):
    quiet = Factory("quiet", threaded=False)
    with broadcast(quiet, url=log_url):
        pass
    told = farscope("watch", log_url, "--since", "start", "--for", "300ms", "--signal", "OPEN").stderr
    assert "there was no step to match --signal 'OPEN'" in told.splitlines()


def test_words_nobody_knows_are_told_with_those_there_are(taped, farscope):
    done = farscope("watch", taped, "--only", "failed,broken")
    assert done.returncode == 2
    assert f"'broken' is not one of {', '.join(KINDS)}" in done.stderr


def test_a_shell_completes_the_words_of_only_also_behind_a_comma():
    verb = command.get_command(click.Context(command), "watch")
    assert verb is not None
    only = next(param for param in verb.params if param.name == "only")
    offered = only.shell_complete(click.Context(verb), "failed,re")
    assert [item.value for item in offered] == ["failed,refused"]


def test_lines_are_not_asked_what_they_do_not_say():
    check_lines(Selection(kinds=KINDS["transition"]))
    with pytest.raises(UsageError, match="lines do not say"):
        check_lines(Selection(kinds=KINDS["refused"]))


def test_no_choice_hides_a_notice_about_losses():
    matching = Matching(Selection(charts=("a",), signals=("S",), states=("s",), kinds=KINDS["failed"]))
    hidden = {kind for kind in NoticeKind if not wants_notice(matching, Notice(kind=kind))}
    assert hidden == LIVES
    other = ChartId("b", "pi", 1, 1)
    shown = {kind for kind in NoticeKind if wants_notice(matching, Notice(kind=kind, chart=other))}
    assert shown == LOSSES


def test_a_search_for_failures_shows_that_a_chart_failed_or_is_no_longer_observed():
    matching = Matching(Selection(kinds=KINDS["failed"]))
    for kind in (NoticeKind.FAILED, NoticeKind.UNOBSERVED):
        assert wants_notice(matching, Notice(kind=kind))


def test_options_are_repeated_in_words_a_person_could_type():
    assert in_words(Selection()) == ""
    assert in_words(Selection(charts=("a", "b"), not_signals=("T",), kinds=KINDS["transition"])) == (
        "--chart 'a' --chart 'b' --not-signal 'T' --only transition"
    )
