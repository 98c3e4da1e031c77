"""Parsers that are not ours, kept running for a whole session so that each diagram costs milliseconds."""

from __future__ import annotations

import contextlib
import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
MERMAID = ROOT / ".stamps" / "validators" / "mermaid.mjs"

ANSWER_LIMIT_S = 30
missing: dict[str, str] = {}


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in capitals which outside parsers did not read what we write."""
    for name, remedy in missing.items():
        terminalreporter.write_line(
            f"NOTHING WAS CHECKED BY {name.upper()}: {remedy.upper()}", red=True, bold=True
        )


def _skip_for_want_of(name: str, remedy: str) -> None:
    missing[name] = remedy
    pytest.skip(f"{name} is not here: {remedy}")


class Asked:
    """A program that answers lines with lines."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._replies: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        # A blocking read of a program that hangs would hang the tests; the thread ends with the program.
        self._reader = threading.Thread(target=self._listen, name="replies", daemon=True)
        self._reader.start()

    def _listen(self) -> None:
        for line in self._process.stdout:
            self._replies.put(line)
        self._replies.put(None)

    def say(self, text: str) -> None:
        self._process.stdin.write(text)
        self._process.stdin.flush()

    def hear(self) -> str:
        try:
            reply = self._replies.get(timeout=ANSWER_LIMIT_S)
        except queue.Empty:
            pytest.fail("the parser gave no answer")
        if reply is None:
            pytest.fail(f"the parser ended with status {self._process.wait()}")
        return reply

    def close(self) -> None:
        # What a parser that has ended was not told is no news here: the test that asked it has failed.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._reader.join()
        self._process.wait()
        self._process.stdout.close()


class Mermaid(Asked):
    """Mermaid in one node process; asks and answers are lines of JSON."""

    def read(self, source: str) -> dict[str, Any]:
        """Return what Mermaid made of ``source``; fails with Mermaid's own words when it refuses it."""
        self.say(json.dumps(source) + "\n")
        answer = json.loads(self.hear())
        assert "error" not in answer, f"{answer['error']}\n{source}"
        return answer


class PlantUml(Asked):
    """PlantUML in one process that checks one diagram after the other."""

    def accepts(self, source: str) -> str:
        """Return the kind of diagram PlantUML takes ``source`` for; fails when it refuses it."""
        self.say(source)
        kind, detail = self.hear().strip(), self.hear().strip()
        if kind == "ERROR":
            pytest.fail(f"line {detail}: {self.hear().strip()}\n{source}")
        return f"{kind} {detail}"


class PlantUmlPictures(Asked):
    """PlantUML drawing, which is the only way to see what it understood of a text."""

    END = "end-of-picture"

    def draw(self, source: str) -> str:
        """Return the picture of ``source`` as SVG."""
        self.say(source)
        picture = self.hear()
        while not (ended := picture.rstrip()).endswith(self.END):
            picture += self.hear()
        return ended.removesuffix(self.END)


@pytest.fixture(scope="session")
def mermaid() -> Iterator[Mermaid]:
    if not MERMAID.exists() or shutil.which("node") is None:
        _skip_for_want_of("mermaid", "install node and npm, and run tests/system/install_mermaid.sh")
    mermaid = Mermaid(_running("node", str(MERMAID)))
    yield mermaid
    mermaid.close()


@pytest.fixture(scope="session")
def plantuml() -> Iterator[PlantUml]:
    plantuml = PlantUml(_plantuml("-syntax"))
    yield plantuml
    plantuml.close()


@pytest.fixture(scope="session")
def plantuml_pictures() -> Iterator[PlantUmlPictures]:
    plantuml = PlantUmlPictures(_plantuml("-tsvg", "-pipedelimitor", PlantUmlPictures.END))
    yield plantuml
    plantuml.close()


def _plantuml(*arguments: str) -> subprocess.Popen[str]:
    if shutil.which("plantuml") is None:
        _skip_for_want_of("plantuml", "run tests/system/install_plantuml.sh")
    return _running("plantuml", "-pipe", "-charset", "UTF-8", *arguments)


def _running(*command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
