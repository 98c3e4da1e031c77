"""A real broker, and a folder of several users, for the tests of this folder that ask for one."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from support.broker_fixtures import amqp_url, broker, fresh_log_url

__all__ = ["amqp_url", "broker", "fresh_log_url", "open_folder"]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may enter; pytest closes its own whenever another run begins."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
