"""A process whose chart is caused by a token and hands out another: ``python -m support.relay URL KEY NAME``.

Each line of standard input is a token; each line of standard output is the token of the last step it led to.
With two more arguments, FROM and TO, one token is relayed, and printed, too:

* FROM ``http``: it is the header of a request; the first line of output is the port;
* FROM ``amqp://...#QUEUE``: it is the header of a message in a queue of that broker;
* TO ``http:PORT`` and ``amqp://...#QUEUE``: the next token becomes such a header. ``-`` stands for neither.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag

import pika

import farscope
from farscope import Event, Hsm, broadcast, return_status

HEADER = "traceparent"
LINES = "-"


def relaying(to: str) -> Callable[[Any, Event], int]:
    """Return a state that lets the received event cause another, whose step hands out the token."""

    def relay(chart: Any, e: Event) -> int:
        if e.signal_name == "RECEIVED":
            chart.post_fifo(Event("FORWARDED"))
            return return_status.HANDLED
        if e.signal_name == "FORWARDED":
            token = farscope.cause() or ""
            print(token, flush=True)
            send(to, token)
            return return_status.HANDLED
        chart.temp.fun = chart.top
        return return_status.SUPER

    return relay


@contextmanager
def queue_at(address: str) -> Iterator[tuple[Any, str]]:
    """Open a channel for the queue that an address names."""
    url, queue = urldefrag(address)
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.queue_declare(queue)
        yield channel, queue


def send(to: str, token: str) -> None:
    """Put a token into a message."""
    if to.startswith("http:"):
        connection = HTTPConnection("127.0.0.1", int(to.removeprefix("http:")))
        connection.request("POST", "/", headers={HEADER: token})
        connection.getresponse()
        connection.close()
    elif to != LINES:
        with queue_at(to) as (channel, queue):
            channel.basic_publish("", queue, b"", pika.BasicProperties(headers={HEADER: token}))


def received(where: str) -> Iterator[str]:
    """Yield the tokens of messages."""
    if where == LINES:
        yield from map(str.strip, sys.stdin)
    elif where == "http":
        yield requested()
    else:
        with queue_at(where) as (channel, queue):
            _, properties, _ = next(channel.consume(queue, auto_ack=True))
            channel.queue_delete(queue)
        yield properties.headers[HEADER]


def requested() -> str:
    """Return the token of a request to a port, which is printed."""
    tokens: list[str] = []

    class Hatch(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            tokens.append(self.headers[HEADER])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Hatch) as server:
        print(server.server_port, flush=True)
        server.handle_request()
    return tokens[0]


def main() -> None:
    """Relay tokens until the input ends."""
    url, key, name, where, to = [*sys.argv[1:], LINES, LINES][:5]
    chart = Hsm(name)
    chart.start_at(relaying(to))
    with broadcast(chart, url=url, key=Path(key), service=name):
        for token in received(where):
            with farscope.caused_by(token):
                chart.post_fifo(Event("RECEIVED"))
            chart.complete_circuit()


if __name__ == "__main__":
    main()
