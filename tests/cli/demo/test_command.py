from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from farscope.cli.demo.command import PRODUCERS, WATCHERS
from farscope.testing.waiting import eventually
from support.processes import descendants, lives
from support.program import Program

MIROS_SPY = [
    "START",
    "SEARCH_FOR_SUPER_SIGNAL:producer_outer",
    "ENTRY_SIGNAL:producer_outer",
    "INIT_SIGNAL:producer_outer",
    "SEARCH_FOR_SUPER_SIGNAL:c1",
    "ENTRY_SIGNAL:c1",
    "INIT_SIGNAL:c1",
    "<- Queued:(0) Deferred:(0)",
    "B:c1",
    "B:producer_outer",
    "EXIT_SIGNAL:c1",
    "EXIT_SIGNAL:producer_outer",
    "ENTRY_SIGNAL:producer_outer",
    "INIT_SIGNAL:producer_outer",
    "SEARCH_FOR_SUPER_SIGNAL:c1",
    "ENTRY_SIGNAL:c1",
    "INIT_SIGNAL:c1",
    "<- Queued:(0) Deferred:(0)",
]


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


@pytest.fixture(scope="module")
def shown() -> list[str]:
    """Lines of one whole demo."""
    with Program("-m", "farscope", "demo") as demo:
        assert demo.wait(60) == 0, demo.err
        assert demo.err == ""
        return demo.out.splitlines()


def said_by(watcher: str, shown: list[str]) -> list[str]:
    return [line.partition(" | ")[2] for line in shown if line.startswith(f"{watcher} | ")]


@pytest.mark.parametrize("watcher", WATCHERS)
@pytest.mark.parametrize("producer", PRODUCERS)
def test_each_watcher_shows_each_charts_spy_and_trace_live_in_order(watcher, producer, shown):
    live = [
        line.partition(f"[{producer}] ")[2]
        for line in said_by(watcher, shown)[: said_by(watcher, shown).index("producer_one: collected spy")]
        if f"[{producer}] " in line
    ]
    assert [line for line in live if line.startswith("e->")] == ["e->start_at() top->c1", "e->B() c1->c1"]
    assert [line for line in live if not line.startswith("e->")] == MIROS_SPY


@pytest.mark.parametrize("watcher", WATCHERS)
@pytest.mark.parametrize("producer", PRODUCERS)
def test_each_watcher_then_shows_what_it_has_collected_of_each_chart(watcher, producer, shown):
    said = said_by(watcher, shown)
    begin, end = said.index(f"{producer}: collected spy") + 1, said.index(f"{producer}: collected trace")
    assert [line.strip(" [],'") for line in said[begin:end]] == MIROS_SPY
    assert [line.rpartition("] ")[2] for line in said[end + 1 : end + 3]] == [
        "e->start_at() top->c1",
        "e->B() c1->c1",
    ]


def test_it_ends_with_both_accounts_and_what_to_try_next(shown):
    *_, first, second, last = shown
    assert "seen 4 steps of 2 probes, lost 0" in first
    assert "seen 4 steps of 2 probes, lost 0" in second
    assert last.startswith("Next: run `")
    assert "farscope watch` here" in last


def test_it_leaves_nothing_behind(scratch):
    with Program("-m", "farscope", "demo") as demo:
        assert demo.wait(60) == 0, demo.err
    assert not list(scratch.glob("farscope-demo-*"))


def test_ctrl_c_ends_it_and_all_its_processes(scratch):
    with Program("-m", "farscope", "demo") as demo:
        demo.wait_out("watching")
        children = descendants(demo.pid)
        demo.interrupt()
        assert demo.wait() in (0, 130)
        assert "Traceback" not in demo.err
    assert children
    eventually(lambda: not [pid for pid in children if lives(pid)])
    assert not list(scratch.glob("farscope-demo-*"))
