"""The requirements of a test beyond this process, found from its code: a broker, a browser, programs.

A fixture's name says that a broker or a browser is needed. Other programs are found in the code: the test's
function, its fixtures and all functions of the tests that these mention are searched for whatever starts a
program. What this search misses, the marker ``processes`` has to say; ``StartedPrograms`` finds it out when
the test runs.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import resource
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Final

BY_FIXTURE: Final = {
    "amqp_url": "broker",
    "broker": "broker",
    "browser": "browser",
    "fresh_log_url": "broker",
}
"""Markers that the fixtures of these names give to every test that uses them, also through others."""

STARTERS: Final = (subprocess, multiprocessing)
"""A test that mentions one of these modules starts programs."""

FORKS: Final = frozenset({"fork", "forkpty", "posix_spawn", "ProcessPoolExecutor"})
"""Names of what starts a process without them."""

EVENTS: Final = frozenset({"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn"})
"""What Python's audit hooks call the start of a process."""


class Needs:
    """Finds what tests need; the functions in ``root`` and in this folder are searched."""

    def __init__(self, root: Path) -> None:
        self._roots = (str(root), str(Path(__file__).parent))
        self._mentions: dict[FunctionType, tuple[bool, list[FunctionType]]] = {}

    def of(self, function: object, fixtures: Mapping[str, object], parameters: Iterable[object]) -> set[str]:
        """Return the markers of a test: its function, its fixtures by name, the values of its parameters."""
        found = {BY_FIXTURE[name] for name in fixtures if name in BY_FIXTURE}
        waiting = [part for each in (function, *fixtures.values(), *parameters) for part in self._parts(each)]
        seen: set[FunctionType] = set()
        while waiting:
            each = waiting.pop()
            if each not in seen:
                seen.add(each)
                starts, mentioned = self._look(each)
                if starts:
                    return found | {"processes"}
                waiting += mentioned
        return found

    def _look(self, function: FunctionType) -> tuple[bool, list[FunctionType]]:
        """Return whether a function starts a program itself, and which of ours it mentions."""
        if function not in self._mentions:
            names = set(_names(function.__code__))
            values = [function.__globals__.get(name) for name in names]
            for module in [each for each in values if isinstance(each, ModuleType) and self._is_ours(each)]:
                values += [vars(module).get(name) for name in names]
            for cell in function.__closure__ or ():
                with contextlib.suppress(ValueError):  # the cell is still empty
                    values.append(cell.cell_contents)
            starts = bool(names & FORKS) or any(value in STARTERS for value in values if _is_module(value))
            self._mentions[function] = starts, [part for value in values for part in self._parts(value)]
        return self._mentions[function]

    def _parts(self, thing: Any) -> Iterator[FunctionType]:
        """Yield the functions of ours that a value stands for: itself, its methods, what it wraps."""
        if isinstance(thing, functools.partial):
            thing = thing.func
        if isinstance(thing, MethodType):
            thing = thing.__func__
        thing = getattr(getattr(thing, "hypothesis", None), "inner_test", thing)
        if isinstance(thing, FunctionType):
            thing = getattr(thing, "__wrapped__", thing)
            if thing.__code__.co_filename.startswith(self._roots):
                yield thing
        elif isinstance(thing, type) and self._is_ours(sys.modules.get(thing.__module__)):
            for base in thing.__mro__:
                for each in vars(base).values():
                    yield from self._parts(getattr(each, "fget", None) or getattr(each, "__func__", each))

    def _is_ours(self, module: ModuleType | None) -> bool:
        return str(getattr(module, "__file__", "")).startswith(self._roots)


def _is_module(value: object) -> bool:
    return isinstance(value, ModuleType)


def _names(code: CodeType) -> Iterator[str]:
    """Yield every global name and attribute that a function and those inside it mention."""
    yield from code.co_names
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _names(each)


class StartedPrograms:
    """Notices, from its making to the end of this process, which programs are started; there is one."""

    def __init__(self) -> None:
        self._commands: list[str] = []
        self._faults = _faults_of_children()
        sys.addaudithook(self._hear)

    def forget(self) -> None:
        """Begin again, as before a test."""
        self._commands.clear()
        self._faults = _faults_of_children()

    def commands(self) -> list[str]:
        """Return what was started since, as far as it is known."""
        if not self._commands and _faults_of_children() != self._faults:
            return ["a process whose start was not seen"]
        return list(self._commands)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in EVENTS:
            words = arguments[1] if event == "subprocess.Popen" else event
            self._commands.append(words if isinstance(words, str) else " ".join(map(str, words)))


def _faults_of_children() -> int:
    """Return a number that grows with every child process that ended and was waited for."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt
