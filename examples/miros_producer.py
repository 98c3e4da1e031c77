"""The miros example's chart, run on this machine alone: no log, no key, nothing to install beside farscope.

It prints what the chart did, as its own ``spy`` and ``trace`` tell it::

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

    [2018-01-10 13:14:26.739622] [producer] e->start_at() top->c1
    [2018-01-10 13:14:27.024377] [producer] e->B() c1->c1
"""

import time

from farscope import Event, Factory, pp, signals

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


chart = Factory("producer")

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
chart.stop()
