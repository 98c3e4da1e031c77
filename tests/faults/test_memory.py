"""Readers of any log stay within half a gigabyte, and end when asked to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from farscope.testing.waiting import eventually
from farscope.wire.keyring import Keyring, new_key_text
from support.heavy_logs import KINDS, write_heavy_log

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is measured as Linux tells it")

MOST_MB = 500
SOAK_S = 120
"""How long a program reads a very large log before it is told to end."""

STOPPED_MB = 6_000
"""Address space a program gets, so that one that would take all memory of the machine fails by itself."""

MEASURED = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({STOPPED_MB << 20}, {STOPPED_MB << 20}))
try:
    {{program}}
finally:
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            print("peak", int(line.split()[1]) // 1024, file=sys.stderr)
"""

COMMANDS = (
    "watch {log}",
    "watch --spy {log}",
    "watch --json {log}",
    "top {log}",
    "web {log} --port 0",
    "replay {log} --speed max",
    "record {copy} file:{log}",
    "inspect {log}",
    "sequence {log} --out /dev/null",
    "sequence {log} --by chart --format svg --out /dev/null",
    *(
        f"export {{log}} --format {form} --out /dev/null"
        for form in ("jsonl", "csv", "perfetto", "otlp", "mermaid", "plantuml")
    ),
)

VERB = "import farscope.__main__; farscope.__main__.main()"

IDLE = """
import farscope
    with farscope.Scope(sys.argv[1], since="start") as scope:
        assert scope.wait_for(lambda scope: scope.caught_up, 600)
        stats = scope.stats
        print("received", stats.received, "unread", stats.unread, "waiting", stats.waiting)
""".strip()


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    peak_mb: int
    code: int
    out: str
    err: str


@contextmanager
def started(
    program: str, *arguments: object, key: Path, out: int | None = None
) -> Iterator[subprocess.Popen]:
    with subprocess.Popen(
        [sys.executable, "-c", MEASURED.format(program=program), *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL if out is None else out,
        stderr=subprocess.PIPE,
        env=os.environ | {"FARSCOPE_KEY_FILE": str(key)},
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ended(process: subprocess.Popen) -> Ended:
    out, err = process.communicate(timeout=600)
    peak = [int(line.split()[1]) for line in err.splitlines() if line.startswith("peak ")]
    assert peak, err
    return Ended(peak[0], process.returncode, out or "", err)


@pytest.fixture
def heavy(tmp_path: Path, key_file: Path) -> Callable[[str, int], tuple[Path, int]]:
    def make(kind: str, size: int) -> tuple[Path, int]:
        path = tmp_path / f"{kind}.farscope"
        return path, write_heavy_log(path, kind, size, Keyring.load(key_file))

    return make


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(new_key_text())
    path.chmod(0o600)
    return path


def run(program: str, *arguments: object, key: Path, out: int | None = None) -> Ended:
    with started(program, *arguments, key=key, out=out) as process:
        return ended(process)


def test_watching_long_texts_takes_little_memory_and_shows_every_step(heavy, key_file: Path):
    path, steps = heavy("long_texts", 1_000_000)
    watched = run(VERB, "watch", "--spy", path, key=key_file)
    assert watched.peak_mb < MOST_MB
    assert f"seen {steps:,} steps" in watched.err
    assert "not shown" not in watched.err


def test_a_scope_nobody_takes_from_keeps_little_and_counts_what_it_let_go(heavy, key_file: Path):
    path, steps = heavy("long_texts", 1_000_000)
    idle = run(IDLE, path, key=key_file, out=subprocess.PIPE)
    assert idle.peak_mb < MOST_MB
    _, received, _, unread, _, waiting = idle.out.split()
    assert int(received) == steps == int(unread) + int(waiting)
    assert 0 < int(waiting) < steps


def test_a_table_of_charts_with_long_texts_takes_little_memory(heavy, key_file: Path):
    path, steps = heavy("long_texts", 1_000_000)
    top = run(VERB, "top", path, key=key_file)
    assert top.peak_mb < MOST_MB
    assert f"seen {steps:,} steps" in top.err


def test_a_page_about_long_texts_takes_little_memory_whatever_it_is_asked(heavy, key_file: Path):
    path, steps = heavy("long_texts", 2_000_000)
    with started(VERB, "web", path, "--port", "0", key=key_file, out=subprocess.PIPE) as process:
        address = process.stdout.readline().strip()

        def ask(question: str) -> dict:
            with urllib.request.urlopen(f"{address}api/{question}", timeout=60) as answer:  # noqa: S310 - loopback
                return json.loads(answer.read() or "{}")

        asked = iter(f"frame?page={number}" for number in count())
        eventually(lambda: ask(next(asked)).get("account", {}).get("finished"), 120)
        account = ask(next(asked))["account"]
        assert account["received"] == steps == account["remembered"] + account["forgotten"]
        assert 0 < account["remembered"] < steps
        assert ask("steps?chart=1&limit=1000")["steps"]
        assert ask("stats?chart=1")["steps"]
        process.send_signal(signal.SIGINT)
        page = ended(process)
    assert page.peak_mb < MOST_MB


@pytest.mark.parametrize("form", [("--spy",), ("--json",)])
def test_lines_far_longer_than_the_log_are_written_one_by_one_until_ctrl_c(
    form: Sequence[str], heavy, key_file: Path
):
    path, _ = heavy("repeated_names", 40_000)
    read, write = os.pipe()
    with started(VERB, "watch", *form, path, key=key_file, out=write) as process:
        os.close(write)
        with os.fdopen(read, "rb") as lines:
            for _ in range(100):
                lines.read(100_000)
            process.send_signal(signal.SIGINT)
            while lines.read(1_000_000):
                pass
        watched = ended(process)
    assert watched.peak_mb < MOST_MB
    assert watched.code == 0
    assert "not shown" in watched.err


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("command", [*COMMANDS, "idle"])
def test_no_log_of_a_hundred_megabytes_takes_much_memory(command: str, kind: str, heavy, key_file: Path):
    path, _ = heavy(kind, 100_000_000)
    if command == "idle":
        program, arguments = IDLE, [path]
    else:
        copy = path.with_name("copy.farscope")
        program, arguments = VERB, [word.format(log=path, copy=copy) for word in command.split()]
    with started(program, *arguments, key=key_file) as process:
        try:
            process.wait(SOAK_S)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
        watched = ended(process)
    assert watched.peak_mb < MOST_MB
