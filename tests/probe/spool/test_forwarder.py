"""The forwarder waits patiently for a log that does not store its batches."""

import random
import threading

import pytest

from farscope.errors import LogRefused, LogUnavailable
from farscope.probe.spool.file import Waiting
from farscope.probe.spool.forwarder import Forwarder
from farscope.testing.waiting import eventually
from farscope.wire.keyring import Keyring


class Reluctant:
    """A source that always holds a batch, and the writer that does not take it."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def head(self, limit: int, max_bytes: int) -> list[Waiting]:
        del limit, max_bytes
        raise self.error

    def failed(self, error: Exception) -> None:
        assert error is self.error


class Pauses(threading.Event):
    """Ends the third pause, and remembers how long each was to be."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.asked.append(timeout or 0.0)
        if len(self.asked) == 3:
            self.set()
        return self.is_set()


@pytest.mark.parametrize(
    ("error", "pauses"),
    [(LogUnavailable("away"), [0.1, 0.2, 0.4]), (LogRefused("no right"), [5.0, 5.0, 5.0])],
)
def test_a_refusal_which_needs_a_person_is_tried_less_often_than_an_outage(
    keyring: Keyring, monkeypatch: pytest.MonkeyPatch, error: Exception, pauses: list[float]
):
    monkeypatch.setattr(random, "random", lambda: 1.0)
    reluctant = Reluctant(error)
    forwarder = Forwarder(reluctant, lambda: True, reluctant, keyring, "somebody")
    stopping = forwarder._stopping = Pauses()
    forwarder.start()
    eventually(lambda: not forwarder.running)
    assert stopping.asked == pauses
