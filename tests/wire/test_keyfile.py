"""Key files are read with suspicion, made exclusively and replaced in one go."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from farscope.errors import BadKey, KeyFileUnsafe, KeyringError, NoKey
from farscope.wire import keyfile
from farscope.wire.keyfile import MAX_KEY_FILE_BYTES, change_key_file, make_key_file, read_key_file

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "keys" / "key"
    make_key_file(made, "content\n")
    return made


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_made_for_its_owner_only_in_a_folder_for_its_owner_only(path):
    assert read_key_file(path) == "content\n"
    assert (mode_of(path), mode_of(path.parent)) == (0o600, 0o700)
    assert names_in(path.parent) == ["key"]


def test_a_generous_umask_opens_nothing(tmp_path):
    before = os.umask(0)
    try:
        make_key_file(tmp_path / "keys" / "key", "content")
        change_key_file(tmp_path / "keys" / "key", str.upper)
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "keys" / "key") == 0o600
    assert mode_of(tmp_path / "keys") == 0o700


@pytest.mark.parametrize("there", ["file", "link", "dangling link", "folder"])
def test_what_is_there_already_is_left_alone(path, tmp_path, there):
    place = tmp_path / "place"
    {
        "file": lambda: place.write_text("mine"),
        "link": lambda: place.symlink_to(path),
        "dangling link": lambda: place.symlink_to(tmp_path / "nowhere"),
        "folder": place.mkdir,
    }[there]()
    before = place.lstat()
    with pytest.raises(FileExistsError):
        make_key_file(place, "other\n")
    assert place.lstat() == before
    assert read_key_file(path) == "content\n"
    assert not (tmp_path / "nowhere").exists()
    assert sorted(names_in(tmp_path)) == ["keys", "place"]


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP])
def test_without_hard_links_files_are_still_made_exclusively(tmp_path, monkeypatch, number):
    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(keyfile.os, "link", refuse)
    make_key_file(tmp_path / "key", "content\n")
    assert read_key_file(tmp_path / "key") == "content\n"
    with pytest.raises(FileExistsError):
        make_key_file(tmp_path / "key", "other\n")
    assert names_in(tmp_path) == ["key"]


def test_a_disk_that_fails_is_told_and_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(keyfile.os, "fsync", fail)
    with pytest.raises(KeyringError, match="No space left"):
        make_key_file(tmp_path / "key", "content")
    assert names_in(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyringError, match="cannot make"):
        make_key_file(tmp_path / "file" / "key", "content")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610, 0o602, 0o666])
def test_a_file_open_to_others_is_refused_with_the_command_that_closes_it(path, mode):
    path.chmod(mode)
    with pytest.raises(KeyFileUnsafe, match=rf"mode {mode:04o}") as caught:
        read_key_file(path)
    assert caught.value.hint == f"close it with: chmod 600 {path}"
    assert caught.value.path == str(path)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_closed_to_others_is_read(path, mode):
    path.chmod(mode)
    assert read_key_file(path) == "content\n"


def test_the_command_of_the_hint_works_for_a_path_with_blanks(tmp_path):
    path = tmp_path / "my key"
    make_key_file(path, "content")
    path.chmod(0o644)
    with pytest.raises(KeyFileUnsafe) as caught:
        read_key_file(path)
    assert f"chmod 600 '{path}'" in caught.value.hint


def test_a_symbolic_link_that_others_may_replace_is_refused(path, tmp_path):
    folder = tmp_path / "open to all"
    folder.mkdir()
    folder.chmod(0o777)
    link = folder / "link"
    link.symlink_to(path)
    with pytest.raises(KeyFileUnsafe, match="symbolic link") as caught:
        read_key_file(link)
    assert caught.value.path == str(link)


def test_a_symbolic_link_is_not_changed_in_place_of_what_it_leads_to(path, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(KeyFileUnsafe, match="symbolic link"):
        change_key_file(link, str.upper)
    assert link.is_symlink()
    assert path.read_text() == "content\n"


def test_what_is_not_a_regular_file_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/null")):
        with pytest.raises(KeyFileUnsafe, match="not a regular file"):
            read_key_file(path)


@needs_root
def test_a_file_of_another_user_is_refused(path):
    os.chown(path, 12345, 12345)
    with pytest.raises(KeyFileUnsafe, match="another user"):
        read_key_file(path)


def test_a_file_of_root_is_taken_and_one_of_a_third_user_is_not(path, monkeypatch):
    owner = path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 4711)
    if owner == 0:
        assert read_key_file(path) == "content\n"
    else:
        with pytest.raises(KeyFileUnsafe, match="another user"):
            read_key_file(path)


def test_a_file_too_large_or_of_bytes_is_refused(path):
    path.write_bytes(b"#" * (MAX_KEY_FILE_BYTES + 1))
    with pytest.raises(KeyFileUnsafe, match="too large"):
        read_key_file(path)
    path.write_bytes(b"\xff\xfe secret")
    with pytest.raises(BadKey, match="not text") as caught:
        read_key_file(path)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_file_that_is_not_there_is_no_key_with_the_command_that_makes_one(tmp_path):
    for call in (read_key_file, lambda path: change_key_file(path, str.upper)):
        for path in (tmp_path / "key", tmp_path / "folder" / "key"):
            with pytest.raises(NoKey, match=f"farscope key new {path}"):
                call(path)


def test_a_change_replaces_the_file_in_one_go(path):
    with path.open() as reader:
        change_key_file(path, str.upper)
        assert reader.read() == "content\n"
    assert read_key_file(path) == "CONTENT\n"
    assert mode_of(path) == 0o600
    assert names_in(path.parent) == ["key"]


def test_a_change_that_fails_leaves_the_file_as_it_was(path):
    def fail(_text: str) -> str:
        raise BadKey("no good")

    with pytest.raises(BadKey):
        change_key_file(path, fail)
    assert read_key_file(path) == "content\n"
    assert names_in(path.parent) == ["key"]


def test_two_changes_at_once_are_one_change_and_one_refusal(path):
    def second_change_meanwhile(text: str) -> str:
        with pytest.raises(KeyringError, match="another change") as caught:
            change_key_file(path, str.lower)
        assert "rm " in caught.value.hint
        return text.upper()

    change_key_file(path, second_change_meanwhile)
    assert read_key_file(path) == "CONTENT\n"


def test_a_file_open_to_others_cannot_be_changed_before_it_is_closed(path):
    path.chmod(0o644)
    with pytest.raises(KeyFileUnsafe):
        change_key_file(path, str.upper)
    assert path.read_text() == "content\n"
