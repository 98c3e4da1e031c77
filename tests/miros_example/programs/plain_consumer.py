"""A consumer after the miros example's tutorial, of pika and Fernet alone: nothing of farscope is in it."""

import os

import pika
from cryptography.fernet import Fernet

parameters = pika.ConnectionParameters(
    os.environ["RABBIT_HOST"],
    int(os.environ["RABBIT_PORT"]),
    "/",
    pika.PlainCredentials(os.environ["RABBIT_USER"], os.environ["RABBIT_PASSWORD"]),
)
connection = pika.BlockingConnection(parameters)
channel = connection.channel()
fernet = Fernet(os.environ["LINES_KEY"].encode())


def listen(exchange, word):
    def received(ch, method, properties, body):
        print(f" [x] {word}: {fernet.decrypt(body).decode()}", flush=True)

    channel.exchange_declare(exchange=exchange, exchange_type="fanout")
    queue = channel.queue_declare(queue="", exclusive=True).method.queue
    channel.queue_bind(exchange=exchange, queue=queue)
    channel.basic_consume(queue=queue, on_message_callback=received, auto_ack=True)


listen("spy", "Spy")
listen("trace", "Trace")
print("waiting", flush=True)
try:
    channel.start_consuming()
except KeyboardInterrupt:
    connection.close()
