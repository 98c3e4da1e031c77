import os
import stat
from pathlib import Path

import pytest

from farscope.records.folders import make_folder


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_folders_that_are_made_are_their_owners_alone_whatever_the_umask_is(tmp_path, umask):
    assert make_folder(tmp_path / "a" / "b" / "c")
    assert [mode(tmp_path / path) for path in ("a", "a/b", "a/b/c")] == [0o700] * 3


def test_a_folder_for_others_gets_exactly_its_rights_and_its_parents_at_most_theirs(tmp_path, umask):
    assert make_folder(tmp_path / "a" / "b", 0o2750, 0o755)
    assert mode(tmp_path / "a" / "b") == 0o2750
    assert mode(tmp_path / "a") == 0o755 & ~umask


def test_a_folder_that_is_there_stays_as_it_is(tmp_path, umask):
    (tmp_path / "a").mkdir()
    before = mode(tmp_path / "a")
    assert not make_folder(tmp_path / "a", 0o750)
    assert mode(tmp_path / "a") == before


def test_a_file_in_its_place_is_an_error(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "a")
    with pytest.raises(NotADirectoryError):
        make_folder(tmp_path / "a" / "b")
