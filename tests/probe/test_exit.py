"""However a program ends, its charts' steps are in the log, and the end takes a bounded time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from farscope.logs.url import open_log
from farscope.testing.waiting import eventually
from farscope.wire.envelope import Flags

CHART = """
import atexit, os, signal, sys, threading, time
from farscope.probe.broadcast import broadcast
from farscope.records.facts import Fact, FactKind
from farscope.records.observable import Observable
from farscope.records.shape import Shape, StepKind
from farscope.records.step import ChartId
from farscope.records.structure import ChartStructure, StateInfo

SHAPE = Shape(StepKind.HOOK, "B", "a", "a", (Fact(FactKind.OFFER, "a"),))

class Chart(Observable):
    def __init__(self, serial=1):
        self.id, self.number, self.sink = ChartId("chart", "here", os.getpid(), serial), 0, None
    def attach(self, sink):
        self.sink = sink
        sink.announce(self.id, ChartStructure((StateInfo("a"),)), "a", self.number)
    def detach(self, sink):
        self.sink = None
    def go(self, count):
        for _ in range(count):
            self.number += 1
            if self.sink is not None:
                self.sink.step((self.id, self.number, SHAPE, time.time_ns(), 1, 0, 0, 0, None, (), ()))

chart = Chart()
"""

IN_ORDER = {
    "runs to its end": "chart.go(1000)",
    "calls sys.exit": "chart.go(1000); sys.exit(3)",
    "dies of an exception": "chart.go(1000); 1 / 0",
    "is interrupted": "chart.go(1000); os.kill(os.getpid(), signal.SIGINT); time.sleep(60)",
    "turns SIGTERM into an exit": (
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143)); chart.go(1000);"
        "os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)"
    ),
    "steps on another thread": "threading.Thread(target=chart.go, args=(1000,)).start()",
    "steps on a daemon thread": (
        "t = threading.Thread(target=chart.go, args=(1000,), daemon=True); t.start(); t.join()"
    ),
    "steps in its own exit handler": "atexit.register(chart.go, 1000)",
    "closes by itself": "chart.go(1000); probe.close()",
}


@pytest.fixture
def run(tmp_path: Path, keyring) -> Callable[..., subprocess.Popen[str]]:
    """Start a program; it finds log and key in its environment."""
    environment = os.environ | {
        "FARSCOPE_URL": f"sqlite:{tmp_path / 'log'}",
        "FARSCOPE_KEY_FILE": str(tmp_path / "key"),
    }
    (tmp_path / "key").write_text("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n")
    (tmp_path / "key").chmod(0o600)

    def start(*lines: str, wrapped: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*wrapped, sys.executable, "-c", CHART + "\n".join(lines)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def in_log(tmp_path: Path) -> list[bytes]:
    reader = open_log(f"sqlite:{tmp_path / 'log'}").reader(since_ns=0)
    try:
        found: list[bytes] = []
        while entries := reader.read(0, limit=10_000):
            found += [entry.data for entry in entries]
        return found
    finally:
        reader.close()


@pytest.fixture
def stored(tmp_path, kit, keyring):
    """Return the numbers and flags that are in the log."""

    def look() -> tuple[list[int], list[Flags]]:
        opened = kit.open_all(in_log(tmp_path), keyring)
        return opened.numbers, opened.flags

    return look


@pytest.mark.parametrize("end", IN_ORDER.values(), ids=IN_ORDER)
def test_everything_is_in_the_log_with_a_goodbye_when_the_program(end, run, tmp_path, kit, keyring):
    program = run("probe = broadcast(chart)", end)
    program.communicate(timeout=60)
    opened = kit.open_all(in_log(tmp_path), keyring)
    assert opened.numbers == list(range(1000))
    assert opened.flags[-1] & Flags.GOODBYE


def test_the_exit_code_of_the_program_is_its_own(run):
    program = run("probe = broadcast(chart)", "chart.go(10)", "sys.exit(3)")
    program.communicate(timeout=60)
    assert program.returncode == 3


@pytest.mark.parametrize(
    ("number", "option"), [(signal.SIGTERM, "handle_sigterm=False"), (signal.SIGKILL, "")]
)
def test_what_was_stored_before_a_deadly_signal_is_there_and_no_goodbye(
    run, number, option, tmp_path, request
):
    kit, keyring = (request.getfixturevalue(name) for name in ("kit", "keyring"))
    program = run(f"probe = broadcast(chart, {option})", "chart.go(1000)", "time.sleep(60)")
    eventually(lambda: len(kit.open_all(in_log(tmp_path), keyring).numbers) == 1000)
    program.send_signal(number)
    program.communicate(timeout=60)
    opened = kit.open_all(in_log(tmp_path), keyring)
    assert opened.numbers == list(range(1000))
    assert not any(flags & Flags.GOODBYE for flags in opened.flags)


DEAD_LOGS = {
    "fails": "raise LogUnavailable('away')",
    "hangs": "threading.Event().wait()",
    "hangs, and so does its interruption's effect": "time.sleep(3600)",
}


@pytest.mark.parametrize("behaviour", DEAD_LOGS.values(), ids=DEAD_LOGS)
def test_a_program_whose_log_is_dead_ends_and_reports_what_was_not_stored(run, behaviour):
    program = run(
        "from farscope.errors import LogUnavailable",
        "from farscope.probe.broadcast import Probe",
        "from farscope.probe.transport import SealedTransport",
        "from farscope.wire.keys import resolve_keyring",
        "class Dead:",
        "    def append(self, batches, timeout_s):",
        f"        {behaviour}",
        "    def close(self, timeout_s=2.0): pass",
        "    def interrupt(self): pass",
        "keys = resolve_keyring(shared=False)",
        "for serial in (1, 2, 3):",
        "    chart = Chart(serial)",
        "    probe = Probe(lambda id_: SealedTransport(Dead(), keys, id_), 'dead:')",
        "    probe.add(chart)",
        "    probe.start()",
        "    chart.go(100)",
    )
    _, errors = program.communicate(timeout=60)
    assert program.returncode == 0
    assert errors.count("100 steps were not stored") == 3


UNHANDLED = {
    "sleeps": "time.sleep(60)",
    "waits for a thread": (
        "t = threading.Thread(target=time.sleep, args=(60,), daemon=True); t.start(); t.join()"
    ),
    "is inside the probe": "\nwhile True:\n    chart.go(1); probe.stats; probe.flush(0)",
    "adds and removes charts": "\nwhile True:\n    probe.remove(chart); probe.add(chart)",
}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("does", UNHANDLED.values(), ids=UNHANDLED)
def test_a_signal_that_ends_a_program_lets_it_store_everything_and_say_goodbye_first(
    run, stored, tmp_path, does, number
):
    program = run("probe = broadcast(chart)", "chart.go(1000)", "print('up', flush=True)", does)
    assert program.stdout.readline() == "up\n"
    program.send_signal(number)
    program.communicate(timeout=60)
    assert program.returncode == -number
    numbers, flags = stored()
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= 1000
    assert flags[-1] & Flags.GOODBYE
    assert not list((tmp_path / "log").glob("*-wal"))


def test_a_second_signal_ends_a_program_at_once(run):
    program = run(
        "from farscope.probe.broadcast import Probe",
        "from farscope.probe.transport import SealedTransport",
        "from farscope.wire.keys import resolve_keyring",
        "from farscope.probe import termination",
        "class Hangs:",
        "    def append(self, batches, timeout_s): print('hangs', flush=True); time.sleep(600)",
        "    def close(self, timeout_s=2.0): pass",
        "    def interrupt(self): os.kill(os.getpid(), signal.SIGTERM); time.sleep(600)",
        "probe = Probe(lambda id_: SealedTransport(Hangs(), resolve_keyring(shared=False), id_), 'hangs:')",
        "probe.start()",
        "termination.close_on_signals()",
        "time.sleep(60)",
    )
    assert program.stdout.readline() == "hangs\n"
    program.send_signal(signal.SIGTERM)
    program.communicate(timeout=60)
    assert program.returncode == -signal.SIGTERM


def handlers_of(run, *lines: str) -> list[str]:
    program = run(*lines)
    output, errors = program.communicate(timeout=60)
    assert program.returncode == 0, errors
    return output.split()


SAY = """
def say():
    handler = signal.getsignal(signal.SIGTERM)
    print(getattr(handler, "name", None) or handler.__name__, flush=True)
"""


def test_children_die_of_signals_as_they_always_did(run):
    assert handlers_of(
        run,
        "import multiprocessing, subprocess",
        SAY,
        "probe = broadcast(chart)",
        "pid = os.fork()",
        "if pid == 0:",
        "    say()",
        "    os._exit(0)",
        "os.waitpid(pid, 0)",
        "child = multiprocessing.get_context('fork').Process(target=say)",
        "child.start(); child.join()",
        "code = 'import signal; print(signal.getsignal(signal.SIGTERM).name)'",
        "subprocess.run([sys.executable, '-c', code], check=True)",
        "say()",
    ) == ["SIG_DFL", "SIG_DFL", "SIG_DFL", "_close_and_die"]


def test_handlers_of_the_programs_own_stay_and_without_a_probe_nothing_is_handled(run):
    assert handlers_of(
        run,
        SAY,
        "def mine(*_): pass",
        "def theirs(*_): pass",
        "signal.signal(signal.SIGTERM, mine)",
        "probe = broadcast(chart); say()",
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
        "probe.close(); probe = broadcast(chart); say()",
        "signal.signal(signal.SIGTERM, signal.SIG_DFL)",
        "probe.close(); probe = broadcast(chart, handle_sigterm=False); say()",
        "probe.close(); probe = broadcast(chart); say()",
        "signal.signal(signal.SIGTERM, theirs)",
        "probe.close(); say()",
        "signal.signal(signal.SIGTERM, signal.SIG_DFL)",
        "broadcast(chart).close(); say()",
        "t = threading.Thread(target=broadcast, args=(chart,)); t.start(); t.join(); say()",
    ) == ["mine", "SIG_IGN", "SIG_DFL", "_close_and_die", "theirs", "SIG_DFL", "SIG_DFL"]


def test_a_handler_in_c_that_python_does_not_know_of_stays(run):
    # Servers written in C have such handlers, and run Python only now and then.
    assert handlers_of(
        run,
        SAY,
        "import ctypes",
        "handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(lambda number: None)",
        "ctypes.CDLL(None).signal(int(signal.SIGTERM), handler)",
        "probe = broadcast(chart); say()",
    ) == ["SIG_DFL"]


def test_an_event_loop_handles_signals_as_it_always_did(run, stored):
    program = run(
        "import asyncio",
        "async def main():",
        "    probe = broadcast(chart)",
        "    ended = asyncio.Event()",
        "    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)",
        "    chart.go(10)",
        "    print('up', flush=True)",
        "    await ended.wait()",
        "    chart.go(10)",
        "asyncio.run(main())",
    )
    assert program.stdout.readline() == "up\n"
    program.send_signal(signal.SIGTERM)
    program.communicate(timeout=60)
    assert program.returncode == 0
    numbers, flags = stored()
    assert numbers == list(range(20))
    assert flags[-1] & Flags.GOODBYE


@pytest.mark.network
def test_the_first_process_of_a_container_ends_as_well(run, stored):
    program = run(
        "probe = broadcast(chart)",
        "chart.go(10)",
        "print('up', flush=True)",
        "time.sleep(60)",
        wrapped=("unshare", "--pid", "--fork", "--kill-child"),
    )
    assert program.stdout.readline() == "up\n"
    [child] = Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()
    os.kill(int(child), signal.SIGTERM)
    program.communicate(timeout=60)
    assert program.returncode == 128 + signal.SIGTERM
    assert stored()[1][-1] & Flags.GOODBYE
