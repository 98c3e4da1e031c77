"""``farscope key`` makes, shows and rotates, and prints no key unless asked."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import closing

import pytest
from click.testing import CliRunner

from farscope.cli.key import key
from farscope.errors import BadKey, KeyFileUnsafe, KeyringError, NoKey
from farscope.logs.url import open_log
from farscope.testing.waiting import eventually
from farscope.wire.envelope import peek_header
from farscope.wire.keyring import Keyring
from farscope.wire.keys import default_key_path, resolve_keyring
from support.program import Program

A_KEY = re.compile(r"[A-Za-z0-9_-]{43}=")


def run(*arguments: object) -> str:
    """Run the command; its errors are raised, as ``farscope.cli.main`` expects."""
    result = CliRunner().invoke(key, [str(argument) for argument in arguments], standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.output


def test_new_makes_a_file_and_shows_its_fingerprint_only(tmp_path):
    path = tmp_path / "folder" / "key"
    shown = run("new", path)
    assert str(path) in shown
    assert Keyring.load(path).fingerprint in shown
    assert not A_KEY.search(shown)


def test_without_a_path_the_users_own_file_is_meant():
    run("new")
    keyring = Keyring.load(default_key_path())
    assert keyring.fingerprint in run("show")
    run("rotate")
    assert Keyring.load(default_key_path()).fingerprints[1:] == keyring.fingerprints


def test_without_a_path_the_file_the_environment_names_goes_before(tmp_path, monkeypatch):
    monkeypatch.setenv("FARSCOPE_KEY_FILE", str(tmp_path / "named"))
    run("new")
    assert Keyring.load(tmp_path / "named").fingerprint in run("show")
    assert not default_key_path().exists()


def test_new_keeps_what_is_there(tmp_path):
    run("new", tmp_path / "key")
    with pytest.raises(KeyringError, match="already exists"):
        run("new", tmp_path / "key")


def test_new_makes_the_automatic_key_an_old_one():
    automatic = resolve_keyring(shared=False)
    assert "made automatically" in run("show")
    shown = run("new")
    assert automatic.fingerprint in shown
    assert "made automatically" not in run("show")
    assert resolve_keyring(shared=True).fingerprints[1:] == automatic.fingerprints


def test_show_prints_the_keys_when_asked_so_that_they_make_the_same_file(tmp_path):
    run("new", tmp_path / "key")
    run("rotate", tmp_path / "key")
    shown = run("show", tmp_path / "key", "--secret")
    keyring = Keyring.load(tmp_path / "key")
    assert Keyring.from_text(shown).fingerprints == keyring.fingerprints
    assert not A_KEY.search(run("show", tmp_path / "key"))


def test_show_says_which_key_seals(tmp_path):
    run("new", tmp_path / "key")
    run("rotate", tmp_path / "key")
    new, old = Keyring.load(tmp_path / "key").fingerprints
    lines = run("show", tmp_path / "key").splitlines()
    assert [line.split(maxsplit=1) for line in lines[1:]] == [[new, "seals and opens"], [old, "opens"]]


def test_rotate_drops_old_keys_when_asked(tmp_path):
    run("new", tmp_path / "key")
    run("rotate", tmp_path / "key")
    new, old = Keyring.load(tmp_path / "key").fingerprints
    shown = run("rotate", tmp_path / "key", "--drop-old")
    assert "dropped the old keys" in shown
    assert new in shown
    assert old not in shown
    assert not A_KEY.search(shown)
    assert Keyring.load(tmp_path / "key").fingerprints == (new,)


def test_rotate_says_that_there_is_nothing_to_drop(tmp_path):
    run("new", tmp_path / "key")
    before = (tmp_path / "key").read_text()
    assert "nothing to drop" in run("rotate", tmp_path / "key", "--drop-old")
    assert (tmp_path / "key").read_text() == before


@pytest.mark.parametrize("verb", ["new", "rotate", "show"])
def test_a_folder_is_an_error_that_names_it(tmp_path, monkeypatch, verb):
    monkeypatch.chdir(tmp_path)
    for folder in (".", tmp_path):
        with pytest.raises(KeyringError, match=re.escape(str(folder))):
            run(verb, folder)
    assert not list(tmp_path.iterdir())


def test_a_file_that_holds_no_key_is_named_without_words_about_python(tmp_path):
    (tmp_path / "key").touch(0o600)
    (tmp_path / "key").write_text("nonsense\n")
    for verb in (["show"], ["rotate"], ["rotate", "--drop-old"]):
        with pytest.raises(BadKey, match=re.escape(str(tmp_path / "key"))) as caught:
            run(verb[0], tmp_path / "key", *verb[1:])
        assert "pathlib" not in str(caught.value)


def test_an_unsafe_or_missing_file_is_an_error_with_a_hint(tmp_path):
    with pytest.raises(NoKey, match="farscope key new"):
        run("show", tmp_path / "key")
    run("new", tmp_path / "key")
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(KeyFileUnsafe, match="chmod 600"):
        run("show", tmp_path / "key")


def test_a_path_that_a_terminal_would_obey_is_shown_escaped(tmp_path):
    shown = run("new", tmp_path / "key\x1b[31m")
    assert "\x1b" not in shown


def test_the_help_names_every_verb_and_option():
    for arguments, words in (
        (["--help"], ["new", "show", "rotate", "FARSCOPE_KEY_FILE"]),
        (["show", "--help"], ["--secret"]),
        (["rotate", "--help"], ["--drop-old"]),
    ):
        shown = run(*arguments)
        assert all(word in shown for word in words)


def test_the_command_ends_in_exit_codes_and_hints_without_a_traceback(tmp_path):
    command = [sys.executable, "-c", "from farscope.cli.main import main; main()", "key", "show"]
    done = subprocess.run([*command, str(tmp_path / "key")], capture_output=True, text=True, check=False)
    assert done.returncode == NoKey.exit_code
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr


PRODUCER = """
import sys
from pathlib import Path
from farscope import Event, Factory, broadcast

lamp = Factory("lamp", threaded=False)
off = lamp.create("off").catch("PRESS", lambda chart, _: chart.trans("on")).to_method()
on = lamp.create("on").catch("PRESS", lambda chart, _: chart.trans("off")).to_method()
lamp.nest(off, parent=None).nest(on, parent=None)
sys.stdin.readline()
with broadcast(lamp, url=sys.argv[1], key=Path(sys.argv[2])) as probe:
    lamp.start_at("off")
    for _ in sys.stdin:
        lamp.dispatch(Event("PRESS"))
        probe.flush(60.0)
"""


def test_programs_that_run_follow_a_rotation_and_no_step_is_lost(tmp_path):
    url, path = f"sqlite:{tmp_path / 'log'}", tmp_path / "team.key"
    run("new", path)
    watching = ("-m", "farscope", "watch", url, "--key", str(path))
    with Program(*watching) as watcher, Program("-c", PRODUCER, url, str(path)) as producer:
        watcher.wait_err("watching", 60)
        producer.type_in("\n")
        watcher.wait_out("start_at()")
        run("rotate", path)
        rotated = Keyring.load(path).sealing.id
        eventually(lambda: key_of_newest_batch(url) == rotated, 60)
        producer.type_in("\n")
        watcher.wait_out("e->PRESS() off->on")
        run("rotate", path, "--drop-old")
        producer.type_in("\n")
        watcher.wait_out("e->PRESS() on->off")
        watcher.interrupt()
        assert watcher.wait() == 0
        assert watcher.err.splitlines()[-1] == "seen 3 steps of 1 probe, lost 0, duplicated 0"
        assert "refused" not in watcher.err


def key_of_newest_batch(url: str) -> bytes:
    with closing(open_log(url).reader(0)) as reader:
        return peek_header(reader.read(0.0, 10_000)[-1].data).key_id
