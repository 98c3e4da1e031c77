"""The producer of the miros example, run with our imports and no broker, prints the same lines."""

from __future__ import annotations

import re
import threading
from functools import wraps

from farscope.engine import Event, Factory, signals
from farscope.records.text import pp

SPY = """\
['START',
 'SEARCH_FOR_SUPER_SIGNAL:producer_outer',
 'ENTRY_SIGNAL:producer_outer',
 'INIT_SIGNAL:producer_outer',
 'SEARCH_FOR_SUPER_SIGNAL:c1',
 'ENTRY_SIGNAL:c1',
 'INIT_SIGNAL:c1',
 '<- Queued:(0) Deferred:(0)',
 'B:c1',
 'B:producer_outer',
 'EXIT_SIGNAL:c1',
 'EXIT_SIGNAL:producer_outer',
 'ENTRY_SIGNAL:producer_outer',
 'INIT_SIGNAL:producer_outer',
 'SEARCH_FOR_SUPER_SIGNAL:c1',
 'ENTRY_SIGNAL:c1',
 'INIT_SIGNAL:c1',
 '<- Queued:(0) Deferred:(0)']
"""
TRACE = r"""
\[[-0-9]+ [0-9:.]+\] \[producer_192.168.1.72\] e->start_at\(\) top->c1
\[[-0-9]+ [0-9:.]+\] \[producer_192.168.1.72\] e->B\(\) c1->c1
"""


class Producer(Factory):
    """The miros example's RabbitProducer, with lists where it has exchanges."""

    def __init__(self, chart_name, ip) -> None:
        super().__init__(chart_name + "_" + ip)
        self.spy_exchange = []
        self.trace_exchange = []
        self.lines_due = threading.Semaphore(0)

        def strip_trace(fn):
            @wraps(fn)
            def _strip_trace(trace_live):
                trace_live = trace_live.replace("\n", "")
                fn(trace_live)

            return _strip_trace

        def broadcast_spy(spy_live):
            self.spy_exchange.append(spy_live)
            if spy_live.startswith("<-"):
                self.lines_due.release()

        @strip_trace
        def broadcast_trace(trace_live):
            self.trace_exchange.append(trace_live)

        self.register_live_spy_callback(broadcast_spy)
        self.register_live_trace_callback(broadcast_trace)
        self.live_spy = True
        self.live_trace = True


def test_the_seeds_producer_prints_the_seeds_lines_and_sends_them(capsys):
    def producer_outer_init(chart, e):
        return chart.trans(c1)

    def producer_outer_b(chart, e):
        status = chart.trans(producer_outer)
        return status  # noqa: RET504 - as in the miros example

    def c1_a(chart, e):
        return chart.trans(c2)

    def c2_a(chart, e):
        return chart.trans(c1)

    chart = Producer("producer", "192.168.1.72")
    producer_outer = (
        chart.create(state="producer_outer")
        .catch(signal=signals.INIT_SIGNAL, handler=producer_outer_init)
        .catch(signal=signals.B, handler=producer_outer_b)
        .to_method()
    )
    c1 = chart.create(state="c1").catch(signal=signals.A, handler=c1_a).to_method()
    c2 = chart.create(state="c2").catch(signal=signals.A, handler=c2_a).to_method()
    chart.nest(producer_outer, parent=None).nest(c1, parent=producer_outer).nest(c2, parent=producer_outer)

    chart.start_at(producer_outer)
    chart.post_fifo(Event(signal=signals.B))
    for _ in range(2):
        assert chart.lines_due.acquire(timeout=20)
    pp(chart.spy())
    assert capsys.readouterr().out == SPY
    assert re.fullmatch(TRACE, chart.trace())
    assert chart.spy_exchange == chart.spy()
    assert len(chart.spy_exchange) == 18
    assert chart.trace_exchange == chart.trace().split("\n")[1:-1]
    chart.stop()
