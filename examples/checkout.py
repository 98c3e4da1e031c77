"""An order that is paid and packed at the same time, held and released: regions, history and final states.

An order ships when both regions have reached their final states, in whichever order that happens::

    ORDER -> unpaid | unpacked
    PAY -> paid | unpacked
    HOLD -> held
    RELEASE -> paid | unpacked
    BOX -> paid | boxed
    LABEL -> shipped
    DELIVER -> top

    [2018-01-10 13:14:26.739622] [order 7] e->start_at() top->basket
    [2018-01-10 13:14:26.739622] [order 7] e->ORDER() basket->unpaid | unpacked
    [2018-01-10 13:14:26.739622] [order 7] e->PAY() unpaid | unpacked->paid | unpacked
    [2018-01-10 13:14:26.739622] [order 7] e->HOLD() paid | unpacked->held
    [2018-01-10 13:14:26.739622] [order 7] e->RELEASE() held->paid | unpacked
    [2018-01-10 13:14:26.739622] [order 7] e->BOX() paid | unpacked->paid | boxed
    [2018-01-10 13:14:26.739622] [order 7] e->LABEL() paid | boxed->paid | labelled
    [2018-01-10 13:14:26.739622] [order 7] e->done.state.processing() paid | labelled->shipped
    [2018-01-10 13:14:26.739622] [order 7] e->DELIVER() shipped->top
"""

from farscope import Event
from farscope.engine import Chart, Final, History, State


class Order(Chart):
    """An order in a shop."""

    basket = State(initial=True)
    with State(parallel=True) as processing:
        with State() as payment:
            unpaid = State(initial=True)
            paid = Final()
        with State() as packing:
            unpacked = State(initial=True)
            boxed = State()
            labelled = Final()
        as_it_was = History(deep=True)
    held = State()
    shipped = State()
    delivered = Final()

    basket.on("ORDER", to=processing)
    unpaid.on("PAY", to=paid)
    unpacked.on("BOX", to=boxed)
    boxed.on("LABEL", to=labelled)
    processing.on("HOLD", to=held)
    held.on("RELEASE", to=as_it_was)
    processing.on_done(to=shipped)
    shipped.on("DELIVER", to=delivered)


order = Order("order 7", threaded=False)
order.start_at()
for name in ("ORDER", "PAY", "HOLD", "RELEASE", "BOX", "LABEL", "DELIVER"):
    order.dispatch(Event(name))
    print(name, "->", order.current_state())
print(order.trace())
