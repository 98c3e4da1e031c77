"""A secret is read only from where nobody else can read it or put another one."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from farscope.errors import KeyFileUnsafe
from farscope.records.secret_file import SecretFile, stamp_of

USER, GROUP, ELSEWHERE = 12345, 23456, 34567

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away and be another user")


@pytest.fixture
def mount() -> Iterator[Path]:
    """A folder that every user can enter, as a place where secrets are mounted is."""
    folder = Path(tempfile.mkdtemp(prefix="secrets"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def read(path: Path) -> str:
    return SecretFile(path, "key file", KeyFileUnsafe).read(100).decode()


def secret(path: Path, *, mode: int = 0o440, group: int = GROUP, owner: int = 0) -> Path:
    path.write_text("secret")
    os.chown(path, owner, group)
    path.chmod(mode)
    return path


def as_user(call: Callable[[], str], *, groups: tuple[int, ...] = (GROUP,)) -> str:
    """Return what ``call`` returns, or what it raises, in a process of another user."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups(groups)
            os.setgid(USER)
            os.setuid(USER)
            answer = call()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
            answer = f"{type(error).__name__}: {error}"
        os.write(into, answer.encode())
        os._exit(0)
    os.close(into)
    os.waitpid(child, 0)
    with os.fdopen(out) as file:
        return file.read()


def kubernetes_secret(mount: Path) -> Path:
    """Mount a Secret as a kubelet does: ``key`` leads to ``..data/key``, ``..data`` to a dated folder."""
    dated = mount / "..2026_11_30_18_00_00.123456789"
    dated.mkdir()
    dated.chmod(0o755)
    secret(dated / "key")
    (mount / "..data").symlink_to(dated.name)
    (mount / "key").symlink_to("..data/key")
    mount.chmod(0o3777)
    return mount / "key"


@needs_root
def test_a_secret_that_root_shares_with_a_group_of_the_process_is_read(mount):
    path = secret(mount / "key")
    assert as_user(lambda: read(path)) == "secret"


@needs_root
@pytest.mark.parametrize(
    ("mode", "group", "owner", "says"),
    [
        (0o440, ELSEWHERE, 0, "PermissionError"),
        (0o444, GROUP, 0, "open to others (mode 0444)"),
        (0o640, GROUP, 0, "open to others (mode 0640)"),
        (0o460, GROUP, 0, "open to others (mode 0460)"),
        (0o450, GROUP, 0, "open to others (mode 0450)"),
        (0o440, GROUP, USER, "open to others (mode 0440)"),
        (0o440, GROUP, ELSEWHERE, "belongs to another user"),
        (0o444, ELSEWHERE, 0, "open to others (mode 0444)"),
    ],
)
def test_what_others_can_read_or_the_group_can_change_is_refused(mount, mode, group, owner, says):
    path = secret(mount / "key", mode=mode, group=group, owner=owner)
    assert says in as_user(lambda: read(path))


@needs_root
def test_a_kubernetes_secret_is_read_through_its_links(mount):
    path = kubernetes_secret(mount)
    assert as_user(lambda: read(path)) == "secret"
    assert read(path) == "secret" if GROUP in os.getgroups() else True


@needs_root
def test_a_rotation_of_a_kubernetes_secret_shows_in_its_stamp(mount):
    path = kubernetes_secret(mount)
    before = stamp_of(path)
    dated = mount / "..2026_11_30_19_00_00.1"
    dated.mkdir()
    secret(dated / "key")
    (mount / "..data_tmp").symlink_to(dated.name)
    (mount / "..data_tmp").rename(mount / "..data")
    assert stamp_of(path) not in (None, before)


@needs_root
@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_a_link_that_others_can_replace_is_refused(mount, mode):
    path = kubernetes_secret(mount)
    mount.chmod(mode)
    assert "symbolic link that others may replace" in as_user(lambda: read(path))


@needs_root
def test_a_link_of_another_user_is_refused_also_on_the_way(mount):
    path = kubernetes_secret(mount)
    os.lchown(mount / "..data", ELSEWHERE, ELSEWHERE)
    assert f"leads through {mount}/..data" in as_user(lambda: read(path))


@needs_root
def test_a_link_in_a_folder_of_the_user_s_own_is_refused(mount):
    path = secret(mount / "secret")
    own = mount / "own"
    own.mkdir()
    (own / "key").symlink_to(path)
    os.chown(own, USER, USER)
    assert "symbolic link" in as_user(lambda: read(own / "key"))


@needs_root
def test_links_that_lead_in_a_circle_are_refused(mount):
    (mount / "a").symlink_to("b")
    (mount / "b").symlink_to("a")
    with pytest.raises(KeyFileUnsafe, match="symbolic link"):
        read(mount / "a")


@needs_root
@pytest.mark.parametrize(("folder_mode", "taken"), [(0o550, True), (0o570, False), (0o777, False)])
def test_a_credential_of_systemd_is_read_where_only_root_can_put_one(mount, folder_mode, taken, monkeypatch):
    # The service's user reads through an access control list, which group bits stand for; here by being in
    # the group of a folder and file whose group is not said to be the process's.
    folder = mount / "farscope.service"
    folder.mkdir()
    path = secret(folder / "key", group=USER)
    os.chown(folder, 0, USER)
    folder.chmod(folder_mode)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    monkeypatch.setattr("farscope.records.secret_file._is_in_group", lambda _group: False)
    reported = as_user(lambda: read(path), groups=())
    assert (reported == "secret") is taken
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    assert "open to others" in as_user(lambda: read(path), groups=())


def test_a_pipe_that_a_shell_opened_for_a_command_is_read(tmp_path):
    program = (
        "import sys; from tests_read import read; from pathlib import Path; print(read(Path(sys.argv[1])))"
    )
    (tmp_path / "tests_read.py").write_text(
        "from farscope.errors import KeyFileUnsafe\n"
        "from farscope.records.secret_file import SecretFile\n"
        "def read(path):\n    return SecretFile(path, 'key file', KeyFileUnsafe).read(100).decode()\n"
    )
    command = f"'{sys.executable}' -c '{program}' <(sleep 0.1; echo secret)"
    done = subprocess.run(
        ["bash", "-c", command],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "secret", done.stderr


def test_an_inherited_file_is_checked_like_any_other(tmp_path):
    path = tmp_path / "key"
    path.write_text("secret")
    for mode, taken in ((0o600, True), (0o644, False)):
        path.chmod(mode)
        with path.open() as file:
            inherited = Path(f"/dev/fd/{file.fileno()}")
            if taken:
                assert read(inherited) == "secret"
            else:
                with pytest.raises(KeyFileUnsafe, match="open to others"):
                    read(inherited)


def test_a_descriptor_that_is_not_open_cannot_be_read():
    with pytest.raises(OSError, match="Bad file descriptor"):
        read(Path("/dev/fd/999999"))


def test_the_stamp_of_nothing_is_none(tmp_path):
    assert stamp_of(tmp_path / "nothing") is None
    (tmp_path / "dangling").symlink_to("nothing")
    assert stamp_of(tmp_path / "dangling") is None


def test_a_named_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    with pytest.raises(KeyFileUnsafe, match="not a regular file"):
        read(tmp_path / "pipe")
