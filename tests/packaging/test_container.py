"""In a container: no name, no home, a root that cannot be written to, and a key from a mounted Secret."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from farscope.wire.keys import new_key_file

INSTALL_S = 900
"""A build, an environment and an install may take this long on a busy machine."""
USER, GROUP = 31234, 31235
"""Numbers without a name."""


pytestmark = [
    pytest.mark.timeout(INSTALL_S),
    pytest.mark.broker,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a root that cannot be written to"),
    pytest.mark.skipif(not shutil.which("unshare") or not shutil.which("setpriv"), reason="needs util-linux"),
]

PRODUCER = """
import sys
from farscope import Event, Factory, broadcast

lamp = Factory("lamp", threaded=False)
lamp.create("off").catch("PRESS", lambda chart, event: chart.trans("on"))
lamp.create("on").catch("PRESS", lambda chart, event: chart.trans("off"))
lamp.nest("off", parent=None).nest("on", parent=None)
with broadcast(lamp) as probe:
    lamp.start_at("off")
    for _ in range(3):
        lamp.dispatch(Event("PRESS"))
    assert probe.flush(), probe.stats
try:
    open(sys.argv[1], "w")
except OSError as error:
    print(error.strerror)
"""


@pytest.fixture(scope="module")
def secret(open_folder: Path) -> Path:
    """A key as Kubernetes mounts it: links to a file of root's with mode 0440, in a sticky folder."""
    mount = open_folder / "mounted"
    dated = mount / "..2026_11_30"
    dated.mkdir(parents=True)
    dated.chmod(0o755)
    new_key_file(dated / "key")
    os.chown(dated / "key", 0, GROUP)
    (dated / "key").chmod(0o440)
    (mount / "..data").symlink_to(dated.name)
    (mount / "key").symlink_to("..data/key")
    mount.chmod(0o1777)
    return mount / "key"


def anybody_may_run(program: str) -> bool:
    path = Path(program).resolve()
    return all(each.stat().st_mode & stat.S_IXOTH for each in (path, *path.parents))


def in_container(words: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command where nothing can be written, as a user without a name, with these variables alone."""
    if not anybody_may_run(str(Path(words[0]).with_name("python"))):
        pytest.skip("this Python is closed to other users, and the system has none with venv")
    as_user = f"exec setpriv --reuid {USER} --regid {USER} --groups {GROUP} --inh-caps=-all --no-new-privs"
    script = f'mount --bind / / && mount -o remount,ro,bind / && cd / && {as_user} "$@"'
    return subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_chart_is_broadcast_and_watched_with_an_address_and_a_mounted_key(
    installed, secret, fresh_log_url, open_folder
):
    url = fresh_log_url()
    variables = {"FARSCOPE_URL": url, "FARSCOPE_KEY_FILE": str(secret), "PATH": os.environ["PATH"]}
    forbidden = open_folder / "written"
    made = in_container([str(installed.python), "-c", PRODUCER, str(forbidden)], **variables)
    assert made.returncode == 0, made.stderr
    assert made.stdout.strip() == "Read-only file system"
    assert "no spool: there is no home folder" in made.stderr
    seen = in_container([str(installed.farscope), "watch", "--since", "start", "--for", "1s"], **variables)
    assert seen.returncode == 0, seen.stderr
    assert seen.stdout.count("PRESS()") == 3
    assert re.search(r"seen 4 steps\b.*, lost 0,", seen.stderr), seen.stderr


def test_what_needs_a_folder_says_which_variable_to_set(installed, secret):
    for variables, says in (
        ({"FARSCOPE_KEY_FILE": str(secret)}, "set XDG_STATE_HOME or HOME"),
        ({"FARSCOPE_URL": "amqp://guest@127.0.0.1:1/"}, "set FARSCOPE_KEY_FILE"),
    ):
        done = in_container([str(installed.farscope), "watch"], PATH=os.environ["PATH"], **variables)
        assert "Traceback" not in done.stderr
        assert says in done.stderr
