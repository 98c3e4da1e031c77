"""A lamp with one button, visible to anyone with the key: the ten lines of README.md.

Run ``farscope watch`` in a second terminal, then this one; each Enter presses the button and Ctrl-D
ends it. After two presses it has printed its own trace::

    [2018-01-10 13:14:26.739622] [lamp] e->start_at() top->off
    [2018-01-10 13:14:27.024377] [lamp] e->PRESS() off->on
    [2018-01-10 13:14:27.309021] [lamp] e->PRESS() on->off
"""

import sys

from farscope import Event, Factory, broadcast

lamp = Factory("lamp", threaded=False)
off = lamp.create(state="off").catch(signal="PRESS", handler=lambda chart, e: chart.trans(on)).to_method()
on = lamp.create(state="on").catch(signal="PRESS", handler=lambda chart, e: chart.trans(off)).to_method()
lamp.nest(off, parent=None).nest(on, parent=None)

with broadcast(lamp):
    lamp.start_at(off)
    for _ in sys.stdin:
        lamp.dispatch(Event(signal="PRESS"))

print(lamp.trace())
