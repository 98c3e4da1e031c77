"""A producer of the miros example's kind, of miros, pika and Fernet alone: nothing of farscope is in it.

Broker and key come from the environment, a line on standard input is a signal, its end is the end.
"""

import os
import sys
import time

import pika
from cryptography.fernet import Fernet
from miros import Event, Factory, return_status, signals

parameters = pika.ConnectionParameters(
    os.environ["RABBIT_HOST"],
    int(os.environ["RABBIT_PORT"]),
    "/",
    pika.PlainCredentials(os.environ["RABBIT_USER"], os.environ["RABBIT_PASSWORD"]),
)
connection = pika.BlockingConnection(parameters)
channel = connection.channel()
for exchange in ("spy", "trace"):
    channel.exchange_declare(exchange=exchange, exchange_type="fanout")
fernet = Fernet(os.environ["LINES_KEY"].encode())


def publish_spy(line):
    channel.basic_publish(exchange="spy", routing_key="", body=fernet.encrypt(line.encode()))


def publish_trace(line):
    channel.basic_publish(
        exchange="trace", routing_key="", body=fernet.encrypt(line.replace("\n", "").encode())
    )


def outer_init(chart, e):
    return chart.trans(inner)


def on_b(chart, e):
    return chart.trans(outer)


def on_h(chart, e):
    chart.scribble("hooked: nothing moves")
    return return_status.HANDLED


chart = Factory(sys.argv[1])
chart.register_live_spy_callback(publish_spy)
chart.register_live_trace_callback(publish_trace)
chart.live_spy = True
chart.live_trace = True
outer = (
    chart.create(state="outer")
    .catch(signal=signals.INIT_SIGNAL, handler=outer_init)
    .catch(signal=signals.B, handler=on_b)
    .catch(signal=signals.H, handler=on_h)
    .to_method()
)
inner = chart.create(state="inner").to_method()
chart.nest(outer, parent=None).nest(inner, parent=outer)

print("ready", flush=True)
sys.stdin.readline()
chart.start_at(outer)
for line in sys.stdin:
    chart.post_fifo(Event(signal=line.strip()))
    time.sleep(0.3)  # as in the miros example: the chart's own thread publishes meanwhile
for line in chart.spy():
    print(line)
print(chart.trace(), flush=True)
connection.close()
