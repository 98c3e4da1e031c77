"""A wheel built from this folder, and an empty environment that it is installed into."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from support.broker_fixtures import amqp_url, broker, fresh_log_url

__all__ = ["amqp_url", "broker", "fresh_log_url"]

SYSTEM_PYTHON = "/usr/bin/python3"
ROOT = Path(__file__).parent.parent.parent


class Installed(NamedTuple):
    """An environment with farscope and its extras, and nothing of this folder."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def farscope(self) -> Path:
        return self.folder / "bin" / "farscope"


def run(*command: str | Path, **options: object) -> str:
    """Return what a command prints; one that fails shows all of it."""
    done = subprocess.run(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **options,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder that every user of this machine can enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="farscope-packaging-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def wheel(open_folder: Path) -> Path:
    """The wheel, built from the sdist, so that the sdist is shown to hold all it needs."""
    run(sys.executable, "-m", "build", "--outdir", open_folder / "dist", ROOT)
    (found,) = (open_folder / "dist").glob("*.whl")
    return found


@pytest.fixture(scope="session")
def installed(open_folder: Path, wheel: Path) -> Installed:
    """An environment that holds the wheel with the extras ``web`` and ``rabbitmq``."""
    environment = Installed(open_folder / "environment")
    run(_open_python(), "-m", "venv", environment.folder)
    pip = ("-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet")
    run(environment.python, *pip, f"{wheel}[web,rabbitmq]")
    return environment


def _open_python() -> str:
    """Return a Python that other users may run, if there is one: this one may lie in root's own folder."""
    base = Path(sys.base_prefix)
    if all(each.stat().st_mode & stat.S_IXOTH for each in (base, *base.parents)):
        return sys.executable
    fit = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))"
    if (
        Path(SYSTEM_PYTHON).exists()
        and not subprocess.run([SYSTEM_PYTHON, "-c", fit], check=False).returncode
    ):
        return SYSTEM_PYTHON
    return sys.executable


@pytest.fixture
def elsewhere(tmp_path: Path) -> dict[str, str]:
    """An environment's variables with nothing in them that leads to this folder."""
    kept = ("HOME", "LANG", "PATH", "TMPDIR", "XDG_STATE_HOME", "XDG_CONFIG_HOME")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"PWD": str(tmp_path)}
