"""A real broker for the tests of this folder, and what the programs like the miros example need."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from farscope.wire.keyring import new_key_text
from support.broker_fixtures import amqp_url, broker, fresh_log_url

__all__ = ["amqp_url", "broker", "fresh_log_url"]

PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture
def key(tmp_path: Path) -> str:
    """A key nobody else has, also in the file ``key``."""
    text = new_key_text()
    (tmp_path / "key").write_text(text + "\n")
    (tmp_path / "key").chmod(0o600)
    return text


@pytest.fixture
def surroundings(amqp_url: str, key: str) -> dict[str, str]:
    """The environment in which a program finds broker and key."""
    parts = urlsplit(amqp_url)
    return os.environ | {
        "RABBIT_HOST": parts.hostname or "",
        "RABBIT_PORT": str(parts.port),
        "RABBIT_USER": unquote(parts.username or ""),
        "RABBIT_PASSWORD": unquote(parts.password or ""),
        "LINES_KEY": key,
        "PYTHONUNBUFFERED": "1",
    }


@pytest.fixture
def program() -> Callable[[str], str]:
    """Return the path of a program of this folder by its name."""
    return lambda name: str(PROGRAMS / f"{name}.py")
