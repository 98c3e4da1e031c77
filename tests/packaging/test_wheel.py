"""The wheel, installed into an empty environment, does what the README says."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tarfile
import urllib.request
import zipfile
from pathlib import Path

import pytest

from farscope import __version__

ROOT = Path(__file__).parent.parent.parent
INSTALL_S = 900
"""A build, an environment and an install may take this long on a busy machine."""
COMPLETIONS = ("bash", "zsh", "fish")

pytestmark = pytest.mark.timeout(INSTALL_S)


def command(*words: str | Path) -> list[str]:
    return list(map(str, words))


def out(words: list[str], environment: dict[str, str], folder: Path, text: str = "") -> str:
    done = subprocess.run(
        words, env=environment, cwd=folder, input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_the_package_and_the_sdist_all_that_make_needs(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"farscope/__init__.py", "farscope/py.typed", "farscope/views/web/static/index.html"} <= names
    assert not [name for name in names if name.startswith(("tests/", "docs/"))]
    (sdist,) = wheel.parent.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        below = {name.partition("/")[2] for name in archive.getnames()}
    assert {"Makefile", ".ci/run", ".ci/install", "pyproject.toml", "tests/conftest.py"} <= below


def test_the_ten_lines_of_the_readme_run_and_are_watched(installed, elsewhere, tmp_path):
    program = re.search(r"```python lamp\.py\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert program
    (tmp_path / "lamp.py").write_text(program[1])
    out(command(installed.python, "lamp.py"), elsewhere, tmp_path, "\n")
    seen = out(command(installed.farscope, "watch", "--since", "10m", "--for", "1s"), elsewhere, tmp_path)
    assert "[lamp] e->PRESS() off->on" in seen


def test_the_page_and_its_files_are_served(installed, elsewhere, tmp_path):
    with subprocess.Popen(
        command(installed.farscope, "web", "memory:page", "--port", "0"),
        env=elsewhere,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    ) as web:
        assert web.stdout is not None
        address = web.stdout.readline().strip()
        try:
            with urllib.request.urlopen(address) as page:  # noqa: S310 - the address is the page's own
                scripts = re.findall(r'src="/?(static/[^"]+)"', page.read().decode())
            assert scripts
            for script in scripts:
                with urllib.request.urlopen(address + script) as file:  # noqa: S310 - same
                    assert file.headers["content-type"].startswith("text/javascript")
                    assert file.read()
        finally:
            web.send_signal(signal.SIGINT)
    assert web.returncode == 0


@pytest.mark.parametrize("shell", COMPLETIONS)
def test_the_command_completes_in_a_shell(installed, elsewhere, tmp_path, shell):
    variable = elsewhere | {"_FARSCOPE_COMPLETE": f"{shell}_source"}
    assert "_FARSCOPE_COMPLETE" in out(command(installed.farscope), variable, tmp_path)


def test_bash_completes_verbs_and_options(installed, elsewhere, tmp_path):
    for line, expected in (("farscope wat", "watch"), ("farscope watch --si", "--since")):
        variables = {
            "_FARSCOPE_COMPLETE": "bash_complete",
            "COMP_WORDS": line,
            "COMP_CWORD": str(line.count(" ")),
        }
        assert expected in out(command(installed.farscope), elsewhere | variables, tmp_path)


def test_a_wheel_on_the_path_serves_the_page_without_being_unpacked(wheel, elsewhere, tmp_path):
    """As zipapps do: only what has compiled parts has to be unpacked."""
    program = (
        "import farscope, sys\n"
        "from starlette.testclient import TestClient\n"
        "from farscope.cli.main import COMMANDS, farscope as group\n"
        "from farscope.logs.url import open_log\n"
        "from farscope.views.web.assets import STATIC, Assets\n"
        "assert '.whl' in farscope.__file__, farscope.__file__\n"
        "assert all(group.get_command(None, verb) for verb in COMMANDS)\n"
        "assert open_log('amqp://guest@127.0.0.1:1/').shared\n"
        "assets = Assets()\n"
        "print(len(list(STATIC.iterdir())), assets._answer('index.html').status_code, farscope.__version__)\n"
    )
    paths = [str(wheel), *(path for path in sys.path if path.endswith("site-packages"))]
    # -S leaves out what makes this folder importable; -P the folder of the program.
    told = out(
        command(sys.executable, "-S", "-P", "-c", f"import sys\nsys.path[:0] = {paths!r}\n{program}"),
        elsewhere,
        tmp_path,
    )
    count, status, version = told.split()
    assert int(count) == len(list((ROOT / "src/farscope/views/web/static").iterdir()))
    assert (status, version) == ("200", __version__)
