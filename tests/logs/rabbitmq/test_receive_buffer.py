"""Whether what comes after a pause is of the stream that was read before it."""

import pytest

from farscope.logs.base import Entry
from farscope.logs.rabbitmq.receive_buffer import Parcel, Shelf, Start


def parcel(offset: int, data: bytes) -> Parcel:
    return Parcel(offset, Entry(data, 0), 1, None)


@pytest.fixture
def shelf() -> Shelf:
    shelf = Shelf(Start(since_ns=0))
    assert shelf.put(parcel(6, b"six"))
    assert shelf.put(parcel(7, b"seven"))
    return shelf


def test_the_newest_batch_is_known_again_and_not_returned_twice(shelf):
    assert shelf.remembers == 1
    assert not shelf.is_of_another_stream(parcel(7, b"seven"))
    assert not shelf.put(parcel(7, b"seven"))


def test_another_batch_in_the_place_of_the_newest_is_of_another_stream(shelf):
    assert shelf.is_of_another_stream(parcel(7, b"anew"))
    shelf.begin_at(0)
    assert shelf.remembers == 0
    assert not shelf.is_of_another_stream(parcel(0, b"anew"))


def test_what_retention_left_says_nothing_of_the_stream(shelf):
    assert not shelf.is_of_another_stream(parcel(9, b"nine"))
