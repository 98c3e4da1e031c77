"""``farscope demo``: two charts in two processes, watched from two others."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from farscope.cli.cast import Cast, Said
from farscope.cli.style import painted
from farscope.errors import FarscopeError
from farscope.wire.keys import new_key_file

PRODUCERS = ("producer_one", "producer_two")
WATCHERS = ("watcher 1", "watcher 2")
COLOURS = {"watcher 1": "cyan", "watcher 2": "magenta", "producer_one": "yellow", "producer_two": "yellow"}

PATIENCE_S = 12.0
"""The demo ends within this time, with an error if it must; it takes about two seconds."""


@click.command()
def demo() -> int:
    """Show two charts watched from two other processes.

    Starts two producers, each with the same statechart under a name of its own, and two watchers
    that know only the address of a log and a key file. Needs no server, writes to a temporary
    folder only, and ends by itself.
    """
    with tempfile.TemporaryDirectory(prefix="farscope-demo-") as folder, Cast() as cast:
        return Play(cast, Path(folder)).run()


class Play:
    """The demo's acts. Each begins when everybody has seen the one before, never after a mere pause."""

    def __init__(self, cast: Cast, folder: Path) -> None:
        self._cast = cast
        self._key_file = folder / "key"
        self._url = f"sqlite:{folder / 'log'}"
        self._deadline = time.monotonic() + PATIENCE_S
        self._accounts: dict[str, dict[str, Any]] = {}

    def run(self) -> int:
        """Play all acts; return 0 if every watcher has seen everything, else 1."""
        new_key_file(self._key_file)
        address = (self._url, str(self._key_file))

        _say(f"The log is {self._url}, sealed with a key made for this demo. Two watchers open it.")
        for watcher in WATCHERS:
            self._cast.start(watcher, "farscope.cli.demo_watcher", *address)
        self._hear(WATCHERS, lambda said: [said.name] if said.line == "watching" else [])

        _say("Both watch. Two producers, in processes of their own, start their charts.")
        for producer in PRODUCERS:
            self._cast.start(producer, "farscope.cli.demo_producer", producer, *address)
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
        return self._show_accounting()

    def _hear(self, awaited: Iterable[object], brings: Callable[[Said], Iterable[object]]) -> None:
        """Show what the cast says until everything awaited has been brought.

        Raises:
            FarscopeError: the demo's time is over, or one of the cast has ended before its turn.
        """
        missing = set(awaited)
        while missing:
            said = self._cast.hear(self._deadline)
            brought = set(brings(said))
            if said.line is None and (not brought or self._failed(said.name)):
                raise FarscopeError(f"{said.name} has failed", "what it said about it stands above")
            missing -= brought
            self._show(said)

    def _failed(self, name: str) -> bool:
        """Whether one of the cast has ended badly; a watcher that lost something still gives its account."""
        return self._cast.exit_code(name) != 0 and name not in self._accounts

    def _show(self, said: Said) -> None:
        if said.line is None:
            return
        if said.line.startswith('{"charts"'):
            self._accounts[said.name] = json.loads(said.line)
            return
        click.echo(f"{painted(said.name, COLOURS[said.name])} | {said.line}")

    def _show_accounting(self) -> int:
        complete = True
        _say("The accounting:")
        for watcher in WATCHERS:
            account = self._accounts[watcher]
            complete &= self._cast.exit_code(watcher) == 0 and sorted(account["charts"]) == sorted(PRODUCERS)
            click.echo(
                f"{painted(watcher, COLOURS[watcher])} | seen {account['steps']} steps of "
                f"{len(account['charts'])} charts ({', '.join(sorted(account['charts']))}), "
                f"lost {account['lost']}, refused {account['refused']}"
            )
        if not complete:
            raise FarscopeError(
                "a watcher has not seen everything", "please report this with what the demo printed"
            )
        _say("Next: see your own chart with the ten lines in README.md, then run: .venv/bin/farscope watch")
        return 0


def _say(text: str) -> None:
    click.echo(painted(text, "green", bold=True))


def _ended(said: Said) -> list[object]:
    return [said.name] if said.line is None else []


def _chart_seen_to_start(said: Said) -> list[object]:
    return [
        (said.name, producer) for producer in PRODUCERS if f"[{producer}] e->start_at()" in (said.line or "")
    ]
