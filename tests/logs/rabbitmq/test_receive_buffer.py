"""The receive buffer notices deliveries from another stream after a pause."""

import pytest

from farscope.logs.base import Entry
from farscope.logs.rabbitmq.receive_buffer import Delivery, ReceiveBuffer, StartPoint


def delivery(offset: int, data: bytes) -> Delivery:
    return Delivery(offset, Entry(data, 0), 1, None)


@pytest.fixture
def buffer() -> ReceiveBuffer:
    buffer = ReceiveBuffer(StartPoint(since_ns=0))
    assert buffer.put(delivery(6, b"six"))
    assert buffer.put(delivery(7, b"seven"))
    return buffer


def test_the_newest_batch_is_known_again_and_not_returned_twice(buffer):
    assert buffer.remembers == 1
    assert not buffer.is_of_another_stream(delivery(7, b"seven"))
    assert not buffer.put(delivery(7, b"seven"))


def test_another_batch_in_the_place_of_the_newest_is_of_another_stream(buffer):
    assert buffer.is_of_another_stream(delivery(7, b"anew"))
    buffer.begin_at(0)
    assert buffer.remembers == 0
    assert not buffer.is_of_another_stream(delivery(0, b"anew"))


def test_what_retention_left_says_nothing_of_the_stream(buffer):
    assert not buffer.is_of_another_stream(delivery(9, b"nine"))
