"""The producer of the miros example, on top of farscope: a chart here, its spy and trace on another machine.

Needs a RabbitMQ and a key file that somebody made (``farscope key new``) and copied to both machines. Run
miros_local_consumer.py on the other machine first; the arguments are user, password, address and port::

    $ python miros_rabbit_producer.py bob dobbs 192.168.1.72 5672
    ['START',
     'SEARCH_FOR_SUPER_SIGNAL:producer_outer',
    ...
    [2018-01-10 13:14:26.739622] [producer_192.168.1.72] e->start_at() top->c1
    [2018-01-10 13:14:27.024377] [producer_192.168.1.72] e->B() c1->c1
"""

import sys
import time
from urllib.parse import quote

from farscope import Event, Factory, broadcast, pp, signals


class RabbitProducer(Factory):
    """A chart whose every step goes to the RabbitMQ at ``ip`` and ``port``, sealed."""

    def __init__(self, chart_name, rabbit_user, rabbit_password, ip, port) -> None:
        super().__init__(f"{chart_name}_{ip}")
        user, password = quote(rabbit_user, safe=""), quote(rabbit_password, safe="")
        self.probe = broadcast(self, url=f"amqp://{user}:{password}@{ip}:{port}/")

    def close(self) -> None:
        """End the chart, and the connection when all was sent."""
        self.stop()
        self.probe.close()


#  +-------- producer_outer ---------+
#  |   +--- c1 ----+   +---- c2 ---+ |
#  | * |           |   |           | +--+
#  | | |           +-A->           | |  |
#  | +->           <-A-+           | |  B
#  |   |           |   |           | <--+
#  |   +-----------+   +-----------+ |
#  +---------------------------------+


def producer_outer_init(chart, e):
    return chart.trans(c1)


def producer_outer_B(chart, e):
    return chart.trans(producer_outer)


def c1_A(chart, e):
    return chart.trans(c2)


def c2_A(chart, e):
    return chart.trans(c1)


if __name__ == "__main__":
    user, password, ip, port = [*sys.argv[1:], *("bob", "dobbs", "192.168.1.72", "5672")[len(sys.argv) - 1 :]]
    chart = RabbitProducer(
        chart_name="producer", rabbit_user=user, rabbit_password=password, ip=ip, port=int(port)
    )

    producer_outer = (
        chart.create(state="producer_outer")
        .catch(signal=signals.INIT_SIGNAL, handler=producer_outer_init)
        .catch(signal=signals.B, handler=producer_outer_B)
        .to_method()
    )
    c1 = chart.create(state="c1").catch(signal=signals.A, handler=c1_A).to_method()
    c2 = chart.create(state="c2").catch(signal=signals.A, handler=c2_A).to_method()
    chart.nest(producer_outer, parent=None).nest(c1, parent=producer_outer).nest(c2, parent=producer_outer)

    chart.start_at(producer_outer)
    chart.post_fifo(Event(signal=signals.B))
    time.sleep(0.1)
    pp(chart.spy())
    print(chart.trace())
    chart.close()
