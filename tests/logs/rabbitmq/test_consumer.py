"""How a reader of RabbitMQ treats the end of a connection, before and after its login."""

import pytest
from pika.exceptions import AuthenticationError, ChannelClosedByBroker, ProbableAccessDeniedError

from farscope.errors import LogError, LogRefused, LogUnavailable
from farscope.logs.rabbitmq.consumer import StreamConsumer
from farscope.logs.rabbitmq.errors import explain, missing
from farscope.logs.rabbitmq.receive_buffer import ReceiveBuffer, StartPoint
from farscope.logs.rabbitmq.settings import Settings

SETTINGS = Settings.from_url("amqp://user:word@broker/")

REFUSALS = {
    "a login": explain(AuthenticationError("no"), SETTINGS),
    "a virtual host": explain(ProbableAccessDeniedError("NOT_ALLOWED - vhost / not found"), SETTINGS),
    "a permission": explain(ChannelClosedByBroker(403, "ACCESS_REFUSED - no"), SETTINGS),
    "a stream": missing(SETTINGS, "no queue", stream=True),
    "TLS": LogRefused("TLS with the broker failed", "is it the TLS port?"),
}


def told_after(*, let_in: bool, refusal: LogError) -> LogError:
    buffer = ReceiveBuffer(StartPoint(since_ns=0))
    consumer = StreamConsumer(SETTINGS, buffer)
    if let_in:
        consumer.opened()
    consumer.lost(refusal)
    assert buffer.error is not None
    return buffer.error


@pytest.mark.parametrize("what", list(REFUSALS))
def test_whoever_was_never_let_in_is_refused_at_once(what):
    refusal = REFUSALS[what]
    assert isinstance(refusal, LogRefused)
    assert told_after(let_in=False, refusal=refusal) is refusal


@pytest.mark.parametrize("what", list(REFUSALS))
def test_whoever_was_let_in_before_waits_to_be_let_in_again(what):
    refusal = REFUSALS[what]
    told = told_after(let_in=True, refusal=refusal)
    assert isinstance(told, LogUnavailable)
    assert told.refused
    assert told.message == refusal.message
    assert told.hint.endswith("it will be retried")
