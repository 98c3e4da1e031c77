"""The log in RabbitMQ keeps every promise of ``farscope.logs.base``."""

from collections.abc import Callable

import pytest

from farscope.logs.url import open_log
from farscope.testing.log_conformance import CHECKS, Check, LogUnderTest


@pytest.mark.broker
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_rabbitmq_log_conforms(check: Check, fresh_log_url: Callable[..., str]):
    check(LogUnderTest(lambda: open_log(fresh_log_url())))
