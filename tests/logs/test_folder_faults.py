"""The embedded log with real processes: killed, many at once, readers that come and go."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from farscope.logs.embedded.file import writer_is_alive
from farscope.logs.embedded.log import FolderLog
from farscope.testing.waiting import eventually

WRITER = """
import sys
from pathlib import Path
from farscope.logs.embedded.log import FolderLog

writer = FolderLog(Path(sys.argv[1]), max_bytes=int(sys.argv[4])).writer(sys.argv[2])
for number in range(int(sys.argv[3])):
    writer.append([f"{sys.argv[2]}:{number} ".encode() + bytes(number * 7919 % 9000)], 1.0)
    print(number, flush=True)
writer.close()
"""


def start_writer(folder: Path, name: str, count: int, max_bytes: int = 10**9) -> subprocess.Popen[str]:
    arguments = [str(folder), name, str(count), str(max_bytes)]
    return subprocess.Popen([sys.executable, "-c", WRITER, *arguments], stdout=subprocess.PIPE, text=True)


def numbers(entries) -> list[int]:
    return [int(entry.data.partition(b" ")[0].partition(b":")[2]) for entry in entries]


def everything(log: FolderLog):
    reader = log.reader(since_ns=0)
    had = []
    while found := reader.read(0.0):
        had += found
    reader.close()
    return had


@pytest.mark.parametrize("appends_before_the_kill", [1, 100, 700])
def test_what_an_append_returned_for_survives_a_kill(tmp_path, appends_before_the_kill):
    log = FolderLog(tmp_path)
    live = log.reader()
    with start_writer(tmp_path, "a", 1_000_000) as writer:
        for _ in range(appends_before_the_kill):
            stored = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        rest = writer.stdout.read().split()
    stored = int(rest[-1]) if rest else stored
    assert not any(writer_is_alive(path) for path in tmp_path.glob("*.fslog"))
    for had in (numbers(everything(log)), numbers(read_to_the_end(live))):
        assert had == list(range(len(had)))
        assert len(had) > stored
    live.close()


def read_to_the_end(reader):
    had = []
    while found := reader.read(0.0):
        had += found
    return had


def test_two_processes_write_while_readers_come_and_go(tmp_path):
    log = FolderLog(tmp_path)
    whole = log.reader(since_ns=0)
    had = []
    position = log.reader(since_ns=0).position
    by_turns = []
    with start_writer(tmp_path, "a", 1500) as first, start_writer(tmp_path, "b", 1500) as second:
        for process in (first, second):
            threading.Thread(target=process.stdout.read, name="drain").start()
        while len(had) < 3000:
            had += whole.read(5.0)
            reader = log.reader(position=position)
            by_turns += reader.read(0.0, limit=50)
            position = reader.position
            reader.close()
        assert (first.wait(20), second.wait(20)) == (0, 0)
    reader = log.reader(position=position)
    by_turns += read_to_the_end(reader)
    reader.close()
    assert whole.cut == len(whole.unread) == 0
    whole.close()
    for entries in (had, by_turns):
        for name in (b"a:", b"b:"):
            assert numbers([entry for entry in entries if entry.data.startswith(name)]) == list(range(1500))


def test_readers_lose_only_what_retention_removed_and_count_it(tmp_path):
    log = FolderLog(tmp_path, max_bytes=2_000_000)
    reader = log.reader(since_ns=0)
    had = []
    with start_writer(tmp_path, "a", 3000, max_bytes=2_000_000) as writer:
        threading.Thread(target=writer.stdout.read, name="drain").start()
        while not had or had[-1] != 2999:
            # Few at a time, so that the writer overtakes this reader.
            had += numbers(reader.read(5.0, limit=20))
        assert writer.wait(20) == 0
    assert had == sorted(set(had))
    assert reader.cut == 3000 - len(had)
    reader.close()


def test_the_file_of_a_killed_writer_is_removed_by_retention_not_that_of_a_suspended_one(tmp_path):
    limits = 400_000
    log = FolderLog(tmp_path, max_bytes=limits)
    with (
        start_writer(tmp_path, "killed", 1_000_000) as killed,
        start_writer(tmp_path, "stopped", 1_000_000) as stopped,
    ):
        for process in (killed, stopped):
            process.stdout.readline()
        stopped.send_signal(signal.SIGSTOP)
        killed.send_signal(signal.SIGKILL)
        killed.stdout.read()
        killed.wait()
        writer = log.writer("mine")
        for number in range(100):
            writer.append([b"mine:%d " % number + bytes(10_000)], 1.0)
        writer.close()
        names = {path.name.partition("-")[0] for path in tmp_path.glob("*.fslog")}
        stopped.send_signal(signal.SIGKILL)
        stopped.stdout.read()
    assert names == {"stopped", "mine"}


def test_a_reader_lets_go_of_a_writer_that_was_killed(tmp_path, monkeypatch):
    monkeypatch.setattr("farscope.logs.embedded.reader.WRITER_CHECK_S", 0.0)
    reader = FolderLog(tmp_path).reader(since_ns=0)
    with start_writer(tmp_path, "a", 1_000_000) as writer:
        writer.stdout.readline()
        assert reader.read(5.0)
        (path,) = tmp_path.glob("*.fslog")
        writer.send_signal(signal.SIGKILL)
        writer.stdout.read()
    eventually(lambda: not reader.read(0.0) and reader.position[path.name] == -1, what="the file finished")
    reader.close()


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become somebody else"
)
def test_who_may_read_but_not_write_the_folder_reads_all_of_it(open_folder):
    folder = open_folder / "log"
    log = FolderLog(folder)
    closed = log.writer("closed")
    closed.append([b"closed:0 "], 1.0)
    closed.close()
    with start_writer(folder, "killed", 1_000_000) as killed:
        killed.stdout.readline()
        killed.send_signal(signal.SIGKILL)
        killed.stdout.read()
    living = log.writer("living")
    living.append([b"living:0 "], 1.0)
    folder.chmod(0o755)
    for path in folder.iterdir():
        path.chmod(0o644)
    before = sorted(folder.iterdir())
    done = subprocess.run(
        [sys.executable, "-c", READ_AS_NOBODY, str(folder)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    names, unread = done.stdout.splitlines()
    assert names.split() == ["closed", "killed", "living"]
    # Who is killed in the middle of an append leaves a part of it.
    assert unread in {"", "its last batch is not whole"}
    assert sorted(folder.iterdir()) == before
    living.close()


READ_AS_NOBODY = """
import os, sys
from pathlib import Path
from farscope.logs.embedded.log import FolderLog

os.setuid(65534)
reader = FolderLog(Path(sys.argv[1])).reader(since_ns=0)
names = set()
while found := reader.read(0.0):
    names |= {entry.data.partition(b":")[0].decode() for entry in found}
print(*sorted(names))
print(*(unread.detail for unread in reader.unread))
"""
