"""A producer and the command, frozen by PyInstaller with our hook, work as they do unfrozen."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]

PRODUCER = """
from farscope import Event, Factory, broadcast

lamp = Factory("lamp", threaded=False)
lamp.create("off").catch("PRESS", lambda chart, event: chart.trans("on"))
lamp.create("on")
lamp.nest("off", parent=None).nest("on", parent=None)
with broadcast(lamp):
    lamp.start_at("off")
    lamp.dispatch(Event("PRESS"))
"""
COMMAND = "from farscope.__main__ import main\nmain()\n"


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with both programs."""
    folder = tmp_path_factory.mktemp("frozen")
    for name, text in (("producer", PRODUCER), ("command", COMMAND)):
        (folder / f"{name}.py").write_text(text)
        done = subprocess.run(
            [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN", f"{name}.py"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    return folder / "dist"


def run(program: Path, *arguments: str) -> str:
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_frozen_producer_is_watched_by_the_frozen_command(frozen):
    run(frozen / "producer" / "producer")
    seen = run(frozen / "command" / "command", "watch", "--since", "10m", "--for", "1s")
    assert "[lamp] e->PRESS() off->on" in seen


def test_every_verb_of_the_frozen_command_is_there(frozen):
    command = frozen / "command" / "command"
    assert run(command, "--version").startswith("farscope")
    for verb in (
        "demo",
        "watch",
        "top",
        "web",
        "sequence",
        "export",
        "record",
        "replay",
        "inspect",
        "doctor",
        "key",
    ):
        assert "Usage: farscope" in run(command, verb, "--help")


@pytest.fixture
def page(frozen: Path) -> Iterator[str]:
    with subprocess.Popen(
        [frozen / "command" / "command", "web", "memory:page", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    ) as web:
        assert web.stdout is not None
        yield web.stdout.readline().strip()
        web.terminate()


def test_the_frozen_page_serves_its_files(page):
    with urllib.request.urlopen(f"{page}static/main.js") as file:  # noqa: S310 - the address is the page's own
        assert file.read()


def test_the_frozen_command_reads_a_broker(frozen):
    done = subprocess.run(
        [frozen / "command" / "command", "doctor", "amqp://guest@127.0.0.1:1/"],
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "fail  port" in done.stdout
