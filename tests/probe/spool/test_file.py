"""A spool file keeps batches in order, has one owner at a time, and returns only undamaged batches."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from farscope.probe.spool.file import SpoolFile
from farscope.probe.spool.sqlite import ALIVE
from farscope.testing.waiting import eventually

EVERYTHING = (1_000_000, 1 << 40)


def data_of(file: SpoolFile) -> list[bytes]:
    found, _ = file.head(*EVERYTHING)
    return [waiting.data for waiting in found]


def big(number: int) -> bytes:
    return number.to_bytes(4, "big") * 2_000


@given(sizes=st.lists(st.integers(0, 20_000), max_size=30), limit=st.integers(1, 10))
@settings(max_examples=20, deadline=None)
def test_batches_come_back_in_order_as_they_were_until_they_are_removed(tmp_path_factory, sizes, limit):
    file = SpoolFile.make(tmp_path_factory.mktemp("spool"), "one")
    batches = [os.urandom(size) for size in sizes]
    for key, batch in enumerate(batches, 1):
        file.store(key, [batch])
    assert (len(file), file.bytes) == (len(batches), sum(sizes))
    came: list[bytes] = []
    while len(file):
        found, spoilt = file.head(limit, 1 << 30)
        assert not spoilt
        came += [waiting.data for waiting in found]
        file.remove(waiting.key for waiting in found)
    assert came == batches
    assert file.bytes == 0
    file.destroy()


def test_a_file_and_its_folder_are_for_their_owner_only_and_a_destroyed_one_leaves_nothing(tmp_path: Path):
    folder = tmp_path / "a" / "b"
    file = SpoolFile.make(folder, "one")
    file.store(1, [b"x"])
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())
    file.destroy()
    assert list(folder.iterdir()) == []


def test_what_was_left_is_taken_over_by_one_only(tmp_path: Path):
    file = SpoolFile.make(tmp_path, "one")
    file.store(1, [b"a", b"b"])
    assert SpoolFile.take_over(file.path) is None
    file.leave()
    heir = SpoolFile.take_over(file.path)
    assert heir is not None
    assert SpoolFile.take_over(file.path) is None
    assert data_of(heir) == [b"a", b"b"]
    heir.destroy()
    assert SpoolFile.take_over(file.path) is None
    assert list(tmp_path.iterdir()) == []


CHILD = """
import sys
from pathlib import Path
from farscope.probe.spool.file import SpoolFile
file = SpoolFile.make(Path(sys.argv[1]), "child")
for key in range(1, 101):
    file.store(key, [b"%d" % key])
print(file.path, flush=True)
sys.stdin.read()
"""


def test_the_file_of_a_living_process_is_its_own_and_that_of_a_killed_one_is_complete(tmp_path: Path):
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        path = Path(child.stdout.readline().strip())
        assert SpoolFile.take_over(path) is None
        child.kill()
        child.wait()
    file = SpoolFile.take_over(path)
    assert file is not None
    assert data_of(file) == [b"%d" % key for key in range(1, 101)]
    file.destroy()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_neither_writes_the_parents_file_nor_keeps_it_from_heirs(tmp_path: Path):
    file = SpoolFile.make(tmp_path, "one")
    file.store(1, [b"a"])
    pid = os.fork()
    if not pid:
        try:
            file.store(2, [b"b"])
        except sqlite3.Error:
            os._exit(0)
        os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0
    file.store(2, [b"c"])
    file.leave()
    heir = SpoolFile.take_over(file.path)
    assert heir is not None
    assert data_of(heir) == [b"a", b"c"]
    heir.destroy()


def spoil(path: Path, fraction: float, count: int) -> None:
    data = bytearray(path.read_bytes())
    at = max(8192, int(len(data) * fraction) // 4096 * 4096)
    data[at : at + count] = os.urandom(min(count, len(data) - at))
    path.write_bytes(data)


@pytest.mark.parametrize("fraction", [0.2, 0.5, 0.8])
def test_all_readable_rows_of_a_spoilt_file_come_back_and_some_are_counted_as_lost(tmp_path: Path, fraction):
    file = SpoolFile.make(tmp_path, "one")
    for key in range(1, 201):
        file.store(key, [big(key)])
    file.leave()
    spoil(file.path, fraction, 4096)
    heir = SpoolFile.take_over(file.path)
    assert heir is not None
    found, _ = heir.head(*EVERYTHING)
    intact = [waiting.key for waiting in found if waiting.data == big(waiting.key)]
    assert len(intact) >= 90
    assert intact == sorted(intact)
    heir.destroy()


@given(cut=st.integers(0, 100_000))
@example(cut=94_213)
@settings(max_examples=20, deadline=None)
def test_a_torn_file_is_never_an_exception(tmp_path_factory, cut):
    folder = tmp_path_factory.mktemp("spool")
    file = SpoolFile.make(folder, "one")
    for key in range(1, 11):
        file.store(key, [big(key)])
    file.leave()
    os.truncate(file.path, min(cut, file.path.stat().st_size))
    heir = SpoolFile.take_over(file.path)
    assert heir is not None
    found, _ = heir.head(*EVERYTHING)
    assert [waiting.data for waiting in found] == [big(waiting.key) for waiting in found]
    assert len(found) == 10 or heir.lost
    heir.destroy()
    assert list(folder.iterdir()) == []


def test_a_file_that_is_no_database_comes_out_empty_with_a_loss(tmp_path: Path):
    file = SpoolFile.make(tmp_path, "one")
    file.leave()
    file.path.write_bytes(b"not a database at all" * 1000)
    heir = SpoolFile.take_over(file.path)
    assert heir is not None
    assert (len(heir), heir.lost) == (0, 1)
    heir.destroy()
    assert list(tmp_path.iterdir()) == []


RACER = """
import sys
from pathlib import Path
from farscope.probe.spool.file import SpoolFile
print("ready", flush=True)
sys.stdin.readline()
for path in sorted(Path(sys.argv[1]).glob("*.fslog")):
    try:
        file = SpoolFile.take_over(path)
    except OSError:
        continue
    if file is not None:
        for waiting in file.head(100, 1 << 30)[0]:
            print(waiting.data.decode())
        file.destroy()
"""


def test_of_several_heirs_at_once_each_batch_is_had_by_one(tmp_path: Path):
    for number in range(30):
        file = SpoolFile.make(tmp_path, f"w{number}")
        file.store(1, [b"%d" % number])
        file.leave()
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for racer in racers:
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        racer.stdin.write("\n")
        racer.stdin.flush()
    had = [line for racer in racers for line in racer.communicate(timeout=60)[0].split()]
    assert sorted(had, key=int) == [str(number) for number in range(30)]
    assert [path for path in tmp_path.iterdir() if not path.name.endswith(ALIVE)] == []


def test_a_file_nobody_can_write_in_is_told_as_out_of_place_when_it_was_removed(tmp_path: Path):
    file = SpoolFile.make(tmp_path, "one")
    assert file.in_place
    file.path.unlink()
    eventually(lambda: not file.in_place)
    file.destroy()
