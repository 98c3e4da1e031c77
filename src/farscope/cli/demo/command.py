"""``farscope demo``: two charts in two processes, watched from two others."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import click

from farscope.cli.demo.children import ChildLine, ChildProcesses
from farscope.cli.style import painted, say
from farscope.errors import FarscopeError
from farscope.wire.keys import new_key_file

PRODUCERS = ("producer_one", "producer_two")
WATCHERS = ("watcher 1", "watcher 2")
COLOURS = {"watcher 1": "cyan", "watcher 2": "magenta", "producer_one": "yellow", "producer_two": "yellow"}

PATIENCE_S = 12.0
"""Time limit of the demo in seconds, after which it fails; it normally takes about two."""


@click.command()
def demo() -> None:
    """Show two charts watched from two other processes.

    Starts two producers, each with the same statechart under a name of its own, and two watchers
    that know only the address of a log and a key file. Needs no server, writes to a temporary
    folder only, and ends by itself.
    """
    with tempfile.TemporaryDirectory(prefix="farscope-demo-") as folder, ChildProcesses() as cast:
        Play(cast, Path(folder)).run()


class Play:
    """The demo's acts. Each begins when everybody has seen the one before, never after a mere pause."""

    def __init__(self, cast: ChildProcesses, folder: Path) -> None:
        self._cast = cast
        self._key_file = folder / "key"
        self._url = f"sqlite:{folder / 'log'}"
        self._deadline = time.monotonic() + PATIENCE_S
        self._last_lines: dict[str, str] = {}

    def run(self) -> None:
        """Play all acts.

        Raises:
            FarscopeError: a watcher missed something, or the demo could not continue.
        """
        new_key_file(self._key_file)
        address = (self._url, str(self._key_file))

        _say(f"The log is {self._url}, sealed with a key made for this demo. Two watchers open it.")
        for watcher in WATCHERS:
            self._cast.start(watcher, "farscope.cli.demo.watcher", *address)
        self._hear(WATCHERS, lambda said: [said.name] if said.line == "watching" else [])

        _say("Both watch. Two producers, in processes of their own, start their charts.")
        for producer in PRODUCERS:
            self._cast.start(producer, "farscope.cli.demo.producer", producer, *address)
        self._hear(
            [(watcher, producer) for watcher in WATCHERS for producer in PRODUCERS], _chart_seen_to_start
        )

        _say("Both watchers have seen both charts start. Now each chart gets the event B.")
        for producer in PRODUCERS:
            self._cast.end_input(producer)
        self._hear(PRODUCERS, _ended)

        _say("Both producers have said goodbye. This is what each watcher has collected:")
        for watcher in WATCHERS:
            self._cast.end_input(watcher)
            self._hear([watcher], _ended)
        self._show_accounts()
        _say(_next_step())

    def _hear(self, awaited: Iterable[object], brings: Callable[[ChildLine], Iterable[object]]) -> None:
        """Show the children's output until everything expected has arrived.

        Raises:
            FarscopeError: the demo took too long, or a child ended too early.
        """
        missing = set(awaited)
        while missing:
            said = self._cast.hear(self._deadline)
            brought = set(brings(said))
            if said.line is None and (not brought or self._cast.exit_code(said.name) != 0):
                raise FarscopeError(f"{said.name} did not finish its part", "its output is above")
            missing -= brought
            self._show(said)

    def _show(self, said: ChildLine) -> None:
        if said.line is not None:
            self._last_lines[said.name] = said.line
            say(f"{painted(said.name, COLOURS[said.name])} | {said.line}")

    def _show_accounts(self) -> None:
        """Repeat the last line of each watcher: its account."""
        _say("The accounts, once more:")
        for watcher in WATCHERS:
            say(f"{painted(watcher, COLOURS[watcher])} | {self._last_lines[watcher]}")


def _next_step() -> str:
    """Return the shortest command that works here for what to try next."""
    beside = Path(sys.executable).parent
    watch = "farscope watch" if shutil.which("farscope") else f"{os.path.relpath(beside)}/farscope watch"
    example = Path("examples", "own_chart.py")
    program = (
        f"`{os.path.relpath(sys.executable)} {example}`"
        if example.exists()
        else "a program of yours that calls farscope.broadcast(chart)"
    )
    return f"Next: run `{watch}` here and, in a second terminal, {program}."


def _say(text: str) -> None:
    say(painted(text, "green", bold=True))


def _ended(said: ChildLine) -> list[object]:
    return [said.name] if said.line is None else []


def _chart_seen_to_start(said: ChildLine) -> list[object]:
    return [
        (said.name, producer) for producer in PRODUCERS if f"[{producer}] e->start_at()" in (said.line or "")
    ]
