"""The rules of which key is used when, and of files that come into being by themselves."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from farscope.errors import BadKey, KeyFileUnsafe, KeyringError, NoKey, PublicKey
from farscope.wire import keys
from farscope.wire.keyfile import AUTOMATIC_MARK
from farscope.wire.keyring import Keyring, new_key_text
from farscope.wire.keys import default_key_path, new_key_file, resolve_keyring, rotate_key_file

STARTS_AT_ONCE = 8
RESOLVE = """
import sys
from farscope.wire.keys import resolve_keyring
print("ready", flush=True)
sys.stdin.readline()
print(resolve_keyring(shared=False).fingerprint)
"""


@pytest.fixture(autouse=True)
def warn_again():
    keys._warn_of_environment.cache_clear()


def test_an_explicit_key_goes_before_everything(monkeypatch, tmp_path):
    monkeypatch.setenv("FARSCOPE_KEY_FILE", str(new_file(tmp_path / "named")))
    monkeypatch.setenv("FARSCOPE_KEY", new_key_text())
    for shared in (True, False):
        text = new_key_text()
        assert resolve_keyring(text, shared=shared).sealing.reveal() == text
    assert not default_key_path().exists()


def test_the_named_file_goes_before_the_key_in_the_environment(monkeypatch, tmp_path, caplog):
    path = new_file(tmp_path / "named")
    monkeypatch.setenv("FARSCOPE_KEY_FILE", str(path))
    monkeypatch.setenv("FARSCOPE_KEY", new_key_text())
    assert resolve_keyring(shared=True).fingerprint == Keyring.load(path).fingerprint
    assert not caplog.records


def test_a_named_file_that_is_not_there_is_an_error_and_nothing_is_made_up(monkeypatch, tmp_path):
    monkeypatch.setenv("FARSCOPE_KEY_FILE", str(tmp_path / "missing"))
    with pytest.raises(NoKey, match="missing"):
        resolve_keyring(shared=False)
    assert not (tmp_path / "missing").exists()


def test_a_key_in_the_environment_is_used_with_one_warning_that_does_not_show_it(monkeypatch, caplog):
    text = new_key_text()
    monkeypatch.setenv("FARSCOPE_KEY", text)
    for shared in (True, False, True):
        assert resolve_keyring(shared=shared).sealing.reveal() == text
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("farscope", logging.WARNING)
    assert "FARSCOPE_KEY_FILE" in record.getMessage()
    assert text not in record.getMessage()


def test_empty_variables_count_as_not_set(monkeypatch):
    monkeypatch.setenv("FARSCOPE_KEY_FILE", "")
    monkeypatch.setenv("FARSCOPE_KEY", "")
    resolve_keyring(shared=False)
    assert default_key_path().exists()


def test_a_key_for_this_machines_log_is_made_on_first_use_and_found_again():
    first = resolve_keyring(shared=False)
    path = default_key_path()
    assert first.automatic
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert resolve_keyring(shared=False).fingerprint == first.fingerprint


def test_processes_that_start_at_once_end_with_the_same_key():
    command = [sys.executable, "-c", RESOLVE]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(STARTS_AT_ONCE)
    ]
    for process in started:
        assert process.stdout.readline() == "ready\n"
    for process in started:
        process.stdin.write("\n")
        process.stdin.flush()
    found = {process.communicate()[0] for process in started}
    assert found == {f"{Keyring.load(default_key_path()).fingerprint}\n"}
    assert names_in(default_key_path().parent) == ["key"]


def test_a_process_that_comes_second_takes_the_key_of_the_first(monkeypatch):
    path = default_key_path()
    real = keys.make_key_file

    def another_is_faster(target: Path, text: str) -> None:
        real(target, f"{AUTOMATIC_MARK}\n{new_key_text()}\n")
        real(target, text)

    monkeypatch.setattr(keys, "make_key_file", another_is_faster)
    assert resolve_keyring(shared=False).fingerprint == Keyring.load(path).fingerprint


def test_a_shared_log_without_a_key_is_refused_with_the_command_that_makes_one():
    with pytest.raises(NoKey) as caught:
        resolve_keyring(shared=True)
    assert "farscope key new" in caught.value.hint
    assert not default_key_path().exists()


def test_a_key_made_automatically_is_refused_for_a_shared_log_until_one_is_made_on_purpose():
    automatic = resolve_keyring(shared=False)
    with pytest.raises(NoKey, match="automatically") as caught:
        resolve_keyring(shared=True)
    assert "farscope key new" in caught.value.hint
    made = new_key_file()
    assert made.fingerprints[1:] == automatic.fingerprints
    for shared in (True, False):
        assert resolve_keyring(shared=shared).fingerprints == made.fingerprints


@pytest.mark.parametrize("shared", [True, False])
def test_a_file_made_on_purpose_is_used_for_every_log(shared):
    made = new_key_file()
    assert resolve_keyring(shared=shared).fingerprint == made.fingerprint


@pytest.mark.parametrize("shared", [True, False])
def test_a_file_that_is_no_good_is_an_error_and_not_replaced(shared):
    path = default_key_path()
    new_key_file()
    path.chmod(0o644)
    with pytest.raises(KeyFileUnsafe):
        resolve_keyring(shared=shared)
    path.chmod(0o600)
    path.write_text("nonsense")
    with pytest.raises(BadKey):
        resolve_keyring(shared=shared)
    assert path.read_text() == "nonsense"


def test_the_public_key_is_refused_from_every_source(monkeypatch):
    public = Keyring.from_text(public_key(), allow_public=True)
    with pytest.raises(PublicKey):
        resolve_keyring(public_key(), shared=False)
    monkeypatch.setenv("FARSCOPE_KEY", public_key())
    with pytest.raises(PublicKey):
        resolve_keyring(shared=False)
    monkeypatch.delenv("FARSCOPE_KEY")
    path = new_file(default_key_path(), public_key())
    for attempt in (lambda: resolve_keyring(shared=False), lambda: rotate_key_file(path)):
        with pytest.raises(PublicKey):
            attempt()
    with pytest.raises(PublicKey):
        rotate_key_file(path, drop_old=True)
    path.write_text(f"{new_key_text()}\n{public_key()}\n")
    assert public.fingerprint not in rotate_key_file(path, drop_old=True).fingerprints


@pytest.mark.parametrize(
    ("platform", "folder"),
    [("linux", ".config"), ("darwin", "Library/Application Support"), ("win32", "AppData/Roaming")],
)
def test_the_file_belongs_where_the_platform_keeps_settings(monkeypatch, platform, folder):
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setattr(sys, "platform", platform)
    assert default_key_path() == Path(os.environ["HOME"]) / folder / "farscope" / "key"


@pytest.mark.parametrize("value", ["", "relative/path"])
def test_an_xdg_folder_that_is_not_absolute_is_passed_over(monkeypatch, value):
    monkeypatch.setenv("XDG_CONFIG_HOME", value)
    monkeypatch.setattr(sys, "platform", "linux")
    assert default_key_path() == Path(os.environ["HOME"]) / ".config" / "farscope" / "key"


def test_without_a_home_folder_there_is_no_key_and_the_variable_is_named(monkeypatch):
    def homeless() -> Path:
        raise RuntimeError("could not determine home directory")

    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(NoKey, match="FARSCOPE_KEY_FILE"):
        resolve_keyring(shared=False)


def test_a_new_file_never_replaces_one(tmp_path):
    path = tmp_path / "key"
    made = new_key_file(path)
    with pytest.raises(KeyringError, match="already exists") as caught:
        new_key_file(path)
    assert "farscope key rotate" in caught.value.hint
    assert Keyring.load(path).fingerprints == made.fingerprints


def test_a_rotation_puts_a_new_key_on_top_and_keeps_comments(tmp_path):
    old = [new_key_text(), new_key_text()]
    path = new_file(tmp_path / "key", f"# ours, ask Ada\n{old[0]}\n\n{old[1]}\n")
    rotated = rotate_key_file(path)
    assert [key.reveal() for key in rotated.keys][1:] == old
    assert rotated.sealing.reveal() not in old
    assert path.read_text().startswith("# ours, ask Ada\n")
    assert Keyring.load(path).fingerprints == rotated.fingerprints


def test_dropping_the_old_keys_keeps_the_first_and_makes_none(tmp_path):
    path = new_file(tmp_path / "key", f"# ours\n{new_key_text()}\n{new_key_text()}\n")
    rotated = rotate_key_file(path)
    kept = rotate_key_file(path, drop_old=True)
    assert kept.fingerprints == rotated.fingerprints[:1]
    assert Keyring.load(path).fingerprints == kept.fingerprints
    assert path.read_text().startswith("# ours\n")


def test_a_file_with_one_key_has_none_to_drop_and_stays_as_it_is(tmp_path):
    path = new_file(tmp_path / "key", f"\n{new_key_text()}\n# ours")
    before = path.read_text()
    rotate_key_file(path, drop_old=True)
    assert path.read_text() == before


def test_a_key_in_the_environment_that_is_none_is_told_by_the_variables_name(monkeypatch):
    monkeypatch.setenv("FARSCOPE_KEY", "nonsense")
    with pytest.raises(BadKey, match="FARSCOPE_KEY: line 1") as caught:
        resolve_keyring(shared=False)
    assert "pathlib" not in caught.value.hint


def test_a_rotation_that_would_make_the_file_unreadable_leaves_it_alone(tmp_path):
    path = new_file(tmp_path / "key", "\n".join(new_key_text() for _ in range(64)))
    before = path.read_text()
    with pytest.raises(BadKey, match="at most"):
        rotate_key_file(path)
    assert path.read_text() == before


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def new_file(path: Path, text: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(0o600)
    path.write_text(text or new_key_text())
    return path


def public_key() -> str:
    """The key of the miros example, spelt so that a search for keys in the repository stays empty."""
    first, second = "u3Uc-qAi9iiCv3fkBfRUAK", "rM1gH8w51-nVU8M8A73Jg="
    return first + second
