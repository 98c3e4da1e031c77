"""Several users share a log: with real users, which only root can become."""

import grp
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from farscope.errors import LogRefused
from farscope.logs.embedded.log import FolderLog
from farscope.logs.url import open_log

pytestmark = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become somebody else"
)

SERVICES, OPERATORS = grp.getgrgid(1), grp.getgrgid(2)
"""Two groups that every system has under some name."""

AS_SOMEBODY = """
import os, sys
from pathlib import Path
from farscope.errors import LogError
from farscope.logs.url import open_log

url, user, *groups = sys.argv[1:]
log = open_log(url)
os.setgroups([int(group) for group in groups])
os.setgid(int(user))
os.setuid(int(user))
os.umask(0o077)
"""

WRITE = """
try:
    log.writer("service").append([user.encode()], 1.0)
    print("stored")
except LogError as error:
    print(type(error).__name__, error)
"""

WATCH = """
reader = log.reader(since_ns=0)
had = []
while found := reader.read(0.0):
    had += [entry.data.decode() for entry in found]
print(*sorted(had))
print(*{unread.detail for unread in reader.unread})
refused = 0
for path in [*log.folder.glob("*.fslog"), log.folder / "made"]:
    try:
        path.open("ab").close()
    except PermissionError:
        refused += 1
    try:
        path.unlink()
    except (PermissionError, FileNotFoundError):
        refused += 1
print(refused)
"""


def run_as(user: int, groups: list[int], text: str, url: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", AS_SOMEBODY + text, url, str(user), *map(str, groups)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def folder(open_folder: Path) -> Path:
    return open_folder / "log"


def prepare(folder: Path, group: int, mode: int) -> None:
    folder.mkdir()
    os.chown(folder, 0, group)
    folder.chmod(mode)


def test_two_services_write_and_an_operator_reads_and_cannot_write(folder):
    prepare(folder, SERVICES.gr_gid, 0o3775)
    url = f"sqlite:{folder}?readers={OPERATORS.gr_name}"
    both = [SERVICES.gr_gid, OPERATORS.gr_gid]
    assert run_as(10_001, both, WRITE, url) == run_as(10_002, both, WRITE, url) == ["stored"]
    seen, unread, refused = run_as(10_003, [OPERATORS.gr_gid], WATCH, f"sqlite:{folder}")
    assert (seen, unread, refused) == ("10001 10002", "", "6")
    stranger = run_as(10_004, [], WATCH, f"sqlite:{folder}")
    assert stranger == ["", "Permission denied; readers= in its program's address says who may read it", "6"]


def test_the_set_group_id_bit_of_a_folder_says_which_group_reads(folder):
    prepare(folder, OPERATORS.gr_gid, 0o2750)
    os.chown(folder, 10_001, OPERATORS.gr_gid)
    folder.chmod(0o2750)
    assert run_as(10_001, [], WRITE, f"sqlite:{folder}?readers=group") == ["stored"]
    assert run_as(10_003, [OPERATORS.gr_gid], WATCH, f"sqlite:{folder}") == ["10001", "", "4"]


def test_without_a_setting_nobody_else_reads_whatever_the_folder_says(folder):
    prepare(folder, OPERATORS.gr_gid, 0o2777)
    assert run_as(10_001, [OPERATORS.gr_gid], WRITE, f"sqlite:{folder}") == ["stored"]
    (path,) = folder.glob("*.fslog")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_log_for_all_is_readable_and_not_writable_for_all(folder):
    log = FolderLog(folder, readers="all")
    writer = log.writer("a")
    writer.append([b"x"], 1.0)
    writer.close()
    assert run_as(10_003, [], WATCH, f"sqlite:{folder}") == ["x", "", "4"]


def test_a_log_made_for_a_group_gets_a_folder_of_that_group(folder):
    writer = open_log(f"sqlite:{folder}/made?readers={OPERATORS.gr_name}").writer("a")
    writer.append([b"x"], 1.0)
    writer.close()
    found = (folder / "made").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o2750, OPERATORS.gr_gid)
    assert run_as(10_003, [OPERATORS.gr_gid], WATCH, f"sqlite:{folder}/made") == ["x", "", "4"]


def test_a_group_one_may_not_give_files_to_is_refused_with_the_remedy(folder):
    prepare(folder, SERVICES.gr_gid, 0o3777)
    told = run_as(10_001, [], WRITE, f"sqlite:{folder}?readers={OPERATORS.gr_name}")
    assert told[0].startswith("LogRefused this user may not give files to the group")
    assert told[1].startswith("hint: make this user a member")
    assert not list(folder.glob("*fslog*"))


def test_a_group_that_does_not_exist_is_refused(folder):
    with pytest.raises(LogRefused, match="no group 'nobody knows it'"):
        FolderLog(folder, readers="nobody knows it").writer("a").append([b"x"], 1.0)


def test_who_may_not_list_the_folder_is_told_which_right_reading_needs(folder):
    prepare(folder, 0, 0o700)
    told = run_as(
        10_003,
        [],
        "\ntry:\n    log.reader()\nexcept LogError as error:\n    print(error)\n",
        f"sqlite:{folder}",
    )
    assert "r-x" in told[1]
    assert "write" not in told[1]


def test_the_address_of_a_log_keeps_who_may_read_it(folder):
    url = FolderLog(folder, readers="group").url
    assert url.endswith("?readers=group")
    assert open_log(url).url == url
