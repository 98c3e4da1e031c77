r"""Two processes whose charts cause each other's steps, drawn as one sequence.

A waiter orders at a kitchen, which runs in another process. They talk over a pipe, and each message carries
the token of the step that sent it. A cause that rests on a token is claimed, and so its arrow is dotted::

                    waiter        cook
          o--ORDER()-->|            |
               (1)     |            |
                   <waiting>        |
                       +..COOK()...>|
                       |    (2)     |
                       |        <cooking>
                       |            +
                       |             \ (3)
                       |             DONE()
                       |             /
                       |            <
                       |         <idle>
                       |<..READY()..+
                       |    (4)     |
                    <idle>          |
"""

import multiprocessing
import subprocess
import sys
import tempfile
import textwrap
from multiprocessing.connection import Connection

import farscope
from farscope import Event, broadcast
from farscope.engine import Chart, State


class Waiter(Chart):
    """Passes orders on to the kitchen."""

    idle = State(initial=True)
    waiting = State()
    kitchen: Connection

    waiting.on("READY", to=idle)

    @idle.on("ORDER", to=waiting)
    def order(self) -> None:
        """Send the order, with this step as its cause."""
        self.kitchen.send(("COOK", farscope.cause()))


class Cook(Chart):
    """Cooks one meal at a time."""

    idle = State(initial=True)
    cooking = State()
    waiter: Connection

    idle.on("COOK", to=cooking)

    @cooking.entry
    def cook(self) -> None:
        """Work for a moment."""
        self.post_fifo(Event("DONE"))

    @cooking.on("DONE", to=idle)
    def serve(self) -> None:
        """Report that the meal is ready, with this step as its cause."""
        self.waiter.send(("READY", farscope.cause()))


def receive(connection: Connection, chart: Chart) -> None:
    """Post the next message to a chart, as caused by the step that sent it."""
    signal, token = connection.recv()
    with farscope.caused_by(token):
        chart.post_fifo(Event(signal))


def run_kitchen(connection: Connection, url: str) -> None:
    """Run the kitchen's process."""
    cook = Cook("cook", threaded=False)
    cook.waiter = connection
    cook.start_at()
    with broadcast(cook, url=url):
        receive(connection, cook)
        cook.complete_circuit()


def run_restaurant(url: str) -> None:
    """Run both processes."""
    ours, theirs = multiprocessing.Pipe()
    kitchen = multiprocessing.get_context("spawn").Process(target=run_kitchen, args=(theirs, url))
    kitchen.start()
    waiter = Waiter("waiter", threaded=False)
    waiter.kitchen = ours
    waiter.start_at()
    with broadcast(waiter, url=url):
        waiter.post_fifo(Event("ORDER"))
        waiter.complete_circuit()
        receive(ours, waiter)
        waiter.complete_circuit()
    kitchen.join()


def draw(url: str) -> None:
    """Draw what happened, as ``farscope sequence`` does."""
    command = [sys.executable, "-m", "farscope", "sequence", url, "--by", "chart"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own command
    print(textwrap.dedent(done.stdout))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        run_restaurant(f"sqlite:{folder}")
        draw(f"sqlite:{folder}")
