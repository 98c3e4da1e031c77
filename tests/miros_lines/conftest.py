"""Parts to try lines with, and a real broker for the tests that ask for one."""

from __future__ import annotations

import pytest

from farscope.wire.keys import Keyring
from support.broker_fixtures import amqp_url, broker, fresh_log_url
from support.small_chart import SmallChart

__all__ = ["amqp_url", "broker", "fresh_log_url"]


@pytest.fixture
def chart() -> SmallChart:
    return SmallChart()


@pytest.fixture
def keyring() -> Keyring:
    return Keyring.from_text("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
