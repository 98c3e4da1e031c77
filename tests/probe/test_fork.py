"""A forked child broadcasts as another probe; the parent is not affected."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from farscope.logs.url import open_log
from farscope.wire.envelope import Flags

CHART = """
import json, multiprocessing, os, sys, threading, time, traceback, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is the very point
from farscope.probe.broadcast import broadcast
from farscope.records.facts import Fact, FactKind
from farscope.records.observable import Observable
from farscope.records.shape import Shape, StepKind
from farscope.records.step import ChartId
from farscope.records.structure import ChartStructure, StateInfo

SHAPE = Shape(StepKind.HOOK, "B", "a", "a", (Fact(FactKind.OFFER, "a"),))

class Chart(Observable):
    def __init__(self, serial=1):
        self.id, self.number, self.sinks = ChartId("chart", "here", os.getpid(), serial), 0, []
    def attach(self, sink):
        self.sinks.append(sink)
        sink.announce(self.id, ChartStructure((StateInfo("a"),)), "a", self.number)
    def detach(self, sink):
        self.sinks.remove(sink)
    def go(self, count):
        for _ in range(count):
            self.number += 1
            for sink in self.sinks:
                sink.step((self.id, self.number, SHAPE, time.time_ns(), 1, 0, 0, 0, None, (), ()))

chart = Chart()
probe = broadcast(chart)

def forked(work):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return pid

def ended(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""


@pytest.fixture
def family(tmp_path: Path, kit, keyring):
    """Run a program that forks; give its output and, by process, what it stored."""
    (tmp_path / "key").write_text("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n")
    (tmp_path / "key").chmod(0o600)
    url = f"sqlite:{tmp_path / 'log'}"

    def run(text: str):
        program = subprocess.Popen(
            [sys.executable, "-c", CHART + text],
            env=os.environ | {"FARSCOPE_URL": url, "FARSCOPE_KEY_FILE": str(tmp_path / "key")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            output, errors = program.communicate(timeout=60)
        finally:
            program.kill()
        assert program.returncode == 0, errors
        reader = open_log(url).reader(since_ns=0)
        sealed = []
        while entries := reader.read(0, limit=10_000):
            sealed += [entry.data for entry in entries]
        reader.close()
        by_pid = defaultdict(list)
        opened = kit.open_all(sealed, keyring)
        for id_, flags, batch in zip(opened.probes, opened.flags, opened.batches, strict=True):
            by_pid[batch.pid].append((id_.hex(), flags, batch))
        return program.pid, output, by_pid

    return run


def numbers(batches) -> list[int]:
    return [number for _, _, batch in batches for number in batch.numbers]


def test_a_child_goes_on_under_its_own_pid_with_a_new_id_and_counts_from_zero(family):
    pid, output, stored = family("""
chart.go(10)
before = probe.id
def work():
    assert probe.id != before and probe.stats.emitted == 0
    chart.go(5)
    probe.close()
    assert probe.stats.stored == 5, probe.stats
child = forked(work)
assert ended(child) == 0
assert probe.id == before
chart.go(10)
print(child)
""")
    child = int(output)
    assert numbers(stored[pid]) == list(range(20))
    assert numbers(stored[child]) == list(range(5))
    assert [step[1] for _, _, batch in stored[child] for step in batch.steps] == [11, 12, 13, 14, 15]
    assert not {id_ for id_, _, _ in stored[pid]} & {id_ for id_, _, _ in stored[child]}
    assert all(batches[-1][1] & Flags.GOODBYE for batches in stored.values())
    assert stored[child][-1][2].charts[0].structure is not None


def test_a_child_whose_charts_do_nothing_leaves_no_trace_and_has_no_thread(family):
    pid, _, stored = family("""
def work():
    assert threading.active_count() == 1
    assert probe.flush(0)
    probe.close()
assert ended(forked(work)) == 0
""")
    assert list(stored) == [pid]


def test_a_child_of_multiprocessing_stores_everything_before_it_ends(family):
    pid, output, stored = family("""
def work():
    chart.go(1000)
children = [multiprocessing.get_context("fork").Process(target=work) for _ in range(3)]
for child in children:
    child.start()
for child in children:
    child.join()
    assert child.exitcode == 0
print(*[child.pid for child in children])
""")
    for child in map(int, output.split()):
        assert numbers(stored[child]) == list(range(1000))
        assert stored[child][-1][1] & Flags.GOODBYE
    assert numbers(stored[pid]) == []


def test_a_child_that_ends_as_a_program_does_stores_everything(family):
    _, output, stored = family("""
child = os.fork()
if child == 0:
    chart.go(1000)
    sys.exit(0)
assert ended(child) == 0
print(child)
""")
    assert numbers(stored[int(output)]) == list(range(1000))


def test_children_forked_while_threads_offer_neither_hang_nor_store_what_is_the_parents(family):
    pid, output, stored = family("""
stop = threading.Event()
charts = [Chart(serial) for serial in (2, 3, 4, 5)]
probe.add(*charts)
def offer(mine):
    while not stop.is_set():
        mine.go(50)
threads = [threading.Thread(target=offer, args=(mine,), daemon=True) for mine in charts]
for thread in threads:
    thread.start()
def work():
    chart.go(100)
    assert probe.flush(20), probe.stats
    probe.close()
    assert probe.stats.stored == probe.stats.emitted == 100, probe.stats
children = []
for _ in range(15):
    some = [forked(work) for _ in range(2)]
    assert [ended(child) for child in some] == [0, 0]
    children += some
    probe.stats
stop.set()
for thread in threads:
    thread.join()
assert probe.flush(20), probe.stats
stats = probe.stats
assert stats.pending == 0 and stats.emitted == stats.stored + sum(stats.dropped.values())
assert stats.emitted == sum(mine.number for mine in charts)
print(json.dumps([stats.stored, children]))
""")
    count, children = json.loads(output)
    assert len(set(numbers(stored[pid]))) == len(numbers(stored[pid])) == count
    for child in children:
        assert numbers(stored[child]) == list(range(100))
        assert {step[0].serial for _, _, batch in stored[child] for step in batch.steps} == {1}


def test_a_child_forked_while_a_lock_of_the_probe_is_held_does_not_hang(family):
    family("""
held, resume = threading.Event(), threading.Event()
def hold(lock):
    with lock:
        held.set()
        resume.wait()
def work():
    chart.go(100)
    assert probe.stats.emitted == 100
    chart.sinks[0].announce(chart.id, ChartStructure(), "a", 100)
    assert probe.flush(20), probe.stats
    probe.close()
for lock in (probe._outbox.lock, probe._pump._in_libraries):
    held.clear(), resume.clear()
    thread = threading.Thread(target=hold, args=(lock,))
    thread.start()
    held.wait()
    assert ended(forked(work)) == 0
    resume.set()
    thread.join()
""")


def test_a_log_that_hangs_holds_up_no_fork_for_long(family):
    family("""
assert probe.flush(20)
inside, resume = threading.Event(), threading.Event()
def hang(*_):
    inside.set()
    resume.wait()
probe._transport.send = hang
chart.go(1)
inside.wait()
def work():
    chart.go(100)
    assert probe.flush(20), probe.stats
    probe.close()
assert ended(forked(work)) == 0
resume.set()
""")


def test_a_grandchild_goes_on_too(family):
    _, output, stored = family("""
def grandchild():
    chart.go(3)
    probe.close()
def child():
    chart.go(2)
    pid = forked(grandchild)
    assert ended(pid) == 0
    probe.close()
    print(os.getpid(), pid, flush=True)
assert ended(forked(child)) == 0
""")
    child, grandchild = map(int, output.split())
    assert numbers(stored[child]) == [0, 1]
    assert numbers(stored[grandchild]) == [0, 1, 2]


BEHIND_PYTHONS_BACK = """
import ctypes
def forked(work):
    pid = ctypes.PyDLL(None).fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return pid
def later():
    # Processes begin at a tick of the system's clock.
    until_ns = time.time_ns() + 30_000_000
    while time.time_ns() < until_ns:
        pass
"""


def test_a_child_that_python_was_not_told_of_sends_its_own_steps_and_none_of_the_parents(family):
    pid, output, stored = family(
        BEHIND_PYTHONS_BACK
        + """
from farscope.probe import lifecycle as registry
send, hold, inside = probe._transport.send, threading.Event(), threading.Event()
def held(*args):
    inside.set()
    hold.wait()
    return send(*args)
assert probe.flush(20)
probe._transport.send = held
before = probe.id
chart.go(7)
inside.wait()
later()
def work():
    chart.go(3)
    assert probe._outbox.stats().emitted == 3
    registry.close_all(20)
    assert probe.id != before
child = forked(work)
assert ended(child) == 0
hold.set()
chart.go(1)
print(child)
"""
    )
    child = int(output)
    assert numbers(stored[pid]) == list(range(8))
    assert [step[1] for _, _, batch in stored[child] for step in batch.steps] == [8, 9, 10]
    assert stored[child][-1][1] & Flags.GOODBYE
    assert not {id_ for id_, _, _ in stored[pid]} & {id_ for id_, _, _ in stored[child]}


@pytest.mark.parametrize(
    "notices",
    ["probe.flush(20)", "probe.add(Chart(2))", "probe.stats", "chart.go(1)", "broadcast()"],
)
def test_a_child_that_python_was_not_told_of_goes_on_as_soon_as_it_uses_its_probe(family, notices):
    _, output, stored = family(
        BEHIND_PYTHONS_BACK
        + f"""
chart.go(1)
assert probe.flush(20)
while probe._outbox._awake:
    pass
later()
def work():
    {notices}
    chart.go(2)
    assert probe.flush(20), probe.stats
    probe.close()
child = forked(work)
assert ended(child) == 0
print(child)
"""
    )
    assert len(numbers(stored[int(output)])) >= 2


def test_the_first_step_of_a_child_that_python_was_not_told_of_goes_on_its_way_although_the_pump_was_awake(
    family,
):
    pid, output, stored = family(
        BEHIND_PYTHONS_BACK
        + """
from farscope.testing.waiting import eventually
send, hold, inside = probe._transport.send, threading.Event(), threading.Event()
def held(*args):
    inside.set()
    hold.wait()
    return send(*args)
assert probe.flush(20)
probe._transport.send = held
chart.go(1)
inside.wait()
assert probe._outbox._awake
later()
def work():
    chart.go(1)
    eventually(lambda: probe._outbox.stats().stored == 1, timeout_s=20)
    probe.close()
child = forked(work)
assert ended(child) == 0
hold.set()
print(child)
"""
    )
    assert numbers(stored[pid]) == [0]
    assert numbers(stored[int(output)]) == [0]


def test_a_child_that_python_was_not_told_of_sends_nothing_before_all_is_put_right_there(family):
    _, output, stored = family(
        BEHIND_PYTHONS_BACK
        + """
from farscope.records.fork_hooks import at_fork
started = []
at_fork(in_child=lambda: started.append(probe._pump.started))
chart.go(1)
assert probe.flush(20)
later()
def work():
    chart.go(1)
    assert started == [False]
    assert probe.flush(20), probe.stats
    probe.close()
child = forked(work)
assert ended(child) == 0
print(child)
"""
    )
    assert numbers(stored[int(output)]) == [0]
