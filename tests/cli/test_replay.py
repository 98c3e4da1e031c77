from __future__ import annotations

import json
from datetime import datetime
from math import inf
from pathlib import Path

import pytest

from farscope.cli.playback_speed import Pace
from farscope.cli.progress import Progress
from farscope.cli.replay import _due, _play, _span, _store
from farscope.cli.timespec import MICROSECOND, Recorded
from farscope.errors import LogRefused
from farscope.logs.base import Entry
from farscope.records.step import NANOSECONDS, local_time
from farscope.wire.keys import Keyring, default_key_path, new_key_file
from support.program import Program
from support.recorded_probe import BEGIN_NS, RecordedProbe
from support.recorded_probe import recording as tape


def said(output: str) -> list[str]:
    return [line.rpartition("] ")[2] for line in output.splitlines()]


LAMP = ["e->start_at() top->off", "e->PRESS() off->on", "e->PRESS() on->off", "e->PRESS() off->on"]


def test_it_shows_what_watch_shows_and_the_account(recording, farscope):
    done = farscope("replay", recording, "--speed", "max")
    assert (done.returncode, said(done.stdout)) == (0, LAMP)
    assert done.stdout == farscope("watch", recording).stdout
    assert done.stderr.splitlines()[0] == f"replaying file:{recording}; Ctrl-C ends"
    *_, closed, account = done.stderr.splitlines()
    assert closed.endswith("] lamp: closed")
    assert account == "seen 4 steps of 1 probe, lost 0, duplicated 0"


def test_a_part_is_chosen_by_the_time_since_the_beginning(recording, farscope):
    assert farscope("replay", recording, "--speed", "max", "--from", "10s").stdout == ""
    assert farscope("replay", recording, "--speed", "max", "--to", "10s").stdout.count("\n") == 4


def test_what_was_left_out_is_told_apart_from_what_was_shown(recording, farscope):
    done = farscope("replay", recording, "--speed", "max", "--chart", "door*")
    assert done.stderr.splitlines()[-1] == (
        "shown 0 steps; of all that was read: seen 4 steps of 1 probe, lost 0, duplicated 0"
    )


def test_charts_and_facts_are_chosen_as_watch_does(recording, farscope):
    assert farscope("replay", recording, "--speed", "max", "--chart", "door*").stdout == ""
    assert "ENTRY_SIGNAL:on" in farscope("replay", recording, "--speed", "max", "--spy").stdout


def test_with_an_address_others_can_watch_it_and_no_key_is_needed(recording, farscope, tmp_path, monkeypatch):
    stage = f"sqlite:{tmp_path / 'stage'}"
    with monkeypatch.context() as keyless:
        keyless.setenv("FARSCOPE_KEY_FILE", str(tmp_path / "none"))
        done = farscope("replay", recording, stage, "--speed", "max")
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1].startswith("replayed ")
    watched = farscope("watch", stage, "--since", "start", "--for", "300ms")
    assert said(watched.stdout) == LAMP
    assert watched.stdout == farscope("watch", recording).stdout


def test_who_appends_a_part_only_is_told_what_watchers_make_of_the_rest(tmp_path, farscope):
    path = recorded_silence(tmp_path)
    stage = f"sqlite:{tmp_path / 'stage'}"
    part = farscope("replay", path, stage, "--speed", "max", "--from", "10s").stderr.splitlines()
    whole = farscope("replay", path, stage, "--speed", "max").stderr.splitlines()
    assert part[-1].startswith("only part of the recording is in the log: ")
    assert whole[-1].startswith("replayed ")


def test_ctrl_c_ends_a_slow_one_with_the_account(recording):
    with Program("-m", "farscope", "replay", str(recording), "--speed", "0.0000001") as player:
        player.wait_out("e->start_at() top->off")
        player.interrupt()
        assert player.wait() == 0
        assert said(player.out) == LAMP[:1]
        assert "seen " in player.err.splitlines()[-1]


def test_ctrl_c_ends_a_slow_one_into_a_log_and_says_that_there_was_more(recording, tmp_path):
    stage = f"sqlite:{tmp_path / 'stage'}"
    with Program("-m", "farscope", "replay", str(recording), stage, "--speed", "0.0000001") as player:
        player.wait_err("replaying")
        player.interrupt()
        assert player.wait() == 0
        last = player.err.splitlines()[-1]
        assert last.startswith("replayed ")
        assert last.endswith("; ended before the recording's end was reached")


class Sulking:
    """A log's writer that refuses so many times before it takes something."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals

    def append(self, _batches: list[bytes], _timeout_s: float) -> None:
        if self.refusals:
            self.refusals -= 1
            raise LogRefused("the login of user x is refused")


def test_a_log_that_refuses_after_it_has_taken_something_is_waited_for(monkeypatch, capsys):
    monkeypatch.setattr("farscope.cli.replay.RETRY_S", 0.0)
    writer = Sulking(2)
    with pytest.raises(LogRefused):
        _store(writer, [b"1"], Progress(), lambda: False, let_in=False)
    assert _store(writer, [b"1", b"2"], Progress(), lambda: False, let_in=True) == 2
    assert "log unavailable: the login of user x is refused" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "outcome"),
    [
        (("{log}",), (2, "is a log")),
        (("none.farscope",), (4, "No such file")),
        (("{recording}", "{log}", "--spy"), (2, "for showing them here")),
        (("{recording}", "--speed", "fast"), (2, "invalid speed")),
        (("{recording}", "--from", "5s", "--to", "1s"), (2, "--from is later than --to")),
        (("{recording}", "--from", "soon"), (2, "invalid span of time")),
    ],
)
def test_what_makes_no_sense_is_an_error(recording, log_url, farscope, arguments, outcome):
    code, says = outcome
    done = farscope("replay", *(each.format(log=log_url, recording=recording) for each in arguments))
    assert (done.returncode, says in done.stderr) == (code, True), done.stderr


class Played:
    """Steps of another kind, shown by a clock that waiting moves on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        self.shown: list[tuple[float, list[str]]] = []
        monkeypatch.setattr("farscope.cli.playback_speed.time.sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def show(self, steps: list[str]) -> None:
        if steps:
            self.shown.append((round(self.now_s, 6), list(steps)))


def test_steps_are_shown_when_they_are_due_and_together_when_they_are_due_together(monkeypatch):
    played = Played(monkeypatch)
    steps = [(0, "a"), (0, "b"), (3 * NANOSECONDS, "c"), None, (3 * NANOSECONDS, "d"), (4 * NANOSECONDS, "e")]
    _play(steps, Pace(2.0, lambda: played.now_s), played.show, lambda: False)
    assert played.shown == [(0.0, ["a", "b"]), (1.5, ["c"]), (1.5, ["d"]), (2.0, ["e"])]


def test_at_the_highest_speed_batches_that_were_read_together_stay_together():
    entries = [Entry(b"%d" % n, n * NANOSECONDS) for n in range(5)]
    assert list(_due(entries, Pace(inf), lambda: False)) == [entries]


def test_batches_are_due_by_when_they_were_stored(monkeypatch):
    played = Played(monkeypatch)
    entries = [Entry(b"a", 0), Entry(b"b", 0), Entry(b"c", 2 * NANOSECONDS)]
    for together in _due(entries, Pace(1.0, lambda: played.now_s), lambda: False):
        played.show([entry.data.decode() for entry in together])
    assert played.shown == [(0.0, ["a", "b"]), (2.0, ["c"])]


def test_a_chart_far_from_the_part_that_is_shown_is_known_to_the_recording(tmp_path, farscope):
    new_key_file(tmp_path / "key")
    keyring = Keyring.load(tmp_path / "key")
    early, late = (RecordedProbe(keyring, 1, host=host) for host in ("far", "near"))
    later_ns = BEGIN_NS + 600 * NANOSECONDS
    early.step(BEGIN_NS, 0, "on")
    late.step(later_ns, 0, "on")
    path = tmp_path / "far.farscope"
    tape(path, [early.send(BEGIN_NS, goodbye=True), late.send(later_ns, goodbye=True)])
    done = farscope(
        "replay",
        path,
        "--speed",
        "max",
        "--from",
        "9m",
        "--chart",
        "fa*",
        "--chart",
        "fi*",
        "--key",
        tmp_path / "key",
    )
    assert "chart 'fa*' matched, but has no step there" in done.stderr.splitlines()
    assert "no chart matched 'fi*'" in done.stderr.splitlines()


def test_with_the_wrong_key_it_is_an_error_that_names_the_right_one(recording, farscope, tmp_path):
    new_key_file(tmp_path / "wrong")
    done = farscope("replay", recording, "--speed", "max", "--key", tmp_path / "wrong")
    assert (done.returncode, done.stdout) == (3, "")
    error, hint = done.stderr.splitlines()[-2:]
    assert error == "error: nothing here could be opened with your key"
    assert Keyring.load(default_key_path()).fingerprint in hint
    assert "--key" in hint


def recorded_silence(folder: Path) -> Path:
    """Record two charts, of which one is heard for four seconds and the other for twenty."""
    new_key_file(folder / "key")
    keyring = Keyring.load(folder / "key")
    steady, dying = (RecordedProbe(keyring, 1, host=host) for host in ("steady", "dying"))
    entries = []
    for second in range(20):
        at_ns = BEGIN_NS + second * NANOSECONDS
        for probe in (steady, dying)[: 2 if second < 4 else 1]:
            probe.step(at_ns, 0, f"s{second}")
            entries.append(probe.send(at_ns + NANOSECONDS // 10))
    tape(folder / "silence.farscope", entries)
    return folder / "silence.farscope"


def test_only_what_was_noticed_in_the_part_is_told_and_in_its_place(tmp_path, farscope):
    path = recorded_silence(tmp_path)

    def told(*arguments: str) -> list[str]:
        done = farscope("replay", path, "--speed", "max", "--key", tmp_path / "key", *arguments)
        return [line.partition("] ")[2] for line in done.stderr.splitlines() if line.startswith("[")]

    appeared = ["steady 0: appeared", "dying 0: appeared"]
    assert told() == [*appeared, "dying 0: fell silent after step 4"]
    assert told("--to", "7s") == appeared
    assert told("--from", "7s", "--to", "9s") == ["dying 0: fell silent after step 4"]
    assert told("--from", "9s") == []


def test_notices_stand_between_the_steps_of_the_time_they_are_of(tmp_path, farscope):
    path = recorded_silence(tmp_path)
    watched = farscope("watch", path, "--json", "--key", tmp_path / "key")
    items = [json.loads(line) for line in watched.stdout.splitlines()]
    times = [item["time_ns"] if "notice" in item else item["ended_ns"] for item in items]
    assert times == sorted(times)
    (silent,) = [item for item in items if item.get("notice") == "silent"]
    assert (silent["chart"], silent["count"]) == ("dying 0", 4)
    assert silent["time_ns"] == BEGIN_NS + 8_100_000_000


def test_a_part_ends_with_the_line_that_shows_its_last_moment_as_in_a_sequence(tmp_path, farscope):
    new_key_file(tmp_path / "key")
    probe = RecordedProbe(Keyring.load(tmp_path / "key"), 1)
    moments = [BEGIN_NS, BEGIN_NS + NANOSECONDS + 999, BEGIN_NS + NANOSECONDS + 1_000]
    for number, at_ns in enumerate(moments):
        probe.step(at_ns, 0, f"s{number}")
    path = tmp_path / "run.farscope"
    tape(path, [probe.send(BEGIN_NS + 2 * NANOSECONDS)])
    moment = local_time(moments[1])
    key = ("--key", tmp_path / "key")
    shown = farscope("replay", path, "--speed", "max", "--to", moment, *key).stdout
    assert said(shown) == ["e->GO() top->s0", "e->GO() s0->s1"]
    drawn = farscope("sequence", path, "--by", "chart", "--fold", "0", "--to", moment, *key).stdout
    assert "(2)" in drawn
    assert "(3)" not in drawn


@pytest.mark.parametrize(
    ("to_text", "to"),
    [
        ("11:00", datetime(2026, 1, 10, 11)),  # noqa: DTZ001 - local
        ("12:05", datetime(2026, 1, 10, 12, 5)),  # noqa: DTZ001 - local
        ("13:00", datetime(2026, 1, 10, 13)),  # noqa: DTZ001 - local
    ],
)
def test_an_end_alone_may_lie_before_the_recording(to_text, to):
    begin_ns = int(datetime(2026, 1, 10, 12).timestamp()) * NANOSECONDS  # noqa: DTZ001 - local
    end_ns = begin_ns + 600 * NANOSECONDS
    recorded = Recorded(begin_ns, end_ns)
    span = _span(recorded, None, to_text)
    assert (span.from_ns, span.to_ns) == (0, int(to.timestamp()) * NANOSECONDS + MICROSECOND)
    assert bool(recorded.note_if_outside(span.from_ns, span.to_ns)) == (to.hour == 11)
