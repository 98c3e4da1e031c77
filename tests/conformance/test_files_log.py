"""Another kind of log takes one module and a row in the table of schemes."""

from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from farscope.cli.main import farscope
from farscope.logs.url import SCHEMES
from farscope.testing.log_conformance import CHECKS, Check, LogUnderTest
from farscope.wire.keys import new_key_file
from support.files_log import FilesLog


@pytest.fixture(autouse=True)
def scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCHEMES, "files", lambda _, rest: FilesLog(Path(rest)))


def command(*arguments: str) -> Result:
    return CliRunner().invoke(farscope, arguments, standalone_mode=False)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_log_of_files_conforms(check: Check, tmp_path: Path):
    check(LogUnderTest(lambda: FilesLog(tmp_path / uuid4().hex)))


def test_the_doctor_examines_a_log_of_files(tmp_path: Path):
    new_key_file(tmp_path / "key")
    arguments = ("doctor", f"files:{tmp_path / 'log'}", "--key", str(tmp_path / "key"), "--listen", "10ms")
    result = command(*arguments)
    assert result.return_value == 0, result.output
    assert f"ok    directory {tmp_path / 'log'} holds 0 batches\n" in result.output
    assert "ok    message   sent, read back and opened\n" in result.output
    assert f"{tmp_path / 'log'} holds 1 batches\n" in command(*arguments).output


def test_the_doctor_tells_what_is_wrong_with_a_log_of_files(tmp_path: Path):
    (tmp_path / "log").touch()
    result = command("doctor", f"files:{tmp_path / 'log'}")
    assert result.return_value == 1
    assert f"fail  directory {tmp_path / 'log'} is a file\n{'':16}name another one" in result.output


def test_a_log_of_files_says_why_it_is_not_there(tmp_path: Path):
    result = command("export", f"files:{tmp_path / 'log'}", "--format", "csv")
    assert str(result.exception).startswith(
        f"there is no log in {tmp_path / 'log'}: nobody has made the directory\nhint: "
    )
