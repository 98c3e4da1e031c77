from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from farscope.cli.demo.children import ChildProcesses
from farscope.errors import FarscopeError
from farscope.testing.waiting import eventually

pytestmark = pytest.mark.processes

ECHO = """
import os, sys
print("here", os.getpid(), flush=True)
sys.stdin.read()
print("gone")
"""
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + ECHO.replace(
    "sys.stdin.read()", "signal.pause()"
)


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "played_echo.py").write_text(ECHO)
    (tmp_path / "played_stubborn.py").write_text(STUBBORN)
    return tmp_path


def soon() -> float:
    return time.monotonic() + 20


@pytest.mark.usefixtures("modules")
def test_a_child_is_heard_line_by_line_and_ends_when_its_input_does():
    with ChildProcesses() as cast:
        cast.start("echo", "played_echo")
        assert cast.hear(soon()).line.startswith("here")
        cast.end_input("echo")
        assert cast.hear(soon()) == ("echo", "gone")
        assert cast.hear(soon()) == ("echo", None)
        assert cast.exit_code("echo") == 0


@pytest.mark.usefixtures("modules")
def test_silence_until_the_deadline_names_who_was_silent():
    with ChildProcesses() as cast:
        cast.start("echo", "played_echo")
        cast.hear(soon())
        with pytest.raises(FarscopeError, match="nothing more came from echo"):
            cast.hear(time.monotonic())


@pytest.mark.usefixtures("modules")
@pytest.mark.parametrize("module", ["played_echo", "played_stubborn"])
def test_leaving_ends_every_child_also_one_that_will_not_end(module, monkeypatch):
    monkeypatch.setattr("farscope.cli.demo.children.ENDING_S", 0.2)
    with ChildProcesses() as cast:
        cast.start("child", module)
        pid = int(cast.hear(soon()).line.split()[1])
    eventually(lambda: not runs(pid))


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
