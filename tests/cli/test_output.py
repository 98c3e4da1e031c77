from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from farscope.cli.output import open_output


def test_a_file_appears_when_all_is_written(tmp_path):
    target = tmp_path / "run.txt"
    with open_output(str(target)) as file:
        file.write("whole")
        assert not target.exists()
    assert target.read_text() == "whole"


def test_after_an_error_a_file_is_what_it_was(tmp_path):
    target = tmp_path / "run.txt"
    target.write_text("before")

    def write_half() -> None:
        with open_output(str(target)) as file:
            file.write("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_half()
    assert [path.name for path in tmp_path.iterdir()] == ["run.txt"]
    assert target.read_text() == "before"


def test_a_file_that_is_replaced_keeps_its_mode(tmp_path):
    target = tmp_path / "run.txt"
    target.touch(0o600)
    with open_output(str(target)) as file:
        file.write("whole")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_link_goes_on_leading_to_its_file(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with open_output(str(tmp_path / "link")) as file:
        file.write("whole")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "whole"


@pytest.mark.parametrize("linked", [False, True])
def test_a_pipe_is_written_into_and_stays_a_pipe(tmp_path, linked):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    name = tmp_path / "link" if linked else pipe
    if linked:
        name.symlink_to(pipe)
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(pipe.read_text)
        with open_output(str(name)) as file:
            file.write("through the pipe")
        assert read.result(timeout=30) == "through the pipe"
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_what_cannot_be_opened_is_told_by_its_own_name(tmp_path):
    target = tmp_path / "none" / "run.txt"
    with pytest.raises(FileNotFoundError) as caught, open_output(str(target)):
        pass
    assert Path(caught.value.filename) == target
