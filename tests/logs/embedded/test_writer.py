import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from farscope.errors import LogRefused, LogUnavailable
from farscope.logs.embedded.age_clock import NOTE
from farscope.logs.embedded.file import writer_is_alive
from farscope.logs.embedded.format import MAX_BATCH_BYTES
from farscope.logs.embedded.log import FolderLog
from farscope.logs.embedded.retention import Limits
from farscope.logs.embedded.writer import FolderWriter


@pytest.fixture
def log(tmp_path: Path) -> FolderLog:
    return FolderLog(tmp_path / "log")


def files(log: FolderLog) -> list[Path]:
    return sorted(log.folder.glob("*.fslog"))


def everything(log: FolderLog) -> list[bytes]:
    reader = log.reader(since_ns=0)
    had = []
    while found := reader.read(0.0):
        had += [entry.data for entry in found]
    reader.close()
    return had


def test_nothing_is_made_before_the_first_append(log):
    log.writer("a1").close()
    log.writer("a1").append([], 1.0)
    log.reader().close()
    assert not log.folder.exists()


def test_what_is_made_is_its_owners_alone(log):
    before = os.umask(0)
    try:
        writer = log.writer("a1")
        writer.append([b"x"], 1.0)
        reader = log.reader()
        assert stat.S_IMODE(log.folder.stat().st_mode) == 0o700
        made = list(log.folder.iterdir())
        assert {path.suffix for path in made} == {".fslog", ""}
        assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o600}
        reader.close()
        writer.close()
    finally:
        os.umask(before)


def test_a_closed_writer_leaves_one_file_and_the_folders_note(log):
    writer = log.writer("a1")
    writer.append([b"x"], 1.0)
    (path,) = files(log)
    assert writer_is_alive(path)
    writer.close()
    assert not writer_is_alive(path)
    assert set(log.folder.iterdir()) == {path, log.folder / NOTE}
    assert everything(log) == [b"x"]


def test_writers_of_one_name_have_files_of_their_own(log):
    first, second = log.writer("a1"), log.writer("a1")
    first.append([b"1"], 1.0)
    second.append([b"2"], 1.0)
    first.append([b"3"], 1.0)
    assert len(files(log)) == 2
    assert everything(log) == [b"1", b"2", b"3"]
    first.close()
    second.close()


@pytest.mark.parametrize("name", ["../../etc", "a/b", "a.b-c", "ä b%", ".hidden", "C:"])
def test_any_name_of_a_writer_stays_inside_the_folder(log, name):
    writer = log.writer(name)
    writer.append([b"x"], 1.0)
    assert everything(log) == [b"x"]
    writer.close()
    assert list(log.folder.parent.iterdir()) == [log.folder]


def test_a_name_too_long_for_a_file_is_refused(log):
    with pytest.raises(LogRefused, match="probe's id"):
        log.writer("x" * 300)


def test_a_batch_beyond_the_bound_is_refused_and_the_writer_goes_on(log):
    writer = log.writer("a1")
    with pytest.raises(LogRefused, match="64 MiB"):
        writer.append([b"first", bytes(MAX_BATCH_BYTES + 1000)], 1.0)
    writer.append([b"x"], 1.0)
    writer.close()
    assert everything(log) == [b"x"]


def test_a_folder_removed_while_in_use_is_made_again(log):
    reader = log.reader()
    writer = log.writer("a1")
    writer.append([b"1"], 1.0)
    assert [entry.data for entry in reader.read(5.0)] == [b"1"]
    shutil.rmtree(log.folder)
    writer.append([b"2"], 1.0)
    writer.append([b"3"], 1.0)
    had = []
    while found := reader.read(0.0):
        had += [entry.data for entry in found]
    # The removed file, still open here, had the first of them too, before its writer noticed.
    assert had == [b"2", b"2", b"3"]
    assert reader.cut == 0
    reader.close()
    writer.close()
    assert everything(log) == [b"2", b"3"]


def test_a_file_removed_by_somebody_else_is_left_for_a_new_one(log):
    writer = log.writer("a1")
    writer.append([b"1"], 1.0)
    (old,) = files(log)
    old.unlink()
    writer.append([b"2"], 1.0)
    assert everything(log) == [b"2"]
    assert old not in files(log)
    writer.close()


@pytest.mark.parametrize("left", [0, 10, 60])
def test_a_file_cut_short_by_somebody_else_is_left_for_a_new_one(log, left):
    writer = log.writer("a1")
    writer.append([b"1" * 100], 1.0)
    (old,) = files(log)
    os.truncate(old, left)
    writer.append([b"2"], 1.0)
    writer.append([b"3"], 1.0)
    writer.close()
    assert len(files(log)) == 2
    assert everything(log)[-2:] == [b"2", b"3"]


def test_a_file_in_the_folders_place_is_refused(log, tmp_path):
    log.folder.write_text("in the way")
    with pytest.raises(LogRefused, match="a file is in the way"):
        log.writer("a1").append([b"x"], 1.0)
    below = FolderLog(log.folder / "below")
    with pytest.raises(LogRefused, match="a file is in the way"):
        below.writer("a1").append([b"x"], 1.0)
    for place in (log, below):
        with pytest.raises(LogRefused, match="a file is in the way"):
            place.reader()


def test_a_file_in_the_folders_place_while_reading_is_waited_out(log):
    writer = log.writer("a1")
    writer.append([b"x"], 1.0)
    reader = log.reader()
    writer.close()
    shutil.rmtree(log.folder)
    log.folder.write_text("in the way")
    with pytest.raises(LogUnavailable, match="a file is in the way"):
        reader.read(0.0)
    log.folder.unlink()
    assert reader.read(0.0) == []
    reader.close()


def test_a_folder_on_a_read_only_file_system_is_refused():
    place = Path("/proc/sys/kernel")  # root or not, nobody makes a folder there
    with pytest.raises((LogRefused, LogUnavailable), match="cannot use the log folder"):
        FolderLog(place / "log").writer("a1").append([b"x"], 1.0)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become somebody else"
)
def test_a_folder_of_somebody_else_is_refused(open_folder):
    done = run_child("import os; os.setuid(65534); append(b'x')", open_folder)
    assert "LogRefused" in done.stdout
    assert "give this user the right to write in it" in done.stdout


CHILD = """
import resource, signal, sys
from pathlib import Path
from farscope.errors import LogError
from farscope.logs.embedded.log import FolderLog
from farscope.logs.embedded.age_clock import NOTE

writer = FolderLog(Path(sys.argv[1])).writer("a1")

def append(*batches):
    try:
        writer.append(batches, 1.0)
    except LogError as error:
        print(type(error).__name__, error, flush=True)
    else:
        print("stored", flush=True)
"""


def run_child(text: str, folder: Path, *, killed: bool = False) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-c", CHILD + text, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == (-signal.SIGKILL if killed else 0), done.stderr
    return done


def test_a_full_disk_is_unavailable_and_the_writer_goes_on_when_there_is_room(tmp_path):
    done = run_child(
        """
limit = resource.getrlimit(resource.RLIMIT_FSIZE)
append(b"before")
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limit[1]))
append(bytes(1_000_000))
append(bytes(1_000_000))
resource.setrlimit(resource.RLIMIT_FSIZE, limit)
append(b"after")
writer.close()
""",
        tmp_path / "log",
    )
    told = done.stdout.splitlines()
    assert told[0] == "stored"
    assert [line.split()[0] for line in told if not line.startswith("hint: ")] == [
        "stored",
        "LogUnavailable",
        "LogUnavailable",
        "stored",
    ]
    assert told[2].startswith("hint: free some space on its disk")
    assert everything(FolderLog(tmp_path / "log")) == [b"before", b"after"]


def test_a_writer_goes_on_in_a_new_file_when_its_process_may_not_make_its_file_any_larger(tmp_path):
    done = run_child(
        """
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
for first in range(0, 60, 20):
    append(*(b"%d" % number + b"." * 1_000 for number in range(first, first + 20)))
""",
        tmp_path / "log",
    )
    assert done.stdout.splitlines() == ["stored"] * 3
    reader = FolderLog(tmp_path / "log").reader(since_ns=0)
    assert [entry.data.partition(b".")[0] for entry in reader.read(0.0)] == [b"%d" % n for n in range(60)]
    assert (reader.cut, reader.unread) == (0, [])
    reader.close()


def test_a_disk_full_from_the_start_leaves_no_pieces_behind(tmp_path):
    done = run_child(
        """
limit = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (10, limit[1]))
for _ in range(5):
    append(b"x")
print(len(list(Path(sys.argv[1]).glob("*fslog*"))))
resource.setrlimit(resource.RLIMIT_FSIZE, limit)
append(b"x")
writer.close()
""",
        tmp_path / "log",
    )
    told = [line for line in done.stdout.splitlines() if not line.startswith("hint: ")]
    assert [line.split()[0] for line in told] == ["LogUnavailable"] * 5 + ["0", "stored"]
    assert everything(FolderLog(tmp_path / "log")) == [b"x"]


def test_a_forked_child_leaves_the_parents_file_alone(log):
    writer = log.writer("a1")
    writer.append([b"parent 1"], 1.0)
    (parents,) = files(log)
    child = os.fork()
    if child == 0:
        writer.append([b"child"], 1.0)
        writer.close()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert writer_is_alive(parents)
    writer.append([b"parent 2"], 1.0)
    writer.close()
    assert len(files(log)) == 2
    assert everything(log) == [b"parent 1", b"child", b"parent 2"]


def test_a_killed_process_leaves_little_more_than_what_it_stored(tmp_path):
    stored = 200 * 100
    run_child(
        """
import os
for _ in range(200):
    writer.append([bytes(100)], 1.0)
os.kill(os.getpid(), signal.SIGKILL)
""",
        tmp_path / "log",
        killed=True,
    )
    left = sum(path.stat().st_size for path in (tmp_path / "log").iterdir())
    assert stored < left < stored * 1.5
    assert len(everything(FolderLog(tmp_path / "log"))) == 200


def test_nothing_of_a_log_is_mapped_so_that_cutting_files_short_kills_nobody(tmp_path):
    """The same with every file of a log in SQLite's WAL mode ends reader and writer with SIGBUS."""
    done = run_child(
        """
import os
append(bytes(10_000))
reader = FolderLog(Path(sys.argv[1])).reader(since_ns=0)
print(len(reader.read(0.0)))
for turn in range(3):
    for path in Path(sys.argv[1]).iterdir():
        os.truncate(path, 0)
    append(b"%d" % turn)
    while reader.read(0.0):
        pass
print(len(reader.unread) > 0)
reader.close()
writer.close()
assert not any(sys.argv[1] in line for line in open("/proc/self/maps"))
""",
        tmp_path / "log",
    )
    assert done.stdout.split() == ["stored", "1", "stored", "stored", "stored", "True"]


def test_a_writer_goes_on_in_a_new_file_when_its_file_is_complete(log):
    writer = FolderWriter(log.folder, "a1", Limits(max_bytes=10**6))
    reader = log.reader()
    batches = [b"%d " % number + bytes(5_000) for number in range(40)]
    for batch in batches:
        writer.append([batch], 1.0)
    assert len(files(log)) > 2
    writer.close()
    had = []
    while found := reader.read(0.0):
        had += [entry.data for entry in found]
    assert had == everything(log) == batches
    reader.close()


def test_times_of_storing_do_not_turn_back_with_the_clock(log):
    now = [10**18]
    writer = FolderWriter(log.folder, "a1", Limits(), clock=lambda: now[0])
    writer.append([b"1"], 1.0)
    now[0] -= 10**9
    writer.append([b"2"], 1.0)
    reader = log.reader(since_ns=0)
    assert [entry.stored_ns for entry in reader.read(0.0)] == [10**18, 10**18]
    reader.close()
    writer.close()
